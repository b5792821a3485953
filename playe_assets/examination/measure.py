"""The fourth stage: the preset's metrics over every main derivative, one table a case (Parquet)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.contracts import Column, Frame, Metric, Pair, Pixels
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import (
    Derivative,
    Detection,
    DetectionManifest,
    EnhancedManifest,
    Exhibit,
    ExhibitDetections,
    IngestManifest,
    MediaKind,
    MetricsManifest,
    StreamFacts,
)
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.detect import facts_of
from playe_assets.examination.engine import engine_fields
from playe_assets.examination.plan import Plan
from playe_assets.examination.stage import Stage, exhibit_faults, reason_of
from playe_assets.media.clip import read_clip
from playe_assets.media.photo import read_photo

MAIN_KINDS = ("photo", "master")


@dataclass(frozen=True)
class Measured:
    """The manifest, without verdicts (gates add theirs), and the table's digest."""

    manifest: MetricsManifest
    sha256: str


def measure(stage: Stage, ingest_sha256: str, enhanced_sha256: str) -> Measured:
    """Measure every main derivative of the examination against its exhibit and, where there is one, the reference."""
    from playe_assets.examination.verify import same_examination

    ingest = stage.manifest(IngestManifest, ingest_sha256)
    enhanced = stage.manifest(EnhancedManifest, enhanced_sha256)
    same_examination(ingest, ingest_sha256, enhanced.ingest, enhanced.examination_id, "enhanced_frames")
    stage.recorder.examination_id = ingest.examination_id
    made = stage.planned(ingest)
    stage.limit_threads()
    exhibits = {e.number: e for e in ingest.exhibits}
    faces = _faces(stage, stage.manifest(DetectionManifest, enhanced.detections))
    todo = [d for d in enhanced.derivatives if d.kind in MAIN_KINDS]
    rows = []
    for number, derivative in enumerate(todo):
        stage.progress(derivative.number, number, len(todo))
        try:
            seen = _Seen(faces.get(derivative.exhibit, {}), _measured(enhanced, derivative.exhibit))
            rows.append(_row(stage, made, exhibits, derivative, seen))
        except exhibit_faults() as problem:
            reason_of(
                problem
            )  # the log has it; without a row the gate withholds this derivative, not the others
    stage.progress("", len(todo), len(todo))
    columns = tuple(to_plain(c) for m in made.metrics for c in m.cls.columns)
    table = stage.store.put_bytes(_parquet(rows, [str(c["name"]) for c in columns]))
    manifest = MetricsManifest(
        stage.case_id, ingest.examination_id, enhanced_sha256, table, columns, tuple(rows), ()
    )
    return Measured(manifest, stage.store.put_json(manifest))


Faces = Mapping[int, tuple[Detection, ...]]
"""What detectors labelled `face`, by index of the frame."""


def _faces(stage: Stage, detections: DetectionManifest) -> dict[str, Faces]:
    """By exhibit, every face that any detector found, each once; where two found it, the one with landmarks."""
    found: dict[str, Faces] = {}
    for entry in detections.entries:
        if entry.sha256 is None:
            continue
        frames: dict[int, list[Detection]] = {}
        for seen in stage.manifest(ExhibitDetections, entry.sha256).frames:
            faces = [d for d in seen.found if d.label == "face"]
            frames.setdefault(seen.frame, []).extend(faces)
        found[entry.exhibit] = {k: _each_once(v) for k, v in frames.items() if v}
    return found


SAME_FACE_IOU = 0.3
"""Boxes of one face by two detectors differ by hair and chin; those of two people in a crowd overlap less."""


def _each_once(faces: list[Detection]) -> tuple[Detection, ...]:
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda d: not d.landmarks):  # stable: the preset's order otherwise
        if all(_iou(face, other) < SAME_FACE_IOU for other in kept):
            kept.append(face)
    return tuple(kept)


def _iou(a: Detection, b: Detection) -> float:
    wide = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    high = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    both = max(0.0, wide) * max(0.0, high)
    return both / (a.width * a.height + b.width * b.height - both) if both else 0.0


@dataclass(frozen=True)
class _Seen:
    """What earlier stages found out about one exhibit."""

    faces: Faces
    measured: Mapping[str, float]


