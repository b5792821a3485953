"""Where objects lie: the evidence store of a case."""
