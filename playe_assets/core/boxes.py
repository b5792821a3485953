"""Boxes of px: what every box has, and how much two of them share."""

from __future__ import annotations

from typing import Protocol


class AnyBox(Protocol):
    """What has a left upper corner and sides, px."""

    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...


def overlap(a: AnyBox, b: AnyBox) -> float:
    """Intersection over union of two boxes, 0..1."""
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if wide <= 0.0 or high <= 0.0:
        return 0.0
    both = wide * high
    return both / (a.width * a.height + b.width * b.height - both)
