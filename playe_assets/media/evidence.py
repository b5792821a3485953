"""Where a derivative disagrees with the evidence: brought back to the exhibit's size and compared with it.

Planes are (h, w) float32 in 8-bit units at the evidence's size; work is done in bands of rows, so that memory
does not grow with three floats a sample of a large photograph.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels

Plane = npt.NDArray[np.float32]
WINDOW_PX = 5
"""Side of the window over which differences are gathered: wide enough that single samples do not glitter."""
STRUCTURE_PX = 9
"""Side of the window in which one picture is explained by the other: 81 samples for a line of two numbers."""
MAP_GAIN = 8
"""A map shows 8-bit units times 8, as the difference picture does: full scale is 32/255, far beyond a faithful step."""
ROUNDED = 1.0 / 12.0
"""Variance, 8-bit units squared, of rounding to whole steps: below it the other picture explains nothing."""
NOT_COUNTED = 1.0
"""Variance, 8-bit units squared, that is not counted as unexplained: rounding that a step made stronger."""
_BAND_PX = 4_000_000


def disagreement(evidence: Pixels, result: Pixels, noise: float = 0.0) -> Plane:
    """How far `result`, area-averaged to the size of `evidence`, lies from it.

    The root of the mean square difference over channels and a window of 5 x 5 px, less (in squares) what
    noise of standard deviation `noise` explains, with two standard deviations of its mean square over such
    a window: a denoiser that takes away noise alone disagrees next to nowhere.
    Source: consistency with the low-resolution evidence, A. Lugmayr et al., NTIRE 2021 SR space challenge.
    """
    import cv2

    explained = np.float32(noise * noise * (1.0 + 2.0 * math.sqrt(2.0) / WINDOW_PX))
    found = np.empty(evidence.shape[:2], np.float32)
    for seen, made, inner, rows in _bands(evidence, result, WINDOW_PX // 2):
        one, other = _alike(seen, made)
        square = np.square(other - one).mean(axis=2)
        mean = cv2.blur(square, (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_REFLECT)
        found[rows] = np.sqrt(np.maximum(mean[inner] - explained, 0.0))
    return found


def unexplained(evidence: Pixels, result: Pixels) -> tuple[Plane, Plane]:
    """(added, lost): structure of either picture that is no local rescaling of the other's brightness.

    In each window of 9 x 9 px the luma of one is fitted as a + b times that of the other (least squares); the
    standard deviation of what remains is `added` for the result given the evidence, and `lost` for the
    evidence given the result. Brightening and contrast leave both at zero; invented texture shows as added.
    Source: the local linear model of K. He, J. Sun, X. Tang: Guided Image Filtering, TPAMI 35 (2013).
    """
    import cv2

    added = np.empty(evidence.shape[:2], np.float32)
    lost = np.empty_like(added)

    def mean(plane: Plane) -> Plane:
        box: Plane = cv2.blur(plane, (STRUCTURE_PX, STRUCTURE_PX), borderType=cv2.BORDER_REFLECT)
        return box

    for seen, made, inner, rows in _bands(evidence, result, STRUCTURE_PX // 2):
        x, y = _luma(seen), _luma(made)
        mean_x, mean_y = mean(x), mean(y)
        var_x = np.maximum(mean(x * x) - mean_x * mean_x, 0.0)
        var_y = np.maximum(mean(y * y) - mean_y * mean_y, 0.0)
        cov = mean(x * y) - mean_x * mean_y
        for out, own, other in ((added, var_y, var_x), (lost, var_x, var_y)):
            rest = own - cov * cov / (other + np.float32(ROUNDED)) - np.float32(NOT_COUNTED)
            out[rows] = np.sqrt(np.maximum(rest[inner], 0.0))
    return added, lost


def summary(plane: Plane) -> tuple[float, float]:
    """Mean and 99th percentile of a plane."""
    return float(np.mean(plane, dtype=np.float64)), float(np.percentile(plane, 99))


def as_map(plane: Plane, height: int, width: int) -> Pixels:
    """A plane as a picture (height, width, 1) uint8: `MAP_GAIN` a unit, 255 is 32 units or more."""
    import cv2

    shown = np.rint(np.minimum(plane * np.float32(MAP_GAIN), 255.0)).astype(np.uint8)
    if shown.shape != (height, width):
        shown = cv2.resize(shown, (width, height), interpolation=cv2.INTER_LINEAR)
    found: Pixels = shown.reshape(height, width, 1)
    return found


def shrunk(pixels: Pixels, height: int, width: int) -> Pixels:
    """`pixels` at another size: area average to shrink, Lanczos to enlarge; itself where equal."""
    import cv2

    if pixels.shape[:2] == (height, width):
        return pixels
    shrink = height <= pixels.shape[0] and width <= pixels.shape[1]
    method = cv2.INTER_AREA if shrink else cv2.INTER_LANCZOS4
    found: Pixels = cv2.resize(np.ascontiguousarray(pixels), (width, height), interpolation=method)
    return found.reshape(height, width, pixels.shape[2])


def _bands(evidence: Pixels, result: Pixels, border: int) -> Iterator[tuple[Pixels, Pixels, slice, slice]]:
    """(evidence, result, rows inside the band, rows of the whole): the result at the evidence's size."""
    height, width = evidence.shape[:2]
    scale = result.shape[0] // height
    if result.shape[:2] != (height * scale, width * scale) or scale == 0:
        result, scale = shrunk(result, height, width), 1
    rows = max(1, _BAND_PX // width)
    for top in range(0, height, rows):
        end = min(top + rows, height)
        first, last = max(0, top - border), min(height, end + border)
        made = shrunk(result[first * scale : last * scale], last - first, width)
        yield evidence[first:last], made, slice(top - first, end - first), slice(top, end)


def _alike(one: Pixels, other: Pixels) -> tuple[Plane, Plane]:
    if one.shape[2] == other.shape[2]:
        return _eight_bit(one), _eight_bit(other)
    return _luma(one)[:, :, np.newaxis], _luma(other)[:, :, np.newaxis]


def _luma(pixels: Pixels) -> Plane:
    import cv2

    found = _eight_bit(pixels)
    grey: Plane = found[:, :, 0] if found.shape[2] == 1 else cv2.cvtColor(found, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(grey)


def _eight_bit(pixels: Pixels) -> Plane:
    found = pixels.astype(np.float32)
    if pixels.dtype != np.uint8:
        found *= np.float32(1.0 / 257.0)
    return found
