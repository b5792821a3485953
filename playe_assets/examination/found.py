"""What an earlier run of the case found in an exhibit, each under the digest of all that decides it.

`cases/<case>/found/<key>.json` names two objects of the case's store: the findings and, of a clip, the survey. A
note appears whole or not at all; what it names is hashed again, and what is spoilt there is put away and made anew.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playe_assets.core.canonical import canonical_json, digest, from_plain, to_plain
from playe_assets.core.durable import sync_folder
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import ExhibitDetections
from playe_assets.stores.case_store import CaseStore

SCHEMA: Final = "playe-found/1"


@dataclass(frozen=True)
class Noted:
    """A finished detection: where its results lie, and which operation of the log made them."""

    findings: str
    """sha256 of the `ExhibitDetections` in canonical JSON."""
    survey: str | None
    """sha256 of the clip's survey; None for a photograph."""
    op_id: str
    schema: str = SCHEMA


@dataclass
class FoundNotes:
    """The notes of one case. One run at a time works on a case, so nobody else writes here."""

    root: Path
    store: CaseStore
    spoilt: list[str] = field(default_factory=list)
    """Objects that did not have their digest any more and were removed, and notes that could not be read."""

    def find(self, key: str) -> tuple[Noted, ExhibitDetections] | None:
        """The note and its findings, every byte of both objects hashed again; None where they have to be made."""
        path = self._path(key)
        try:
            noted = _read(path)
            whole = [self._sound(sha256) for sha256 in (noted.findings, noted.survey) if sha256 is not None]
            if all(whole):
                found = from_plain(ExhibitDetections, self.store.get_json(noted.findings))
                if found.survey == noted.survey:
                    return noted, found
                self.spoilt.append(path.name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, IntegrityError):
            # Whatever a crash or a failing disk left there: it is no evidence, only our own work to be redone.
            self.spoilt.append(path.name)
        path.unlink(missing_ok=True)
        return None

    def keep(self, key: str, noted: Noted) -> None:
        """Write the note; it is on the disk, whole, when this returns."""
        stated = to_plain(noted)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.store.scratch() as folder:
            path = folder / "note"
            with path.open("wb") as file:
                file.write(canonical_json({"found": stated, "sha256": digest(stated)}))
                file.flush()
                os.fsync(file.fileno())
            path.rename(self._path(key))
        sync_folder(self.root)

    def discard(self) -> None:
        """Removes all notes; the objects stay, as the report's manifests name them."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _path(self, key: str) -> Path:
        return self.root / f"{key}.json"

    def _sound(self, sha256: str) -> bool:
        """Whether the object is there and whole; a spoilt one is removed, so that the same bytes can be put again."""
        try:
            if self.store.verify(sha256):
                return True
        except (OSError, IntegrityError):
            pass  # absent, or the disk does not give it back: as good as changed
        self.store.path(sha256).unlink(missing_ok=True)
        self.spoilt.append(sha256)
        return False


def found_in(case: Path, store: CaseStore) -> FoundNotes:
    """The notes of the case whose folder is `case`."""
    return FoundNotes(case / "found", store)


def _read(path: Path) -> Noted:
    held: dict[str, Any] = json.loads(path.read_bytes())
    if digest(held["found"]) != held["sha256"] or held["found"]["schema"] != SCHEMA:
        raise ValueError("not what was written")
    return from_plain(Noted, held["found"])
