"""Findings over sampled frames made into tracks by the preset's tracker, each detector and label by itself.

Two detectors that find one thing (a face from the front and from the side) give two tracks of it: they are kept
apart, because no detector's box can vouch for another's, and the report shows both with their detectors.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.contracts import Frame
from playe_assets.core.contracts_tracks import Look, Trail
from playe_assets.core.tracks import Shot, Track
from playe_assets.core.values import Detection, FrameDetections, MediaKind
from playe_assets.detectors.appearance import METHOD as APPEARANCE
from playe_assets.detectors.appearance import appearance
from playe_assets.detectors.quality import METHOD as QUALITY
from playe_assets.detectors.quality import quality
from playe_assets.examination.events import MOTION
from playe_assets.examination.plan import Plan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_COLUMNS = ("size", "sharpness", "pose", "overall")


@dataclass(frozen=True)
class Traits:
    """What is kept of a finding's pixels."""

    appearance: npt.NDArray[np.float32] | None
    """None for motion: a moving region falls apart and flows together, and has no looks of its own."""
    quality: Mapping[str, float]


def traits_of(frame: Frame, found: Sequence[Detection]) -> tuple[Traits, ...]:
    """Looks and quality of each finding in the upright `frame`."""
    return tuple(
        Traits(None if d.label == MOTION else appearance(frame.pixels, d),
               quality(frame.pixels, d, frame.corrupt))
        for d in found
    )  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """What one detector saw in one clip."""

    found: Sequence[FrameDetections]
    """Every sampled frame in order, those without findings too."""
    traits: Sequence[tuple[Traits, ...]]
    """Of the same frames and findings."""
    least: int
    """Members that a track needs at least."""


def tracks_of(
    watched: Sequence[Watched], made: Plan, width: int, height: int, shots: Sequence[Shot], base: Fraction
) -> tuple[Track, ...]:
    """Tracks of every detector, numbered detector by detector by their first frame.

    `width` and `height` are the upright frame's, px; `base` seconds a tick.
    """
    tracks: list[Track] = []
    for seen in watched:
        new = [t for label in sorted({d.label for f in seen.found for d in f.found})
               for t in _tracks(seen, label, made, width, height, shots, base)]  # fmt: skip
        tracks += sorted(new, key=lambda t: (t.first_frame, t.label, t.members[0][1]))
    return tuple(replace(t, number=n) for n, t in enumerate(tracks, 1))


def tracker_method(made: Plan, base: Fraction) -> dict[str, Any]:
    """How tracks were made, for the manifest; `examination/seen.py` reads the two lengths of time in ticks."""
    tracker = made.tracker.cls(made.tracker.params)
    every = max((d.use.still_every_s for d in made.detectors[MediaKind.CLIP]), default=0.0)
    return {
        "label": "tracker",
        "name": tracker.name,
        "version": tracker.version,
        "reference": tracker.reference,
        "params": to_plain(made.tracker.params),
        "weights": {},
        "best_frames": made.preset.video.best_frames,
        "bridges_ticks": _ticks(tracker.bridges_s(every), base),
        "smooth_ticks": _ticks(made.tracker.params.smooth_s, base),
        **APPEARANCE,
        **QUALITY,
    }


def _ticks(seconds: float, base: Fraction) -> int:
    return int(Fraction(str(seconds)) / base)


def _tracks(
    seen: Watched, label: str, made: Plan, width: int, height: int, shots: Sequence[Shot], base: Fraction
) -> list[Track]:
    tracker = made.tracker.cls(made.tracker.params)
    firsts = [s.first_frame for s in shots]
    index = [[i for i, d in enumerate(f.found) if d.label == label] for f in seen.found]
    looks = [
        Look(
            f.frame,
            time,
            max(0, bisect_right(firsts, f.frame) - 1),
            tuple(f.found[i] for i in own),
            tuple(shown for i in own if (shown := traits[i].appearance) is not None),
        )
        for f, own, traits, time in zip(seen.found, index, seen.traits, _times(seen, base), strict=True)
    ]
    trails = [t for t in tracker.follow(looks, width, height) if len(t.members) >= seen.least]
    return [_track(t, seen, label, index, made.preset.video.best_frames) for t in trails]


def _times(seen: Watched, base: Fraction) -> list[Fraction]:
    """Seconds after the first look; a clock that goes back (recordings joined end to end) stands still there,
    because no tracker can go back in time."""
    pts = [f.pts or 0 for f in seen.found]
    steps = (max(0, later - earlier) for earlier, later in pairwise(pts))
    return [ticks * base for ticks in accumulate(steps, initial=0)]


def _track(trail: Trail, seen: Watched, label: str, index: Sequence[Sequence[int]], most: int) -> Track:
    members = tuple((seen.found[p].frame, index[p][i]) for p, i in trail.members)
    traits = [seen.traits[p][index[p][i]].quality for p, i in trail.members]
    columns = {c: tuple(q[c] for q in traits) for c in _COLUMNS if all(c in q for q in traits)}
    best = best_frames([frame for frame, _ in members], columns["overall"], most)
    return Track(0, seen.found[0].detector, label, members[0][0], members[-1][0], members, best[0], best, columns,
                 trail.rejoined)  # fmt: skip


def best_frames(frames: Sequence[int], overall: Sequence[float], most: int) -> tuple[int, ...]:
    """At most `most` of a track's frames by falling quality, ties to the earlier one.

    Two of them lie at least the track's length over `2 * most` apart, so that neighbours of the best, which
    show the same, do not fill the list; it may be shorter than `most`, never empty.
    """
    apart = (frames[-1] - frames[0]) / (2 * most)
    chosen: list[int] = []
    for _, frame in sorted(zip((-q for q in overall), frames, strict=True)):
        if len(chosen) < most and all(abs(frame - c) >= apart for c in chosen):
            chosen.append(frame)
    return tuple(chosen)
