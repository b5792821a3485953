"""One more pass over a clip for its tracks and marks: pictures of the best frames, and crops to be fused.

Memory is bounded: of each track at most so many px of crops as the fuser's parameters say, of a mark's past the
surroundings of its box only. The pass ends with the last frame that anybody waits for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from playe_assets.core.contracts import Frame, Pixels
from playe_assets.core.contracts_tracks import Crop
from playe_assets.core.tracks import Mark, Seen, Shot, Track
from playe_assets.examination.seen import SeenIn
from playe_assets.fusers.following import Box, Follower
from playe_assets.fusers.registering import luma

PICTURE_MARGIN = 0.25
"""Around a thing in the pictures of its best frames, of its longer side; it changes no derivative."""


def cut(pixels: Pixels, box: Box | Seen, margin: float) -> tuple[Pixels, float, float]:
    """The box with a margin of its longer side, at whole px within the frame; and the box's place in it."""
    high, wide = pixels.shape[:2]
    around = margin * max(box.width, box.height)
    x0, y0 = max(0, int(np.floor(box.x - around))), max(0, int(np.floor(box.y - around)))
    x1 = min(wide, int(np.ceil(box.x + box.width + around)))
    y1 = min(high, int(np.ceil(box.y + box.height + around)))
    return pixels[y0:y1, x0:x1].copy(), box.x - x0, box.y - y0


def crop_of(frame: Frame, box: Box | Seen, margin: float, quality: float) -> Crop | None:
    """The crop, or None where nothing of the box lies in the frame."""
    pixels, x, y = cut(frame.pixels, box, margin)
    if not pixels.size:
        return None
    return Crop(frame.index, frame.pts, pixels, x, y, box.width, box.height, quality, frame.corrupt)


def shot_at(shots: Sequence[Shot], frame: int) -> tuple[int, int | None]:
    """First and last frame of the shot; the whole clip where nobody looked for cuts."""
    shot = next((s for s in shots if s.first_frame <= frame <= s.last_frame), None)
    return (shot.first_frame, shot.last_frame) if shot else (0, None)


@dataclass
class WantedTrack:
    """A track to be fused: the frames that are taken, by falling quality within the bounds."""

    track: Track
    quality: Mapping[int, float]
    """Frame to quality, interpolated between members; only frames that are taken."""
    crops: list[Crop] = field(default_factory=list)

    @staticmethod
    def of(
        track: Track,
        shots: Sequence[Shot],
        sizes: Sequence[tuple[float, float]],
        params: Any,
        stretches: Sequence[tuple[int, int]] = (),
    ) -> WantedTrack:
        """`sizes`: width and height of the members' boxes, which bound how many crops are held. `stretches`: where the
        track stands (`SeenIn.stretches`), else all along: frames of its absence would take the places of others."""
        first, last = shot_at(shots, track.best_frame)
        frames = [f for f, _ in track.members]
        worth = list(track.quality.get("overall", ())) or [
            1.0 if f == track.best_frame else 0.5 for f in frames
        ]
        low = max(first, frames[0])
        high = frames[-1] if last is None else min(last, frames[-1])
        there = stretches or ((low, high),)
        span = np.concatenate([np.arange(max(low, a), min(high, b) + 1) for a, b in there])
        values = np.interp(span, frames, worth)
        side = 1.0 + 2.0 * params.crop_margin
        largest = max(max(w, h) ** 2 for w, h in sizes) * side * side
        most = max(1, min(params.most_crops, int(params.most_megapixels * 1e6 / max(1.0, largest))))
        order = np.lexsort((np.abs(span - track.best_frame), -values))[:most]
        return WantedTrack(track, {int(span[i]): float(values[i]) for i in order})

    def take(self, frame: Frame, seen: Sequence[Seen], margin: float) -> None:
        """Keep the crop of this frame if it is wanted."""
        quality = self.quality.get(frame.index)
        here = next((s for s in seen if s.track == self.track.number), None)
        if quality is not None and here is not None:
            crop = crop_of(frame, here, margin, quality)
            if crop is not None:
                self.crops.append(crop)


@dataclass(frozen=True)
class _Past:
    """What is kept of a frame before the mark."""

    frame: Frame
    origin: tuple[int, int]


