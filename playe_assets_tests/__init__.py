"""Tests mirror the folders of playe_assets; a name is a sentence."""
