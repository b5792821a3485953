"""Clips in segments: the same bits as in one piece, whatever was finished before."""
