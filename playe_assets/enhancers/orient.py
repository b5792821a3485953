"""Puts a picture upright by its EXIF orientation; exact, no sample changes its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.contracts import Enhancer, Pixels


@dataclass(frozen=True)
class OrientParams:
    """None: the orientation is a fact of the exhibit, not a choice."""


class Orient(Enhancer):
    """Applies `facts.orientation` (1..8) once; 5..8 swap width and height.

    A value outside 1..8 is reserved by the standard and read as 1, as the standard's default says.
    """

    name = "orient"
    version = "1"
    geometry = True
    reference = "CIPA DC-008-2019 (Exif 2.32), 4.6.4 A, tag 274 Orientation"
    Params: ClassVar[type] = OrientParams

    def frame(self, pixels: Pixels) -> Pixels:
        """`pixels` (h, w, c) upright; (w, h, c) for orientations 5..8."""
        value = self.facts.orientation
        if value in (5, 6, 7, 8):
            pixels = pixels.transpose(1, 0, 2)
        # What is left after the transposition: mirror left-right, top-bottom, or both.
        if value in (2, 3, 6, 7):
            pixels = pixels[:, ::-1]
        if value in (3, 4, 7, 8):
            pixels = pixels[::-1]
        return pixels.copy(order="C")
