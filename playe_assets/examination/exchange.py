"""Handing out an issued report in exchange formats: whole files or none, recorded with their digests."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playe_assets.core.durable import sync_folder
from playe_assets.core.errors import CommandError, IntegrityError, MissingResourceError
from playe_assets.custody.log_tail import of_case
from playe_assets.custody.record import Recorder
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.settings import Settings
from playe_assets.examination.stage import Progress, silent
from playe_assets.exporters.exchange import EXCHANGES, Given, Signing
from playe_assets.stores.case_store import hash_file


@dataclass(frozen=True)
class Written:
    """One file that was written."""

    format: str
    path: Path
    sha256: str
    size: int


@dataclass(frozen=True)
class Exported:
    """What left, of which report."""

    report_id: str
    files: tuple[Written, ...]


def check_formats(formats: Sequence[str]) -> None:
    """That every format exists and that what it needs is installed, before any work.

    Raises:
        PresetError: there is no such format; the message lists those that there are.
        MissingResourceError: the extra `exchange` is not installed.
    """
    for name in formats:
        found = EXCHANGES.get(name)
        for module in found.needs:
            if importlib.util.find_spec(module) is None:
                raise MissingResourceError("export.extra", format=name, module=module)


def export(
    settings: Settings,
    recorder: Recorder,
    case_id: str,
    formats: Sequence[str],
    out: Path,
    *,
    report_id: str = "",
    progress: Progress = silent,
) -> Exported:
    """Write the report `report_id` (the newest where empty) in each of `formats` below `out`.

    A file that is there already is left as it is if it has the same bytes. Recorded as `custody.exported`.

    Raises:
        CommandError: no such case or report; a file of another content is in the way.
        IntegrityError: the report is not the file that the log says was issued.
        MissingResourceError: as `check_formats`.
    """
    wanted = tuple(dict.fromkeys(formats))
    check_formats(wanted)
    folder = CaseFolder(settings, case_id)
    folder.read()
    given = given_of(settings, folder, report_id)
    name = str(given.report["report_id"])
    inputs = list(given.files.values())
    with recorder.record("custody.exported", step=name, inputs=inputs,
                            params={"report": name, "formats": list(wanted)}) as work:  # fmt: skip
        written: list[Written] = []
        out.mkdir(parents=True, exist_ok=True)
        with _aside(out) as scratch:
            for number, one in enumerate(wanted):
                progress(one, number, len(wanted))
                made = scratch / one
                made.mkdir()
                EXCHANGES.get(one)().write(given, made)
                written += _of(one, made, out)
            _refuse_others(written)
            for file in written:
                _move(scratch / file.format / file.path.relative_to(out), file)
        progress("", len(wanted), len(wanted))
        work.outputs += [file.sha256 for file in written]
        work.metrics.update(files=len(written), bytes=sum(file.size for file in written))
    return Exported(name, tuple(written))


def given_of(settings: Settings, folder: CaseFolder, report_id: str = "") -> Given:
    """An issued report as an exporter is given it; the newest where `report_id` is empty.

    Raises:
        CommandError: the case has no such report.
        IntegrityError: its JSON is not the file that the log says was issued.
    """
    reports = folder.root / "reports"
    found = sorted(
        (p.parent for p in reports.glob("*-R*/report.json")), key=lambda p: int(p.name.rpartition("-R")[2])
    )
    if not found:
        raise CommandError("export.no_report", case=folder.case_id)
    chosen = [p for p in found if report_id in ("", p.name)]
    if not chosen:
        raise CommandError("export.absent", case=folder.case_id, report=report_id,
                           known=", ".join(p.name for p in found))  # fmt: skip
    place = chosen[-1]
    raw = (place / "report.json").read_bytes()
    files = {p.name: hash_file(p)[0] for p in sorted(place.iterdir()) if p.is_file()}
    files["report.json"] = hashlib.sha256(raw).hexdigest()
    if files["report.json"] not in _issued(settings, folder.case_id, place.name):
        raise IntegrityError("export.not_issued", report=place.name, case=folder.case_id)
    return Given(json.loads(raw), files, folder.store, signing_of(settings))


def signing_of(settings: Settings) -> Signing:
    """What the settings say of keys and time stamps."""
    s = settings
    return Signing(s.signing_key, s.signing_certificates, s.signing_pkcs12, s.signing_passphrase_file,
                   s.tsa_url, s.trust_roots, s.tsa_roots)  # fmt: skip


def _issued(settings: Settings, case_id: str, report_id: str) -> set[str]:
    """Digests that the log states for the report."""
    found: set[str] = set()
    for entry in of_case(settings.log, case_id):
        if entry.get("event") == "custody.report_issued" and entry.get("step") == report_id:
            found.update(entry.get("output_sha256") or ())
    return found


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    scratch = out / f".making-{secrets.token_hex(8)}"
    scratch.mkdir(mode=0o700)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _of(name: str, made: Path, out: Path) -> Iterator[Written]:
    for path in sorted(p for p in made.rglob("*") if p.is_file()):
        sha256, size = hash_file(path)
        yield Written(name, out / path.relative_to(made), sha256, size)


def _refuse_others(written: Sequence[Written]) -> None:
    """Nothing is replaced, and of what was asked for all or nothing appears."""
    for file in written:
        if file.path.exists() and (not file.path.is_file() or hash_file(file.path)[0] != file.sha256):
            raise CommandError("export.in_the_way", path=str(file.path))


def _move(path: Path, file: Written) -> None:
    if file.path.exists():
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o644)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    file.path.parent.mkdir(parents=True, exist_ok=True)
    path.rename(file.path)
    sync_folder(file.path.parent)


def plain(exported: Exported) -> dict[str, Any]:
    """As `--json` prints it."""
    return {
        "report": exported.report_id,
        "files": [
            {"format": f.format, "path": str(f.path), "sha256": f.sha256, "bytes": f.size}
            for f in exported.files
        ],
    }
