"""A folder that an operator submits by command: checked before anything happens, or put into the inbox whole."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CommandError
from playe_assets.examination.case_file import NAME, CaseFile, read_case_file, valid_case_id
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.inbox import look, special_files
from playe_assets.examination.plan import plan
from playe_assets.examination.settings import Settings


@dataclass(frozen=True)
class Submission:
    """A folder that may become a case."""

    folder: Path
    case_id: str
    preset: str | None
    given: CaseFile


def check_submission(settings: Settings, folder: Path, case_id: str | None, preset: str | None) -> Submission:
    """Refuse what cannot work before a run is started.

    Raises:
        CaseFileError, PresetError, MissingResourceError: with file, line, value and remedy.
        CommandError: the folder holds no evidence, or `case_id` is no case id.
    """
    if case_id is not None and not valid_case_id(case_id):
        raise CommandError("case.bad_id", case=repr(case_id))
    given = read_case_file(folder, case_id)
    chosen = preset or given.preset
    if chosen:
        plan(chosen, settings)
    _marked_are_there(settings, folder, case_id or given.case_id, given)
    if not any(p.name != NAME for p in folder.iterdir()):
        raise CommandError("inbox.empty", folder=folder.name)
    return Submission(folder, case_id or given.case_id, preset, given)


def submitted(settings: Settings, folder: Path) -> dict[str, Any]:
    """What lies in a submitted folder, for the record: files, bytes, and the fingerprint that intake sees too."""
    seen = look(folder, settings, 0.0)
    return {"files": seen.files, "bytes": seen.total_bytes, "fingerprint": seen.fingerprint}


def _marked_are_there(settings: Settings, folder: Path, case_id: str, given: CaseFile) -> None:
    """Intake refuses this as well, but a run's log must not hold names of evidence, and so cannot say which file."""
    if CaseFolder(settings, case_id).exists():
        return  # an earlier delivery may have brought it
    for marked in given.marks:
        if not (folder / marked.file).is_file():
            raise marked.absent(NAME)


def drop(
    settings: Settings, submission: Submission, operator: str, request_id: str, *, explicit: bool
) -> Path:
    """Copy the folder into the inbox so that the sensor sees it whole or not at all; returns its place there.

    `operator` stands where case.yaml names none, or in its place if it was given `explicit`ly. FIFOs, sockets
    and devices cannot be copied and stay behind.
    """
    import yaml

    settings.inbox.mkdir(parents=True, exist_ok=True)
    goal = settings.inbox / submission.case_id
    number = 2
    while goal.exists():
        goal = settings.inbox / f"{submission.case_id}~{number}"
        number += 1
    scratch = settings.inbox / f".{goal.name}.{os.getpid()}"
    try:
        shutil.copytree(submission.folder, scratch, symlinks=True, ignore=special_files)
    except shutil.Error as problem:
        shutil.rmtree(scratch, ignore_errors=True)
        first = problem.args[0][0]
        raise CommandError("submission.unreadable", file=first[0], problem=first[2]) from None
    file = scratch / NAME
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    content["case"] = submission.case_id
    if submission.preset:
        content["preset"] = submission.preset
    if explicit or not content.get("operator"):
        content["operator"] = operator
    content["request_id"] = request_id
    listed = sorted(p for p in scratch.rglob("*") if p.is_file() and not p.is_symlink() and p != file)
    names = [p.relative_to(scratch) for p in listed]
    if all(str(n).isprintable() for n in names):  # YAML cannot name other bytes; those wait the settle time
        content["exhibits"] = [
            {"name": str(n), "size": p.stat().st_size} for n, p in zip(names, listed, strict=True)
        ]
    file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    scratch.rename(goal)
    return goal
