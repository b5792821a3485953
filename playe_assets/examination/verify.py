"""Verification: read everything again and name the first difference in plain words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playe_assets.core.canonical import digest
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import IngestManifest
from playe_assets.custody.log import CustodyLog
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.settings import Settings
from playe_assets.examination.stage import Progress, silent


@dataclass(frozen=True)
class Difference:
    """Something that does not hold: a key under `verify.` in the catalogue, with its facts."""

    code: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Verification:
    """What was read again, and what did not hold."""

    case_id: str
    objects: int
    reports: int
    log_lines: int
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def same_examination(
    ingest: IngestManifest, ingest_sha256: str, found_sha256: str, found_id: str, what: str
) -> None:
    """Refuse to mix manifests of different examinations.

    Raises:
        IntegrityError: `what` was made from another `ingested_media`; the message says what to run.
    """
    if found_sha256 != ingest_sha256 or found_id != ingest.examination_id:
        raise IntegrityError("manifest.other_examination", what=what, case=ingest.case_id,
                             examination=ingest.examination_id)  # fmt: skip


def verify_case(settings: Settings, case_id: str, progress: Progress = silent) -> Verification:
    """Re-read every object of the case, every report and the whole log.

    Raises:
        CommandError: there is no such case.
    """
    folder = CaseFolder(settings, case_id)
    case = folder.read()
    differences: list[Difference] = []
    stored = sorted(p for p in (folder.root / "objects").glob("??/*") if p.is_file())
    present = set()
    for number, path in enumerate(stored):
        progress("objects", number, len(stored))
        if folder.store.verify(path.name):
            present.add(path.name)
        else:
            differences.append(Difference("object_changed", {"sha256": path.name}))
    progress("objects", len(stored), len(stored))
    changed = {d.facts["sha256"] for d in differences}
    for number, record in enumerate(n.record for n in case.deliveries):
        if record is not None and record not in present and record not in changed:
            differences.append(Difference("delivery_absent", {"delivery": number + 1, "sha256": record}))
    try:
        for delivery in folder.records(case):
            for exhibit in delivery.exhibits:
                if exhibit.sha256 not in present and exhibit.sha256 not in changed:
                    facts = {"exhibit": exhibit.number, "sha256": exhibit.sha256}
                    differences.append(Difference("exhibit_absent", facts))
    except IntegrityError as problem:
        differences.append(Difference("error", {"message": str(problem)}))
    lines, in_log = _log(settings, case_id, differences)
    reports = 0
    for path in sorted((folder.root / "reports").glob("*-R*/report.json")):
        reports += 1
        differences += _report(path.read_bytes(), path.parent.name, present, changed, in_log)
    return Verification(case_id, len(stored), reports, lines, tuple(differences))


def _log(settings: Settings, case_id: str, differences: list[Difference]) -> tuple[int, dict[str, str]]:
    """Check the chain; returns its length and, of this case, report id to the digest that was logged."""
    log = CustodyLog(settings.log_path)
    count, finding = log.verify()
    if finding is not None:
        differences.append(Difference("log_broken", {"line": finding.line, "problem": finding.problem}))
    issued: dict[str, str] = {}
    for _, entry, _ in log.read():
        if entry and entry.get("event") == "custody.report_issued" and entry.get("case_id") == case_id:
            for output in entry.get("output_sha256") or ():
                issued[output] = str(entry.get("step"))
    return count, issued


def _report(
    raw: bytes, name: str, present: set[str], changed: set[str], in_log: dict[str, str]
) -> Iterator[Difference]:
    if hashlib.sha256(raw).hexdigest() not in in_log:
        yield Difference("report_not_in_log", {"report": name})
    try:
        report = json.loads(raw)
        findings = report["findings"]
        if digest(findings) != report["findings_sha256"]:
            yield Difference("findings_changed", {"report": name})
        named = [(i["number"], i["sha256"]) for key in ("exhibits", "derivatives") for i in findings[key]]
    except (ValueError, KeyError, TypeError):
        yield Difference("report_unreadable", {"report": name})
        return
    for number, sha256 in named:
        if sha256 and sha256 not in present and sha256 not in changed:
            yield Difference("named_absent", {"report": name, "item": number, "sha256": sha256})
