"""What the report must say against itself: the statement on learned models and the known limits."""

from __future__ import annotations

from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.presets import Preset
from playe_assets.core.values import AiClass, Derivative, ExhibitStatus, MediaKind
from playe_assets.exporters.report_parts import ReportParts

_USE = {
    AiClass.NONE: "interpretation",
    AiClass.FIDELITY: "interpretation_beside_original",
    AiClass.GENERATIVE: "presentation_only",
}


def ai_statement(parts: ReportParts, withheld: set[str]) -> list[dict[str, Any]]:
    """One statement a derivative: its class, the learned steps behind it and what it may be used for."""
    return [_statement(parts, d, d.number in withheld) for d in parts.enhanced.derivatives]


def _statement(parts: ReportParts, derivative: Derivative, withheld: bool) -> dict[str, Any]:
    steps = next((e.steps for e in parts.enhanced.entries if e.exhibit == derivative.exhibit), ())
    learned = [
        s for s in steps if s.ai_class is not AiClass.NONE or (s.weights and s.measured.get("applied") != 0)
    ]
    return {
        "derivative": derivative.number,
        "exhibit": derivative.exhibit,
        "kind": derivative.kind,
        "ai_class": derivative.ai_class.value,
        "learned_steps": [{"use": s.use, "weights": to_plain(s.weights)} for s in learned],
        "training_data": "unknown" if learned else "none",
        "may_add_detail": derivative.ai_class is AiClass.GENERATIVE,
        "permitted_use": "none" if withheld else _USE[derivative.ai_class],
        "withheld": withheld,
    }


def limitations(parts: ReportParts, preset: Preset) -> list[dict[str, Any]]:
    """Codes under `report.limit.` with their facts, general ones first."""
    used = {s.use for e in parts.enhanced.entries for s in e.steps}
    exhibits = parts.ingest.exhibits
    found: list[tuple[str, dict[str, Any]]] = [("items_only", {}), ("no_added_information", {})]
    if "lanczos" in used:
        found.append(("upscaling", {}))
    if "nlm" in used:
        found.append(("denoising", {}))
    if "fusion" in used:
        found.append(("fusion", {}))
    if "local_contrast" in used:
        found.append(("contrast", {}))
    classes = {s.ai_class for e in parts.enhanced.entries for s in e.steps}
    if AiClass.FIDELITY in classes:
        found.append(("learned", {}))
    if AiClass.GENERATIVE in classes:
        found.append(("generative", {}))
    if any(preset.detectors[kind] for kind in MediaKind):
        found.append(("detectors", {}))
    if any(d.tracks for d in parts.detections.values()):
        found.append(("tracks", {}))
    if any(e.fused for e in parts.enhanced.entries):
        found.append(("track_fusion", {}))
    if parts.metrics.rows:
        found.append(("metrics", {}))
    if not any(e.reference for e in exhibits):
        found.append(("no_reference", {}))
    if any(d.kind == "proxy" for d in parts.enhanced.derivatives):
        found.append(("proxy", {}))
    partial = [e.number for e in exhibits if e.status is ExhibitStatus.PARTIAL]
    if partial:
        found.append(("partial", {"exhibits": ", ".join(partial)}))
    corrupt = [e.exhibit for e in parts.enhanced.entries if e.frames_corrupt]
    if corrupt:
        found.append(("corrupt_frames", {"exhibits": ", ".join(corrupt)}))
    if parts.golden_set is None:
        found.append(("no_golden_set", {}))
    if parts.laboratory.accreditation is None:
        found.append(("no_accreditation", {}))
    if parts.audit_mode == "basic":
        found.append(("audit_basic", {}))
    found.append(("unsigned" if parts.checkpoint is None else "log_witness", {}))
    return [{"code": code, "facts": facts} for code, facts in found]
