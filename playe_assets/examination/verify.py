"""Verification: read everything again and name in plain words whatever does not hold.

The log is held against the files it names, and every report against the log: the line that a report states
is a witness outside the log, so that a log which was rewritten as a whole does not pass.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import digest, from_plain
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import EnhancedManifest, IngestManifest
from playe_assets.custody.log import CustodyLog
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.settings import Settings
from playe_assets.examination.stage import Progress, silent
from playe_assets.examination.verify_clips import clip_differences
from playe_assets.stores.case_store import CaseStore, hash_file

_ISSUED = ("custody.report_issued", "custody.report_withheld")
_OF_OBJECTS = ("object_changed", "object_unreadable")


@dataclass(frozen=True)
class Difference:
    """Something that does not hold: a key under `verify.` in the catalogue, with its facts."""

    code: str
    facts: dict[str, Any]
    about: tuple[str, str] | None = None
    """Number and kind of the exhibit (`exhibit`) or derivative whose bytes they are, where a report names them."""


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


@dataclass(frozen=True)
class _Document:
    """A folder of `reports/`: what its two files hold now. Digests are None for a file that is not there."""

    name: str
    kind: str
    """`report` or `notice`."""
    json_sha256: str | None
    pdf_sha256: str | None
    content: Any
    """The parsed JSON, None where it is not readable."""

    @property
    def log_head(self) -> tuple[int, str] | None:
        """Number and digest of the log's last line as the document states it."""
        try:
            held = self.content["sections"]["custody"] if self.kind == "report" else self.content
            return int(held["log_head"]["seq"]), str(held["log_head"]["sha256"])
        except (KeyError, TypeError, ValueError):
            return None


@dataclass
class _Logged:
    """What the log says of one case, and the digests of the lines that were asked for."""

    issued: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Id of a report or notice to the digests of its JSON and its PDF, once for each time it was issued."""
    made_from: dict[str, str] = field(default_factory=dict)
    """Digest of a report's JSON to that of the metrics manifest that it was made from."""
    lines: dict[int, str] = field(default_factory=dict)


@dataclass
class _Objects:
    """The evidence store as it was found."""

    store: CaseStore
    total: int = 0
    present: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    """Objects that a difference names already."""
    enhanced: dict[str, None] = field(default_factory=dict)
    """Manifests of derivatives that reports were made from, in order."""

    def lacks(self, sha256: Any) -> bool:
        """Whether an object is gone and no difference says so yet."""
        return bool(sha256) and sha256 not in self.present and sha256 not in self.named


def verify_case(settings: Settings, case_id: str, progress: Progress = silent) -> Verification:
    """Re-read every object of the case, every report and notice with its PDF, and the whole log.

    Raises:
        CommandError: there is no such case.
    """
    folder = CaseFolder(settings, case_id)
    case = folder.read()
    objects = _Objects(folder.store)
    differences = list(_stored(objects, progress))
    for number, record in enumerate(n.record for n in case.deliveries):
        if objects.lacks(record):
            differences.append(Difference("delivery_absent", {"delivery": number + 1, "sha256": record}))
    try:
        for delivery in folder.records(case):
            for exhibit in delivery.exhibits:
                if objects.lacks(exhibit.sha256):
                    facts = {"exhibit": exhibit.number, "sha256": exhibit.sha256}
                    differences.append(Difference("exhibit_absent", facts))
    except IntegrityError as problem:
        differences.append(Difference("error", {"message": str(problem)}))
    documents = _documents(folder.root / "reports")
    log = settings.log
    lines, finding = log.verify()
    if finding is not None:
        differences.append(Difference("log_broken", {"line": finding.line, "problem": finding.problem}))
    logged = _read_log(log, case_id, {d.log_head[0] for d in documents.values() if d.log_head})
    for name in logged.issued.keys() - documents.keys():
        kind = "notice_absent" if "-N" in name.removeprefix(case_id) else "report_absent"
        differences.append(Difference(kind, {"report": name}))
    for document in documents.values():
        differences += _against_log(document, logged)
        differences += _report(document, objects) if document.kind == "report" else _notice(document)
        differences += _manifests(document, logged, objects)
    for sha256 in objects.enhanced:
        manifest = from_plain(EnhancedManifest, objects.store.get_json(sha256))
        differences += [Difference(*found) for found in clip_differences(folder.store, manifest, progress)]
    reports = sum(1 for d in documents.values() if d.kind == "report")
    names = _names(documents.values())
    told = (
        replace(d, about=names.get(d.facts["sha256"])) if d.code in _OF_OBJECTS else d for d in differences
    )
    return Verification(case_id, objects.total, reports, lines, tuple(told))


def _names(documents: Iterable[_Document]) -> dict[str, tuple[str, str]]:
    """What the reports call the objects of the store."""
    found: dict[str, tuple[str, str]] = {}
    for document in documents:
        try:
            findings = document.content["findings"]
            found |= {e["sha256"]: (e["number"], "exhibit") for e in findings["exhibits"]}
            found |= {d["sha256"]: (d["number"], d["kind"]) for d in findings["derivatives"]}
        except (KeyError, TypeError):
            continue  # a notice, or a report that another difference names as unreadable
    return found


