"""Tests of `playe_assets/cli/`."""
