"""How well a finding can be seen, for choosing a track's best frames: size, sharpness, pose."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.core.values import Detection
from playe_assets.detectors.crop import crop

SIDE: Final = 64
"""px: the crop is brought to this side before its sharpness is measured, so that sharpness is of the thing."""
HALF_SIZE: Final = 64.0
"""px of size at which half of the merit of size is reached."""
HALF_SHARPNESS: Final = 0.3
"""rad/px at which half of the merit of sharpness is reached."""
TURNED_AWAY: Final = 0.25
"""What is left of the merit of a face seen from the side."""
EYES_TO_MOUTH: Final = 0.8
"""Distance of the eyes over that from eyes to mouth, in a frontal face at least this."""

FLOOR: Final = 6.0
"""8-bit units added to the contrast: texture fainter than this (asphalt, a wall) is no detail of a thing."""
METHOD: Final = {"quality_side_px": SIDE, "quality_half_size_px": HALF_SIZE, "quality_half_sharpness": HALF_SHARPNESS,
                 "quality_turned_away": TURNED_AWAY, "quality_eyes_to_mouth": EYES_TO_MOUTH,
                 "quality_floor": FLOOR}  # fmt: skip
"""For the record."""


def quality(pixels: Pixels, found: Detection, corrupt: bool = False) -> dict[str, float]:
    """What is known of how well `found` is seen in `pixels` (h, w, 1 or 3).

    `size`: square root of the box's area, px. `sharpness`: see below, rad/px. `pose`: 0..1, only with five
    landmarks. `overall`, 0..1: s / (s + 64) * k² / (k² + 0.3²) * (0.25 + 0.75 pose), the last factor 1 without
    landmarks; 0 where the frame is corrupt.
    """
    size = math.sqrt(found.width * found.height)
    sharp = _sharpness(crop(pixels, found))
    seen = {"size": round(size, 2), "sharpness": round(sharp, 4)}
    overall = size / (size + HALF_SIZE) * sharp**2 / (sharp**2 + HALF_SHARPNESS**2)
    if len(found.landmarks) == 5:
        pose = _pose(np.array(found.landmarks, np.float64))
        seen["pose"] = round(pose, 4)
        overall *= TURNED_AWAY + (1 - TURNED_AWAY) * pose
    seen["overall"] = 0.0 if corrupt else round(overall, 4)
    return seen


def _sharpness(part: npt.NDArray[np.uint8]) -> float:
    """Root of the gradients' energy over the variance of luma, both less what noise adds; rad/px at `SIDE`.

    It is the mean spatial frequency of the crop, so brightness and contrast (well above `FLOOR`) cancel. Noise by
    the median of the second differences both ways (after J. Immerkaer: Fast Noise Variance Estimation, CVIU 1996).
    """
    import cv2

    grey = part[:, :, 0] if part.shape[2] == 1 else cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    scale = SIDE / math.sqrt(grey.shape[0] * grey.shape[1])
    size = tuple(min(4 * SIDE, max(8, round(n * scale))) for n in (grey.shape[1], grey.shape[0]))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    luma = cv2.resize(grey, size, interpolation=how).astype(np.float64)
    twice = luma[:, 2:] - 2 * luma[:, 1:-1] + luma[:, :-2]
    both = twice[2:] - 2 * twice[1:-1] + twice[:-2]
    sigma = float(np.median(np.abs(both))) / (0.6745 * 6)
    gx, gy = (luma[1:-1, 2:] - luma[1:-1, :-2]) / 2, (luma[2:, 1:-1] - luma[:-2, 1:-1]) / 2
    energy = float(np.mean(gx * gx + gy * gy)) - sigma**2
    spread = float(np.var(luma)) - sigma**2
    return math.sqrt(energy / (spread + FLOOR**2)) if energy > 0 and spread > 0 else 0.0


def _pose(points: npt.NDArray[np.float64]) -> float:
    """1 frontal, 0 from the side: the nose lies between the eyes, and they are as far apart as a face is high.

    `points`: two eyes, nose, two corners of the mouth, px; turning the head in the picture's plane changes nothing.
    """
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    across, down = points[1] - points[0], mouth - eyes
    wide, high = float(np.hypot(*across)), float(np.hypot(*down))
    if wide == 0 or high == 0:
        return 0.0
    aside = abs(float((points[2] - eyes) @ across)) / wide / (wide / 2)
    return max(0.0, 1 - aside) * min(1.0, wide / high / EYES_TO_MOUTH)
