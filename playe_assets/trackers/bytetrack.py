"""ByteTrack as the package ultralytics runs it (AGPL-3.0, extra `yolo`): association by place alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts_tracks import Look, Tracker, Trail
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.params import bounds, flag
from playe_assets.inference.ultralytics_tracking import ByteTracker


@dataclass(frozen=True)
class ByteTrackParams:
    """Scores are the detectors' own; those above 1 count as 1."""

    high_score: float = bounds(0.0, 1.0, "score")
    """Findings from here are matched first."""
    low_score: float = bounds(0.0, 1.0, "score")
    """Findings between the two only go on with a track that is there; those below are in no track."""
    new_score: float = bounds(0.0, 1.0, "score")
    """What a new track needs."""
    match_cost: float = bounds(0.05, 1.0, "1 - overlap")
    """The most that a match may cost; the overlap is multiplied with the score where `fuse_score`."""
    fuse_score: bool = flag()
    buffer: int = bounds(0, 1000, "sampled frames")
    """Looks for which a lost track is kept."""
    smooth_s: float = bounds(0.0, 10.0, "s")
    """Half width of the window over which a track's landmarks are made one path (`examination/seen.py`)."""


class ByteTrack(Tracker):
    """The peer of `kalman_iou`, for checking one against the other.

    It counts looks, not seconds, so it wants even sampling; it knows no appearance and rejoins nothing; a cut
    ends every track. A finding of a low score that goes on with no track is in no trail.
    """

    name = "bytetrack"
    version = "1"
    reference = (
        "Y. Zhang et al.: ByteTrack: Multi-Object Tracking by Associating Every Detection Box, ECCV 2022; as "
        "ultralytics 8.4 runs it, its assignment by scipy"
    )
    Params: ClassVar[type] = ByteTrackParams

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        try:
            self._new()  # an absent extra is said before any work
        except MissingResourceError as error:
            raise MissingResourceError(
                "trackers.extra_yolo", problem=error.facts.get("problem", error.code)
            ) from error

    def bridges_s(self, every_s: float) -> float:
        """One interval more than may be missed."""
        return float((1 + self.params.buffer) * every_s)

    def follow(self, looks: Sequence[Look], width: int, height: int) -> list[Trail]:
        """Trails by first member."""
        members: dict[tuple[int, int], list[tuple[int, int]]] = {}
        tracker, runs, shot = self._new(), 0, None
        for position, look in enumerate(looks):
            if look.shot != shot:
                tracker, runs, shot = self._new(), runs + 1, look.shot
            order = sorted(range(len(look.found)), key=lambda i: _order(look, i))
            found = [look.found[i] for i in order]
            boxes = [(d.x + d.width / 2, d.y + d.height / 2, d.width, d.height) for d in found]
            for number, place in tracker.look(boxes, [min(1.0, d.score) for d in found]):
                members.setdefault((runs, number), []).append((position, order[place]))
        return sorted((Trail(tuple(m)) for m in members.values()), key=lambda t: t.members[0])

    def _new(self) -> ByteTracker:
        p = self.params
        return ByteTracker(high=p.high_score, low=p.low_score, new=p.new_score, match=p.match_cost,
                           buffer=p.buffer, fuse_score=p.fuse_score)  # fmt: skip


def _order(look: Look, index: int) -> tuple[float, ...]:
    """Findings in an order that does not depend on the detector's."""
    d = look.found[index]
    return (d.x, d.y, d.width, d.height, d.score)
