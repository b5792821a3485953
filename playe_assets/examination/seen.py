"""Where tracks stand in every frame of a clip: found in sampled ones, interpolated between, landmarks on one path."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playe_assets.core.tracks import Seen, Shot, Track
from playe_assets.core.values import Detection, ExhibitDetections

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Followed:
    """One track ready to be asked; lists run over its members."""

    number: int
    label: str
    frames: list[int]
    pts: list[int]
    found: list[Detection]
    bridged: list[bool]
    """Whether boxes may be interpolated from this member to the next."""
    path: list[Points]
    """Smoothed landmarks."""

    def stretches(self) -> list[tuple[int, int]]:
        """First and last frame of each stretch without a gap that is not bridged."""
        gaps = [n for n, bridged in enumerate(self.bridged) if not bridged]
        starts = [0, *(n + 1 for n in gaps)]
        ends = [*gaps, len(self.frames) - 1]
        return [(self.frames[a], self.frames[b]) for a, b in zip(starts, ends, strict=True)]

    def at(self, frame: int, pts: int | None) -> Seen | None:
        before = bisect_right(self.frames, frame) - 1
        if before < 0:
            return None
        box, points = self.found[before], self.path[before]
        if self.frames[before] == frame:
            return Seen(self.number, self.label, box.x, box.y, box.width, box.height, points)
        if before + 1 == len(self.frames) or not self.bridged[before]:
            return None
        after, later = self.found[before + 1], self.path[before + 1]
        share = self._share(before, frame, pts)

        def between(a: float, b: float) -> float:
            return a + (b - a) * share

        both = len(points) == len(later)
        mixed = (
            tuple((between(a, c), between(b, d)) for (a, b), (c, d) in zip(points, later, strict=True))
            if both
            else ()
        )
        return Seen(self.number, self.label, between(box.x, after.x), between(box.y, after.y),
                    between(box.width, after.width), between(box.height, after.height), mixed, found=False)  # fmt: skip

    def _share(self, before: int, frame: int, pts: int | None) -> float:
        start, end = self.pts[before], self.pts[before + 1]
        if pts is not None and end > start:
            return min(1.0, max(0.0, (pts - start) / (end - start)))
        return (frame - self.frames[before]) / (self.frames[before + 1] - self.frames[before])


class SeenIn:
    """The tracks of one clip, asked frame by frame in any order; the same frame gives the same answer.

    Tracks of several detectors that follow one thing stand beside each other: nothing here joins them.
    A box is interpolated linearly between two members of a track that lie in one shot and no farther apart than
    the tracker bridges (`bridges_ticks` of its method in the manifest); where the manifest names no tracker,
    over any gap of a track that was never re-identified. A track's landmarks are one path: at a member the
    weighted line through the members within `smooth_ticks` to both sides (weights fall linearly to 0; never
    over a gap that is not bridged), linear between members. So steady motion is kept and jitter averaged.
    """

    def __init__(self, found: ExhibitDetections) -> None:
        method: Mapping[str, Any] = next((m for m in reversed(found.methods) if "bridges_ticks" in m), {})
        here = {(f.detector, f.frame): f for f in found.frames}
        tracks = []
        for track in sorted(found.tracks, key=lambda t: t.number):
            seen = [here[track.detector, frame] for frame, _ in track.members]
            boxes = [s.found[i] for s, (_, i) in zip(seen, track.members, strict=True)]
            pts = [s.frame if s.pts is None else s.pts for s in seen]
            bridged = _bridged(track, pts, found.shots, method.get("bridges_ticks"))
            path = _path(pts, [b.landmarks for b in boxes], bridged, int(method.get("smooth_ticks", 0)))
            frames = [frame for frame, _ in track.members]
            tracks.append(_Followed(track.number, track.label, frames, pts, boxes, bridged, path))
        self._starts, self._present = _presence(tracks)
        self._tracks = {t.number: t for t in tracks}

    def stretches(self, track: int) -> list[tuple[int, int]]:
        """First and last frame of each stretch in which the track stands in every frame."""
        return self._tracks[track].stretches()

    def at(self, frame_index: int, pts: int | None = None) -> tuple[Seen, ...]:
        """The tracks in that frame by number; with its `pts`, boxes are interpolated by time, else by frames."""
        place = bisect_right(self._starts, frame_index) - 1
        if place < 0:
            return ()
        seen = (track.at(frame_index, pts) for track in self._present[place])
        return tuple(s for s in seen if s is not None)


def _presence(tracks: Sequence[_Followed]) -> tuple[list[int], list[list[_Followed]]]:
    """Frames at which the set of tracks changes, and the sets: from each such frame to before the next."""
    come: dict[int, list[_Followed]] = {}
    gone: dict[int, list[_Followed]] = {}
    for track in tracks:
        come.setdefault(track.frames[0], []).append(track)
        gone.setdefault(track.frames[-1] + 1, []).append(track)
    starts = sorted({*come, *gone})
    present: list[list[_Followed]] = []
    now: dict[int, _Followed] = {}
    for frame in starts:
        for track in gone.get(frame, ()):
            del now[track.number]
        now.update((t.number, t) for t in come.get(frame, ()))
        present.append([now[n] for n in sorted(now)])
    return starts, present


def _bridged(track: Track, pts: list[int], shots: Sequence[Shot], ticks: int | None) -> list[bool]:
    firsts = [s.first_frame for s in shots]
    frames = [frame for frame, _ in track.members]
    if ticks is None:
        near = [track.rejoined == 0] * (len(frames) - 1)
    else:
        near = [after - before <= ticks for before, after in pairwise(pts)]
    one_shot = [bisect_right(firsts, a) == bisect_right(firsts, b) for a, b in pairwise(frames)]
    return [a and b for a, b in zip(near, one_shot, strict=True)]


def _path(pts: list[int], raw: list[Points], bridged: list[bool], ticks: int) -> list[Points]:
    """Landmarks at the members, smoothed within stretches of bridged members that have the same points."""
    path: list[Points] = []
    start = 0
    for end in range(1, len(raw) + 1):
        if end < len(raw) and bridged[end - 1] and len(raw[end]) == len(raw[start]):
            continue
        path += _smoothed(pts[start:end], raw[start:end], ticks)
        start = end
    return path


def _smoothed(pts: list[int], raw: list[Points], ticks: int) -> list[Points]:
    if ticks <= 0 or not raw[0]:
        return raw
    return [_line_at(n, pts, raw, ticks) for n in range(len(raw))]


def _line_at(middle: int, pts: list[int], raw: list[Points], ticks: int) -> Points:
    """The value at `middle` of the straight lines through its neighbours by weighted least squares."""
    low, high = middle, middle
    while low > 0 and pts[middle] - pts[low - 1] < ticks:
        low -= 1
    while high + 1 < len(pts) and pts[high + 1] - pts[middle] < ticks:
        high += 1
    if low == high:
        return raw[middle]
    near = range(low, high + 1)
    off = [(pts[n] - pts[middle]) / ticks for n in near]
    weight = [1.0 - abs(t) for t in off]
    zero, one, two = (sum(w * t**k for w, t in zip(weight, off, strict=True)) for k in (0, 1, 2))
    below = zero * two - one * one
    share = [w * (two - one * t) / below for w, t in zip(weight, off, strict=True)]
    return tuple(
        (sum(s * raw[n][p][0] for s, n in zip(share, near, strict=True)),
         sum(s * raw[n][p][1] for s, n in zip(share, near, strict=True)))
        for p in range(len(raw[middle]))
    )  # fmt: skip
