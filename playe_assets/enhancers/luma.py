"""One luma for all enhancers, and the way back that changes nothing where the luma did not change.

Luma is ITU-R BT.601 on gamma-encoded RGB (OpenCV's COLOR_RGB2YCrCb, full range, rounded). Results go
back as differences: rgb + inverse(delta), so that a step which leaves Y, Cr and Cb alone leaves every
sample alone; a plain round trip would move 8-bit colours by up to 2 units.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels

# ITU-R BT.601-7, 2.5.1 solved for R, G, B with OpenCV's scaling: rows R, G, B; columns Y, Cr, Cb.
_INVERSE = np.array(
    [[1.0, 1.402525, 0.0], [1.0, -0.714403, -0.343730], [1.0, 0.0, 1.769905]], dtype=np.float32
)

_BAND_SAMPLES = 1 << 18
"""1 MiB as float32."""


def planes(pixels: Pixels) -> Pixels:
    """(h, w, 3) RGB as Y, Cr, Cb of the same dtype; (h, w, 1) as it is."""
    import cv2

    if pixels.shape[2] == 1:
        return pixels
    found: Pixels = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2YCrCb)
    return found


def with_delta(pixels: Pixels, delta: npt.NDArray[np.float32]) -> Pixels:
    """`pixels` plus a change of luma (h, w) or of Y, Cr and Cb (h, w, 3), rounded and clipped."""
    import cv2

    change: Any = delta
    if pixels.shape[2] == 3 and delta.ndim == 3:
        change = cv2.transform(delta, _INVERSE)
    elif pixels.shape[2] == 3:
        change = cv2.merge([delta, delta, delta])
    return plus(pixels, change)


def bands(pixels: Pixels) -> Iterator[slice]:
    """Rows of a picture a few at a time, so that what is computed between stays in the processor's cache.

    A float picture of 4K takes 100 MB, which the system gives and takes back at every call: 150 ms of page
    faults a frame, measured. Per-pixel work in bands gives the same bits.
    """
    rows = max(1, _BAND_SAMPLES // max(1, pixels.shape[1] * pixels.shape[2]))
    yield from (slice(first, first + rows) for first in range(0, pixels.shape[0], rows))


def plus(pixels: Pixels, change: npt.NDArray[np.float32]) -> Pixels:
    """`pixels` plus a change of its own shape, or (h, w) for one channel; rounded and clipped."""
    import cv2

    depth = cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_16U
    base = pixels if pixels.shape[2] == 3 else pixels[:, :, 0]
    # cv2.add saturates and rounds half to even, in one pass over the picture.
    summed: Pixels = cv2.add(base, change.reshape(base.shape), dtype=depth)
    return summed if summed.ndim == 3 else summed[:, :, np.newaxis]


def contiguous(pixels: Any) -> Pixels:
    """`pixels` in rows without gaps, itself where it is so already."""
    found: Pixels = np.ascontiguousarray(pixels)
    return found


def unit(pixels: Pixels) -> float:
    """What one 8-bit step is worth in the samples of `pixels`: 1 or 257 (65535 / 255)."""
    return 1.0 if pixels.dtype == np.uint8 else 257.0
