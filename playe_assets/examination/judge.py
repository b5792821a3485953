"""Runs the gates of one stage and writes their verdicts into the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playe_assets.core.canonical import digest, to_plain
from playe_assets.core.contracts import Evidence
from playe_assets.core.presets import Threshold
from playe_assets.core.values import (
    DetectionManifest,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MetricsManifest,
    Verdict,
)
from playe_assets.examination.settings import PROJECT_ROOT
from playe_assets.examination.stage import Stage
from playe_assets.gates import GATES

SUITES = PROJECT_ROOT / "quality" / "suites"


@dataclass(frozen=True)
class Manifests:
    """The examination's manifests as far as they exist."""

    ingest: IngestManifest
    detections: DetectionManifest | None = None
    enhanced: EnhancedManifest | None = None
    metrics: MetricsManifest | None = None
    thresholds: tuple[Threshold, ...] = field(default=())
    report: Mapping[str, Any] | None = None

    @property
    def made(self) -> tuple[Any, ...]:
        """Those of the stages so far, in their order."""
        return tuple(m for m in (self.ingest, self.detections, self.enhanced, self.metrics) if m is not None)


def gates_of(stage: str) -> tuple[str, ...]:
    """Names of the gates that judge the asset `stage`, in the registry's order."""
    return tuple(name for name in GATES if GATES.get(name).stage == stage)


def judge(stage: Stage, asset: str, manifests: Manifests) -> dict[str, list[Verdict]]:
    """Every verdict of every gate of `asset`, by gate. A gate that crashes has refused: its error goes on up."""
    details: dict[str, ExhibitDetections] = {}
    if manifests.detections is not None:
        for entry in manifests.detections.entries:
            if entry.sha256 is not None:
                details[entry.exhibit] = stage.manifest(ExhibitDetections, entry.sha256)
    evidence = Evidence(
        objects=stage.store,
        ingest=manifests.ingest,
        suites=SUITES,
        detections=details,
        enhanced=manifests.enhanced,
        metrics=manifests.metrics,
        thresholds=manifests.thresholds,
        report=manifests.report,
    )
    judged = [digest(m) for m in manifests.made][-1:]
    found: dict[str, list[Verdict]] = {}
    for name in gates_of(asset):
        params = {"gate": name, "thresholds": to_plain(manifests.thresholds)}
        with stage.recorder.record("processing.gate", step=name, inputs=judged, params=params) as work:
            found[name] = GATES.get(name)().judge(evidence)
            work.checks += [to_plain(v) for v in found[name] if not v.passed] or [
                {"gate": name, "passed": True, "verdicts": len(found[name])}
            ]
    return found


def passed(verdicts: list[Verdict]) -> bool:
    """Whether a gate let its materialization through: judged at all, and refused nothing."""
    return bool(verdicts) and all(v.passed for v in verdicts)
