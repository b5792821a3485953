"""When things come and go: a pair of events for each stretch of time in which a track was there; for motion a
pair for each stretch in which anything moved."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from playe_assets.core.tracks import Event, Track
from playe_assets.core.values import FrameDetections

MOTION = "motion"
"""The label whose tracks are joined: a moving region has no identity, and one thing makes many of them."""
JOIN_S = Fraction(3)
"""A thing that is missed, or motion that pauses, for less was there all the time."""


@dataclass(frozen=True)
class _Presence:
    """From the first to the last sampled frame in which a thing was seen; frames are the clip's."""

    first: int
    first_track: int
    last: int
    last_track: int
    detector: str
    label: str


def events_of(
    tracks: Sequence[Track],
    sampled: Mapping[str, Sequence[FrameDetections]],
    pts: Sequence[int],
    time_base: Fraction,
) -> tuple[Event, ...]:
    """Events in order of time; `sampled` holds each detector's sampled frames, `pts` every frame's time.

    `uncertain_ticks` is the time to the sample before (appear) or after (leave), in which the thing was not
    seen; to the clip's end where no sample follows, 0 at the clip's first sample.
    """
    looked = {name: [f.frame for f in found] for name, found in sampled.items()}
    found: list[Event] = []
    for there in _presences(tracks, looked, pts, time_base):
        frames = looked[there.detector]
        before = bisect_left(frames, there.first) - 1
        after = bisect_right(frames, there.last)
        earlier = frames[before] if before >= 0 else there.first
        later = frames[after] if after < len(frames) else len(pts) - 1
        found += [
            Event("appear", there.first_track, there.label, there.first, pts[there.first],
                  pts[there.first] - pts[earlier]),
            Event("leave", there.last_track, there.label, there.last, pts[there.last],
                  pts[later] - pts[there.last]),
        ]  # fmt: skip
    return tuple(sorted(found, key=lambda e: (e.frame, e.kind, e.track)))


def _presences(
    tracks: Sequence[Track], looked: Mapping[str, Sequence[int]], pts: Sequence[int], time_base: Fraction
) -> list[_Presence]:
    """Stretches of time in which a thing was there; a track that was rejoined after a long absence has two."""

    def apart(detector: str, earlier: int, later: int) -> bool:
        """Whether it was away between two frames: long enough, and looked for in vain."""
        frames = looked[detector]
        vain = bisect_left(frames, later) - bisect_right(frames, earlier)
        return vain > 0 and (pts[later] - pts[earlier]) * time_base >= JOIN_S

    alone = []
    for track in tracks:
        first = last = track.first_frame
        for member, _ in track.members:
            if apart(track.detector, last, member):
                alone.append(_Presence(first, track.number, last, track.number, track.detector, track.label))
                first = member
            last = member
        alone.append(_Presence(first, track.number, last, track.number, track.detector, track.label))
    kept = [p for p in alone if p.label != MOTION]
    for name in sorted({p.detector for p in alone if p.label == MOTION}):
        open_: _Presence | None = None
        moving = [p for p in alone if p.label == MOTION and p.detector == name]
        for one in sorted(moving, key=lambda p: (p.first, p.last, p.first_track)):
            if open_ is None or apart(name, open_.last, one.first):
                kept += [open_] if open_ else []
                open_ = one
            elif one.last > open_.last:
                open_ = _Presence(open_.first, open_.first_track, one.last, one.last_track, name, MOTION)
        kept += [open_] if open_ else []
    return kept
