"""The second stage: what the preset's detectors find in each exhibit, as one JSON manifest. Changes no pixel.

A clip is decoded once: the same pass surveys every frame and hands the sampled ones to the detectors. What an
earlier run of the case found is used again where nothing that decides it has changed (`found.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from playe_assets.core.canonical import digest, to_plain
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
from playe_assets.custody.environment import code_version, examination_runtime
from playe_assets.examination.engine import engine_fields, fields_before, model_field
from playe_assets.examination.events import events_of
from playe_assets.examination.found import SCHEMA, FoundNotes, Noted, found_in
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
        notes, key = found_in(stage.folder.root, stage.store), key_of_found(stage, made, exhibit)
        known = notes.find(key)
        if notes.spoilt:
            stage.recorder.note("processing.detection_spoilt", exhibit=exhibit.number, step="detect",
                                params={"spoilt": notes.spoilt})  # fmt: skip
        if known is not None:
            noted, found = known
            _note_reused(stage, exhibit, noted, found, _models(made, planned))
            return _entry(exhibit, noted.findings, found)
        return _entry(exhibit, *_detected(stage, made, exhibit, planned, notes, key))
    except exhibit_faults() as problem:
        return DetectionEntry(exhibit.number, None, {}, failure=reason_of(problem))


def _detected(
    stage: Stage,
    made: Plan,
    exhibit: Exhibit,
    planned: tuple[PlannedDetector, ...],
    notes: FoundNotes,
    key: str,
) -> tuple[str, ExhibitDetections]:
    """Look for it, and note under `key` what was found."""
    with stage.recorder.record(
        "processing.detect",
        exhibit=exhibit.number,
        step="detect",
        inputs=[exhibit.sha256],
        params=_params(made, exhibit, planned),
        ai_class="none",
        **fields_before(made.prepared(tuple(n for p in planned for n in p.needs)), stage.settings),
    ) as work:
        found, engines = _findings(stage, made, exhibit, planned)
        sha256 = stage.store.put_json(found)
        work.outputs += _objects(sha256, found)
        work.metrics.update(_figures(found))
        work.extra.update(engines)
    notes.keep(key, Noted(sha256, found.survey, work.op_id))
    return sha256, found


def _note_reused(
    stage: Stage, exhibit: Exhibit, noted: Noted, found: ExhibitDetections, models: dict[str, object] | None
) -> None:
    """One line in place of the operation: which one of the log found it, and that the objects are whole."""
    stage.recorder.note("processing.detection_reused", exhibit=exhibit.number, step="detect",
                        input_sha256=[exhibit.sha256], output_sha256=_objects(noted.findings, found),
                        params={"found_by": noted.op_id}, metrics=_figures(found) or None,
                        ai_class="none", model=models)  # fmt: skip


def _objects(sha256: str, found: ExhibitDetections) -> list[str]:
    return [sha256, *([found.survey] if found.survey else [])]


def _counts(found: ExhibitDetections) -> dict[str, int]:
    return dict(sorted(Counter(d.label for seen in found.frames for d in seen.found).items()))


def _figures(found: ExhibitDetections) -> dict[str, int]:
    """The record's metrics."""
    of_clip = {"frames_sampled": found.frames_seen, "shots": len(found.shots), "tracks": len(found.tracks),
               "events": len(found.events)} if found.survey else {}  # fmt: skip
    return {**_counts(found), **of_clip}


def _entry(exhibit: Exhibit, sha256: str, found: ExhibitDetections) -> DetectionEntry:
    return DetectionEntry(exhibit.number, sha256, _counts(found), len(found.tracks), found.frames_seen)


def key_of_found(stage: Stage, made: Plan, exhibit: Exhibit) -> str:
    """The digest of everything that decides what is found in the exhibit; followed marks decide nothing here."""
    planned = _planned(made, exhibit)
    facts = facts_of(exhibit)
    clip = exhibit.media is MediaKind.CLIP
    return digest(
        {
            "schema": SCHEMA,
            "exhibit": exhibit.sha256,
            "number": exhibit.number,
            "media": to_plain(exhibit.media),
            "facts": to_plain(facts),
            "regions": to_plain(regions_of(exhibit)),
            "detectors": [
                {**_method(_label(i, planned), p, made),
                 "models": [{"variant": to_plain(m.use), "weights": m.weights, **m.facts}
                            for m in made.prepared(p.needs)]}
                for i, p in enumerate(planned)
            ],
            "video": [survey_method(made), tracker_method(made, _base(facts)), to_plain(made.preset.video.shots)]
            if clip
            else None,
            "engine": made.engine(stage.settings),
            "code_version": code_version(),
            "runtime": examination_runtime(),
        }
    )  # fmt: skip


def _base(facts: StreamFacts) -> Fraction:
    """Seconds a tick."""
    return Fraction(facts.time_base or "1/1000")


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
    methods = [_method(w.label, w.planned, made) for w in seen.watches]
    if exhibit.media is MediaKind.CLIP:
        base = _base(facts)
        with _each_detector(stage, made, exhibit, seen):
            watch_clip(stage, made, exhibit, facts, seen, base)
        survey = stage.store.put_bytes(write_survey(seen.survey, base))
        methods += [survey_method(made), tracker_method(made, base)]
        with stage.recorder.record(
            "processing.tracks", exhibit=exhibit.number, step="tracks", inputs=[exhibit.sha256, survey],
            params={"tracker": methods[-1]}, ai_class="none",
        ) as work:  # fmt: skip
            watched = [Watched(w.found, w.traits, w.planned.use.min_track_frames) for w in seen.watches]
            tracks = tracks_of(watched, made, width, height, seen.shots, base)
            events = events_of(tracks, {w.label: w.found for w in seen.watches}, seen.survey.pts, base)
            work.metrics.update(tracks=len(tracks), events=len(events))
    elif seen.watches:
        with _each_detector(stage, made, exhibit, seen):
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


@contextmanager
def _each_detector(stage: Stage, made: Plan, exhibit: Exhibit, seen: Pass) -> Iterator[None]:
    """A pair of log lines for each detector. They look at one decoded stream, so their pairs span the same time."""
    with ExitStack() as records:
        opened = [
            records.enter_context(
                stage.recorder.record(
                    "processing.detector", exhibit=exhibit.number, step=f"detect {w.label}", inputs=[exhibit.sha256],
                    params={"version": w.planned.cls.version, **w.planned.plain}, ai_class="none",
                    **fields_before(made.prepared(w.planned.needs), stage.settings),
                )
            )
            for w in seen.watches
        ]  # fmt: skip
        yield
        for work, watch in zip(opened, seen.watches, strict=True):
            counted = Counter(d.label for frame in watch.found for d in frame.found)
            work.metrics.update({"frames": len(watch.found), **dict(sorted(counted.items()))})
            work.extra.update(engine_fields(watch.detector.models))


def _method(label: str, planned: PlannedDetector, made: Plan) -> dict[str, object]:
    cls = planned.cls
    return {
        "label": label,
        "name": cls.name,
        "version": cls.version,
        "reference": cls.reference,
        "params": planned.plain,
        "weights": {k: v for p in made.prepared(planned.needs) for k, v in p.weights.items()},
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
