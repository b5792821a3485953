"""What all detectors do alike: an 8-bit view of the frame of bounded size, and boxes mapped back to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Frame, Pixels
from playe_assets.core.values import Detection
from playe_assets.inference.faces.found import Face
from playe_assets.inference.faces.picture import shrunk


@dataclass(frozen=True)
class View:
    """A shrunken 8-bit copy; one px of it is `1 / scale` px of the frame."""

    pixels: npt.NDArray[np.uint8]
    """(h, w, c)"""
    scale: float


def view(pixels: Pixels, max_side_px: int) -> View:
    """`pixels` as 8 bit (the upper byte of 16-bit samples), its longer side at most `max_side_px`."""
    return View(*shrunk(pixels, max_side_px))


def grey(seen: View) -> npt.NDArray[np.uint8]:
    """(h, w) BT.601 luma of a view."""
    import cv2

    if seen.pixels.shape[2] == 1:
        return np.ascontiguousarray(seen.pixels[:, :, 0])
    found: npt.NDArray[np.uint8] = cv2.cvtColor(seen.pixels, cv2.COLOR_RGB2GRAY)
    return found


def bgr(seen: View) -> npt.NDArray[np.uint8]:
    """(h, w, 3) in the order that OpenCV's trained models expect; grey is repeated."""
    import cv2

    code = cv2.COLOR_GRAY2BGR if seen.pixels.shape[2] == 1 else cv2.COLOR_RGB2BGR
    found: npt.NDArray[np.uint8] = cv2.cvtColor(seen.pixels, code)
    return found


def colour(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """(h, w, 3) 8-bit RGB at full size (the upper byte of 16-bit samples); grey is repeated."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    found = np.repeat(eight, 3, axis=2) if eight.shape[2] == 1 else eight
    return np.ascontiguousarray(found, dtype=np.uint8)


def placed(
    label: str,
    box: Iterable[float],
    score: float,
    scale: float,
    frame: Pixels,
    landmarks: Iterable[tuple[float, float]] = (),
) -> Detection | None:
    """A box (x, y, width, height) of a view as a `Detection` in the frame, cut at its borders.

    None where nothing of the box lies inside the frame. Rounded to 0.01 px and 0.0001 in score, so that
    the last bits of a float do not change a digest.
    """
    height, width = frame.shape[:2]
    x, y, box_width, box_height = (float(v) / scale for v in box)
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(float(width), x + box_width), min(float(height), y + box_height)
    if right <= left or bottom <= top:
        return None
    points = tuple((round(float(px) / scale, 2), round(float(py) / scale, 2)) for px, py in landmarks)
    return Detection(
        label, round(left, 2), round(top, 2), round(right - left, 2), round(bottom - top, 2),
        round(float(score), 4), points,
    )  # fmt: skip


def faces(found: Iterable[Face], seen: View, frame: Frame) -> list[Detection]:
    """Faces of a view as findings labelled `face` in the frame, in order."""
    return ordered(
        placed("face", (f.x, f.y, f.width, f.height), f.score, seen.scale, frame.pixels, f.landmarks)
        for f in found
    )


def ordered(found: Iterable[Detection | None]) -> list[Detection]:
    """By descending score, then x, then y; then size, so that ties have one order too."""
    kept = [item for item in found if item is not None]
    return sorted(kept, key=lambda d: (-d.score, d.x, d.y, d.width, d.height))
