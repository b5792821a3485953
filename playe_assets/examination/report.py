"""Issuing: the report's files appear together in a folder of their own, and earlier reports stay.

`<case root>/reports/<case id>-R<nn>/report.json` is the truth, `report.pdf` its face, `report.json.p7s` the signature
over the first (the second carries its own), `checkpoints.json` the notes that lead to its checkpoint. A withheld
report leaves a notice in `<case id>-N<nn>/` instead.
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
from types import MappingProxyType
from typing import Any

from playe_assets.core.durable import sync_folder
from playe_assets.core.errors import IntegrityError, PlayeError, TransientError
from playe_assets.examination.signed_files import Document, Signatures, signed_files
from playe_assets.exporters.pdf import render_notice_pdf, render_pdf
from playe_assets.exporters.report_model import build_notice, build_report
from playe_assets.exporters.report_parts import EarlierReport, NoticeParts, ReportParts
from playe_assets.exporters.report_schema import validate_report
from playe_assets.exporters.signer import Signer

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
    signer: str | None = None
    """Who signed it; None for an unsigned document."""
    p7s_path: Path | None = None
    """The detached signature over the JSON; None for an unsigned report."""
    p7s_sha256: str | None = None
    beside_sha256: tuple[str, ...] = ()
    """Of the files issued with them, such as `checkpoints.json`."""

    @property
    def sha256s(self) -> list[str]:
        """Digests of the JSON, the PDF, the detached signature where there is one, and what else was issued."""
        signed = (self.json_sha256, self.pdf_sha256, self.p7s_sha256)
        return [*(d for d in signed if d is not None), *self.beside_sha256]


def _unasked(_report: Mapping[str, Any]) -> None:
    """Nobody else has to agree."""


def _untold(_document: str, _why: PlayeError) -> None:
    """Nobody keeps a record."""


def issue_report(
    case_root: Path,
    parts: ReportParts,
    pictures: Mapping[str, bytes],
    approve: Callable[[Mapping[str, Any]], None] = _unasked,
    signer: Signer | None = None,
    unstamped: Callable[[str, PlayeError], None] = _untold,
    beside: Mapping[str, bytes] = MappingProxyType({}),
) -> Issued:
    """Build, validate, render, sign and write the next report of the case.

    `pictures` maps sha256 to the bytes of every picture that `parts.pictures` names (PNG or JPEG).
    `approve` sees the finished report and raises to keep it from being issued.
    `report_id`, `supersedes`, `repeats` and `signatures` of `parts` are filled in here.
    Without a `signer` the report is unsigned and says so. `unstamped` is told of a time stamp that could not be
    had; then the signatures carry none, and the report says that too. `beside` are further files by name.

    Raises:
        CommandError, IntegrityError: as `build_report`; a picture is absent or does not have its digest; a
            signature does not verify.
        TransientError: other processes took the next number again and again.
    """
    _check_pictures(parts, pictures)
    for _ in range(_TRIES):
        earlier = earlier_reports(case_root)
        examination = parts.ingest.examination_id
        repeats = tuple(r for r in earlier if r.examination_id == examination)
        report_id = _next_id(case_root, parts.case.id, "R")
        filled = dataclasses.replace(
            parts, report_id=report_id, supersedes=earlier[-1] if earlier else None, repeats=repeats
        )

        def build(signatures: Signatures, filled: ReportParts = filled) -> dict[str, Any]:
            report = build_report(dataclasses.replace(filled, signatures=signatures))
            validate_report(report)
            approve(report)
            return report

        def render(report: Mapping[str, Any], digest: str) -> bytes:
            return render_pdf(report, pictures, parts.case.language, digest)

        made = Document("report", report_id, parts.case.language, build, render)
        report, files = signed_files(made, signer, unstamped)
        folder = _appear(case_root / "reports", report_id, {**files, **beside})
        if folder is not None:
            same = all(r.findings_sha256 == report["findings_sha256"] for r in repeats) if repeats else None
            return _issued(report_id, folder, files, report["findings_sha256"],
                           earlier[-1].report_id if earlier else None, same, beside, _signer_of(report))  # fmt: skip
    raise TransientError("report.number_taken", case=parts.case.id, tries=_TRIES)


def issue_notice(
    case_root: Path,
    parts: NoticeParts,
    signer: Signer | None = None,
    unstamped: Callable[[str, PlayeError], None] = _untold,
) -> Issued:
    """Write the notice of a withheld report as `notice.json` and a one-page `notice.pdf`, signed as a report is."""
    for _ in range(_TRIES):
        notice_id = _next_id(case_root, parts.case.id, "N")
        filled = dataclasses.replace(parts, notice_id=notice_id)

        def build(signatures: Signatures, filled: NoticeParts = filled) -> dict[str, Any]:
            notice = build_notice(dataclasses.replace(filled, signatures=signatures))
            validate_report(notice)
            return notice

        def render(notice: Mapping[str, Any], _digest: str) -> bytes:
            return render_notice_pdf(notice, parts.case.language)

        made = Document("notice", notice_id, parts.case.language, build, render)
        _, files = signed_files(made, signer, unstamped)
        folder = _appear(case_root / "reports", notice_id, files)
        if folder is not None:
            return _issued(notice_id, folder, files, None, None, None)
    raise TransientError("report.number_taken", case=parts.case.id, tries=_TRIES)


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
        sync_folder(aside)
        try:
            aside.rename(reports / name)  # onto a folder that holds files: ENOTEMPTY, so nothing is replaced
        except OSError as taken:
            if taken.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return None
        sync_folder(reports)
        return reports / name
    finally:
        if aside.exists():
            shutil.rmtree(aside)


def _signer_of(report: Mapping[str, Any]) -> str | None:
    return next((str(s["signer"]) for s in report["sections"]["custody"]["signatures"]), None)


def _issued(
    name: str,
    folder: Path,
    files: Mapping[str, bytes],
    findings: str | None,
    supersedes: str | None,
    same: bool | None,
    beside: Mapping[str, bytes] = MappingProxyType({}),
    signer: str | None = None,
) -> Issued:
    (json_name, json_data), (pdf_name, pdf_data), *more = files.items()
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
        signer=signer,
        p7s_path=folder / more[0][0] if more else None,
        p7s_sha256=hashlib.sha256(more[0][1]).hexdigest() if more else None,
        beside_sha256=tuple(hashlib.sha256(data).hexdigest() for data in beside.values()),
    )
