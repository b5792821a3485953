"""The core tracker: constant velocity, best assignment by place and looks, re-identification over longer gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.boxes import overlap
from playe_assets.core.contracts_tracks import Look, Tracker, Trail
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection
from playe_assets.trackers.kalman import Motion, Noise, apart, side_of, size_ratio
from playe_assets.trackers.rejoin import rejoin

_FORBIDDEN = 10**9
_UNITS = 10**6
"""Costs are whole millionths: sums of them are exact, so ties fall the same way on every machine."""


@dataclass(frozen=True)
class KalmanIouParams:
    """A side is the square root of a box's area."""

    speed: float = bounds(0.0, 50.0, "sides a second")
    """Standard deviation of a new thing's speed; the gate opens with it and with the time between two looks."""
    acceleration: float = bounds(0.0, 50.0, "sides a second, gained in one second")
    growth: float = bounds(0.0, 10.0, "relative size a second")
    """Standard deviation of the trend in size, and of its change within one second."""
    jitter: float = bounds(0.01, 1.0, "sides")
    """Standard deviation of a found box."""
    gate: float = bounds(0.5, 10.0, "sigmas")
    """A finding whose centre lies farther from the expected one is another thing, unless the boxes overlap."""
    reach: float = bounds(0.1, 50.0, "sides")
    """The same in sides, however long the thing was missed."""
    iou: float = bounds(0.01, 0.95, "intersection over union")
    """Overlap with the expected box that is enough by itself."""
    size_ratio: float = bounds(1.05, 20.0, "times")
    """How many times the side may differ between two findings of one thing."""
    appearance_weight: float = bounds(0.0, 1.0, "share of the cost")
    max_gap_s: float = bounds(0.0, 60.0, "s")
    """How long a thing may be missed without ending its track, which always lasts until the next look."""
    rejoin_gap_s: float = bounds(0.0, 3600.0, "s")
    """Longest absence after which appearance may join, over cuts too; 0: never."""
    rejoin_similarity: float = bounds(0.0, 1.0, "cosine of the mean appearances")
    rejoin_margin: float = bounds(0.0, 1.0, "cosine")
    """By how much every rival must be less similar."""
    rejoin_size_ratio: float = bounds(1.05, 50.0, "times")
    rejoin_members: int = bounds(1, 100, "findings")
    """Shorter pieces are joined to nothing by appearance."""
    smooth_s: float = bounds(0.0, 10.0, "s")
    """Half width of the window over which a track's landmarks are made one path (`examination/seen.py`)."""


@dataclass(eq=False)
class _Track:
    motion: Motion
    seen: Fraction
    """When it was found last."""
    position: int
    """Of the look in which it was found last."""
    last: Detection
    appearance: npt.NDArray[np.float64] | None
    members: list[tuple[int, int]]


class KalmanIou(Tracker):
    """Each look is assigned as a whole (Hungarian method), so that crossing things keep their numbers.

    Cost of a pair: share `1 - appearance_weight` of place (mean of 1 - overlap and of d / (1 + d), d the
    distance of the centres in sides), the rest of appearance (angle to a running mean of the track over a right
    angle: cosines of things in one scene lie close to 1, their angles do not).
    As many pairs as the gates allow are made; ties fall to the older track and the finding further left.
    The order of findings within a look does not matter.
    """

    name = "kalman_iou"
    version = "1"
    reference = (
        "R. E. Kalman: A New Approach to Linear Filtering, 1960; A. Bewley et al.: Simple Online and Realtime "
        "Tracking, ICIP 2016; N. Wojke et al.: Simple Online and Realtime Tracking with a Deep Association "
        "Metric, ICIP 2017 (gating); no learned appearance"
    )
    Params: ClassVar[type] = KalmanIouParams

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._noise = Noise(params.speed, params.acceleration, params.growth, params.jitter)
        self._max_gap = Fraction(str(params.max_gap_s))

    def bridges_s(self, every_s: float) -> float:
        """`max_gap_s`, or the time between two looks where that is longer."""
        return max(float(self.params.max_gap_s), every_s)

    def follow(self, looks: Sequence[Look], width: int, height: int) -> list[Trail]:
        """Trails by first member."""
        done: list[_Track] = []
        open_: list[_Track] = []
        shot: int | None = None
        for position, look in enumerate(looks):
            if look.shot != shot:
                done, open_, shot = done + open_, [], look.shot
            kept = [t for t in open_ if position - t.position == 1 or look.time - t.seen <= self._max_gap]
            done += [t for t in open_ if t not in kept]
            open_ = kept
            order = sorted(range(len(look.found)), key=lambda i: _order(look, i))
            taken = self._assign(open_, look, position, order)
            open_ += [self._born(look, position, i) for i in order if i not in taken]
        trails = [Trail(tuple(t.members)) for t in done + open_]
        return rejoin(trails, looks, self.params)

    def _born(self, look: Look, position: int, index: int) -> _Track:
        found = look.found[index]
        return _Track(Motion.of(found, self._noise), look.time, position, found, _shown(look, index),
                      [(position, index)])  # fmt: skip

    def _assign(self, tracks: list[_Track], look: Look, position: int, order: list[int]) -> set[int]:
        """Give the look's findings to `tracks`; returns the indices that were given."""
        from scipy.optimize import linear_sum_assignment

        if not tracks or not order:
            return set()
        expected = [t.motion.after(float(look.time - t.seen)) for t in tracks]
        costs = np.array(
            [[self._cost(t, m, look, i) for i in order] for t, m in zip(tracks, expected, strict=True)]
        )
        taken = set()
        for row, column in zip(*linear_sum_assignment(costs), strict=True):
            if costs[row, column] >= _FORBIDDEN:
                continue
            track, index = tracks[row], order[column]
            found = look.found[index]
            track.motion = expected[row].seen(found)
            track.seen, track.position, track.last = look.time, position, found
            track.appearance = _blend(track.appearance, _shown(look, index))
            track.members.append((position, index))
            taken.add(index)
        return taken

    def _cost(self, track: _Track, motion: Motion, look: Look, index: int) -> int:
        params, found = self.params, look.found[index]
        if size_ratio(track.last, found) > params.size_ratio:
            return _FORBIDDEN
        side = side_of(track.last)
        box = motion.box(side / params.size_ratio, side * params.size_ratio)
        shared, distance = overlap(box, found), apart(box, found)
        if shared < params.iou and (distance > params.reach or motion.sigmas(found) > params.gate):
            return _FORBIDDEN
        place = (1 - shared + distance / (1 + distance)) / 2
        shown = _shown(look, index)
        if track.appearance is None or shown is None:
            return round(place * _UNITS)
        unlike = math.acos(min(1.0, max(0.0, float((track.appearance * shown).sum())))) / (math.pi / 2)
        share = float(params.appearance_weight)
        return round(((1 - share) * place + share * unlike) * _UNITS)


def _order(look: Look, index: int) -> tuple[Any, ...]:
    """Findings in an order that does not depend on the detector's."""
    d = look.found[index]
    shown = tuple(look.appearance[index].tolist()) if look.appearance else ()
    return (d.x, d.y, d.width, d.height, d.score, shown)


def _shown(look: Look, index: int) -> npt.NDArray[np.float64] | None:
    return look.appearance[index].astype(np.float64) if look.appearance else None


def _blend(
    old: npt.NDArray[np.float64] | None, new: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """Running mean over about three findings, length 1: looks change slowly, one bad crop must not count much."""
    if old is None or new is None:
        return old if new is None else new
    mixed = old * (2 / 3) + new / 3
    length = float(np.sqrt((mixed * mixed).sum()))
    return mixed / length if length else new
