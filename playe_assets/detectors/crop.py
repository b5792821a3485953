"""The picture of one finding by itself, 8 bit, for what is measured of it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.core.values import Detection


def crop(pixels: Pixels, found: Detection) -> npt.NDArray[np.uint8]:
    """(h, w, 1 or 3) the whole px under the box, at least one; the upper byte of 16-bit samples."""
    height, width = pixels.shape[:2]
    left = min(max(0, math.floor(found.x)), width - 1)
    top = min(max(0, math.floor(found.y)), height - 1)
    right = min(width, max(left + 1, math.ceil(found.x + found.width)))
    bottom = min(height, max(top + 1, math.ceil(found.y + found.height)))
    part = pixels[top:bottom, left:right]
    eight = part if part.dtype == np.uint8 else (part >> 8).astype(np.uint8)
    return np.ascontiguousarray(eight, dtype=np.uint8)
