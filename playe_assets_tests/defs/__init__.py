"""Tests of `playe_assets/defs/`."""
