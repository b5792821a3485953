"""What a C2PA manifest of ours states (C2PA Technical Specification 2.4, 18.15 Actions): plain values, no library.

The digital source types are IPTC's NewsCodes (http://cv.iptc.org/newscodes/digitalsourcetype/, 2024-10-23).
`algorithmicallyEnhanced`, "modification or correction by algorithm without changing the main content of the media,
initiated or configured by a human, such as sharpening or applying noise reduction", is every deterministic step. It is
a learned step of class `fidelity` too: IPTC's other choice, `compositeWithTrainedAlgorithmicMedia`, is "augmentation,
correction or enhancement using a generative AI model", which is our class `generative` and nothing else. (`humanEdits`
are changes made by hand; `minorHumanEdits` was retired in 2024.) That a learned model worked is not lost: each action
names its class, its weights and their sha256.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from playe_assets import __version__

_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOURCE_TYPES = {
    "none": _IPTC + "algorithmicallyEnhanced",
    "fidelity": _IPTC + "algorithmicallyEnhanced",
    "generative": _IPTC + "compositeWithTrainedAlgorithmicMedia",
}
"""AI class to IPTC digital source type."""
ACTIONS = {
    "orient": "c2pa.orientation",
    "stabilise": "c2pa.orientation",
    "lanczos": "c2pa.resized",
    "super_resolution": "c2pa.resized",
    "low_light": "c2pa.adjustedColor",
    "local_contrast": "c2pa.adjustedColor",
    "deinterlace": "c2pa.enhanced",
    "fusion": "c2pa.enhanced",
    "temporal_denoise": "c2pa.enhanced",
    "artefacts": "c2pa.enhanced",
    "denoise_learned": "c2pa.enhanced",
    "denoise_video": "c2pa.enhanced",
    "nlm": "c2pa.enhanced",
    "deblur": "c2pa.enhanced",
    "face_restoration": "c2pa.edited",
    "track_fusion": "c2pa.enhanced",
}
"""Step to the standard action that fits it; a test holds that none of ours is missing.

`c2pa.enhanced` are "enhancements such as noise reduction, multi-band compression, or sharpening that represent
non-editorial transformations"; `c2pa.adjustedColor` replaces the deprecated `c2pa.color_adjustments`; `c2pa.edited` is
an editorial change, as which everything generative counts."""
ASSERTION = "local.playe.examination"
"""Label of our own assertion. `local` belongs to nobody (RFC 6762), since PLAYE is no domain."""
_OWN = "local.playe."
_PARENT = "exhibit"


def exported_kinds() -> tuple[str, ...]:
    """Kinds of derivative that are pictures of the exhibit; maps and tables beside them are not exported."""
    return ("photo", "master", "proxy", "track_fusion")


def definition(
    report: Mapping[str, Any], report_sha256: str, derivative: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest's definition for `derivative`, as the C2PA library takes it.

    It names nothing that leads to a person or a case: no case id, title, operator, file name or EXIF, only digests
    and the report's own numbers of exhibits and derivatives.

    Raises:
        KeyError: the report has no such exhibit or derivative.
    """
    findings = report["findings"]
    exhibit = next(e for e in findings["exhibits"] if e["number"] == derivative["exhibit"])
    statement: Mapping[str, Any] = next((s for s in report["sections"]["ai_statement"]["items"]
                      if s["derivative"] == derivative["number"]), {})  # fmt: skip
    preset = findings["preset"]
    return {
        "claim_generator_info": [{"name": "PLAYE", "version": __version__}],
        "title": derivative["number"],
        "format": derivative["media_type"],
        "ingredients": [
            {
                "title": exhibit["number"],
                "format": _media_type(exhibit),
                "relationship": "parentOf",
                "label": _PARENT,
                "instance_id": named_by(exhibit["sha256"]),
            }
        ],
        "assertions": [
            {"label": "c2pa.actions.v2",
             "data": {"allActionsIncluded": True, "actions": actions(report, derivative)}},
            {
                "label": ASSERTION,
                "data": {
                    "report_sha256": report_sha256,
                    "findings_sha256": report["findings_sha256"],
                    "examination_id": findings["examination_id"],
                    "preset": {k: preset[k] for k in ("name", "version", "sha256")},
                    "exhibit": {"number": exhibit["number"], "sha256": exhibit["sha256"], "bytes": exhibit["size"]},
                    "derivative": {
                        **{k: derivative[k] for k in ("number", "kind", "sha256", "ai_class")},
                        "pixel_sha256": derivative["pixel_sha256"],
                    },
                    "digital_source_type": SOURCE_TYPES[derivative["ai_class"]],
                    "may_add_detail": bool(statement.get("may_add_detail")),
                    "permitted_use": str(statement.get("permitted_use") or "interpretation"),
                },
            },
        ],
    }  # fmt: skip


