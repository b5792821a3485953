"""Metrics: the contract over the registry, then values known from elsewhere."""
