"""Values, errors, parameters, registries and texts; the standard library, numpy and PyYAML only."""
