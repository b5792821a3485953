"""Faces as several plug-ins need them: finding with the known networks, five-point alignment, paste-back, likeness.

Plug-in folders never import one another, so detectors, the restorer and the identity metric share this.
"""
