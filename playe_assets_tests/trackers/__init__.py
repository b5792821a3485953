"""Trackers: what joins findings over time."""
