"""Blockiness: how much steeper luma steps are across the codec's 8 x 8 grid than inside its blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from playe_assets.core.contracts import Column, Metric, Pair
from playe_assets.metrics.scale import Plane, luma, resized

_BLOCK = 8
_SMALLEST = 3 * _BLOCK


@dataclass(frozen=True)
class BlockinessParams:
    """None: 8 px is the transform size of JPEG and the commonest of H.264 and MPEG-4."""


class Blockiness(Metric):
    """Mean absolute step across grid lines over that between them; 1 means that no grid shows.

    The grid's offset is sought in the exhibit (cropping and rotation move it) and kept for the
    derivative. Null under 24 x 24 px or where the picture has no steps.
    """

    name = "blockiness"
    version = "1"
    reference = (
        "Z. Wang, H. R. Sheikh, A. C. Bovik: No-Reference Perceptual Quality Assessment of JPEG Compressed "
        "Images, ICIP 2002 (boundary differences), as a ratio after H. R. Wu, M. Yuen (GBIM, 1997)"
    )
    columns = (
        Column("blockiness_before", "1", 0.0, None, "none"),
        Column("blockiness_after", "1", 0.0, None, "lower"),
    )
    Params: ClassVar[type] = BlockinessParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """One ratio a column, the mean of both directions."""
        if min(pair.exhibit.shape[:2]) < _SMALLEST:
            return {"blockiness_before": None, "blockiness_after": None}
        before, after = luma(pair.exhibit), luma(resized(pair.derivative, pair.exhibit))
        phases = [int(np.argmax(_line_steps(plane))) for plane in (before, before.T)]
        return {"blockiness_before": _ratio(before, phases), "blockiness_after": _ratio(after, phases)}


def _line_steps(plane: Plane) -> list[float]:
    """Mean absolute step between neighbouring columns, for each of the 8 offsets of a grid."""
    steps = np.abs(np.diff(plane, axis=1)).astype(np.float64).sum(axis=0) / plane.shape[0]
    return [float(np.mean(steps[offset::_BLOCK])) for offset in range(_BLOCK)]


def _ratio(plane: Plane, phases: list[int]) -> float | None:
    ratios = []
    for view, phase in zip((plane, plane.T), phases, strict=True):
        steps = _line_steps(view)
        inside = (sum(steps) - steps[phase]) / (_BLOCK - 1)
        if inside <= 0.0:
            return None
        ratios.append(steps[phase] / inside)
    return sum(ratios) / len(ratios)
