"""Fusers: one picture out of a track."""
