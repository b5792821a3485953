"""The second stage: what the preset's detectors find in each exhibit, as one JSON manifest. Changes no pixel.

A clip is decoded once: the same pass surveys every frame and hands the sampled ones to the detectors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from playe_assets.core.contracts import Detector, Enhancer, Frame
from playe_assets.core.errors import PlayeError
from playe_assets.core.tracks import Event, Shot, Track
from playe_assets.core.values import (
    DetectionEntry,
    DetectionManifest,
    Exhibit,
    ExhibitDetections,
    FrameDetections,
    IngestManifest,
    MediaKind,
    StreamFacts,
)
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.clips.pipeline import Chain, overlapped
from playe_assets.examination.engine import engine_fields, model_field
from playe_assets.examination.events import JOIN_S, events_of
from playe_assets.examination.plan import Plan, PlannedDetector
from playe_assets.examination.sampling import Sampling, sampling_of
from playe_assets.examination.shots import METHOD as CUT_METHOD
from playe_assets.examination.shots import REFERENCE as CUTS
from playe_assets.examination.shots import ContentScore, InShot, in_shots, shots_of
from playe_assets.examination.stage import Stage, exhibit_faults, reason_of
from playe_assets.examination.survey import METHOD, Surveyor
from playe_assets.examination.tracks import Traits, Watched, tracker_method, tracks_of, traits_of
from playe_assets.media.clip import read_clip
from playe_assets.media.photo import read_photo
from playe_assets.media.survey import Survey, write_survey

_SWAPS_SIDES = (5, 6, 7, 8)
_TELL_EVERY = 100
"""Frames from one word of progress to the next."""


@dataclass(frozen=True)
class Detected:
    """The manifest and its digest."""

    manifest: DetectionManifest
    sha256: str


@dataclass
class _Watch:
    """One detector on one exhibit with its own sampling; `label` tells two uses of one plug-in apart."""

    label: str
    planned: PlannedDetector
    detector: Detector
    sampling: Sampling
    found: list[FrameDetections] = field(default_factory=list)
    """Of every sampled frame, those without findings too."""
    traits: list[tuple[Traits, ...]] = field(default_factory=list)
    """Of a clip: looks and quality of the same findings."""

    def look(self, frame: Frame, clip: bool) -> None:
        """Detect in `frame` and keep what was found."""
        found = tuple(self.detector.detect(frame))
        self.found.append(FrameDetections(self.label, frame.index, frame.pts if clip else None, found))
        if clip:
            self.traits.append(traits_of(frame, found))


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
    planned = made.detectors[_media(exhibit)]
    try:
        with stage.recorder.operation(
            "processing.detect",
            exhibit=exhibit.number,
            step="detect",
            inputs=[exhibit.sha256],
            params=_params(made, exhibit),
            ai_class="none",
            model=_models(made, planned),
        ) as work:
            found, engines = _findings(stage, made, exhibit)
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


def _params(made: Plan, exhibit: Exhibit) -> dict[str, object]:
    """Every detector's parameters and sampling; of a clip also how it is surveyed."""
    planned = made.detectors[_media(exhibit)]
    params: dict[str, object] = {_label(i, planned): p.plain for i, p in enumerate(planned)}
    if exhibit.media is MediaKind.CLIP:
        params["shots"] = _survey_method(made)["params"]
    return params


def _models(made: Plan, planned: tuple[PlannedDetector, ...]) -> dict[str, object] | None:
    """The `model` field of the record: what the detectors' weights are; null where none has any."""
    prepared = [item for p in planned for item in made.prepared(p.needs)]
    return {i.card.name: model_field(i.card, i.approval) for i in prepared} or None


@dataclass
class _Watched:
    """What one pass over an exhibit gave."""

    watches: list[_Watch]
    sampled: int = 0
    survey: Survey = field(default_factory=Survey)
    shots: tuple[Shot, ...] = ()


