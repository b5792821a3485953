"""Translation between two frames of a clip, to a small part of a pixel, and warping by it.

Only translation is estimated: what else moves (rotation, zoom, parallax, things) leaves residuals that the
fusion's test refuses. Source of the estimate: C. D. Kuglin, D. C. Hines (1975), phase correlation; refined
by B. D. Lucas, T. Kanade (1981), restricted to one translation for the whole picture.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels

Plane = npt.NDArray[np.float32]
P = TypeVar("P", bound="npt.NDArray[Any]")
_TAPS = 4
"""Lanczos-4: four samples to each side."""
_SMOOTH_PX = 1.2
_LIGHTING_PX = 6.0
_CLEARLY_BETTER = 0.98
"""Of two fits in a scene of noise alone, one is better by chance; then nothing moved."""
_ROUNDS = 16
"""Where noise adds to the gradients each round goes only part of the way."""
_SETTLED_PX = 0.01
_LONGEST_STEP_PX = 3.0
"""A longer step comes from gradients that do not fit the displacement at all."""
_LEAST_LIMIT = 0.5
"""8-bit units; a noiseless still scene has a median residual of 0."""
ENOUGH = 0.5
"""Likeness at which two pictures show the same scene, unless the caller wants more."""
_SURE = 0.8
"""Below this noise or change may have stopped the refinement short: a coarser scale is asked too."""
_COARSER = (2, 4)
_SMALLEST_COARSE_SIDE = 48
"""Under this a shrunken plane has so few details that unrelated ones are alike by chance."""
_SMALLEST_SIDE = 16
"""Under this a phase correlation has too few waves to mean anything."""


@dataclass(frozen=True)
class Shift:
    """What lies at (x, y) in the earlier frame lies at (x + dx, y + dy) in the later one; px of the frame."""

    dx: float
    dy: float

    def __add__(self, other: Shift) -> Shift:
        return Shift(self.dx + other.dx, self.dy + other.dy)

    def __neg__(self) -> Shift:
        return Shift(-self.dx, -self.dy)

    def times(self, factor: float) -> Shift:
        """The same shift in px that are `factor` times as small."""
        return Shift(self.dx * factor, self.dy * factor)

    @property
    def length(self) -> float:
        """px"""
        return math.hypot(self.dx, self.dy)


def small_grey(pixels: Pixels, max_side_px: int) -> tuple[Plane, float, float]:
    """Luma (h, w) as float32 of at most `max_side_px`, with how many frame px one of its px is (x, y)."""
    import cv2

    grey = pixels[:, :, 0] if pixels.shape[2] == 1 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = min(1.0, max_side_px / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1.0:
        grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    unit = 1.0 if pixels.dtype == np.uint8 else 1.0 / 257.0
    return np.multiply(grey, np.float32(unit), dtype=np.float32), width / small[0], height / small[1]


@functools.lru_cache(maxsize=4)
def _hann(width: int, height: int) -> Plane:
    import cv2

    window: Plane = cv2.createHanningWindow((width, height), cv2.CV_32F)
    window.flags.writeable = False
    return window


def correlate(earlier: Plane, later: Plane) -> Shift:
    """Shift in px of these planes where their phase correlation peaks, to about 0.3 px."""
    import cv2

    height, width = earlier.shape
    if min(height, width) < _SMALLEST_SIDE:
        return Shift(0.0, 0.0)
    # Copies, because OpenCV 4.14 multiplies the window into its arguments: both came back dark at the rim,
    # and the next pair registered 0.3 px off.
    (dx, dy), _ = cv2.phaseCorrelate(earlier.copy(), later.copy(), _hann(width, height))
    return Shift(float(dx), float(dy)) if math.isfinite(dx) and math.isfinite(dy) else Shift(0.0, 0.0)


def register(earlier: Plane, later: Plane, enough: float = ENOUGH) -> tuple[Shift, float]:
    """Shift in px of these planes to a few hundredths of a px, and how much they are alike then, -1..1.

    The likeness is that of the finest scale at which it is `enough`: on planes as they are, else shrunken to
    a half, else to a quarter, where noise has averaged out and large details still stand; where none is
    enough, that of the planes as they are. The shift is refined on the planes as they are in any case.
    """
    best = _registered(earlier, later)
    one, other = _smooth(earlier), _smooth(later)
    fine = _likeness(one, other, best)
    if fine >= max(enough, _SURE):
        return best, fine
    for factor in _COARSER:
        if min(earlier.shape) < factor * _SMALLEST_COARSE_SIDE:
            break
        here, there = _shrunk(earlier, factor), _shrunk(later, factor)
        # Noise hides from the fine scale in which direction to go, not which of two places fits better.
        tried = _refined(one, other, _registered(here, there).times(factor))
        if (found := _likeness(one, other, tried)) > fine:
            best, fine = tried, found
        if fine >= enough:
            return best, fine
        coarse = _likeness(_smooth(here), _smooth(there), best.times(1.0 / factor))
        if coarse >= enough:
            return best, coarse
    return best, fine


def _smooth(plane: Plane) -> Plane:
    """The linear model of the refinement holds over the width of an edge."""
    import cv2

    found: Plane = cv2.GaussianBlur(plane, (0, 0), _SMOOTH_PX)
    return found


def _shrunk(plane: Plane, factor: int) -> Plane:
    """Means of blocks; what does not fill one at the right and lower border is left out."""
    import cv2

    tall, wide = plane.shape[0] // factor, plane.shape[1] // factor
    whole = np.ascontiguousarray(plane[: tall * factor, : wide * factor])
    found: Plane = cv2.resize(whole, (wide, tall), interpolation=cv2.INTER_AREA)
    return found


def _registered(earlier: Plane, later: Plane) -> Shift:
    """The shift at one scale.

    The start is the correlation's peak or no shift at all, whichever fits better: for narrow-band scenes the
    peak can lie a px away, and in flat ones it is chance.
    """
    peak = correlate(earlier, later)
    one, other = _smooth(earlier), _smooth(later)
    still = Shift(0.0, 0.0)
    error = _misfit(one, other, still)
    better = _misfit(one, other, peak) < _CLEARLY_BETTER * error
    return _refined(one, other, peak if better else still)


def _refined(one: Plane, other: Plane, start: Shift) -> Shift:
    """From `start` on, as long as the fit of these smoothed planes improves."""
    best, error = start, _misfit(one, other, start)
    for _ in range(_ROUNDS):
        step = _step(one, other, best)
        if step is None or step.length > _LONGEST_STEP_PX:
            break
        tried = best + step
        tried_error = _misfit(one, other, tried)
        if tried_error >= error:
            break
        best, error = tried, tried_error
        if step.length < _SETTLED_PX:
            break
    return best


def _likeness(one: Plane, other: Plane, shift: Shift) -> float:
    """Correlation coefficient of what is neither noise nor lighting: details of about 1 to 6 px.

    The phase correlation's response cannot tell a cut: unrelated pictures reached 0.27, a noisy scene 0.2.
    """
    import cv2

    here, there = _overlap(one, other, shift)
    if min(here.shape) < _SMALLEST_SIDE:
        return 0.0
    here, there = (p - cv2.GaussianBlur(p, (0, 0), _LIGHTING_PX) for p in (here, there))
    energy = float(np.vdot(here, here)) * float(np.vdot(there, there))
    return float(np.vdot(here, there)) / math.sqrt(energy) if energy > 0.0 else 0.0


def _overlap(one: Plane, other: Plane, shift: Shift) -> tuple[Plane, Plane]:
    moved, rows, columns = shifted(other[:, :, np.newaxis], shift)
    return one[rows, columns], moved[:, :, 0]


def _misfit(one: Plane, other: Plane, shift: Shift) -> float:
    """Mean absolute difference, capped at three times the median, because things may move."""
    here, there = _overlap(one, other, shift)
    if min(here.shape) < _SMALLEST_SIDE:
        return math.inf
    residual = np.abs(here - there)
    limit = 3.0 * float(np.median(residual[::2, ::2])) + _LEAST_LIMIT
    return float(np.mean(np.minimum(residual, np.float32(limit))))


def _step(one: Plane, other: Plane, shift: Shift) -> Shift | None:
    """Least squares on gradients, without what does not follow `shift`; None where they say nothing."""
    import cv2

    here, there = _overlap(one, other, shift)
    if min(here.shape) < _SMALLEST_SIDE:
        return None
    gx = cv2.Scharr(there, cv2.CV_32F, 1, 0, scale=1.0 / 32.0)
    gy = cv2.Scharr(there, cv2.CV_32F, 0, 1, scale=1.0 / 32.0)
    residual = here - there
    limit = 3.0 * 1.4826 * float(np.median(np.abs(residual[::2, ::2]))) + _LEAST_LIMIT
    weight = (np.abs(residual) <= limit).astype(np.float32)
    wx, wy = gx * weight, gy * weight
    a, b, c = float(np.vdot(wx, gx)), float(np.vdot(wx, gy)), float(np.vdot(wy, gy))
    p, q = float(np.vdot(wx, residual)), float(np.vdot(wy, residual))
    determinant = a * c - b * b
    # Flat, or edges in one direction only: the other direction cannot be known from gradients.
    if a + c < 1.0 or determinant <= 1e-3 * (a + c) ** 2:
        return None
    return Shift((c * p - b * q) / determinant, (a * q - b * p) / determinant)


@functools.lru_cache(maxsize=64)
def _kernel(fraction: float) -> Plane:
    """Lanczos-4 taps that read at `fraction` (0..1) behind the fourth tap, summing to 1."""
    places = np.arange(1 - _TAPS, _TAPS + 1, dtype=np.float64) - fraction
    taps = np.sinc(places) * np.sinc(places / _TAPS)
    found: Plane = (taps / taps.sum()).astype(np.float32)
    return found


def shifted(pixels: P, shift: Shift) -> tuple[P, slice, slice]:
    """The later frame read at (x + dx, y + dy), only where all taps lie inside it.

    Returns the samples and the rows and columns of the earlier frame that they belong to. Borders are not
    replicated: what was not seen does not contribute. A whole-pixel shift is a plain view.
    """
    import cv2

    height, width = pixels.shape[:2]
    whole_x, whole_y = math.floor(shift.dx), math.floor(shift.dy)
    part_x, part_y = shift.dx - whole_x, shift.dy - whole_y
    margin = (_TAPS if part_x else 0, _TAPS if part_y else 0)
    left, right = _span(whole_x, width, margin[0])
    top, bottom = _span(whole_y, height, margin[1])
    rows, columns = slice(top, bottom), slice(left, right)
    if not part_x and not part_y:
        view = pixels[top + whole_y : bottom + whole_y, left + whole_x : right + whole_x]
        return cast("P", view), rows, columns
    x_taps = _kernel(part_x) if part_x else np.ones(1, np.float32)
    y_taps = _kernel(part_y) if part_y else np.ones(1, np.float32)
    # The window that the taps need and no more; its outer margin is cut off again below.
    lead_x, lead_y = (_TAPS - 1 if part_x else 0), (_TAPS - 1 if part_y else 0)
    y_from, x_from = max(0, top + whole_y - lead_y), max(0, left + whole_x - lead_x)
    y_to, x_to = bottom + whole_y + margin[1], right + whole_x + margin[0]
    window = np.ascontiguousarray(pixels[y_from:y_to, x_from:x_to])
    if bottom <= top or right <= left:
        return cast("P", pixels[:0, :0]), slice(0, 0), slice(0, 0)
    moved = cv2.sepFilter2D(window, -1, x_taps, y_taps, anchor=(lead_x, lead_y))
    moved = moved.reshape(*window.shape[:2], pixels.shape[2])
    inner = moved[lead_y : lead_y + bottom - top, lead_x : lead_x + right - left]
    return cast("P", inner), rows, columns


def _span(whole: int, size: int, margin: int) -> tuple[int, int]:
    """First and one past the last coordinate of the earlier frame whose taps lie inside the later one."""
    lead = margin - 1 if margin else 0
    first = max(0, lead - whole)
    last = min(size, size - margin - whole)
    return first, max(first, last)
