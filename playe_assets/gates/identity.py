"""A learned step did not give a face to someone else: blocks wherever such a step touches a face."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.presets import Threshold
from playe_assets.core.values import AiClass, Derivative, Detection, Verdict

MAIN_KINDS = ("photo", "master")
FACE_DETECTORS = ("yunet", "retinaface", "yolo_face", "ultraface", "haar_face")
"""Detectors that label faces. One that is missing here lets learned derivatives be withheld, never pass."""
_DISTANCE = "identity_distance"
_KEEPS = "faces keep their identity"
_JUDGED = "every face is judged"
_TRACKS_KEEP = "face tracks keep their identity"
_TRACKS_JUDGED = "every face track is judged"


class IdentityKept(Gate):
    """Withholds what was not judged: no embedder, no bound or no comparison is no permission.

    Of a clip each face track is judged as one face, not its single frames. Faces with too little information to be
    judged give a warning and do not withhold.
    """

    name: ClassVar[str] = "identity"
    stage: ClassVar[str] = "qa_metrics"
    kind: ClassVar[str] = "quality"
    description: ClassVar[str] = "Faces that a learned step touched keep the exhibit's identity (embedder)."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict a learned derivative, and a warning where a face could not be judged; one if there is none."""
        if evidence.enhanced is None or evidence.metrics is None:
            return [Verdict(self.name, self.kind, False, observed="no manifest of metrics")]
        found: list[Verdict] = []
        for derivative in evidence.enhanced.derivatives:
            if derivative.kind in MAIN_KINDS and derivative.ai_class is not AiClass.NONE:
                found += self._judged(evidence, derivative)
        return found or [Verdict(self.name, self.kind, True, expectation="no learned derivative was made")]

    def _judged(self, evidence: Evidence, derivative: Derivative) -> list[Verdict]:
        rows = evidence.metrics.rows if evidence.metrics else ()
        row = next((r for r in rows if r["derivative"] == derivative.number), None)
        bound = _bound(evidence, row)
        allowed = "-" if bound is None else f"<= {bound:g}"

        def verdict(passed: bool, expected: str, observed: str, on_fail: str = "withhold") -> Verdict:
            return Verdict(self.name, self.kind, passed, derivative.exhibit, derivative.number, expected,
                           observed, allowed, on_fail)  # fmt: skip

        if problem := _not_searched(evidence, derivative.exhibit):
            return [verdict(False, _KEEPS, problem)]
        restored = _restored(evidence, derivative.exhibit)
        if not _found(evidence, derivative.exhibit):
            if restored:
                return [verdict(False, _KEEPS, "a face was restored that no detector of the preset reported")]
            return [verdict(True, _KEEPS, "no face was found")]
        if row is None or _DISTANCE not in row:
            return [verdict(False, _KEEPS, "not measured: the preset has no identity metric for this media")]
        if bound is None:
            return [verdict(False, _KEEPS, "the preset sets no upper bound on identity_distance")]
        judged, unjudged = float(row["identity_faces"] or 0), float(row["identity_unjudged"] or 0)
        if judged + unjudged == 0:
            return [verdict(False, _KEEPS, "no compared frame shows the faces that were found")]
        if not judged and _without_landmarks(evidence, derivative.exhibit):
            return [verdict(False, _KEEPS, "the detector gives no landmarks, so no face could be compared")]
        if row["media"] == "photo" and restored > judged + unjudged:
            return [verdict(False, _KEEPS, "more faces were restored than were compared")]
        found = []
        if judged:
            value = row[_DISTANCE]
            expected, observed = _named(row, value, judged)
            found.append(verdict(value is not None and value <= bound, expected, observed))
        if unjudged:
            what, expected = ("face tracks", _TRACKS_JUDGED) if row["media"] == "clip" else ("faces", _JUDGED)
            observed = f"too little information to judge {unjudged:g} of {judged + unjudged:g} {what}"
            found.append(verdict(False, expected, observed, "warn"))
        return found


def _named(row: Mapping[str, Any], value: Any, judged: float) -> tuple[str, str]:
    """(expectation, observation): of a clip the worst track by its number, where a track was the worst."""
    if row["media"] != "clip":
        return _KEEPS, f"{value}"
    worst = row.get("identity_worst_track")
    if worst is None:
        return _TRACKS_KEEP, f"{value} (a face without a track)"
    return _TRACKS_KEEP, f"{value} (track {worst:g}, the furthest of {judged:g})"


def _bound(evidence: Evidence, row: Mapping[str, Any] | None) -> float | None:
    """The lowest upper bound that the preset sets for this row's media."""
    bounds = [t.high for t in evidence.thresholds if _meant(t, row) and t.high is not None]
    return min(bounds, default=None)


def _meant(threshold: Threshold, row: Mapping[str, Any] | None) -> bool:
    if threshold.column != _DISTANCE or threshold.on_fail != "withhold":
        return False
    return threshold.media is None or (row is not None and row["media"] == threshold.media.value)


def _not_searched(evidence: Evidence, exhibit: str) -> str:
    seen = evidence.detections.get(exhibit)
    if seen is None:
        return "the exhibit was not searched for faces"
    names = {str(method["name"]) for method in seen.methods}
    return "" if names & set(FACE_DETECTORS) else "no face detector of the preset searched the exhibit"


def _found(evidence: Evidence, exhibit: str) -> list[Detection]:
    """Every face that any detector reported in any frame."""
    return [d for frame in evidence.detections[exhibit].frames for d in frame.found if d.label == "face"]


def _without_landmarks(evidence: Evidence, exhibit: str) -> bool:
    # Not the same as a small face: a better detector could have given the points.
    return any(not d.landmarks for d in _found(evidence, exhibit))


def _restored(evidence: Evidence, exhibit: str) -> float:
    """Faces that steps say they restored, over all frames."""
    entries = evidence.enhanced.entries if evidence.enhanced else ()
    steps = [s for entry in entries if entry.exhibit == exhibit for s in entry.steps]
    return sum(step.measured.get("faces_restored", 0.0) for step in steps)
