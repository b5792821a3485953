"""Joins detections over sampled frames into tracks by the overlap of boxes; says nothing of identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from playe_assets.core.values import Detection, FrameDetections, Track
from playe_assets.detectors.view import overlap

_GAP = 1
"""Sampled frames in which a thing may be missed without ending its track."""


@dataclass
class _Open:
    seen: int
    """Position, among the sampled frames, of the last finding."""
    last: Detection
    members: list[tuple[int, int]] = field(default_factory=list)
    best: tuple[float, int] = (-1.0, 0)
    """Area times score, and the frame."""

    def add(self, position: int, frame: int, index: int, found: Detection) -> None:
        self.seen, self.last = position, found
        self.members.append((frame, index))
        worth = found.width * found.height * found.score
        if worth > self.best[0]:
            self.best = (worth, frame)


def build_tracks(frames: Sequence[FrameDetections], *, iou: float, min_frames: int) -> tuple[Track, ...]:
    """Tracks over `frames`, numbered from 1 by first frame, detector, label, then place from the left.

    `frames` holds every sampled frame, those without findings too: a track survives one of them. Detectors
    and labels are tracked apart. In each frame the best overlapping pair is joined first, down to `iou`
    (0..1); ties go to the older track, then to the finding that comes first. Tracks of fewer than
    `min_frames` findings are dropped. `best_frame` has the largest box area times score.
    """
    tracks: list[tuple[_Open, str, str]] = []
    for detector in sorted({f.detector for f in frames}):
        seen = sorted((f for f in frames if f.detector == detector), key=lambda f: f.frame)
        for label in sorted({d.label for f in seen for d in f.found}):
            tracks += [(track, detector, label) for track in _followed(seen, label, iou)]
    kept = [entry for entry in tracks if len(entry[0].members) >= min_frames]
    kept.sort(key=lambda entry: (entry[0].members[0][0], entry[1], entry[2], entry[0].members[0][1]))
    return tuple(
        Track(
            number, detector, label, track.members[0][0], track.members[-1][0], tuple(track.members),
            track.best[1],
        )
        for number, (track, detector, label) in enumerate(kept, start=1)
    )  # fmt: skip


def _followed(seen: Sequence[FrameDetections], label: str, iou: float) -> list[_Open]:
    done: list[_Open] = []
    open_: list[_Open] = []
    for position, frame in enumerate(seen):
        done += [t for t in open_ if position - t.seen > 1 + _GAP]
        open_ = [t for t in open_ if position - t.seen <= 1 + _GAP]
        found = [(i, d) for i, d in enumerate(frame.found) if d.label == label]
        pairs = [(-overlap(t.last, d), n, i) for n, t in enumerate(open_) for i, d in found]
        taken_tracks: set[int] = set()
        taken: set[int] = set()
        for minus_overlap, number, index in sorted(pairs):
            if -minus_overlap < iou or number in taken_tracks or index in taken:
                continue
            open_[number].add(position, frame.frame, index, frame.found[index])
            taken_tracks.add(number)
            taken.add(index)
        for index, item in found:
            if index not in taken:
                fresh = _Open(position, item)
                fresh.add(position, frame.frame, index, item)
                open_.append(fresh)
    return done + open_
