"""Tests of `playe_assets/inference/`."""
