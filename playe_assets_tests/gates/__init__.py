"""Tests of `playe_assets/gates/`."""
