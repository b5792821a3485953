"""Issuing: the report's two files appear together in a folder of their own, and earlier reports stay.

`<case root>/reports/<case id>-R<nn>/report.json` is the truth, `report.pdf` its face. A withheld report
leaves a notice in `<case id>-N<nn>/` instead.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import IntegrityError, TransientError
from playe_assets.exporters.pdf import render_notice_pdf, render_pdf
from playe_assets.exporters.report_model import build_notice, build_report
from playe_assets.exporters.report_parts import EarlierReport, NoticeParts, ReportParts
from playe_assets.exporters.report_schema import validate_report

_TRIES = 20


@dataclass(frozen=True)
class Issued:
    """What was written. The digests are of the files' bytes."""

    id: str
    folder: Path
    json_path: Path
    json_sha256: str
    pdf_path: Path
    pdf_sha256: str
    findings_sha256: str | None
    """Null for a notice."""
    supersedes: str | None
    same_findings: bool | None
    """Whether every earlier report of this examination has the same findings; null where there is none."""


def _unasked(_report: Mapping[str, Any]) -> None:
    """Nobody else has to agree."""


def issue_report(
    case_root: Path,
    parts: ReportParts,
    pictures: Mapping[str, bytes],
    approve: Callable[[Mapping[str, Any]], None] = _unasked,
) -> Issued:
    """Build, validate, render and write the next report of the case.

    `pictures` maps sha256 to the bytes of every picture that `parts.pictures` names (PNG or JPEG).
    `approve` sees the finished report and raises to keep it from being issued.
    `report_id`, `supersedes` and `repeats` of `parts` are filled in here from the reports that are there.

    Raises:
        CommandError, IntegrityError: as `build_report`; a picture is absent or does not have its digest.
        TransientError: other processes took the next number again and again.
    """
    _check_pictures(parts, pictures)
    for _ in range(_TRIES):
        earlier = earlier_reports(case_root)
        examination = parts.ingest.examination_id
        repeats = tuple(r for r in earlier if r.examination_id == examination)
        report_id = _next_id(case_root, parts.case.id, "R")
        report = build_report(
            dataclasses.replace(
                parts, report_id=report_id, supersedes=earlier[-1] if earlier else None, repeats=repeats
            )
        )
        validate_report(report)
        approve(report)
        files = {
            "report.json": report_bytes(report),
            "report.pdf": render_pdf(report, pictures, parts.case.language),
        }
        folder = _appear(case_root / "reports", report_id, files)
        if folder is not None:
            same = all(r.findings_sha256 == report["findings_sha256"] for r in repeats) if repeats else None
            return _issued(report_id, folder, files, report["findings_sha256"],
                           earlier[-1].report_id if earlier else None, same)  # fmt: skip
    raise TransientError("report.number_taken", case=parts.case.id, tries=_TRIES)


def issue_notice(case_root: Path, parts: NoticeParts) -> Issued:
    """Write the notice of a withheld report as `notice.json` and a one-page `notice.pdf`."""
    for _ in range(_TRIES):
        notice_id = _next_id(case_root, parts.case.id, "N")
        notice = build_notice(dataclasses.replace(parts, notice_id=notice_id))
        validate_report(notice)
        files = {
            "notice.json": report_bytes(notice),
            "notice.pdf": render_notice_pdf(notice, parts.case.language),
        }
        folder = _appear(case_root / "reports", notice_id, files)
        if folder is not None:
            return _issued(notice_id, folder, files, None, None, None)
    raise TransientError("report.number_taken", case=parts.case.id, tries=_TRIES)


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """The file's one byte form: two-blank indent, sorted keys, UTF-8, a newline at the end."""
    plain = json.dumps(to_plain(report), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return plain.encode("utf-8") + b"\n"


def earlier_reports(case_root: Path) -> tuple[EarlierReport, ...]:
    """The issued reports of the case, oldest first; notices are not reports."""
    found = []
    for path in (case_root / "reports").glob("*-R*/report.json"):
        raw = path.read_bytes()
        data = json.loads(raw)
        found.append(
            EarlierReport(
                data["report_id"],
                hashlib.sha256(raw).hexdigest(),
                data["findings"]["examination_id"],
                data["findings_sha256"],
            )
        )
    return tuple(sorted(found, key=lambda r: int(r.report_id.rpartition("-R")[2])))


def _next_id(case_root: Path, case_id: str, letter: str) -> str:
    numbers = [
        int(p.name.rpartition(f"-{letter}")[2])
        for p in (case_root / "reports").glob(f"*-{letter}*")
        if p.name.rpartition(f"-{letter}")[2].isdigit()
    ]
    return f"{case_id}-{letter}{max(numbers, default=0) + 1:02d}"


def _check_pictures(parts: ReportParts, pictures: Mapping[str, bytes]) -> None:
    for p in parts.pictures:
        data = pictures.get(p.sha256)
        found = "-" if data is None else hashlib.sha256(data).hexdigest()
        if found != p.sha256:
            raise IntegrityError("report.picture", exhibit=p.exhibit, role=p.role,
                                 expected=p.sha256, found=found)  # fmt: skip


def _appear(reports: Path, name: str, files: Mapping[str, bytes]) -> Path | None:
    """All files at once or none: a folder written aside, flushed and renamed; None when `name` is taken."""
    reports.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".making-", dir=reports))
    try:
        for file, data in files.items():
            with (aside / file).open("xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            (aside / file).chmod(0o444)
        aside.chmod(0o755)  # mkdtemp makes 0700, and an auditor of the same group must read reports
        _flush_folder(aside)
        try:
            aside.rename(reports / name)  # onto a folder that holds files: ENOTEMPTY, so nothing is replaced
        except OSError as taken:
            if taken.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return None
        _flush_folder(reports)
        return reports / name
    finally:
        if aside.exists():
            shutil.rmtree(aside)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _issued(
    name: str,
    folder: Path,
    files: Mapping[str, bytes],
    findings: str | None,
    supersedes: str | None,
    same: bool | None,
) -> Issued:
    (json_name, json_data), (pdf_name, pdf_data) = files.items()
    return Issued(
        name,
        folder,
        folder / json_name,
        hashlib.sha256(json_data).hexdigest(),
        folder / pdf_name,
        hashlib.sha256(pdf_data).hexdigest(),
        findings,
        supersedes,
        same,
    )
