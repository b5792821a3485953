"""Noise estimate from one picture, before and after, at the exhibit's own scale."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from playe_assets.core.contracts import Column, Metric, Pair, Pixels
from playe_assets.metrics.scale import luma, resized

# The difference of two Laplacians: blind to planes and straight edges, which are not noise.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)


@dataclass(frozen=True)
class NoiseParams:
    """None."""


class Noise(Metric):
    """Standard deviation of the noise in luma, 8-bit units; fine texture is counted as noise.

    Null for pictures under 3 x 3 px, which have no sample with all its neighbours.
    """

    name = "noise"
    version = "1"
    reference = "J. Immerkaer: Fast Noise Variance Estimation, CVIU 64 (1996), 300-302"
    columns = (
        Column("noise_before", "8-bit units", 0.0, None, "none"),
        Column("noise_after", "8-bit units", 0.0, None, "lower"),
    )
    Params: ClassVar[type] = NoiseParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """Sigma a column."""
        after = resized(pair.derivative, pair.exhibit)
        return {"noise_before": _sigma(pair.exhibit), "noise_after": _sigma(after)}


def _sigma(pixels: Pixels) -> float | None:
    import cv2

    if min(pixels.shape[:2]) < 3:
        return None
    response = cv2.filter2D(luma(pixels), cv2.CV_32F, _MASK)[1:-1, 1:-1]
    return math.sqrt(math.pi / 2.0) / 6.0 * float(np.mean(np.abs(response), dtype=np.float64))
