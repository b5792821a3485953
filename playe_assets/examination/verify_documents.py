"""Reports and notices on the disk, held against the log that issued them and the objects that they name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json, digest
from playe_assets.examination.verify_found import Difference
from playe_assets.examination.verify_log import Logged
from playe_assets.examination.verify_store import Objects
from playe_assets.stores.case_store import hash_file


@dataclass(frozen=True)
class Document:
    """A folder of `reports/`: what its two files hold now. Digests are None for a file that is not there."""

    folder: Path
    kind: str
    """`report` or `notice`."""
    json_sha256: str
    pdf_sha256: str | None
    content: Any
    """The parsed JSON, None where it is not readable."""

    @property
    def name(self) -> str:
        """The id of the report or notice."""
        return self.folder.name

    @property
    def custody(self) -> Mapping[str, Any]:
        """The section on custody; of a notice the notice itself; empty where it cannot be read."""
        try:
            held = self.content["sections"]["custody"] if self.kind == "report" else self.content
        except (KeyError, TypeError):
            return {}
        return held if isinstance(held, dict) else {}

    @property
    def log_head(self) -> tuple[int, str] | None:
        """Number and digest of the log's last line as the document states it."""
        try:
            return int(self.custody["log_head"]["seq"]), str(self.custody["log_head"]["sha256"])
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def extract(self) -> list[tuple[int, bytes]]:
        """Number and raw line of each entry of the extract; empty where there is none that can be read."""
        try:
            return [(int(e["seq"]), canonical_json(e)) for e in self.custody.get("extract") or ()]
        except (KeyError, TypeError, ValueError):
            return []


def documents(reports: Path) -> dict[str, Document]:
    """Every report and notice whose JSON is there, by id."""
    found = {}
    for kind, pattern in (("report", "*-R*"), ("notice", "*-N*")):
        for folder in sorted(p for p in reports.glob(pattern) if (p / f"{kind}.json").is_file()):
            raw = (folder / f"{kind}.json").read_bytes()
            pdf = folder / f"{kind}.pdf"
            try:
                content = json.loads(raw)
            except ValueError:
                content = None
            found[folder.name] = Document(folder, kind, hashlib.sha256(raw).hexdigest(),
                                          hash_file(pdf)[0] if pdf.is_file() else None, content)  # fmt: skip
    return found


def names(held: Iterable[Document]) -> dict[str, tuple[str, str]]:
    """What the reports call the objects of the store."""
    found: dict[str, tuple[str, str]] = {}
    for document in held:
        try:
            findings = document.content["findings"]
            found |= {d["sha256"]: (d["number"], d["kind"]) for d in findings["derivatives"]}
            found |= {e["sha256"]: (e["number"], "exhibit") for e in reversed(findings["exhibits"])}
        except (KeyError, TypeError):
            continue  # a notice, or a report that another difference names as unreadable
    return found


def missing(held: Mapping[str, Document], logged: Logged, case_id: str) -> Iterator[Difference]:
    """Documents that the log says were issued and that are gone."""
    for name in logged.issued.keys() - held.keys():
        kind = "notice_absent" if "-N" in name.removeprefix(case_id) else "report_absent"
        yield Difference(kind, {"report": name})


def against_log(document: Document, logged: Logged) -> Iterator[Difference]:
    """Whether the log says that these files were issued, and still holds the lines that they state."""
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
        if seq >= 0 and logged.digests.get(seq) != sha256:
            yield Difference("log_rewritten", {**facts, "line": seq, "sha256": sha256})
    yield from _extract(document, logged)


def _extract(document: Document, logged: Logged) -> Iterator[Difference]:
    """The first line of the extract that the log does not hold so, and the first of the log that it leaves out."""
    extract = document.extract
    for seq, raw in extract:
        if logged.digests.get(seq) != hashlib.sha256(raw).hexdigest():
            yield Difference("extract_differs", {"report": document.name, "line": seq})
            break
    held = {seq for seq, _ in extract}
    last = max(held, default=-1)
    lacking = next((seq for seq in logged.lines if seq <= last and seq not in held), None)
    if lacking is not None:
        yield Difference("extract_lacks", {"report": document.name, "line": lacking})


def against_store(document: Document, objects: Objects) -> Iterator[Difference]:
    """Whether the document is whole, and the store holds what it names."""
    if document.kind == "notice":
        if not isinstance(document.content, dict) or "notice_id" not in document.content:
            yield Difference("notice_unreadable", {"report": document.name})
        return
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


_ASSETS = {"metrics": "qa_metrics", "enhanced": "enhanced_frames", "detections": "detections",
           "ingest": "ingested_media"}  # fmt: skip


def manifests(document: Document, logged: Logged, objects: Objects) -> Iterator[Difference]:
    """From the manifest that the log names back to the intake: each names those that it was made from."""
    for json_sha256, _ in logged.issued.get(document.name, []):
        chain = logged.chain.setdefault(json_sha256, {})
        left = [("metrics", logged.made_from.get(json_sha256, ""))]
        while left:
            stage, sha256 = left.pop()
            if not sha256:
                continue
            chain[_ASSETS[stage]] = sha256
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
