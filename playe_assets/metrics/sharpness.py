"""Sharpness as the variance of the Laplacian, before and after, at the exhibit's own scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.contracts import Column, Metric, Pair, Pixels
from playe_assets.metrics.scale import luma, resized


@dataclass(frozen=True)
class SharpnessParams:
    """None."""


class Sharpness(Metric):
    """Variance of the 3x3 Laplacian of luma (8-bit units squared).

    Noise raises it as detail does: after denoising a ratio below 1 is expected and no loss by itself.
    """

    name = "sharpness"
    version = "1"
    reference = "J. L. Pech-Pacheco et al.: Diatom autofocusing in brightfield microscopy, ICPR 2000 (LAPV)"
    columns = (
        Column("sharpness_before", "8-bit units squared", 0.0, None, "none"),
        Column("sharpness_after", "8-bit units squared", 0.0, None, "none"),
        Column("sharpness_ratio", "1", 0.0, None, "none"),
    )
    Params: ClassVar[type] = SharpnessParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """The ratio is null where the exhibit has no variation at all."""
        before = _variance(pair.exhibit)
        after = _variance(resized(pair.derivative, pair.exhibit))
        ratio = after / before if before > 0.0 else None
        return {"sharpness_before": before, "sharpness_after": after, "sharpness_ratio": ratio}


def _variance(pixels: Pixels) -> float:
    import cv2
    import numpy as np

    return float(np.var(cv2.Laplacian(luma(pixels), cv2.CV_32F, ksize=1), dtype=np.float64))
