"""How strong the noise of one picture is, from that picture alone."""

from __future__ import annotations

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.enhancers.luma import unit

# The difference of two Laplacians: blind to planes and straight edges, which are not noise.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_NORM = 6.0
"""Root of the sum of the mask's squares: white noise of sigma 1 leaves it with sigma 6."""
_MEDIAN_OF_NORMAL = 0.67449
"""Median of the absolute value of a normal variable of sigma 1."""
_CLIP = 4.0
"""8-bit units from either end of the range within which clipping hides noise."""
_FEWEST = 0.02
"""Share of the samples that must be away from the ends, else all are taken."""


def noise_sigma(plane: Pixels) -> float:
    """Standard deviation of white noise in `plane` (h, w, 1), 8-bit units; 0 under 3 x 3 px.

    Median instead of mean of the mask's response: texture in less than half of the picture does not count
    as noise (the mean said 5 for clean photographs). Places where the local mean lies within 4 units of
    black or white are left out. Noise that a codec has smoothed is under-estimated.
    Source: J. Immerkaer: Fast Noise Variance Estimation, CVIU 64 (1996); the median after D. L. Donoho,
    I. M. Johnstone: Ideal spatial adaptation by wavelet shrinkage, Biometrika 81 (1994).
    """
    import cv2

    if min(plane.shape[:2]) < 3:
        return 0.0
    samples = np.ascontiguousarray(plane[:, :, 0])
    response = np.abs(cv2.filter2D(samples, cv2.CV_32F, _MASK)[1:-1, 1:-1])
    around = cv2.blur(samples, (3, 3))[1:-1, 1:-1]
    step = unit(plane)
    open_range = (around >= _CLIP * step) & (around <= (255.0 - _CLIP) * step)
    chosen = response[open_range]
    if chosen.size < _FEWEST * response.size:
        chosen = response.ravel()
    return float(np.median(chosen)) / (_NORM * _MEDIAN_OF_NORMAL * step)
