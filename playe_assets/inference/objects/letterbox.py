"""Fits a picture into a square without changing its proportions, as YOLO networks were trained to see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

GREY = 114
"""Value of the margin, 8-bit units: the mean that the networks were trained with (ultralytics, darknet)."""


@dataclass(frozen=True)
class Letterbox:
    """A picture in its square. A point (x, y) of the square is ((x - left) / across, (y - top) / down) outside."""

    pixels: npt.NDArray[np.uint8]
    """(side, side, 3)"""
    left: int
    top: int
    across: float
    """px of the square per px of the picture, horizontally; differs from `down` by the rounding of the sides."""
    down: float

    @property
    def tensor(self) -> npt.NDArray[np.float32]:
        """(1, 3, side, side), 0..1."""
        return np.ascontiguousarray(
            self.pixels.transpose(2, 0, 1)[np.newaxis], dtype=np.float32
        ) / np.float32(255)

    def outside(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(n, 4) corners x1, y1, x2, y2 of the square in px of the picture, not cut at its borders."""
        shift = np.array([self.left, self.top, self.left, self.top], np.float32)
        gain = np.array([self.across, self.down, self.across, self.down], np.float32)
        found: npt.NDArray[np.float32] = (boxes - shift) / gain
        return found


def letterbox(picture: npt.NDArray[np.uint8], side: int) -> Letterbox:
    """`picture` (h, w, 3) in the middle of a square of `side` px; bilinear, every side at least one px.

    Where the margin is odd the smaller half is left and above, as in the networks' training.
    """
    import cv2

    height, width = picture.shape[:2]
    ratio = min(side / height, side / width)
    wide, high = max(round(width * ratio), 1), max(round(height * ratio), 1)
    seen = picture
    if (width, height) != (wide, high):
        seen = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False)
    left, top = (side - wide) // 2, (side - high) // 2
    square = np.full((side, side, 3), GREY, np.uint8)
    square[top : top + high, left : left + wide] = seen
    return Letterbox(square, left, top, wide / width, high / height)
