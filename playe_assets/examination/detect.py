"""The second stage: what the preset's detectors find in each exhibit, as one JSON manifest. Changes no pixel.

A clip is decoded once: the same pass surveys every frame and hands the sampled ones to the detectors.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import PlayeError
from playe_assets.core.tracks import Event, Track
from playe_assets.core.values import (
    DetectionEntry,
    DetectionManifest,
    Exhibit,
    ExhibitDetections,
    IngestManifest,
    MediaKind,
    StreamFacts,
)
from playe_assets.examination.engine import engine_fields, model_field
from playe_assets.examination.events import events_of
from playe_assets.examination.plan import Plan, PlannedDetector
from playe_assets.examination.regions import detectors_for, regions_of
from playe_assets.examination.sampling import sampling_of
from playe_assets.examination.stage import Stage, exhibit_faults, reason_of
from playe_assets.examination.tracks import Watched, tracker_method, tracks_of
from playe_assets.examination.watch import Pass, Watch, survey_method, watch_clip, watch_photo
from playe_assets.media.survey import write_survey

_SWAPS_SIDES = (5, 6, 7, 8)


@dataclass(frozen=True)
class Detected:
    """The manifest and its digest."""

    manifest: DetectionManifest
    sha256: str


def detect(stage: Stage, ingest_sha256: str) -> Detected:
    """Run the preset's detectors over every processable exhibit of the examination.

    An exhibit that fails is listed with the reason and does not stop the others.
    """
    ingest = stage.manifest(IngestManifest, ingest_sha256)
    stage.recorder.examination_id = ingest.examination_id
    made = stage.planned(ingest)
    stage.limit_threads()
    todo = [e for e in ingest.exhibits if e.processable]
    entries = []
    for number, exhibit in enumerate(todo):
        stage.progress(exhibit.number, number, len(todo))
        entries.append(_examine(stage, made, exhibit))
    stage.progress("", len(todo), len(todo))
    manifest = DetectionManifest(stage.case_id, ingest.examination_id, ingest_sha256, tuple(entries))
    return Detected(manifest, stage.store.put_json(manifest))


def _examine(stage: Stage, made: Plan, exhibit: Exhibit) -> DetectionEntry:
    try:
        planned = _planned(made, exhibit)
        with stage.recorder.operation(
            "processing.detect",
            exhibit=exhibit.number,
            step="detect",
            inputs=[exhibit.sha256],
            params=_params(made, exhibit, planned),
            ai_class="none",
            model=_models(made, planned),
        ) as work:
            found, engines = _findings(stage, made, exhibit, planned)
            sha256 = stage.store.put_json(found)
            counts = Counter(d.label for seen in found.frames for d in seen.found)
            work.outputs += [sha256, *([found.survey] if found.survey else [])]
            work.metrics.update(counts)
            if found.survey:
                work.metrics.update(frames_sampled=found.frames_seen, shots=len(found.shots),
                                    tracks=len(found.tracks), events=len(found.events))  # fmt: skip
            work.extra.update(engines)
    except exhibit_faults() as problem:
        return DetectionEntry(exhibit.number, None, {}, failure=reason_of(problem))
    return DetectionEntry(exhibit.number, sha256, dict(sorted(counts.items())), len(found.tracks),
                          found.frames_seen)  # fmt: skip


def _planned(made: Plan, exhibit: Exhibit) -> tuple[PlannedDetector, ...]:
    return detectors_for(made, exhibit, *_upright_size(facts_of(exhibit)))


def _upright_size(facts: StreamFacts) -> tuple[int, int]:
    """Width and height, px."""
    turned = facts.orientation in _SWAPS_SIDES
    return (facts.height, facts.width) if turned else (facts.width, facts.height)


def _params(made: Plan, exhibit: Exhibit, planned: tuple[PlannedDetector, ...]) -> dict[str, object]:
    """Every detector's parameters and sampling; of a clip also how it is surveyed and what was marked."""
    params: dict[str, object] = {_label(i, planned): p.plain for i, p in enumerate(planned)}
    if exhibit.media is MediaKind.CLIP:
        params["shots"] = survey_method(made)["params"]
        params["tracker"] = {"name": made.tracker.cls.name, **to_plain(made.tracker.params)}
    if regions := regions_of(exhibit):
        params["regions"] = to_plain(regions)
    return params


def _models(made: Plan, planned: tuple[PlannedDetector, ...]) -> dict[str, object] | None:
    """The `model` field of the record: what the detectors' weights are; null where none has any."""
    prepared = [item for p in planned for item in made.prepared(p.needs)]
    return {i.card.name: model_field(i.card, i.approval) for i in prepared} or None


def _findings(
    stage: Stage, made: Plan, exhibit: Exhibit, planned: tuple[PlannedDetector, ...]
) -> tuple[ExhibitDetections, dict[str, dict[str, Any]]]:
    facts = facts_of(exhibit)
    share = made.preset.video.shots.moving_share
    seen = Pass([
        Watch(_label(i, planned), p, p.cls(p.params, facts, made.load(p.needs, stage.settings)),
               sampling_of(p.use, share))
        for i, p in enumerate(planned)
    ])  # fmt: skip
    width, height = _upright_size(facts)
    tracks: tuple[Track, ...] = ()
    events: tuple[Event, ...] = ()
    survey: str | None = None
    methods = [_method(w, made) for w in seen.watches]
    if exhibit.media is MediaKind.CLIP:
        base = Fraction(facts.time_base or "1/1000")
        watch_clip(stage, made, exhibit, facts, seen, base)
        survey = stage.store.put_bytes(write_survey(seen.survey, base))
        watched = [Watched(w.found, w.traits, w.planned.use.min_track_frames) for w in seen.watches]
        tracks = tracks_of(watched, made, width, height, seen.shots, base)
        events = events_of(tracks, {w.label: w.found for w in seen.watches}, seen.survey.pts, base)
        methods += [survey_method(made), tracker_method(made, base)]
    elif seen.watches:
        watch_photo(stage, exhibit, facts, seen)
    found = ExhibitDetections(
        exhibit=exhibit.number,
        source_sha256=exhibit.sha256,
        width=width,
        height=height,
        frames_seen=seen.sampled,
        frames=tuple(f for w in seen.watches for f in w.found if f.found),
        tracks=tracks,
        methods=tuple(methods),
        shots=seen.shots,
        events=events,
        survey=survey,
    )
    models: dict[str, Any] = {}
    for watch in seen.watches:
        for name, model in watch.detector.models.items():
            # Two detectors may run one card in two engines; neither hides the other.
            other = name in models and type(models[name]) is not type(model)
            models[f"{name} ({watch.label})" if other else name] = model
    return found, engine_fields(models)


def _method(watch: Watch, made: Plan) -> dict[str, object]:
    cls = watch.planned.cls
    return {
        "label": watch.label,
        "name": cls.name,
        "version": cls.version,
        "reference": cls.reference,
        "params": watch.planned.plain,
        "weights": {k: v for p in made.prepared(watch.planned.needs) for k, v in p.weights.items()},
    }


def facts_of(exhibit: Exhibit) -> StreamFacts:
    """The technical facts, which every processable exhibit has."""
    if exhibit.facts is None:
        raise PlayeError("exhibit.without_facts", exhibit=exhibit.number)
    return exhibit.facts


def _label(index: int, planned: tuple[PlannedDetector, ...]) -> str:
    """The detector's name, with a number where the preset uses it more than once."""
    name = planned[index].cls.name
    same = [i for i, p in enumerate(planned) if p.cls.name == name]
    return name if len(same) == 1 else f"{name}.{same.index(index) + 1}"
