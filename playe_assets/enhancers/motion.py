"""How the whole picture moves between two frames: translation, and rotation and scale where asked for.

The translation of `registration` is refined by least squares on gradients with four parameters (B. D. Lucas,
T. Kanade, IJCAI 1981; S. Baker, I. Matthews: Lucas-Kanade 20 years on, IJCV 2004), without what moves by
itself.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from playe_assets.enhancers.registration import Plane, register

MODELS = ("translation", "rotation", "similarity")
"""What may change: the place; the place and the angle; the place, the angle and the scale."""
_SMOOTH_PX = 1.2
_ROUNDS = 12
_SETTLED_PX = 0.005
_LONGEST_STEP_PX = 8.0
_LEAST_LIMIT = 0.5
"""8-bit units; a noiseless still scene has a median residual of 0."""
_RIM_PX = 3
"""What the interpolation and the gradients need around a place."""
_FEWEST_PX = 256


@dataclass(frozen=True)
class Motion:
    """What lies at `centre + v` in one frame lies at `centre + move + turn * v` in another.

    Places are complex numbers, x + iy in px, y downward; `centre` is the middle of the picture.
    """

    move: complex = 0j
    turn: complex = 1 + 0j

    def then(self, other: Motion) -> Motion:
        """First this, then `other`."""
        return Motion(other.move + other.turn * self.move, other.turn * self.turn)

    @property
    def inverse(self) -> Motion:
        """The way back."""
        return Motion(-self.move / self.turn, 1.0 / self.turn)

    @property
    def rotation_deg(self) -> float:
        """Clockwise on the screen."""
        return math.degrees(cmath.phase(self.turn))

    @property
    def scale(self) -> float:
        """Above 1 things become larger."""
        return abs(self.turn)

    def largest_px(self, height: int, width: int) -> float:
        """How far the corner that moves most does, px."""
        half = complex((width - 1) / 2.0, (height - 1) / 2.0)
        corners = (half, -half, half.conjugate(), -half.conjugate())
        return max(abs(self.move + (self.turn - 1.0) * c) for c in corners)

    def share(self, part: float) -> Motion:
        """`part` of it: 0 is none, 1 all."""
        return Motion(self.move * part, 1.0 + (self.turn - 1.0) * part)

    def matrix(self, height: int, width: int) -> npt.NDArray[np.float64]:
        """(2, 3), as OpenCV takes it for a picture of this size."""
        centre = complex((width - 1) / 2.0, (height - 1) / 2.0)
        at = centre + self.move - self.turn * centre
        a, b = self.turn.real, self.turn.imag
        return np.array([[a, -b, at.real], [b, a, at.imag]], np.float64)


STILL = Motion()


def mean_motion(motions: Sequence[Motion], weights: Sequence[float]) -> Motion:
    """The weighted mean, parameter by parameter; `weights` sum to 1."""
    pairs = list(zip(motions, weights, strict=True))
    return Motion(sum(m.move * w for m, w in pairs), sum(m.turn * w for m, w in pairs))


@dataclass(frozen=True)
class Found:
    """The motion between two planes, and how well it explains them."""

    motion: Motion
    """px of the planes."""
    likeness: float
    """-1..1, of the translation alone (see `registration.register`)."""
    residual_px: float
    """The movement that would explain what difference is left, noise included: root mean square, px."""


def motion_between(one: Plane, other: Plane, model: str) -> Found:
    """The motion from `one` to `other`, float32 planes of one size in 8-bit units."""
    import cv2

    start, likeness = register(one, other)
    here, there = (cv2.GaussianBlur(p, (0, 0), _SMOOTH_PX) for p in (one, other))
    best = Motion(complex(start.dx, start.dy))
    fit = _Fit.of(here, there, best)
    for _ in range(_ROUNDS):
        step = fit.step(model) if fit is not None else None
        if fit is None or step is None or step.largest_px(*one.shape) > _LONGEST_STEP_PX:
            break
        tried = step.then(best)
        tried_fit = _Fit.of(here, there, tried)
        if tried_fit is None or tried_fit.misfit >= fit.misfit:
            break
        best, fit = tried, tried_fit
        if step.largest_px(*one.shape) < _SETTLED_PX:
            break
    return Found(best, likeness, fit.residual_px if fit is not None else math.inf)


@dataclass(frozen=True)
class _Fit:
    """Two planes laid over each other by a motion: what is left, and the gradients there."""

    residual: Plane
    gx: Plane
    gy: Plane
    weight: Plane
    misfit: float
    """Mean absolute difference, capped at three times the median, because things may move; 8-bit units."""

    @staticmethod
    def of(one: Plane, other: Plane, motion: Motion) -> _Fit | None:
        import cv2

        height, width = one.shape
        matrix = motion.matrix(height, width)
        way = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        there: Any = cv2.warpAffine(
            other, matrix, (width, height), flags=way, borderMode=cv2.BORDER_REPLICATE
        )
        inside = inside_of(matrix, height, width, _RIM_PX)
        inside[:_RIM_PX], inside[-_RIM_PX:], inside[:, :_RIM_PX], inside[:, -_RIM_PX:] = 0, 0, 0, 0
        seen = inside > 0
        if int(seen.sum()) < _FEWEST_PX:
            return None
        residual = one - there
        size = np.abs(residual)
        middle = float(np.median(size[seen]))
        limit = 3.0 * middle + _LEAST_LIMIT
        misfit = float(np.minimum(size[seen], np.float32(limit)).mean(dtype=np.float64))
        weight = (seen & (size <= 3.0 * 1.4826 * middle + _LEAST_LIMIT)).astype(np.float32)
        gx = cv2.Scharr(there, cv2.CV_32F, 1, 0, scale=1.0 / 32.0)
        gy = cv2.Scharr(there, cv2.CV_32F, 0, 1, scale=1.0 / 32.0)
        return _Fit(residual, gx, gy, weight, misfit)

    def step(self, model: str) -> Motion | None:
        """The small motion, applied before the present one, that explains most; None where nothing can say."""
        height, width = self.residual.shape
        # Places in units of half the diagonal, so that all parameters are of one size.
        unit = math.hypot(width, height) / 2.0
        x = (np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2.0)) / np.float32(unit)
        y = (np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2.0)) / np.float32(unit)
        columns = [self.gx, self.gy]
        if model != "translation":
            columns.append(self.gy * x - self.gx * y[:, np.newaxis])
        if model == "similarity":
            columns.append(self.gx * x + self.gy * y[:, np.newaxis])
        kept = self.weight > 0
        table = np.stack([c[kept] for c in columns]).astype(np.float64)
        # Sums, not a matrix product: that would depend on the threads of the linear algebra library.
        normal = np.array([[float((a * b).sum()) for b in table] for a in table])
        right = np.array([float((a * self.residual[kept]).sum()) for a in table])
        # Flat, or edges in one direction only: some of the parameters cannot be known.
        if normal[0, 0] + normal[1, 1] < 1.0 or np.linalg.cond(normal) > 1e4:
            return None
        found = np.linalg.solve(normal, right)
        turned = float(found[2]) / unit if len(found) > 2 else 0.0
        larger = float(found[3]) / unit if len(found) > 3 else 0.0
        turn = 1.0 + complex(larger, turned)
        if model == "rotation":
            turn /= abs(turn)
        return Motion(complex(found[0], found[1]), turn)

    @property
    def residual_px(self) -> float:
        kept = self.weight > 0
        left = float((self.residual[kept].astype(np.float64) ** 2).sum())
        slope = float((self.gx[kept].astype(np.float64) ** 2 + self.gy[kept].astype(np.float64) ** 2).sum())
        return math.sqrt(2.0 * left / slope) if slope > 0.0 else math.inf


def inside_of(
    matrix: npt.NDArray[np.float64], height: int, width: int, rim_px: int = 0
) -> npt.NDArray[np.uint8]:
    """(h, w), 255 where `matrix` points into a picture of this size, `rim_px` from its rim; elsewhere 0."""
    import cv2

    # A hair of tolerance: a whole-pixel movement may come out a billionth of a px outside.
    low, hair = float(rim_px), 1e-6
    x = np.arange(width, dtype=np.float64)
    y = np.arange(height, dtype=np.float64)[:, np.newaxis]
    at_x = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    at_y = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    right, bottom = width - 1 - rim_px + hair, height - 1 - rim_px + hair
    found: npt.NDArray[np.uint8] = cv2.inRange(at_x, low - hair, right) & cv2.inRange(
        at_y, low - hair, bottom
    )
    return found
