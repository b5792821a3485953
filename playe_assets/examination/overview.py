"""Cases as lists and pages for people and machines: what `playe case list` and `show` print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.texts import reason_text
from playe_assets.examination.cases import CaseFolder, list_cases
from playe_assets.examination.settings import Settings


def overview(settings: Settings) -> list[dict[str, Any]]:
    """One object a case."""
    found = []
    for case_id in list_cases(settings):
        folder = CaseFolder(settings, case_id)
        case = folder.read()
        exhibits = sum(len(r.exhibits) for r in folder.records(case))
        found.append(
            {
                "case_id": case_id,
                "title": case.title,
                "operator": case.operator,
                "preset": case.preset,
                "created_utc": case.created_utc,
                "exhibits": exhibits,
                "reports": len(_reports(settings, case_id)),
            }
        )
    return found


def details(settings: Settings, case_id: str, language: str = "en") -> dict[str, Any]:
    """Everything about a case but its pixels.

    Raises:
        CommandError: there is no such case.
    """
    folder = CaseFolder(settings, case_id)
    case = folder.read()
    plain: dict[str, Any] = to_plain(case)
    exhibits = []
    for record in folder.records(case):
        for e in record.exhibits:
            why = reason_text(e.reason.code, language, **dict(e.reason.facts)) if e.reason else ""
            exhibits.append(
                {"number": e.number, "name": e.name_shown, "status": e.status.value, "sha256": e.sha256,
                 "media": e.media.value if e.media else "", "size": e.size, "why": why}
            )  # fmt: skip
        for r in record.refused:
            why = reason_text(r.reason.code, language, **dict(r.reason.facts))
            exhibits.append({"number": "-", "name": r.name_shown, "status": "refused", "sha256": "",
                             "media": "", "size": 0, "why": why})  # fmt: skip
    return {**plain, "exhibits": exhibits, "reports": _reports(settings, case_id)}


def notes_on_marks(report: str, language: str = "en") -> list[str]:
    """What the report (path of its JSON) remarks on the operator's marks, a sentence each, with the exhibit."""
    from playe_assets.exporters.pdf_say import Say

    say, findings = Say(language), json.loads(Path(report).read_bytes())["findings"]
    told = [(e["number"], e["notes"], "mark_") for e in findings["exhibits"]]
    told += [(s["exhibit"], s["deviations"], "fusion_mark_") for s in findings["steps"]]
    return [
        f"{exhibit}: {say.reason(reason)}"
        for exhibit, reasons, kind in told
        for reason in reasons
        if reason["code"].startswith(kind)
    ]


def latest_report(settings: Settings, case_id: str) -> dict[str, Any] | None:
    """The newest issued report, or None. `signer` is whom it names; `playe report verify` judges the signature."""
    found = _reports(settings, case_id)
    return found[-1] if found else None


def _reports(settings: Settings, case_id: str) -> list[dict[str, Any]]:
    found = []
    for path in (settings.cases / case_id / "reports").glob("*-R*/report.json"):
        data = json.loads(path.read_bytes())
        signature = path.with_name("report.json.p7s")
        signed = data["sections"]["custody"].get("signatures") or ()  # of schema 1.2 on
        found.append(
            {
                "report_id": data["report_id"],
                "json": str(path),
                "pdf": str(path.with_name("report.pdf")),
                "signature": str(signature) if signature.is_file() else None,
                "signer": next((s["signer"] for s in signed), None),
                "findings_sha256": data["findings_sha256"],
                "issued_utc": data["sections"]["administration"]["dates"]["issued"],
            }
        )
    return sorted(found, key=lambda r: int(r["report_id"].rpartition("-R")[2]))
