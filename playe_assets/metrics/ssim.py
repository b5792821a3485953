"""Structural similarity of luma against the exhibit and against known truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.contracts import Column, Metric, Pair, Pixels
from playe_assets.core.params import bounds
from playe_assets.metrics.scale import luma, resized


@dataclass(frozen=True)
class SsimParams:
    """The window is uniform, as in scikit-image's default; K1 = 0.01 and K2 = 0.03 as in the paper."""

    window_px: int = bounds(3, 31, "px", odd=True)


class Ssim(Metric):
    """Mean SSIM of BT.601 luma, data range 255 in 8-bit units, sample covariance.

    Null where the picture is smaller than the window, or where no reference was delivered.
    """

    name = "ssim"
    version = "1"
    reference = (
        "Z. Wang et al.: Image Quality Assessment: From Error Visibility to Structural Similarity, TIP 2004"
    )
    columns = (
        Column("ssim_exhibit", "1", -1.0, 1.0, "none"),
        Column("ssim_reference", "1", -1.0, 1.0, "higher"),
    )
    Params: ClassVar[type] = SsimParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """One index a column."""
        found = {"ssim_exhibit": self._ssim(pair.derivative, pair.exhibit), "ssim_reference": None}
        if pair.reference is not None:
            found["ssim_reference"] = self._ssim(pair.derivative, pair.reference)
        return found

    def _ssim(self, pixels: Pixels, like: Pixels) -> float | None:
        from skimage.metrics import structural_similarity

        if min(like.shape[:2]) < self.params.window_px:
            return None
        one, other = luma(resized(pixels, like)), luma(like)
        return float(structural_similarity(one, other, win_size=self.params.window_px, data_range=255.0))
