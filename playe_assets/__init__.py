"""PLAYE: an open forensic laboratory for photographs and video, built as a Dagster project."""

__version__ = "0.1.0"