def _measured(enhanced: EnhancedManifest, exhibit: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for step in next((e.steps for e in enhanced.entries if e.exhibit == exhibit), ()):
        for name, value in step.measured.items():
            found[name] = max(value, found.get(name, value))
    return found


def _over(column: Column, values: list[float]) -> float | None:
    if not values:
        return None
    return round(max(values) if column.over == "max" else sum(values) / len(values), 6)


def _row(
    stage: Stage, made: Plan, exhibits: dict[str, Exhibit], derivative: Derivative, seen: _Seen
) -> dict[str, Any]:
    exhibit = exhibits[derivative.exhibit]
    reference = exhibits.get(exhibit.reference or "")
    inputs = [exhibit.sha256, derivative.sha256, *([reference.sha256] if reference else [])]
    params = {m.cls.name: to_plain(m.params) for m in made.metrics}
    with stage.recorder.operation(
        "processing.measure",
        exhibit=exhibit.number,
        step="measure",
        inputs=inputs,
        params=params,
        ai_class="none",
    ) as work:
        workers = [m.cls(m.params, made.load(m.needs, stage.settings)) for m in made.metrics]
        columns = [c for m in made.metrics for c in m.cls.columns]
        values: dict[str, list[float]] = {c.name: [] for c in columns}
        compared = 0
        for pair in _pairs(stage, made, exhibit, derivative, reference, seen.faces):
            compared += 1
            _add(values, workers, replace(pair, measured=seen.measured))
        means = {c.name: _over(c, values[c.name]) for c in columns}
        work.metrics.update(means)
        work.extra.update(engine_fields({k: m for w in workers for k, m in w.models.items()}))
    media = exhibit.media.value if exhibit.media else None
    return {"exhibit": exhibit.number, "derivative": derivative.number, "media": media,
            "frames_compared": compared, **means}  # fmt: skip


def _add(values: dict[str, list[float]], workers: list[Metric], pair: Pair) -> None:
    for worker in workers:
        for name, value in worker.measure(pair).items():
            if value is not None:
                values[name].append(float(value))


def _pairs(
    stage: Stage,
    made: Plan,
    exhibit: Exhibit,
    derivative: Derivative,
    reference: Exhibit | None,
    faces: Faces,
) -> Iterator[Pair]:
    facts = facts_of(exhibit)
    turn = ENHANCERS.get("orient")(None, facts)
    paths = stage.store
    usable = reference is not None and reference.facts is not None and reference.media is exhibit.media
    if exhibit.media is MediaKind.PHOTO:
        truth = None
        if usable and reference is not None:
            truth = ENHANCERS.get("orient")(None, facts_of(reference)).frame(
                read_photo(paths.path(reference.sha256), reference.facts).pixels
            )
        before = turn.frame(read_photo(paths.path(exhibit.sha256), facts).pixels)
        yield Pair(before, read_photo(paths.path(derivative.sha256)).pixels, truth, faces.get(0, ()))
        return
    every = Fraction(str(made.preset.compare_every_s))
    base = Fraction(facts.time_base or "1/1000")
    with ExitStack() as stack:
        before_clip = stack.enter_context(read_clip(paths.path(exhibit.sha256), facts))
        after_clip = stack.enter_context(read_clip(paths.path(derivative.sha256)))
        truths: Iterator[_Timed] = iter(())
        if usable and reference is not None:
            truth_clip = stack.enter_context(read_clip(paths.path(reference.sha256), reference.facts))
            truths = _timed(truth_clip, facts_of(reference))
        first: int | None = None
        due = Fraction(0)
        last: Pair | None = None
        for before_frame, after_frame in zip_longest(before_clip, after_clip):
            if before_frame is None or after_frame is None:
                raise IntegrityError(
                    "measure.frame_counts", exhibit=exhibit.number, derivative=derivative.number
                )
            known = next(truths, None)
            first = before_frame.pts if first is None else first
            at = (before_frame.pts - first) * base
            # A reference shows the same moments or it is none: another time is not compared.
            truth = known.pixels if known is not None and abs(known.at - at) <= _SAME_MOMENT_S else None
            last = Pair(before_frame.pixels, after_frame.pixels, truth, faces.get(before_frame.index, ()))
            if at >= due:
                due = every * (at // every + 1)
                yield replace(last, exhibit=turn.frame(last.exhibit))
                last = None
        if last is not None:
            yield replace(last, exhibit=turn.frame(last.exhibit))


_SAME_MOMENT_S = Fraction(1, 200)
"""Matroska rounds to 1 ms, and a half frame at 100 frames a second is 5 ms."""


@dataclass(frozen=True)
class _Timed:
    """An upright frame with its time in seconds after the first."""

    at: Fraction
    pixels: Pixels


def _timed(frames: Iterable[Frame], facts: StreamFacts) -> Iterator[_Timed]:
    turn = ENHANCERS.get("orient")(None, facts)
    base = Fraction(facts.time_base or "1/1000")
    first: int | None = None
    for frame in frames:
        first = frame.pts if first is None else first
        yield _Timed((frame.pts - first) * base, turn.frame(frame.pixels))


def _parquet(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    import pandas as pd

    names = ["exhibit", "derivative", "media", "frames_compared", *columns]
    frame = pd.DataFrame(rows, columns=names)
    for name in columns:
        frame[name] = frame[name].astype("float64")
    out = io.BytesIO()
    frame.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()
