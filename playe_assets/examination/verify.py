"""Verification: read everything again and name in plain words whatever does not hold, the cause first.

The log is held against the files it names, every report against the log (the lines, the extract and the
checkpoint that a report states are witnesses outside the log, so that a log which was rewritten as a whole does
not pass), and Dagster's metadata against all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from playe_assets.core.canonical import from_plain
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import EnhancedManifest, IngestManifest
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.settings import Settings
from playe_assets.examination.stage import Progress, silent
from playe_assets.examination.verify_checkpoint import against_checkpoints, kept_notes, sizes
from playe_assets.examination.verify_clips import clip_differences
from playe_assets.examination.verify_dagster import DagsterSide, compare_dagster
from playe_assets.examination.verify_documents import (
    against_log,
    against_store,
    documents,
    manifests,
    missing,
    names,
)
from playe_assets.examination.verify_found import Difference, NotCompared, in_order
from playe_assets.examination.verify_log import read_log
from playe_assets.examination.verify_signatures import against_signatures
from playe_assets.examination.verify_store import Objects, received, stored

_OF_OBJECTS = ("object_changed", "object_unreadable")


@dataclass(frozen=True)
class Verification:
    """What was read again, and what did not hold."""

    case_id: str
    objects: int
    reports: int
    log_lines: int
    differences: tuple[Difference, ...]
    """The cause before what follows from it: the first is what to look at."""
    materializations: int = 0
    """Of Dagster's, how many were compared."""
    not_compared: tuple[NotCompared, ...] = ()
    """What was not there to compare with; no differences."""

    log_holds: bool = True
    """Whether the log's own chain does; nothing should be added to one that does not."""
    read: tuple[str, ...] = ()
    """sha256 of the JSON of each report and notice, as it lies there."""

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


def verify_case(
    settings: Settings,
    case_id: str,
    progress: Progress = silent,
    *,
    materialized: DagsterSide | None = None,
) -> Verification:
    """Re-read every object of the case, every report and notice with its PDF, the whole log, and Dagster's side.

    `materialized` is what Dagster's storage states of the case (`defs/launch.py` reads it); None is said to be
    not compared.

    Raises:
        CommandError: there is no such case.
    """
    folder = CaseFolder(settings, case_id)
    folder.read()
    objects = Objects(folder.store)
    differences = [*stored(objects, progress), *received(folder, objects)]
    held = documents(folder.root / "reports")
    wanted = {d.log_head[0] for d in held.values() if d.log_head}
    wanted |= {seq for d in held.values() for seq, _ in d.extract}
    logged, checked = read_log(settings.log, case_id, wanted, sizes(held))
    lines, finding = checked.lines, checked.finding
    if finding is not None:
        differences.append(Difference("log_broken", {"line": finding.line, "problem": finding.problem}))
    differences += missing(held, logged, case_id)
    chain = kept_notes(settings)
    skipped: list[NotCompared] = []
    for document in held.values():
        differences += against_log(document, logged)
        differences += against_store(document, objects)
        differences += manifests(document, logged, objects)
        for found in (*against_checkpoints(document, logged, chain),
                      *against_signatures(document, logged, settings)):  # fmt: skip
            if isinstance(found, NotCompared):
                skipped.append(found)
            else:
                differences.append(found)
    for sha256 in objects.enhanced:
        manifest = from_plain(EnhancedManifest, objects.store.get_json(sha256))
        differences += [Difference(*d) for d in clip_differences(folder.store, manifest, progress)]
    dagster = compare_dagster(materialized, logged, objects)
    differences += dagster.differences
    known = names(held.values())
    told = (
        replace(d, about=known.get(d.facts["sha256"])) if d.code in _OF_OBJECTS else d for d in differences
    )
    reports = sum(1 for d in held.values() if d.kind == "report")
    return Verification(case_id, objects.total, reports, lines, in_order(told), dagster.compared,
                        (*skipped, *dagster.not_compared), finding is None,
                        tuple(d.json_sha256 for d in held.values()))  # fmt: skip
