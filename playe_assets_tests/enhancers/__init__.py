"""Enhancers: the contract over the registry, then each by itself."""
