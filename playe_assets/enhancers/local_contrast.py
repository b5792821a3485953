"""Mild local contrast: contrast-limited histogram equalisation of luma, mixed with the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from playe_assets.core.contracts import Enhancer, Pixels
from playe_assets.core.params import bounds
from playe_assets.enhancers.luma import planes, with_delta


@dataclass(frozen=True)
class LocalContrastParams:
    """Colour differences stay as they are: all three channels move by the same amount."""

    clip_limit: float = bounds(0.5, 10.0, "times the mean bin")
    """Steepest slope allowed in a tile's equalisation; noise is amplified by at most this."""
    tiles: int = bounds(1, 32, "tiles a side")
    """The picture is cut into tiles x tiles; between them the curves are blended bilinearly."""
    blend: float = bounds(0.0, 1.0, "share")
    """Share of the equalised luma; 0 leaves the picture alone."""


class LocalContrast(Enhancer):
    """CLAHE (OpenCV) on BT.601 luma; the luma's change, times `blend`, is added to every channel."""

    name = "local_contrast"
    version = "1"
    reference = "K. Zuiderveld: Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV (1994), 474-485"
    Params: ClassVar[type] = LocalContrastParams

    def frame(self, pixels: Pixels) -> Pixels:
        """`pixels` with more local contrast, same shape and dtype."""
        import cv2

        luma = np.ascontiguousarray(planes(pixels)[:, :, 0])
        # More tiles than samples would make OpenCV pad the picture by more than its own size.
        tiles = min(self.params.tiles, *luma.shape)
        clahe = cv2.createCLAHE(clipLimit=self.params.clip_limit, tileGridSize=(tiles, tiles))
        change = cv2.subtract(clahe.apply(luma), luma, dtype=cv2.CV_32F)
        change *= np.float32(self.params.blend)
        return with_delta(pixels, change)
