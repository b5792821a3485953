"""The third stage: the preset's steps over each exhibit, one after the other; derivatives with their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from playe_assets.core.contracts import Enhancer
from playe_assets.core.values import (
    AiClass,
    Derivative,
    DetectionManifest,
    Enhanced,
    EnhancedManifest,
    Exhibit,
    IngestManifest,
    MediaKind,
    PictureRef,
    Reason,
    Step,
    StreamFacts,
)
from playe_assets.custody.record import Operation
from playe_assets.examination.engine import engine_fields, fields_before
from playe_assets.examination.plan import Plan, PlannedStep
from playe_assets.examination.side_by_side import side_by_side
from playe_assets.examination.stage import Stage, exhibit_faults, reason_of

if TYPE_CHECKING:
    from playe_assets.examination.enhance_tracks import TracksMade


@dataclass(frozen=True)
class EnhancedStage:
    """The manifest and its digest."""

    manifest: EnhancedManifest
    sha256: str


@dataclass
class Made:
    """What the work on one exhibit gave; derivatives are numbered when all exhibits are done."""

    steps: tuple[Step, ...] = ()
    derivatives: list[Derivative] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    picture_frame: int | None = None
    frames_in: int = 0
    frames_decoded: int = 0
    frames_corrupt: int = 0
    frames_out: int = 0
    missing: tuple[Reason, ...] = ()
    deviations: tuple[Reason, ...] = ()
    segments: int = 0
    tracks: TracksMade | None = None
    """Of a clip: what its tracks and marks gave; its derivatives stand in `derivatives` too."""


def enhance(stage: Stage, ingest_sha256: str, detections_sha256: str) -> EnhancedStage:
    """Apply the preset to every processable exhibit; one that fails is listed with the reason, the rest goes on.

    Raises:
        IntegrityError: the two manifests do not belong to one examination.
    """
    from playe_assets.examination.enhance_tracks import numbered_fused
    from playe_assets.examination.verify import same_examination

    ingest = stage.manifest(IngestManifest, ingest_sha256)
    detections = stage.manifest(DetectionManifest, detections_sha256)
    same_examination(ingest, ingest_sha256, detections.ingest, detections.examination_id, "detections")
    stage.recorder.examination_id = ingest.examination_id
    made = stage.planned(ingest)
    stage.limit_threads()
    found = {e.exhibit: e.sha256 for e in detections.entries}

    def work(exhibit: Exhibit) -> _Done:
        return _one(stage, made, exhibit, found.get(exhibit.number))

    todo = [e for e in ingest.exhibits if e.processable]
    _sweep(stage, made, todo, found)
    entries: list[Enhanced] = []
    derivatives: list[Derivative] = []
    pictures: list[PictureRef] = []
    stage.progress(todo[0].number if todo else "", 0, len(todo))
    for exhibit, (entry, new, shown) in side_by_side(todo, work, _alone):
        numbered = [replace(d, number=f"D{len(derivatives) + i:03d}") for i, d in enumerate(new, 1)]
        entries.append(replace(entry, derivatives=tuple(d.number for d in numbered),
                               fused=numbered_fused(entry.fused, numbered)))  # fmt: skip
        derivatives += numbered
        pictures += shown
        stage.progress(exhibit.number, len(entries), len(todo))
    manifest = EnhancedManifest(
        stage.case_id, ingest.examination_id, ingest_sha256, detections_sha256, tuple(entries),
        tuple(derivatives), tuple(pictures),
    )  # fmt: skip
    return EnhancedStage(manifest, stage.store.put_json(manifest))


_Done = tuple[Enhanced, list[Derivative], list[PictureRef]]
LARGE_PX = 24_000_000
"""A photograph larger than this is worked on alone: its decoded samples and results fill the memory twice."""


def _sweep(stage: Stage, made: Plan, todo: Sequence[Exhibit], found: Mapping[str, str | None]) -> None:
    """Remove what earlier runs left of segments, except finished ones of this very examination."""
    from playe_assets.examination.clips.parts import parts_in
    from playe_assets.examination.enhance_clip import job_of

    keys: list[str] = []
    for exhibit in todo:
        if not _photo(exhibit) and exhibit.facts is not None:
            keys += job_of(stage, made, exhibit, found.get(exhibit.number))[2].values()
    parts_in(stage.folder.root).keep_only(keys)


def _photo(exhibit: Exhibit) -> bool:
    return exhibit.media is MediaKind.PHOTO


def _alone(exhibit: Exhibit) -> bool:
    facts = exhibit.facts
    return not _photo(exhibit) or facts is None or facts.width * facts.height > LARGE_PX


def _one(stage: Stage, made: Plan, exhibit: Exhibit, detections: str | None) -> _Done:
    from playe_assets.examination.enhance_clip import enhance_clip
    from playe_assets.examination.enhance_photo import enhance_photo

    promised = exhibit.facts.frame_count if exhibit.facts else 0
    steps = made.steps[MediaKind.PHOTO if _photo(exhibit) else MediaKind.CLIP]
    try:
        with stage.recorder.record(
            "processing.enhance",
            exhibit=exhibit.number,
            step="enhance",
            inputs=[exhibit.sha256],
            params={"preset": made.preset.name, "preset_sha256": made.preset.sha256},
            **fields_before(made.prepared(tuple(n for p in steps for n in p.needs)), stage.settings),
        ) as op:
            if _photo(exhibit):
                done = enhance_photo(stage, made, exhibit)
            else:
                done = enhance_clip(stage, made, exhibit, detections)
            op.outputs += [d.sha256 for d in done.derivatives]
            op.metrics.update(frames_decoded=done.frames_decoded, frames_out=done.frames_out,
                              frames_corrupt=done.frames_corrupt)  # fmt: skip
            op.extra["ai_class"] = highest(done.steps).value
    except exhibit_faults() as problem:
        failed = Enhanced(exhibit.number, (), (), promised, 0, 0, 0, failure=reason_of(problem))
        return failed, [], []
    shown = [
        PictureRef(exhibit.number, role, stage.store.put_bytes(data), done.picture_frame)
        for role, data in sorted(done.pictures.items())
    ]
    entry = Enhanced(
        exhibit=exhibit.number,
        steps=done.steps,
        derivatives=(),
        frames_in=done.frames_in,
        frames_decoded=done.frames_decoded,
        frames_corrupt=done.frames_corrupt,
        frames_out=done.frames_out,
        missing=done.missing,
        deviations=done.deviations,
        segments=done.segments,
        fused=done.tracks.fused if done.tracks else (),
    )
    shown += done.tracks.pictures if done.tracks else []
    return entry, done.derivatives, shown


def recorded_step(
    stage: Stage,
    made: Plan,
    exhibit: Exhibit,
    number: int,
    planned: PlannedStep,
    inputs: Sequence[str],
    segment: Mapping[str, int] | None = None,
) -> AbstractContextManager[Operation]:
    """The pair of log lines of one step on one exhibit, of a clip on one segment; every parameter stands in it.

    A learned step names its models from the start, so that its failure names them too; what they ran on in the
    end (`record_models`) is known when they have run.
    """
    cls = planned.cls
    extra: dict[str, Any] = {"segment": dict(segment)} if segment else {}
    return stage.recorder.record(
        "processing.step",
        exhibit=exhibit.number,
        step=f"{number} {cls.name}",
        inputs=inputs,
        params={"version": cls.version, **planned.plain, **extra},
        ai_class=planned.ai_class.value,
        **fields_before(made.prepared(planned.needs), stage.settings),
    )


def worker_of(stage: Stage, made: Plan, planned: PlannedStep, facts: StreamFacts) -> Enhancer:
    """The enhancer with its models."""
    return planned.cls(planned.params, facts, made.load(planned.needs, stage.settings))


def step_of(number: int, made: Plan, planned: PlannedStep, worker: Enhancer) -> Step:
    """The step as the manifest states it, after its last frame."""
    measured = {k: round(float(v), 6) for k, v in sorted(worker.measured().items())}
    weights = {k: v for p in made.prepared(planned.needs) for k, v in sorted(p.weights.items())}
    cls = planned.cls
    # A learned step that its own conditions left out changed nothing, and the derivative is not labelled by it.
    ai_class = planned.ai_class if worker.touched() else AiClass.NONE
    return Step(number, cls.name, cls.version, planned.plain, ai_class, cls.reference, measured, weights)


def record_models(op: Operation, worker: Enhancer, step: Step) -> None:
    """Put the learned models of a step into its record: weights, engine, precision, tiling, certificate.

    The class is that of what was done: a network that was left out has added nothing.
    """
    if not worker.models:
        return
    op.extra["ai_class"] = step.ai_class.value
    op.extra.update(engine_fields(worker.models))
    op.checks += [
        {"check": "certificate", "model": name, "sha256": model.facts().get("certificate")}
        for name, model in sorted(worker.models.items())
    ]


def highest(steps: tuple[Step, ...]) -> AiClass:
    """The class of a derivative: the highest of its steps."""
    return max((s.ai_class for s in steps), key=lambda c: c.rank, default=AiClass.NONE)
