"""The second stage: what the preset's detectors find in each exhibit, as one JSON manifest. Changes no pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from playe_assets.core.contracts import Detector, Frame
from playe_assets.core.errors import PlayeError
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
from playe_assets.examination.engine import engine_fields, model_field
from playe_assets.examination.plan import Plan, PlannedDetector
from playe_assets.examination.stage import Stage, exhibit_faults, reason_of
from playe_assets.examination.tracks import tracks_of
from playe_assets.media.clip import read_clip
from playe_assets.media.photo import read_photo

_SWAPS_SIDES = (5, 6, 7, 8)


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
    found: list[FrameDetections]
    due: Fraction = Fraction(0)

    def takes(self, at: Fraction) -> bool:
        """Whether the frame at `at` seconds after the first is sampled; depends on time stamps only."""
        if at < self.due:
            return False
        every = Fraction(str(self.planned.use.every_s))
        self.due = every * (at // every + 1)
        return True

    def look(self, frame: Frame, clip: bool) -> None:
        """Detect in `frame` and keep what was found."""
        found = tuple(self.detector.detect(frame))
        self.found.append(FrameDetections(self.label, frame.index, frame.pts if clip else None, found))


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
            params={_label(i, planned): p.plain for i, p in enumerate(planned)},
            ai_class="none",
            model=_models(made, planned),
        ) as work:
            found, engines = _findings(stage, made, exhibit)
            sha256 = stage.store.put_json(found)
            counts = Counter(d.label for seen in found.frames for d in seen.found)
            work.outputs.append(sha256)
            work.metrics.update(counts)
            work.extra.update(engines)
    except exhibit_faults() as problem:
        return DetectionEntry(exhibit.number, None, {}, failure=reason_of(problem))
    return DetectionEntry(exhibit.number, sha256, dict(sorted(counts.items())), len(found.tracks),
                          found.frames_seen)  # fmt: skip


def _models(made: Plan, planned: tuple[PlannedDetector, ...]) -> dict[str, object] | None:
    """The `model` field of the record: what the detectors' weights are; null where none has any."""
    prepared = [item for p in planned for item in made.prepared(p.needs)]
    return {i.card.name: model_field(i.card, i.approval) for i in prepared} or None


def _findings(
    stage: Stage, made: Plan, exhibit: Exhibit
) -> tuple[ExhibitDetections, dict[str, dict[str, Any]]]:
    facts = facts_of(exhibit)
    planned = made.detectors[_media(exhibit)]
    watches = [
        _Watch(_label(i, planned), p, p.cls(p.params, facts, made.load(p.needs, stage.settings)), [])
        for i, p in enumerate(planned)
    ]
    clip = exhibit.media is MediaKind.CLIP
    seen = 0
    if watches:
        base = Fraction(facts.time_base) if clip and facts.time_base else Fraction(1)
        first: int | None = None
        upright = ENHANCERS.get("orient")(
            None, facts
        )  # boxes lie in the upright frame, whatever the steps do
        for frame in _frames(stage, exhibit):
            first = frame.pts if first is None else first
            takers = [w for w in watches if not clip or w.takes((frame.pts - first) * base)]
            if not takers:
                continue
            seen += 1
            turned = upright.frame(frame.pixels)
            for watch in takers:
                watch.look(Frame(frame.index, frame.pts, turned, frame.corrupt), clip)
    upright_sides = facts.orientation in _SWAPS_SIDES
    width, height = (facts.height, facts.width) if upright_sides else (facts.width, facts.height)
    found = ExhibitDetections(
        exhibit=exhibit.number,
        source_sha256=exhibit.sha256,
        width=width,
        height=height,
        frames_seen=seen,
        frames=tuple(f for w in watches for f in w.found if f.found),
        tracks=tracks_of([(w.found, w.planned.use.min_track_frames) for w in watches], made, width, height)
        if clip
        else (),
        methods=tuple(_method(w, made) for w in watches),
    )
    models: dict[str, Any] = {}
    for watch in watches:
        for name, model in watch.detector.models.items():
            # Two detectors may run one card in two engines; neither hides the other.
            other = name in models and type(models[name]) is not type(model)
            models[f"{name} ({watch.label})" if other else name] = model
    return found, engine_fields(models)


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


def _frames(stage: Stage, exhibit: Exhibit) -> Iterator[Frame]:
    path = stage.store.path(exhibit.sha256)
    if exhibit.media is MediaKind.PHOTO:
        yield Frame(0, 0, read_photo(path, exhibit.facts).pixels)
        return
    with read_clip(path, exhibit.facts) as reader:
        yield from reader


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
