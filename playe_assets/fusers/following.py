"""Follows a marked region frame by frame, always against the marked frame itself, so that nothing can drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from playe_assets.fusers.registering import register

if TYPE_CHECKING:
    from playe_assets.fusers.track_fusion import TrackFusionParams

Plane = npt.NDArray[np.float32]
_LEAST_SEARCH_PX = 16


@dataclass(frozen=True)
class Box:
    """px of the upright frame."""

    x: float
    y: float
    width: float
    height: float


class Follower:
    """One marked region in one direction. `look` at neighbouring frames in turn until `ended`."""

    def __init__(self, marked: Plane, origin: tuple[int, int], box: Box, params: TrackFusionParams) -> None:
        """`marked`: luma around the box in the marked frame, its first px at `origin` (x, y) of the frame."""
        self.params = params
        self.ended = False
        self._marked, self._start = marked, box
        self._left, self._top = round(box.x) - origin[0], round(box.y) - origin[1]
        self._size = (round(box.width), round(box.height))
        self._last, self._missed = box, 0

    def look(self, luma: Plane, origin: tuple[int, int] = (0, 0)) -> tuple[Box, float] | None:
        """The box in this frame (`luma` from `origin` on) and its likeness to the marked one, or None if unseen.

        Searched around where it was last; lost for more than `follow_gap` frames, it has ended.
        """
        p, last = self.params, self._last
        reach = max(_LEAST_SEARCH_PX, round(p.follow_search * max(last.width, last.height)))
        x0 = max(0, round(last.x) - origin[0] - reach)
        y0 = max(0, round(last.y) - origin[1] - reach)
        x1 = round(last.x + last.width) - origin[0] + reach
        y1 = round(last.y + last.height) - origin[1] + reach
        around = np.ascontiguousarray(luma[y0:y1, x0:x1])
        found = None if min(around.shape) < 4 else self._found(around, x0 + origin[0], y0 + origin[1])
        if found is None:
            self._missed += 1
            self.ended = self._missed > p.follow_gap
            return None
        self._missed = 0
        self._last = found[0]
        return found

    def _found(self, around: Plane, x0: int, y0: int) -> tuple[Box, float] | None:
        p, (wide, high) = self.params, self._size
        box = (self._left, self._top, self._left + wide, self._top + high)
        zoom = float(np.sqrt(self._last.width * self._last.height / (wide * high)))
        start = (self._last.x - x0 - self._left, self._last.y - y0 - self._top)
        fit = register(self._marked, box, around, start, zoom, p.motion, p.iterations)
        if fit is None or fit.likeness < p.follow_min_likeness:
            return None
        size = float(np.sqrt(abs(np.linalg.det(fit.matrix[:, :2]))))
        if not 1.0 / p.max_zoom <= size <= p.max_zoom:
            return None
        middle = fit.matrix @ np.array([self._left + (wide - 1) / 2, self._top + (high - 1) / 2, 1.0])
        width, height = wide * size, high * size
        x, y = middle[0] + 0.5 - width / 2 + x0, middle[1] + 0.5 - height / 2 + y0
        if x < 0 or y < 0 or x + width > x0 + around.shape[1] or y + height > y0 + around.shape[0]:
            return None
        return Box(float(x), float(y), width, height), fit.likeness