def _findings(
    stage: Stage, made: Plan, exhibit: Exhibit
) -> tuple[ExhibitDetections, dict[str, dict[str, Any]]]:
    facts = facts_of(exhibit)
    planned = made.detectors[_media(exhibit)]
    share = made.preset.video.shots.moving_share
    seen = _Watched([
        _Watch(_label(i, planned), p, p.cls(p.params, facts, made.load(p.needs, stage.settings)),
               sampling_of(p.use, share))
        for i, p in enumerate(planned)
    ])  # fmt: skip
    upright_sides = facts.orientation in _SWAPS_SIDES
    width, height = (facts.height, facts.width) if upright_sides else (facts.width, facts.height)
    tracks: tuple[Track, ...] = ()
    events: tuple[Event, ...] = ()
    survey: str | None = None
    methods = [_method(w, made) for w in seen.watches]
    if exhibit.media is MediaKind.CLIP:
        base = Fraction(facts.time_base or "1/1000")
        _watch_clip(stage, made, exhibit, seen, base)
        survey = stage.store.put_bytes(write_survey(seen.survey, base))
        watched = [Watched(w.found, w.traits, w.planned.use.min_track_frames) for w in seen.watches]
        tracks = tracks_of(watched, made, width, height, seen.shots, base)
        events = events_of(tracks, {w.label: w.found for w in seen.watches}, seen.survey.pts, base)
        methods += [_survey_method(made), tracker_method(made, base)]
    elif seen.watches:
        pixels = read_photo(stage.store.path(exhibit.sha256), exhibit.facts).pixels
        seen.sampled = 1
        for watch in seen.watches:
            watch.look(Frame(0, 0, _upright(facts).frame(pixels)), clip=False)
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


def _watch_clip(stage: Stage, made: Plan, exhibit: Exhibit, seen: _Watched, base: Fraction) -> None:
    """One pass over the clip: every frame is surveyed, sampled ones go to the detectors that ask for them."""
    facts = facts_of(exhibit)
    upright = _upright(facts)  # boxes lie in the upright frame, whatever the steps do
    starts: list[int] = []
    first: int | None = None
    for item in _surveyed(stage, made, exhibit):
        row = seen.survey.append(item.looked.row)
        frame = item.looked.frame
        first = row.pts if first is None else first
        if item.starts:
            starts.append(row.frame)
        at = (row.pts - first) * base
        takers = [w for w in seen.watches if w.sampling.takes(at, row.motion_share, item.starts)]
        if takers:
            seen.sampled += 1
            shot = Shot(item.shot, starts[-1], row.frame)
            turned = replace(frame, pixels=upright.frame(frame.pixels), shot=shot)
            for watch in takers:
                watch.look(turned, clip=True)
        if row.frame % _TELL_EVERY == 0:
            stage.progress(exhibit.number, row.frame, max(facts.frame_count, row.frame))
    seen.shots = shots_of(starts, seen.survey)


def _surveyed(stage: Stage, made: Plan, exhibit: Exhibit) -> Iterator[InShot]:
    wanted = made.preset.video.shots
    change = ContentScore(wanted.threshold)
    surveyor = Surveyor(change)
    with read_clip(stage.store.path(exhibit.sha256), exhibit.facts) as reader, Chain() as chain:
        # Decoding, surveying and detecting, each in a thread of its own.
        decoded = chain.add(overlapped(iter(reader)))
        looked = chain.add(overlapped(map(surveyor.look, decoded)))
        yield from in_shots(looked, change, wanted)


def _upright(facts: StreamFacts) -> Enhancer:
    return ENHANCERS.get("orient")(None, facts)


def _survey_method(made: Plan) -> dict[str, object]:
    """How every frame was measured and cuts were found."""
    shots = made.preset.video.shots
    params = {"threshold": shots.threshold, "min_frames": shots.min_frames,
              "moving_share": shots.moving_share, **CUT_METHOD, **METHOD,
              "join_s": float(JOIN_S)}  # fmt: skip
    return {"label": "shots", "name": "shots", "version": "1", "reference": CUTS, "params": params,
            "weights": {}}  # fmt: skip


def _method(watch: _Watch, made: Plan) -> dict[str, object]:
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


def _media(exhibit: Exhibit) -> MediaKind:
    if exhibit.media is None:
        raise PlayeError("exhibit.without_facts", exhibit=exhibit.number)
    return exhibit.media


def _label(index: int, planned: tuple[PlannedDetector, ...]) -> str:
    """The detector's name, with a number where the preset uses it more than once."""
    name = planned[index].cls.name
    same = [i for i, p in enumerate(planned) if p.cls.name == name]
    return name if len(same) == 1 else f"{name}.{same.index(index) + 1}"
