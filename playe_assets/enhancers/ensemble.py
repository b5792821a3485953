"""Self-ensemble: a step over the eight flips and rotations of a picture; how far its eight answers differ.

A step that reads the evidence gives one answer whichever way the picture is turned; where it guesses, the
answers part. Cost: eight times the step.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.enhancers.luma import contiguous, unit

EIGHT = tuple((quarters, flip) for flip in (False, True) for quarters in range(4))
"""Quarter turns, then a mirroring; the first is the picture as it is."""


def turned(pixels: Pixels, quarters: int, flip: bool) -> Pixels:
    """`pixels` turned by `quarters` x 90 degrees, then mirrored; contiguous."""
    found = np.rot90(pixels, quarters)
    return contiguous(found[:, ::-1] if flip else found)


def turned_back(pixels: Pixels, quarters: int, flip: bool) -> Pixels:
    """The inverse of `turned`."""
    return contiguous(np.rot90(pixels[:, ::-1] if flip else pixels, -quarters))


def eight(
    step: Callable[[Pixels], Pixels], pixels: Pixels, mean: bool
) -> tuple[Pixels, npt.NDArray[np.float32]]:
    """The step's answer and the spread of its eight: (H, W) float32 in 8-bit units, root over channels.

    The answer is that of the picture as it is, or the rounded mean of the eight where `mean`.
    Source: R. Timofte, R. Rothe, L. Van Gool: Seven ways to improve example-based single image
    super resolution, CVPR 2016.
    """
    first = step(pixels)
    total = np.zeros(first.shape, np.float32)
    squares = np.zeros(first.shape[:2], np.float32)
    for quarters, flip in EIGHT[1:]:
        again = turned_back(step(turned(pixels, quarters, flip)), quarters, flip)
        apart = again.astype(np.float32) - first
        total += apart
        squares += np.square(apart).sum(axis=2)
    total /= len(EIGHT)
    channels = first.shape[2]
    variance = squares / (len(EIGHT) * channels) - np.square(total).mean(axis=2)
    spread = np.sqrt(np.maximum(variance, 0.0)) / np.float32(unit(first))
    if mean:
        first = np.rint(first + total).clip(0, np.iinfo(first.dtype).max).astype(first.dtype)
    return first, spread
