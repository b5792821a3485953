"""What earlier stages found out about an exhibit, as metrics are told it: faces, shots, tracks, measured values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from playe_assets.core.boxes import overlap
from playe_assets.core.tracks import Seen, Shot
from playe_assets.core.values import Detection, DetectionManifest, EnhancedManifest, ExhibitDetections
from playe_assets.examination.seen import SeenIn
from playe_assets.examination.stage import Stage

Faces = Mapping[int, tuple[Detection, ...]]
"""What detectors labelled `face`, by index of the frame."""
SAME_FACE_IOU = 0.3
"""Boxes of one face by two detectors differ by hair and chin; those of two people in a crowd overlap less."""


def _nowhere(_frame: int, _pts: int) -> tuple[Seen, ...]:
    return ()


@dataclass(frozen=True)
class Found:
    """About one exhibit."""

    faces: Faces = field(default_factory=dict)
    measured: Mapping[str, float] = field(default_factory=dict)
    """By the derivative's steps; of several steps the highest value of a name."""
    shots: tuple[Shot, ...] = ()
    tracks: Callable[[int, int], tuple[Seen, ...]] = _nowhere
    """Where tracks stand in a frame, by its index and PTS."""


def found_of(stage: Stage, enhanced: EnhancedManifest) -> dict[str, Found]:
    """By exhibit; nothing for one whose detection failed but what its steps measured."""
    told: dict[str, Found] = {}
    details = {
        e.exhibit: stage.manifest(ExhibitDetections, e.sha256)
        for e in stage.manifest(DetectionManifest, enhanced.detections).entries
        if e.sha256 is not None
    }
    for entry in enhanced.entries:
        measured: dict[str, float] = {}
        for step in entry.steps:
            for name, value in step.measured.items():
                measured[name] = max(value, measured.get(name, value))
        one = details.get(entry.exhibit)
        told[entry.exhibit] = (
            Found(measured=measured)
            if one is None
            else Found(_faces(one), measured, one.shots, SeenIn(one).at)
        )
    return told


def _faces(found: ExhibitDetections) -> Faces:
    """Every face that any detector found, each once; where two found it, the one with landmarks."""
    frames: dict[int, list[Detection]] = {}
    for seen in found.frames:
        frames.setdefault(seen.frame, []).extend(d for d in seen.found if d.label == "face")
    return {k: _each_once(v) for k, v in frames.items() if v}


def _each_once(faces: list[Detection]) -> tuple[Detection, ...]:
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda d: not d.landmarks):  # stable: the preset's order otherwise
        if all(overlap(face, other) < SAME_FACE_IOU for other in kept):
            kept.append(face)
    return tuple(kept)
