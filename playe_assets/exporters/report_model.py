"""The report as data (design, "The report"): ten sections and the findings, of which the digest is taken.

The findings hold what must come out equal whenever the examination is made again; the sections hold what
belongs to this issue (people, dates, the log) and point to the findings with JSON pointers, so that no
fact stands in two places.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from playe_assets.core.canonical import digest, to_plain
from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.core.presets import Preset, parse_preset
from playe_assets.core.values import Verdict
from playe_assets.exporters.report_custody import custody_section, signature_commands
from playe_assets.exporters.report_findings import build_findings
from playe_assets.exporters.report_limits import ai_statement, limitations
from playe_assets.exporters.report_log import step_records
from playe_assets.exporters.report_parts import NoticeParts, ReportParts
from playe_assets.exporters.report_withheld import is_hidden, overridden, withheld_derivatives

SCHEMA_VERSION = "1.2"
SECTIONS = (
    "administration",
    "exhibits",
    "working_copies",
    "steps",
    "attempts",
    "metrics",
    "pictures",
    "ai_statement",
    "limitations",
    "custody",
)


def build_report(parts: ReportParts) -> dict[str, Any]:
    """The report's JSON. Pure: the same parts give the same report.

    Raises:
        CommandError: audit mode `off`, of which no report can be issued.
        IntegrityError: an integrity verdict failed, the manifests do not belong together, or a working
            copy or the preset does not have the digest that was recorded.
    """
    verdicts = _judged(parts)
    preset = _checked(parts, verdicts)
    findings = build_findings(parts, verdicts)
    withheld = withheld_derivatives(parts, verdicts)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "report",
        "report_id": parts.report_id,
        "language": parts.case.language,
        "findings_sha256": digest(findings),
        "findings": findings,
        "sections": {
            "administration": _administration(parts, preset),
            "exhibits": {
                "facts": "#/findings/exhibits",
                "refused": "#/findings/refused",
                "deliveries": list(parts.ingest.deliveries),
                "counts": _counts(parts),
            },
            "working_copies": {"items": _working_copies(parts)},
            "steps": {
                "facts": "#/findings/steps",
                "detections": "#/findings/detections",
                "derivatives": "#/findings/derivatives",
                "video": "#/findings/video",
                "records": step_records(parts.log, parts.ingest.examination_id),
                "environment": to_plain(parts.environment),
            },
            "attempts": {
                "attempts": to_plain(parts.attempts),
                "overrides": to_plain(parts.overrides),
                "failures": _failures(parts),
            },
            "metrics": {
                "facts": "#/findings/metrics",
                "verdicts": "#/findings/verdicts",
                "thresholds": to_plain(preset.thresholds),
                "golden_set": parts.golden_set,
            },
            "pictures": {
                "items": [to_plain(p) for p in parts.pictures if not is_hidden(parts, withheld, p)],
                "withheld": withheld,
                "frames": _frames(parts),
            },
            "ai_statement": {"items": ai_statement(parts, {w["derivative"] for w in withheld})},
            "limitations": {
                "items": limitations(parts, preset),
                "error_rates": None,
                "validation_reference": parts.golden_set,
            },
            "custody": custody_section(parts),
        },
    }


def build_notice(parts: NoticeParts) -> dict[str, Any]:
    """The JSON of the notice that stands in place of a withheld report."""
    failed = [to_plain(v) for v in parts.verdicts if not v.passed]
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "notice",
        "notice_id": parts.notice_id,
        "language": parts.case.language,
        "laboratory": to_plain(parts.laboratory),
        "case": to_plain(parts.case),
        "examination_id": parts.examination_id,
        "at_utc": parts.at_utc,
        "verdicts": failed,
        "log_head": to_plain(parts.log_head),
        "signatures": to_plain(parts.signatures),
        "unsigned_because": to_plain(parts.unsigned_because),
        "what_to_do": [
            f"playe case verify {parts.case.id}",
            f"playe case show {parts.case.id}",
            *signature_commands(parts.signatures),
        ],
    }


def _judged(parts: ReportParts) -> tuple[Verdict, ...]:
    unique = {digest(v): v for v in (*parts.verdicts, *parts.metrics.verdicts)}
    return tuple(
        sorted(
            unique.values(),
            key=lambda v: (v.gate, v.exhibit or "", v.derivative or "", v.expectation or "", digest(v)),
        )
    )


def _checked(parts: ReportParts, verdicts: Iterable[Verdict]) -> Preset:
    if parts.audit_mode not in ("basic", "full"):
        raise CommandError("report.audit_off", mode=parts.audit_mode, case=parts.case.id)
    for v in verdicts:
        if v.kind == "integrity" and not v.passed and v.on_fail == "withhold" and not overridden(parts, v):
            raise IntegrityError("report.integrity", case=parts.case.id, gate=v.gate,
                                 exhibit=v.exhibit or "-", expectation=v.expectation or "-",
                                 observed=v.observed or "-", allowed=v.allowed or "-")  # fmt: skip
    ingest, detection, enhanced = parts.ingest, parts.detection, parts.enhanced
    links = [
        ("examination_id", ingest.examination_id, detection.examination_id),
        ("examination_id", ingest.examination_id, enhanced.examination_id),
        ("examination_id", ingest.examination_id, parts.metrics.examination_id),
        ("case_id", parts.case.id, ingest.case_id),
        ("detections.ingest", digest(ingest), detection.ingest),
        ("enhanced.ingest", digest(ingest), enhanced.ingest),
        ("enhanced.detections", digest(detection), enhanced.detections),
        ("metrics.enhanced", digest(enhanced), parts.metrics.enhanced),
        ("preset.sha256", hashlib.sha256(parts.preset_text.encode()).hexdigest(), ingest.preset.sha256),
    ]
    for entry in detection.entries:
        if entry.exhibit in parts.detections:
            links.append(("detections." + entry.exhibit, digest(parts.detections[entry.exhibit]),
                          entry.sha256 or "-"))  # fmt: skip
    for exhibit in ingest.exhibits:
        if exhibit.number in parts.reread:
            links.append(("working_copy." + exhibit.number, exhibit.sha256, parts.reread[exhibit.number]))
    for what, expected, found in links:
        if expected != found:
            raise IntegrityError("report.chain", what=what, expected=expected, found=found)
    return parse_preset(parts.preset_text.encode(), f"{ingest.preset.name}.yaml")


def _administration(parts: ReportParts, preset: Preset) -> dict[str, Any]:
    case = to_plain(parts.case)
    return {
        "laboratory": to_plain(parts.laboratory),
        "case": {k: case[k] for k in ("id", "title", "customer", "request")},
        "operator": case["operator"],
        "dates": {
            "received": parts.received_utc,
            "performed": parts.performed_utc,
            "issued": parts.issued_utc,
        },
        "preset": {
            **to_plain(preset.ref),
            "title": dict(preset.title),
            "description": dict(preset.description),
            "max_ai_class": preset.max_ai_class.value,
            "text": parts.preset_text,
        },
        "examination_id": parts.ingest.examination_id,
        "audit_mode": parts.audit_mode,
        "supersedes": to_plain(parts.supersedes),
        "repeats": [
            {
                "report_id": r.report_id,
                "sha256": r.sha256,
                "findings_sha256": r.findings_sha256,
            }
            for r in parts.repeats
        ],
        "relates_only_to_items_examined": True,
    }


def _counts(parts: ReportParts) -> dict[str, int]:
    items = parts.ingest.exhibits
    found = {
        s: sum(e.status == s and e.role == "exhibit" for e in items)
        for s in ("accepted", "partial", "quarantined", "duplicate")
    }
    return {
        "received": len(items) + len(parts.ingest.refused),
        **found,
        "references": sum(e.role == "reference" for e in items),
        "refused": len(parts.ingest.refused),
    }


def _working_copies(parts: ReportParts) -> list[dict[str, Any]]:
    return [
        {
            "exhibit": e.number,
            "original_sha256": e.sha256,
            "reread_sha256": parts.reread.get(e.number),
            "equal": (parts.reread[e.number] == e.sha256) if e.number in parts.reread else None,
            "decoder": e.facts.decoder if e.facts else None,
        }
        for e in parts.ingest.exhibits
    ]


def _failures(parts: ReportParts) -> list[dict[str, Any]]:
    detection = [("detections", d.exhibit, d.failure) for d in parts.detection.entries]
    enhanced = [("enhanced_frames", d.exhibit, d.failure) for d in parts.enhanced.entries]
    return [
        {"stage": stage, "exhibit": number, "reason": to_plain(reason)}
        for stage, number, reason in (*detection, *enhanced)
        if reason is not None
    ]


def _frames(parts: ReportParts) -> list[dict[str, Any]]:
    return [
        {
            "exhibit": e.exhibit,
            "promised": e.frames_in,
            "decoded": e.frames_decoded,
            "corrupt": e.frames_corrupt,
            "written": e.frames_out,
            "not_decoded": max(0, e.frames_in - e.frames_decoded),
            "dropped": max(0, e.frames_decoded - e.frames_out),
            "added": max(0, e.frames_out - e.frames_decoded),
            "interpolated": _of_kind(parts, e.exhibit, "interpolated"),
            "repeated": _of_kind(parts, e.exhibit, "repeated"),
        }
        for e in parts.enhanced.entries
        if e.failure is None
    ]


def _of_kind(parts: ReportParts, exhibit: str, kind: str) -> int:
    held = parts.clips.get(exhibit)
    return held.ledger.kinds.get(kind, 0) if held and held.ledger else 0