class WantedMark:
    """A marked region, followed to both sides within its shot."""

    def __init__(self, mark: Mark, shots: Sequence[Shot], base: Fraction, params: Any) -> None:
        self.mark, self.params = mark, params
        self.crops: list[Crop] = []
        self.frame: int | None = None
        """The marked frame, once it came."""
        self.last: int | None = None
        """The last frame in which the region was seen."""
        self.ended = False
        self._shots, self._base = shots, base
        self._past: deque[_Past] = deque()
        self._ahead: Follower | None = None
        self._until: int | None = None
        self._held: Frame | None = None
        self._began: int | None = None

    def take(self, frame: Frame) -> None:
        """The next frame, upright."""
        if self.ended:
            return
        self._began = frame.pts if self._began is None else self._began
        if self.frame is not None:
            self._follow(frame)
        elif self.mark.frame is not None:
            self._start(frame) if frame.index == self.mark.frame else self._keep(frame)
        else:
            at = (frame.pts - self._began) * self._base
            if at > Fraction(self.mark.time or "0") and self._held is not None:
                self._start(self._held)
                self._follow(frame)
                return
            if self._held is not None:
                self._keep(self._held)
            self._held = replace(frame, pixels=frame.pixels.copy())

    def finish(self) -> None:
        """No frame follows: a mark by time may stand in the last one."""
        if self.frame is None and self._held is not None:
            self._start(self._held)
        self._held = None

    def _keep(self, frame: Frame) -> None:
        area = cut(frame.pixels, Box(self.mark.x, self.mark.y, self.mark.width, self.mark.height),
                   self.params.follow_reach)  # fmt: skip
        origin = (round(self.mark.x - area[1]), round(self.mark.y - area[2]))
        self._past.append(_Past(replace(frame, pixels=area[0]), origin))
        room = self.params.most_megapixels * 1e6
        while self._past and (
            len(self._past) > self.params.follow_frames
            or sum(p.frame.pixels.shape[0] * p.frame.pixels.shape[1] for p in self._past) > room
        ):
            self._past.popleft()

    def _start(self, frame: Frame) -> None:
        mark, p = self.mark, self.params
        box = Box(mark.x, mark.y, mark.width, mark.height)
        self.frame = self.last = frame.index
        first, last = shot_at(self._shots, frame.index)
        self._until = (
            frame.index + p.follow_frames if last is None else min(last, frame.index + p.follow_frames)
        )
        own = crop_of(frame, box, p.crop_margin, 1.0)  # the operator chose it: the reference
        if own is None:
            self.ended = True
            return
        self.crops.append(own)
        around, x, y = cut(frame.pixels, box, p.crop_margin)
        marked, origin = luma(around), (round(box.x - x), round(box.y - y))
        self._ahead = Follower(marked, origin, box, p)
        back = Follower(marked, origin, box, p)
        while self._past and not back.ended:
            past = self._past.pop()
            if past.frame.index < first:
                break
            self._add(past.frame, back.look(luma(past.frame.pixels), past.origin), past.origin)
        self._past.clear()
        self._held = None

    def _follow(self, frame: Frame) -> None:
        if self._ahead is None or self._until is None or frame.index > self._until:
            self.ended = True
            return
        found = self._ahead.look(luma(frame.pixels))
        self._add(frame, found, (0, 0))
        if found is not None:
            self.last = frame.index
        self.ended = self._ahead.ended or frame.index == self._until

    def _add(self, frame: Frame, found: tuple[Box, float] | None, origin: tuple[int, int]) -> None:
        if found is None:
            return
        box, likeness = found
        here = Box(box.x - origin[0], box.y - origin[1], box.width, box.height)
        crop = crop_of(frame, here, self.params.crop_margin, 0.999 * likeness)
        if crop is None:
            return
        self.crops.append(crop)
        size = max(c.pixels.shape[0] * c.pixels.shape[1] for c in self.crops)
        most = max(1, min(self.params.most_crops, int(self.params.most_megapixels * 1e6 / size)))
        if len(self.crops) > most:
            worst = min(self.crops, key=lambda c: (c.quality, -c.frame))
            self.crops.remove(worst)


def collect(
    frames: Iterable[Frame],
    seen: SeenIn | None,
    tracks: Sequence[WantedTrack],
    marks: Sequence[WantedMark],
    shown: Mapping[int, Sequence[tuple[int, int]]],
    margin: float,
) -> dict[tuple[int, int], Pixels]:
    """Fill `tracks` and `marks`; returns the pictures of `shown` (frame to (track, rank)) by track and rank."""
    pictures: dict[tuple[int, int], Pixels] = {}
    last = max([*shown, *(max(t.quality) for t in tracks if t.quality)], default=-1)
    for frame in frames:
        here = seen.at(frame.index, frame.pts) if seen is not None else ()
        for track in tracks:
            track.take(frame, here, margin)
        for mark in marks:
            mark.take(frame)
        for number, rank in shown.get(frame.index, ()):
            box = next((s for s in here if s.track == number), None)
            if box is not None:
                picture = cut(frame.pixels, box, PICTURE_MARGIN)[0]
                if picture.size:
                    pictures[number, rank] = picture
        if frame.index >= last and all(m.ended for m in marks):
            break
    for mark in marks:
        mark.finish()
    return pictures


def boxes_of(track: Track, frames: Mapping[tuple[str, int], Any]) -> list[tuple[float, float]]:
    """Width and height of the members' boxes."""
    found = [frames[track.detector, frame].found[index] for frame, index in track.members]
    return [(d.width, d.height) for d in found]
