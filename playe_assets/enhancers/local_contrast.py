"""Mild local contrast: contrast-limited histogram equalisation of luma, mixed with the original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import Enhancer, Pixels
from playe_assets.core.params import bounds
from playe_assets.enhancers.luma import bands, planes, with_delta


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
    reference = "K. Zuiderveld: Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV, 1994"
    Params: ClassVar[type] = LocalContrastParams

    def frame(self, pixels: Pixels) -> Pixels:
        """`pixels` with more local contrast, same shape and dtype."""
        import cv2

        luma = np.ascontiguousarray(planes(pixels)[:, :, 0])
        # More tiles than samples would make OpenCV pad the picture by more than its own size.
        tiles = min(self.params.tiles, *luma.shape)
        clahe = cv2.createCLAHE(clipLimit=self.params.clip_limit, tileGridSize=(tiles, tiles))
        eight, share = luma.dtype == np.uint8, np.float32(self.params.blend)
        after: Any = clahe.apply(luma) if eight else _sixteen_bit_change(clahe, luma)
        done: Pixels = np.empty_like(pixels)
        for rows in bands(pixels):
            change = cv2.subtract(after[rows], luma[rows], dtype=cv2.CV_32F) if eight else after[rows]
            done[rows] = with_delta(pixels[rows], change * share)
        return done


def _sixteen_bit_change(clahe: Any, luma: Any) -> Any:
    """CLAHE's change of 16-bit luma (h, w), float32, from 256 bins as for 8 bit.

    OpenCV's own 16-bit CLAHE has 65536 bins, more than a tile has samples: the limit of one sample a bin
    then clips nothing, and the same parameter made the picture twice as contrasty (measured). Four 8-bit
    copies, a quarter of a step apart, are averaged, so that no 8-bit steps show.
    """
    total = np.zeros(luma.shape, np.float32)
    for quarter in (0, 64, 128, 192):
        eight = (np.minimum(luma, 65535 - quarter) + np.uint16(quarter) >> 8).astype(np.uint8)
        total += clahe.apply(eight).astype(np.float32) - eight
    return total * np.float32(257.0 / 4.0)
