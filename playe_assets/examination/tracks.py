"""Findings over sampled frames made into tracks by the preset's tracker, each detector and label by itself."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from playe_assets.core.contracts_tracks import Look
from playe_assets.core.tracks import Track
from playe_assets.core.values import FrameDetections
from playe_assets.examination.plan import Plan


def tracks_of(
    watched: Sequence[tuple[Sequence[FrameDetections], int]], made: Plan, width: int, height: int
) -> tuple[Track, ...]:
    """Tracks of every detector; `watched` holds its sampled frames and how many a track needs at least."""
    tracks: list[Track] = []
    tracker = made.tracker.cls(made.tracker.params)
    for seen, least in watched:
        new: list[Track] = []
        for label in sorted({d.label for f in seen for d in f.found}):
            index = [[i for i, d in enumerate(f.found) if d.label == label] for f in seen]
            looks = [
                Look(f.frame, Fraction(f.frame), 0, tuple(f.found[i] for i in index[n]), ())
                for n, f in enumerate(seen)
            ]
            for trail in tracker.follow(looks, width, height):
                if len(trail.members) < least:
                    continue
                found = [(seen[p], index[p][i]) for p, i in trail.members]
                worth = [f.found[i].width * f.found[i].height * f.found[i].score for f, i in found]
                best = max(range(len(found)), key=worth.__getitem__)
                members = tuple((f.frame, i) for f, i in found)
                new.append(Track(0, found[0][0].detector, label, members[0][0], members[-1][0], members,
                                 members[best][0], (members[best][0],), {}, trail.rejoined))  # fmt: skip
        new.sort(key=lambda t: (t.first_frame, t.label, t.members[0][1]))
        tracks += new
    return tuple(
        Track(n, t.detector, t.label, t.first_frame, t.last_frame, t.members, t.best_frame, t.best_frames,
              t.quality, t.rejoined) for n, t in enumerate(tracks, 1)
    )  # fmt: skip