def _stored(objects: _Objects, progress: Progress) -> Iterator[Difference]:
    """Hash every object again; whatever else lies in the store is named, not read."""
    found = sorted(
        p for p in (objects.store.root / "objects").glob("**/*") if p.is_symlink() or not p.is_dir()
    )
    for number, path in enumerate(found):
        progress("objects", number, len(found))
        name = path.name
        try:
            stray = path.is_symlink() or not path.is_file() or objects.store.path(name) != path
        except IntegrityError:
            stray = True
        if stray:
            facts = {"path": str(path.relative_to(objects.store.root))}
            yield Difference("stray_file", facts)
            continue
        objects.total += 1
        try:
            whole = hash_file(path)[0] == name
        except OSError as problem:
            objects.named.add(name)
            yield Difference(
                "object_unreadable", {"sha256": name, "problem": problem.strerror or str(problem)}
            )
            continue
        if whole:
            objects.present.add(name)
        else:
            objects.named.add(name)
            yield Difference("object_changed", {"sha256": name})
    progress("objects", len(found), len(found))


def _documents(reports: Path) -> dict[str, _Document]:
    found = {}
    for kind, pattern in (("report", "*-R*"), ("notice", "*-N*")):
        for folder in sorted(p for p in reports.glob(pattern) if (p / f"{kind}.json").is_file()):
            raw = (folder / f"{kind}.json").read_bytes()
            pdf = folder / f"{kind}.pdf"
            try:
                content = json.loads(raw)
            except ValueError:
                content = None
            found[folder.name] = _Document(folder.name, kind, hashlib.sha256(raw).hexdigest(),
                                           hash_file(pdf)[0] if pdf.is_file() else None, content)  # fmt: skip
    return found


def _read_log(log: CustodyLog, case_id: str, wanted: set[int]) -> _Logged:
    logged = _Logged()
    for index, entry, raw in log.read():
        if index in wanted:
            logged.lines[index] = hashlib.sha256(raw).hexdigest()
        if not entry or entry.get("case_id") != case_id:
            continue
        event, outputs = entry.get("event"), list(entry.get("output_sha256") or ())
        if event in _ISSUED and len(outputs) == 2:
            logged.issued.setdefault(str(entry.get("step")), []).append((outputs[0], outputs[1]))
        elif event == "processing.report" and entry.get("status") == "ok" and outputs:
            logged.made_from[outputs[0]] = (entry.get("input_sha256") or [""])[0]
    return logged


def _against_log(document: _Document, logged: _Logged) -> Iterator[Difference]:
    facts = {"report": document.name}
    issued = logged.issued.get(document.name, [])
    if document.json_sha256 not in {json_sha256 for json_sha256, _ in issued}:
        code = "report_not_in_log" if document.kind == "report" else "notice_not_in_log"
        yield Difference(code, facts)
    if document.pdf_sha256 is None:
        yield Difference("pdf_absent", facts)
    elif issued and document.pdf_sha256 not in {pdf_sha256 for _, pdf_sha256 in issued}:
        yield Difference("pdf_not_in_log", facts)
    if document.log_head is not None:
        seq, sha256 = document.log_head
        if seq >= 0 and logged.lines.get(seq) != sha256:
            yield Difference("log_rewritten", {**facts, "line": seq, "sha256": sha256})


def _notice(document: _Document) -> Iterator[Difference]:
    if not isinstance(document.content, dict) or "notice_id" not in document.content:
        yield Difference("notice_unreadable", {"report": document.name})


def _report(document: _Document, objects: _Objects) -> Iterator[Difference]:
    report, name = document.content, document.name
    try:
        findings = report["findings"]
        if digest(findings) != report["findings_sha256"]:
            yield Difference("findings_changed", {"report": name})
        named = [(i["number"], i["sha256"]) for key in ("exhibits", "derivatives") for i in findings[key]]
        named += [(i["exhibit"], i["sha256"]) for i in findings["detections"]]
        named.append(("metrics", findings["metrics"]["table_sha256"]))
        named += [(r["derivative"], r.get("series")) for r in findings["metrics"]["rows"]]
        named += [(i["exhibit"], i.get("survey")) for i in findings["detections"]]
        if document.log_head is None:
            yield Difference("report_unreadable", {"report": name})
    except (ValueError, KeyError, TypeError):
        yield Difference("report_unreadable", {"report": name})
        return
    for item, sha256 in named:
        if objects.lacks(sha256):
            yield Difference("named_absent", {"report": name, "item": item, "sha256": sha256})


def _manifests(document: _Document, logged: _Logged, objects: _Objects) -> Iterator[Difference]:
    """From the manifest that the log names back to the intake: each names those that it was made from."""
    made_from = [logged.made_from.get(json_sha256) for json_sha256, _ in logged.issued.get(document.name, [])]
    left = [("metrics", sha256) for sha256 in made_from if sha256]
    while left:
        stage, sha256 = left.pop()
        if sha256 not in objects.present:
            if objects.lacks(sha256):
                objects.named.add(sha256)
                yield Difference(
                    "manifest_absent", {"report": document.name, "stage": stage, "sha256": sha256}
                )
            continue
        if stage == "enhanced":
            objects.enhanced[sha256] = None
        manifest = objects.store.get_json(sha256)
        left += [(key, manifest[key]) for key in ("enhanced", "detections", "ingest") if key in manifest]
