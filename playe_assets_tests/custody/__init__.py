"""Tests of `playe_assets/custody/`."""
