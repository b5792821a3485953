"""A box in motion: four Kalman filters of constant velocity, exact for uneven steps of time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from playe_assets.core.boxes import AnyBox
from playe_assets.core.values import Detection


@dataclass(frozen=True)
class Box:
    """A box in px of the frame."""

    x: float
    """Left edge."""
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Noise:
    """What is assumed of motion and detector; lengths in sides of the box (square root of its area)."""

    speed: float
    """Standard deviation of a new thing's speed, sides a second."""
    acceleration: float
    """Standard deviation that speed gains in one second, sides a second."""
    growth: float
    """The same two, of the box's relative size, a second."""
    jitter: float
    """Standard deviation of a found box's place and relative size, sides."""


@dataclass
class _Axis:
    """Position and velocity of one number with their covariance; white noise of acceleration, in continuous time.

    The continuous model makes two steps of `a` and `b` seconds the same as one of `a + b`.
    """

    at: float
    rate: float
    paa: float
    par: float
    prr: float

    def after(self, seconds: float, q: float) -> _Axis:
        t = seconds
        return _Axis(
            self.at + self.rate * t,
            self.rate,
            self.paa + 2 * t * self.par + t * t * self.prr + q * t**3 / 3,
            self.par + t * self.prr + q * t * t / 2,
            self.prr + q * t,
        )

    def seen(self, value: float, r: float) -> _Axis:
        total = self.paa + r
        k, h = self.paa / total, self.par / total
        off = value - self.at
        return _Axis(self.at + k * off, self.rate + h * off, (1 - k) * self.paa, (1 - k) * self.par,
                     self.prr - h * self.par)  # fmt: skip


@dataclass(frozen=True)
class Motion:
    """Where a thing is and how it moves; the scale is kept as logarithm of the side, the aspect as found last."""

    cx: _Axis
    cy: _Axis
    scale: _Axis
    aspect: float
    """width / height"""
    noise: Noise

    @classmethod
    def of(cls, found: Detection, noise: Noise) -> Motion:
        """A thing seen once."""
        side = side_of(found)
        place, pace = (noise.jitter * side) ** 2, (noise.speed * side) ** 2
        return cls(
            _Axis(found.x + found.width / 2, 0.0, place, 0.0, pace),
            _Axis(found.y + found.height / 2, 0.0, place, 0.0, pace),
            _Axis(math.log(side), 0.0, noise.jitter**2, 0.0, noise.growth**2),
            found.width / found.height,
            noise,
        )

    def after(self, seconds: float) -> Motion:
        """The same thing `seconds` later, by its velocity."""
        q = (self.noise.acceleration * self.side) ** 2
        return Motion(self.cx.after(seconds, q), self.cy.after(seconds, q),
                      self.scale.after(seconds, self.noise.growth**2), self.aspect, self.noise)  # fmt: skip

    def seen(self, found: Detection) -> Motion:
        """Corrected by what was found at its time."""
        side = side_of(found)
        r = (self.noise.jitter * side) ** 2
        return Motion(
            self.cx.seen(found.x + found.width / 2, r),
            self.cy.seen(found.y + found.height / 2, r),
            self.scale.seen(math.log(side), self.noise.jitter**2),
            found.width / found.height,
            self.noise,
        )

    @property
    def side(self) -> float:
        """Square root of the area, px."""
        return math.exp(self.scale.at)

    def box(self, smallest: float, largest: float) -> Box:
        """The box, its side kept between the two, px: a trend in size must not run away over a gap."""
        side = min(max(self.side, smallest), largest)
        width, height = side * math.sqrt(self.aspect), side / math.sqrt(self.aspect)
        return Box(self.cx.at - width / 2, self.cy.at - height / 2, width, height)

    def sigmas(self, found: Detection) -> float:
        """Mahalanobis distance of the found centre from the expected one."""
        r = (self.noise.jitter * side_of(found)) ** 2
        dx, dy = found.x + found.width / 2 - self.cx.at, found.y + found.height / 2 - self.cy.at
        return math.sqrt(dx * dx / (self.cx.paa + r) + dy * dy / (self.cy.paa + r))


def side_of(box: AnyBox) -> float:
    """Square root of the area, px; at least a hundredth, as boxes are rounded to that."""
    return max(math.sqrt(box.width * box.height), 0.01)


def apart(a: AnyBox, b: AnyBox) -> float:
    """Distance of the two centres in sides of the smaller box."""
    dx = a.x + a.width / 2 - b.x - b.width / 2
    dy = a.y + a.height / 2 - b.y - b.height / 2
    return math.hypot(dx, dy) / min(side_of(a), side_of(b))


def size_ratio(a: AnyBox, b: AnyBox) -> float:
    """The larger side over the smaller, 1 upward."""
    one, other = side_of(a), side_of(b)
    return max(one, other) / min(one, other)
