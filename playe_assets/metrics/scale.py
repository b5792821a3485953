"""Bringing two pictures to one size, one unit and one number of channels before they are compared."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels

Plane = npt.NDArray[np.float32]
PSNR_OF_EQUALS = 100.0
"""dB that stand for infinity: equal pictures have no error to divide by, and JSON has no infinity."""


def eight_bit(pixels: Pixels) -> Plane:
    """(h, w, c) as float32 in 8-bit units, 0..255; 16-bit samples are divided by 257, not rounded."""
    found = pixels.astype(np.float32)
    if pixels.dtype != np.uint8:
        found *= np.float32(1.0 / 257.0)
    return found


def luma(pixels: Pixels) -> Plane:
    """BT.601 luma (h, w) as float32 in 8-bit units, 0..255."""
    import cv2

    found = eight_bit(pixels)
    if found.shape[2] == 1:
        return found[:, :, 0]
    grey: Plane = cv2.cvtColor(found, cv2.COLOR_RGB2GRAY)
    return grey


def resized(pixels: Pixels, like: Pixels) -> Pixels:
    """`pixels` at the size of `like`: area average to shrink, Lanczos to enlarge; itself where equal."""
    import cv2

    if pixels.shape[:2] == like.shape[:2]:
        return pixels
    height, width = like.shape[:2]
    shrink = height <= pixels.shape[0] and width <= pixels.shape[1]
    method = cv2.INTER_AREA if shrink else cv2.INTER_LANCZOS4
    found: Pixels = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=method)
    return found.reshape(height, width, pixels.shape[2])


def alike(one: Pixels, other: Pixels) -> tuple[Plane, Plane]:
    """Both in 8-bit units; as luma (h, w, 1) where one of them is grey and the other is not."""
    if one.shape[2] == other.shape[2]:
        return eight_bit(one), eight_bit(other)
    return luma(one)[:, :, np.newaxis], luma(other)[:, :, np.newaxis]


def psnr(one: Pixels, other: Pixels) -> float:
    """PSNR over all samples in dB, peak 255 in 8-bit units, at most `PSNR_OF_EQUALS`.

    Source: ISO/IEC 29170-1:2017, peak signal-to-noise ratio.
    """
    import cv2

    if one.shape == other.shape and one.dtype == other.dtype:
        first, second, unit = (
            np.ascontiguousarray(one),
            np.ascontiguousarray(other),
            np.iinfo(one.dtype).max / 255,
        )
    else:
        (first, second), unit = alike(one, other), 1.0
    error = (cv2.norm(first, second, cv2.NORM_L2) / unit) ** 2 / first.size
    if error == 0.0:
        return PSNR_OF_EQUALS
    return float(min(PSNR_OF_EQUALS, 10.0 * np.log10(255.0**2 / error)))
