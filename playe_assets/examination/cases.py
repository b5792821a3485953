"""The case as the laboratory keeps it: `case.json` beside the evidence store, written whole, under a lock."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import from_plain, to_plain
from playe_assets.core.errors import CaseBusyError, CommandError
from playe_assets.core.tracks import Mark
from playe_assets.core.values import Exhibit, Reason, Refusal
from playe_assets.examination.case_file import valid_case_id
from playe_assets.examination.settings import Settings
from playe_assets.stores.case_store import CaseStore


@dataclass(frozen=True)
class DeliveryNote:
    """One delivery as it came; `record` is the sha256 of its exhibits and refusals, null if it added nothing."""

    number: int
    folder: str
    fingerprint: str
    received_utc: str
    request_id: str
    record: str | None
    kept_in: str
    """Where the delivered folder lies now, relative to the data root."""


@dataclass(frozen=True)
class Failure:
    """A run of this case that failed, as the failure sensor or the CLI saw it."""

    run_id: str
    asset: str
    code: str
    message: str
    at_utc: str


@dataclass(frozen=True)
class Case:
    """What is known of a case besides its evidence."""

    case_id: str
    title: str
    operator: str
    customer: str
    request: str
    received_from: str
    preset: str
    language: str
    created_utc: str
    deliveries: tuple[DeliveryNote, ...] = ()
    failures: tuple[Failure, ...] = ()
    schema: str = "playe-case/1"


@dataclass(frozen=True)
class MarkedExhibit:
    """The marks that a delivery's `case.yaml` put on one exhibit, and those that cannot be used, with reasons."""

    exhibit: str
    marks: tuple[Mark, ...]
    unusable: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class DeliveryRecord:
    """What one delivery added; stored as an object, so it names no time."""

    delivery: int
    exhibits: tuple[Exhibit, ...]
    refused: tuple[Refusal, ...]
    marked: tuple[MarkedExhibit, ...] = ()
    """Marks of exhibits, of this delivery or earlier ones; they replace what the same exhibit had."""
    schema: str = "playe-delivery/1"


class CaseFolder:
    """`models-data/cases/<case>/`: `case.json`, `objects/`, `reports/`."""

    def __init__(self, settings: Settings, case_id: str) -> None:
        if not valid_case_id(case_id):  # a partition added by hand may hold anything, `../` too
            raise CommandError("case.bad_id", case=repr(case_id))
        self.settings = settings
        self.case_id = case_id
        self.root = settings.cases / case_id
        self.store = CaseStore(self.root)

    @property
    def file(self) -> Path:
        """The case record."""
        return self.root / "case.json"

    def exists(self) -> bool:
        """Whether the case was ever opened."""
        return self.file.is_file()

    def read(self) -> Case:
        """The case record.

        Raises:
            CommandError: there is no such case; the message says how to list those that there are.
        """
        if not self.exists():
            raise CommandError("case.absent", case=self.case_id)
        return from_plain(Case, json.loads(self.file.read_bytes()))

    def write(self, case: Case) -> None:
        """Replace the record; it is whole on the disk when this returns."""
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = self.root / f".case.json.{os.getpid()}"
        text = json.dumps(to_plain(case), indent=2, sort_keys=True, ensure_ascii=False)
        with scratch.open("w", encoding="utf-8") as handle:
            handle.write(text + "\n")
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(self.file)
        folder = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def locked(self, wait_s: float = 20.0) -> Iterator[None]:
        """Hold the case against another process that would change it.

        Raises:
            CaseBusyError: another process held it for `wait_s` seconds.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + wait_s
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise CaseBusyError("case.busy", case=self.case_id, seconds=wait_s) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def records(self, case: Case) -> list[DeliveryRecord]:
        """Every delivery that added something, in order."""
        return [
            from_plain(DeliveryRecord, self.store.get_json(note.record))
            for note in case.deliveries
            if note.record is not None
        ]

    def add_failure(self, failure: Failure) -> None:
        """Write a failed run into the case."""
        with self.locked():
            if self.exists():
                case = self.read()
                self.write(replace(case, failures=(*case.failures, failure)))


def list_cases(settings: Settings) -> list[str]:
    """Ids of all cases, sorted."""
    if not settings.cases.is_dir():
        return []
    return sorted(p.name for p in settings.cases.iterdir() if (p / "case.json").is_file())


def plain_case(case: Case) -> dict[str, Any]:
    """The case as JSON types, for `--json`."""
    plain: dict[str, Any] = to_plain(case)
    return plain
