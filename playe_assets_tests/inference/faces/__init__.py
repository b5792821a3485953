"""Faces: alignment, paste-back, and which decoder belongs to which card."""
