"""Tests of `playe_assets/core/`."""
