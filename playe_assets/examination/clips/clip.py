"""Works segments of a clip: one continuous pass over neighbouring segments, split into parts as frames come out.

A pass is a function of paths, digests and parameters: it begins and ends `reach` frames beside its segments, so
that what it writes does not depend on which segments it was given. It could as well run in another process.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from playe_assets.core.contracts import Enhancer, Frame
from playe_assets.core.errors import IntegrityError
from playe_assets.core.presets import Output
from playe_assets.core.values import ExhibitDetections, StreamFacts
from playe_assets.custody.record import Operation
from playe_assets.examination.clips.parts import FRAMES, Part, Parts, PlanePart
from playe_assets.examination.clips.pipeline import Chain, overlapped
from playe_assets.examination.clips.segments import Segment
from playe_assets.examination.clips.source import AT_END, Source
from playe_assets.examination.enhance_photo import upright
from playe_assets.exporters.pictures import make_pictures
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.pixel_digest import frame_sha256

PICTURE = "picture-{role}.png"


@dataclass(frozen=True)
class ClipJob:
    """What decides the frames of one clip, beside the segment."""

    exhibit: str
    path: Path
    facts: StreamFacts
    base: Fraction
    output: Output
    found: ExhibitDetections | None
    reaches: tuple[int, ...]
    """Of each step: frames to each side that its results may depend on."""
    shown: int
    """Index of the frame that the report shows; frame 0 stands in where it never comes."""


@dataclass
class _Gate:
    """Behind one step: keeps what the steps after it still need, and takes digests and numbers of own frames."""

    name: str
    first: int
    last: int | None
    need_first: int
    need_last: int | None
    held: dict[int, tuple[str, Mapping[str, float]]] = field(default_factory=dict)

    def through(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        expected: int | None = None
        for frame in frames:
            if expected is not None and frame.index != expected:
                raise IntegrityError("clips.frame_order", step=self.name, frame=expected, found=frame.index)
            expected = frame.index + 1
            if frame.index < self.need_first:
                continue
            if frame.index >= self.first and (self.last is None or frame.index <= self.last):
                numbers = {name: float(value) for name, value in frame.numbers.items()}
                self.held[frame.index] = frame_sha256(frame.pixels), numbers
            yield frame
            if frame.index == self.need_last:
                return


@dataclass
class _Columns:
    """The part in the making."""

    pts: list[int] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    fused_from: list[int] = field(default_factory=list)
    shot: list[int] = field(default_factory=list)
    numbers: dict[str, list[float | None]] = field(default_factory=dict)
    planes: dict[str, tuple[list[int], list[str]]] = field(default_factory=dict)
    shown: int | None = None


Opened = Callable[[Segment], AbstractContextManager[Sequence[Operation]]]
"""The pairs of log lines around one segment: one operation a step."""
Finished = Callable[[Segment, Part, Sequence[Operation], Sequence[Enhancer]], None]


def work_run(
    job: ClipJob,
    run: Sequence[Segment],
    workers: Sequence[Enhancer],
    parts: Parts,
    keys: Mapping[int, str],
    *,
    opened: Opened,
    finished: Finished,
    advance: Callable[[int], None],
) -> None:
    """Make the parts of neighbouring segments; `workers` are fresh, one a step.

    A segment that the stream does not reach becomes an empty part. `advance` is called with 1 after each frame.

    Raises:
        IntegrityError: a step added, dropped or reordered frames.
    """
    first, last = run[0].first_frame, None if run[-1].last else run[-1].last_frame
    total = sum(job.reaches)
    source = Source(
        job.path, job.facts, job.found, max(0, first - total), None if last is None else last + total + 1,
        kept=frozenset((0, job.shown)),
        marks=frozenset(n for s in run for n in (s.first_frame, s.last_frame + 1)),
    )  # fmt: skip
    names = ("source", *(w.name for w in workers))
    gates = []
    for number, name in enumerate(names):
        beyond = sum(job.reaches[number:])
        gates.append(_Gate(name, first, last, first - beyond, None if last is None else last + beyond))
    with Chain() as chain:
        frames = chain.add(overlapped(chain.add(gates[0].through(chain.add(source.frames())))))
        for worker, gate in zip(workers, gates[1:], strict=True):
            frames = chain.add(worker.stream(frames))
            frames = chain.add(overlapped(chain.add(gate.through(frames))))
        due = first
        for segment in run:
            count = None if segment.last else segment.frames
            with opened(segment) as operations:
                part = _segment(
                    job, segment, itertools.islice(frames, count), due, gates, source, parts, keys, advance
                )
                finished(segment, part, operations, workers)
            due += len(part.pts)
    # A stream that ends early ends every step; a step that ends before its source has lost frames.
    if due != max(first, source.end if last is None else min(source.end, last + 1)):
        raise IntegrityError("clips.frames_lost", step=names[-1], frame=due, found=source.end)


def _segment(
    job: ClipJob, segment: Segment, frames: Iterator[Frame], due: int, gates: Sequence[_Gate], source: Source,
    parts: Parts, keys: Mapping[int, str], advance: Callable[[int], None],
) -> Part:  # fmt: skip
    key = keys[segment.number]
    folder = parts.begin(key)
    made = _Columns(steps=[[] for _ in gates[1:]])
    with ExitStack() as stack:
        writers: dict[str, ClipWriter] = {}

        def writer(name: str, facts: StreamFacts | None) -> ClipWriter:
            if name not in writers:
                writers[name] = stack.enter_context(
                    ClipWriter(folder / name, job.base, job.output, facts, digest=False)
                )
            return writers[name]

        for frame in frames:
            if frame.index != due + len(made.pts):
                raise IntegrityError("clips.frame_order", step=gates[-1].name, frame=due + len(made.pts),
                                     found=frame.index)  # fmt: skip
            _take(made, frame, gates, sum(job.reaches))
            writer(FRAMES, job.facts).add(frame)
            for name, pixels in sorted(frame.side.items()):
                writer(f"{name}.mkv", None).add_pixels(pixels, frame.pts)
                indices, digests = made.planes.setdefault(name, ([], []))
                indices.append(frame.index)
                digests.append(frame_sha256(pixels))
            if frame.index in (0, job.shown):
                made.shown = frame.index
                _picture(job, frame, source, folder)
            advance(1)
    return parts.finish(key, _stated(segment, made, source))


def _take(made: _Columns, frame: Frame, gates: Sequence[_Gate], reach: int) -> None:
    place = len(made.pts)
    made.pts.append(frame.pts)
    if frame.corrupt:
        made.corrupt.append(frame.index)
    made.kind.append(frame.kind)
    made.fused_from.append(min(frame.fused_from, _within_reach(frame, reach)))
    made.shot.append(frame.shot.number if frame.shot else -1)
    made.source.append(gates[0].held.pop(frame.index)[0])
    for number, gate in enumerate(gates[1:], 1):
        sha256, numbers = gate.held.pop(frame.index)
        made.steps[number - 1].append(sha256)
        for name, value in numbers.items():
            made.numbers.setdefault(f"{number}_{name}", [None] * place).append(value)
    for column in made.numbers.values():
        if len(column) == place:
            column.append(None)


def _within_reach(frame: Frame, reach: int) -> int:
    """How many frames all steps together can have looked at. Each adds its neighbours, and what two of them share
    would be counted twice near the ends of a shot."""
    first, last = max(0, frame.index - reach), frame.index + reach
    if frame.shot is not None:
        first, last = max(first, frame.shot.first_frame), min(last, max(frame.index, frame.shot.last_frame))
    return last - first + 1


def _picture(job: ClipJob, frame: Frame, source: Source, folder: Path) -> None:
    before = upright(source.pixels.pop(frame.index), job.facts)
    for role, data in make_pictures(before, frame.pixels, frame.side.get("contributors")).items():
        (folder / PICTURE.format(role=role)).write_bytes(data)


def _stated(segment: Segment, made: _Columns, source: Source) -> Part:
    return Part(
        segment=segment.number,
        first_frame=segment.first_frame,
        pts=tuple(made.pts),
        corrupt=tuple(made.corrupt),
        source=tuple(made.source),
        steps=tuple(tuple(s) for s in made.steps),
        kind=tuple(made.kind),
        fused_from=tuple(made.fused_from),
        shot=tuple(made.shot),
        numbers={name: tuple(column) for name, column in made.numbers.items()},
        planes={name: PlanePart(tuple(i), tuple(d)) for name, (i, d) in made.planes.items()},
        shown=made.shown,
        other_size=_within(segment, source.other_size),
        other_form=_within(segment, source.other_form),
        conversion=source.conversion,
    )


def _within(segment: Segment, known: Mapping[int, int]) -> int:
    """What was counted between the segment's mark and the next one's."""
    at_end = known.get(
        AT_END, 0
    )  # beyond the stream's end nothing was marked: the count of the end stands there
    until = at_end if segment.last else known.get(segment.last_frame + 1, at_end)
    return until - known.get(segment.first_frame, at_end)
