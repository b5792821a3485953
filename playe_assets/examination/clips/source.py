"""The frames of an exhibit as the steps take them: with their shot, the tracks in them, and their digest."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.contracts import Frame, Pixels
from playe_assets.core.tracks import Shot
from playe_assets.core.values import ExhibitDetections, StreamFacts
from playe_assets.examination.seen import SeenIn
from playe_assets.media.clip import ClipReport, read_clip

AT_END = -1


class Shots:
    """Which shot a frame belongs to."""

    def __init__(self, shots: Sequence[Shot]) -> None:
        self._shots = sorted(shots, key=lambda s: s.first_frame)
        self._starts = [s.first_frame for s in self._shots]

    def at(self, index: int) -> Shot | None:
        """The shot of frame `index`; a frame after the last known one belongs to the last shot."""
        place = bisect_right(self._starts, index) - 1
        return self._shots[place] if place >= 0 else None


@dataclass
class Source:
    """One pass over an exhibit from frame `start` to `stop` (exclusive; None: to its end)."""

    path: Path
    facts: StreamFacts
    found: ExhibitDetections | None
    start: int
    stop: int | None
    kept: frozenset[int] = frozenset()
    """Frames whose pixels the report shows."""
    pixels: dict[int, Pixels] = field(default_factory=dict)
    """Of `kept`, once they have passed."""
    end: int = 0
    """One more than the index of the last frame that was handed on."""
    other_size: dict[int, int] = field(default_factory=dict)
    """At each of `marks`: frames of another size that came before it; at `AT_END`: in the whole clip."""
    marks: frozenset[int] = frozenset()
    other_form: dict[int, int] = field(default_factory=dict)
    """The same of frames coded in another form than the first, which are handed on."""
    conversion: dict[str, Any] | None = None

    def frames(self) -> Iterator[Frame]:
        """The frames in order, as decoded, not turned."""
        shots = Shots(self.found.shots if self.found else ())
        seen = SeenIn(self.found) if self.found else None
        self.end = self.start
        with read_clip(self.path, self.facts, self.start) as reader:
            held: Frame | None = None  # handed on once the next is known, so that the marks behind it stand
            for frame in reader:
                if self.conversion is None:
                    self.conversion = to_plain(reader.report.conversion)
                if frame.index in self.marks:
                    self._count(frame.index, reader.report)
                if held is not None:
                    yield self._handed(held, shots, seen)
                if self.stop is not None and frame.index >= self.stop:
                    return
                held = frame
            self._count(AT_END, reader.report)
            if held is not None:
                yield self._handed(held, shots, seen)

    def _count(self, mark: int, report: ClipReport) -> None:
        self.other_size[mark], self.other_form[mark] = report.other_size, report.other_form

    def _handed(self, frame: Frame, shots: Shots, seen: SeenIn | None) -> Frame:
        if frame.index in self.kept:
            self.pixels[frame.index] = frame.pixels
        self.end = frame.index + 1
        there = seen.at(frame.index, frame.pts) if seen else ()
        return replace(frame, shot=shots.at(frame.index), seen=there)