def actions(report: Mapping[str, Any], derivative: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`c2pa.opened`, one action a step in order, `c2pa.transcoded` with the encoder."""
    found: list[dict[str, Any]] = [{"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}}]
    times = _times(report, derivative["exhibit"])
    for step in _steps(report, derivative):
        found.append(_action(step, times))
    agent = {"name": "PLAYE", "version": __version__}
    encoder = {f"{_OWN}encoder": derivative["encoder"]} if derivative["encoder"] else {}
    found.append({"action": "c2pa.transcoded", "softwareAgent": agent, "parameters": encoder})
    return found


def named_by(sha256: str) -> str:
    """`ni:///sha-256;...`: bytes named by their digest (RFC 6920)."""
    packed = base64.urlsafe_b64encode(bytes.fromhex(sha256)).decode("ascii").rstrip("=")
    return f"ni:///sha-256;{packed}"


def _steps(report: Mapping[str, Any], derivative: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for entry in report["findings"]["steps"]:
        if derivative["number"] not in entry["derivatives"]:
            continue
        if derivative["kind"] != "track_fusion":
            yield from entry["steps"]
            continue
        for fused in entry["fused"]:
            if fused["derivative"] == derivative["number"]:
                frames = {"frames": fused["frames"], "best_frame": fused["best_frame"]}
                yield {"number": 1, "use": fused["use"], "version": fused["version"], "reference": "", "weights": {},
                       "ai_class": derivative["ai_class"], "params": {**fused["params"], **frames},
                       "measured": fused["measured"]}  # fmt: skip


def _action(step: Mapping[str, Any], times: Mapping[str, str]) -> dict[str, Any]:
    generative = step["ai_class"] == "generative"
    # What nobody has looked at counts as editorial: the general action claims least.
    name = "c2pa.edited" if generative else ACTIONS.get(step["use"], "c2pa.edited")
    made: dict[str, Any] = {
        "action": name,
        "description": step["use"],
        "softwareAgent": {"name": f"PLAYE {step['use']}", "version": str(step["version"])},
        "digitalSourceType": SOURCE_TYPES[step["ai_class"]],
        "parameters": {
            f"{_OWN}step": step["number"],
            f"{_OWN}params": dict(step["params"]),
            f"{_OWN}measured": dict(step["measured"]),
            f"{_OWN}ai_class": step["ai_class"],
            f"{_OWN}weights": dict(step["weights"]),
            f"{_OWN}reference": step["reference"],
        },
    }
    when = times.get(f"{step['number']} {step['use']}")
    return {**made, "when": when} if when else made


def _times(report: Mapping[str, Any], exhibit: str) -> dict[str, str]:
    """When each step of the exhibit ended, by the log's records."""
    return {
        str(r["step"]): str(r["t_end_utc"])[:19] + "Z"
        for r in report["sections"]["steps"]["records"]
        if r.get("exhibit") == exhibit and r.get("step") and r.get("t_end_utc") and r.get("status") == "ok"
    }


def _media_type(exhibit: Mapping[str, Any]) -> str:
    """The exhibit's media type as far as its container tells it."""
    container = str((exhibit.get("facts") or {}).get("container") or "").lower()
    for word, kind in (("jpeg", "image/jpeg"), ("png", "image/png"), ("tiff", "image/tiff"), ("webp", "image/webp"),
                       ("gif", "image/gif"), ("bmp", "image/bmp"), ("mp4", "video/mp4"),
                       ("matroska", "video/x-matroska"), ("avi", "video/x-msvideo")):  # fmt: skip
        if word in container:
            return kind
    return "application/octet-stream"
