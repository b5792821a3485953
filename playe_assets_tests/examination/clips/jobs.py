"""A small clip with two shots, temporal steps made by formula, and a stage whose preset cuts short segments."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import Enhancer, Frame
from playe_assets.core.presets import load_preset
from playe_assets.core.tracks import Shot
from playe_assets.core.values import ExhibitDetections, MediaKind, StreamFacts
from playe_assets.custody.record import Operation
from playe_assets.examination.clips.clip import ClipJob, work_run
from playe_assets.examination.clips.parts import Part, Parts
from playe_assets.examination.clips.segments import Segment, runs_of
from playe_assets.examination.plan import PlannedStep, check
from playe_assets.media.clip_write import ClipWriter
from playe_assets_tests.laboratory import OUTPUT
from playe_assets_tests.plugins import scene
from playe_assets_tests.stand_ins import stand_ins

WIDTH, HEIGHT, FRAMES, CUT = 48, 32, 21, 9


@dataclass(frozen=True)
class Radius:
    """How far a fake looks to both sides."""

    frames: int


class Mixed(Enhancer):
    """A frame becomes a weighted sum of its neighbours in the same shot, by their distance: order matters."""

    name = "mixed"
    version = "1"
    reference = "none"
    Params: ClassVar[type] = Radius
    summaries: ClassVar[dict[str, str]] = {"neighbours": "mean", "far": "max", "applied": "sum"}

    @classmethod
    def reach(cls, params: Any) -> int:
        return int(params.frames)

    def frame(self, pixels: Any) -> Any:
        return pixels.copy()

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        radius = self.params.frames
        window: deque[Frame] = deque()
        at = 0
        for item in frames:
            window.append(item)
            if len(window) - at > radius:
                yield self._mixed(window, at)
                at += 1
                if at > radius:
                    window.popleft()
                    at -= 1
        while at < len(window):
            yield self._mixed(window, at)
            at += 1
            if at > radius:
                window.popleft()
                at -= 1

    def _mixed(self, window: deque[Frame], at: int) -> Frame:
        own = window[at]
        near = [f for f in window if abs(f.index - own.index) <= self.params.frames and f.shot == own.shot]
        total = sum(f.pixels.astype(np.int64) * (7 + f.index - own.index) for f in near)
        count = np.full((*own.pixels.shape[:2], 1), len(near), np.uint8)
        numbers = {"neighbours": float(len(near)), "far": float(own.index - near[0].index), "applied": 1.0}
        if own.index % 3 == 0:
            numbers.pop("far")
        return replace(own, pixels=(total % 251).astype(np.uint8), side={**own.side, "contributors": count},
                       numbers=numbers, kind="fused", fused_from=len(near))  # fmt: skip


def write_source(path: Path, frames: int = FRAMES) -> Path:
    """A lossless clip that drifts, cuts at frame `CUT`, and has uneven time stamps."""
    wide = scene(HEIGHT, WIDTH + frames, seed=5), scene(HEIGHT, WIDTH + frames, seed=9)
    with ClipWriter(path, Fraction(1, 1000), OUTPUT) as out:
        for index in range(frames):
            noise = np.random.default_rng(index).normal(0, 4, (HEIGHT, WIDTH, 3))
            shown = wide[index >= CUT][:, index : index + WIDTH]
            pixels = np.clip(np.rint(shown + noise), 0, 255).astype(np.uint8)
            out.add(Frame(index, 40 * index + 7 * (index % 3), pixels))
    return path


def job_for(path: Path, steps: Sequence[PlannedStep], frames: int = FRAMES) -> ClipJob:
    """The work on that clip."""
    facts = StreamFacts("matroska", "ffv1", "bgr0", 8, WIDTH, HEIGHT, frame_count=frames, time_base="1/1000")
    shots = (Shot(0, 0, CUT - 1, 110.0, 4.0), Shot(1, CUT, frames - 1, 120.0, 4.0))
    found = ExhibitDetections("E001", "", WIDTH, HEIGHT, 0, (), (), (), shots=shots)
    return ClipJob("E001", path, facts, Fraction(1, 1000), OUTPUT, found,
                   tuple(s.cls.reach(s.params) for s in steps), frames // 2)  # fmt: skip


def fake(radius: int) -> PlannedStep:
    """A step that looks `radius` frames to both sides."""
    from playe_assets.core.values import AiClass

    return PlannedStep(Mixed, Radius(radius), AiClass.NONE)


def real(name: str, preset: str = "forensic_safe") -> PlannedStep:
    """A clip step as the preset writes it."""
    planned = check(load_preset(preset)).steps[MediaKind.CLIP]
    return next(s for s in planned if s.cls.name == name)


def whole_preset(name: str) -> tuple[PlannedStep, ...]:
    """Every clip step of a shipped preset; networks are stand-ins."""
    return check(load_preset(name)).steps[MediaKind.CLIP]


def cut(*borders: int, frames: int = FRAMES) -> tuple[Segment, ...]:
    """Segments that begin at 0 and at each of `borders`."""
    starts = (0, *borders)
    ends = (*(b - 1 for b in borders), frames - 1)
    return tuple(
        Segment(n, a, b, n == len(starts)) for n, (a, b) in enumerate(zip(starts, ends, strict=True), 1)
    )


def worked(
    job: ClipJob, steps: Sequence[PlannedStep], segments: Sequence[Segment], root: Path, apart: bool = False
) -> list[Part]:
    """The parts of `segments`; `apart` makes each in a pass of its own."""
    parts = Parts(root)
    keys = {s.number: f"{s.number:04d}" for s in segments}
    for run in [[s] for s in segments] if apart else runs_of(segments):
        workers = [s.cls(s.params, job.facts, stand_ins(s.cls, s.params)) for s in steps]
        work_run(job, run, workers, parts, keys, opened=_unrecorded, finished=lambda *_: None,
                 advance=lambda _: None)  # fmt: skip
    return [p for s in segments if (p := parts.find(keys[s.number])) is not None]


@contextmanager
def _unrecorded(_segment: Segment) -> Iterator[Sequence[Operation]]:
    yield ()


def together(parts: Sequence[Part]) -> dict[str, Any]:
    """What the parts state of all frames, whatever the segments."""
    frames = [len(p.pts) for p in parts]
    names = sorted({n for p in parts for n in p.numbers})
    return {
        "pts": [v for p in parts for v in p.pts],
        "corrupt": [v for p in parts for v in p.corrupt],
        "source": [v for p in parts for v in p.source],
        "steps": [[v for p in parts for v in p.steps[n]] for n in range(len(parts[0].steps))],
        "kind": [v for p in parts for v in p.kind],
        "fused_from": [v for p in parts for v in p.fused_from],
        "shot": [v for p in parts for v in p.shot],
        "numbers": {n: [v for p, count in zip(parts, frames, strict=True)
                        for v in p.numbers.get(n, (None,) * count)] for n in names},
        "planes": {n: [v for p in parts if n in p.planes for v in p.planes[n].sha256]
                   for n in sorted({n for p in parts for n in p.planes})},
        "other_size": sum(p.other_size for p in parts),
    }  # fmt: skip


@contextmanager
def short_segments(megapixels: float, least: int, most: int) -> Iterator[None]:
    """The shipped presets cut clips into segments of these sizes."""
    from playe_assets.core.presets import Preset, Segments
    from playe_assets.examination import plan

    def found(*given: Any) -> Preset:
        preset = load_preset(*given)
        return replace(preset, video=replace(preset.video, segments=Segments(megapixels, least, most)))

    plan.load_preset = found  # type: ignore[attr-defined]
    try:
        yield
    finally:
        plan.load_preset = load_preset  # type: ignore[attr-defined]


def taken_in(stage: Any, folder: Path) -> tuple[str, str]:
    """The case at `folder` ingested and, with nothing found, detected: digests of the two manifests."""
    from playe_assets.core.values import DetectionEntry, DetectionManifest
    from playe_assets.examination.ingest import ingest

    done = ingest(stage, folder, None, in_place=True)
    entries = []
    for exhibit in done.manifest.exhibits:
        facts = exhibit.facts
        last = facts.frame_count - 1
        shots = (Shot(0, 0, 3, 100.0, 3.0), Shot(1, 4, last, 100.0, 3.0))
        found = ExhibitDetections(
            exhibit.number, exhibit.sha256, facts.width, facts.height, 0, (), (), (), shots
        )
        entries.append(DetectionEntry(exhibit.number, stage.store.put_json(found), {}))
    manifest = DetectionManifest(stage.case_id, done.manifest.examination_id, done.sha256, tuple(entries))
    return done.sha256, stage.store.put_json(manifest)
