"""Joins findings of successive sampled frames by the overlap of their boxes, the best overlapping pair first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.boxes import overlap
from playe_assets.core.contracts_tracks import Look, Tracker, Trail
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection


@dataclass(frozen=True)
class OverlapParams:
    """How far boxes may part."""

    iou: float = bounds(0.05, 0.95, "intersection over union")
    gap: int = bounds(0, 100, "sampled frames")
    """Sampled frames in which a thing may be missed without ending its track."""
    smooth_s: float = bounds(0.0, 10.0, "s")
    """Half width of the window over which a track's landmarks are made one path (`examination/seen.py`)."""


@dataclass
class _Open:
    seen: int
    shot: int
    last: Detection
    members: list[tuple[int, int]]


class Overlap(Tracker):
    """Greedy: ties go to the older track, then to the finding that comes first; a cut ends every track."""

    name = "overlap"
    version = "2"
    reference = (
        "E. Bochinski et al.: High-Speed Tracking-by-Detection Without Using Image Information, AVSS 2017"
    )
    Params: ClassVar[type] = OverlapParams

    def bridges_s(self, every_s: float) -> float:
        """One interval more than may be missed."""
        return float((1 + self.params.gap) * every_s)

    def follow(self, looks: Sequence[Look], width: int, height: int) -> list[Trail]:
        """Trails by first member."""
        done: list[_Open] = []
        open_: list[_Open] = []
        for position, look in enumerate(looks):
            ended = [t for t in open_ if position - t.seen > 1 + self.params.gap or t.shot != look.shot]
            done += ended
            open_ = [t for t in open_ if t not in ended]
            pairs = [
                (-overlap(t.last, d), n, i) for n, t in enumerate(open_) for i, d in enumerate(look.found)
            ]
            used: set[int] = set()
            taken: set[int] = set()
            for minus, number, index in sorted(pairs):
                if -minus < self.params.iou or number in used or index in taken:
                    continue
                track = open_[number]
                track.seen, track.last = position, look.found[index]
                track.members.append((position, index))
                used.add(number)
                taken.add(index)
            open_ += [_Open(position, look.shot, d, [(position, i)]) for i, d in enumerate(look.found)
                      if i not in taken]  # fmt: skip
        return [Trail(tuple(t.members)) for t in sorted(done + open_, key=lambda t: t.members[0])]
