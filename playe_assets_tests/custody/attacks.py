"""A log with checkpoints, and what somebody can do to it who may write to every file of its folder.

A careless attacker changes lines; a thorough one also numbers and chains all lines anew and throws away the caches.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.custody.audit import AuditResult, Witness, audit
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.log import GENESIS, CustodyLog


@dataclass(frozen=True)
class Held:
    """The folder `audit/` of a laboratory below `root`."""

    root: Path
    rotate_bytes: int = 0

    @property
    def folder(self) -> Path:
        """What an attacker with the rights of the laboratory can write to."""
        return self.root / "audit"

    @property
    def log(self) -> CustodyLog:
        """Opened anew, as by a fresh process."""
        return CustodyLog(self.folder / "events.jsonl", rotate_bytes=self.rotate_bytes)

    @property
    def checkpoints(self) -> Checkpoints:
        """Opened anew."""
        return Checkpoints(self.log, self.folder / "checkpoints")

    @property
    def notes(self) -> list[Path]:
        """The checkpoints' files, oldest first."""
        return sorted((self.folder / "checkpoints").glob("*.note"))

    def write(self, lines: int, case: str = "CASE-A") -> None:
        """Honest work."""
        log = self.log
        for number in range(lines):
            log.append([{"event": "processing.step", "case_id": case, "number": number, "text": "имя"}])

    def sign(self) -> str:
        """An honest checkpoint; its note."""
        return self.checkpoints.make().note

    def found(self, witness: Witness | str | None = None, **given: Any) -> AuditResult:
        """An audit by a fresh process."""
        return audit(self.log, self.checkpoints, witness=witness, **given)

    def codes(self, witness: Witness | str | None = None, **given: Any) -> list[str]:
        """What an audit finds wrong; advisory findings left out."""
        return [f.code for f in self.found(witness, **given).findings if not f.advisory]

    def advice(self) -> list[str]:
        """What an audit finds worth asking about."""
        return [f.code for f in self.found().findings if f.advisory]

    def copy(self, name: str) -> Held:
        """The whole folder, keys and caches with it, as a backup or a snapshot takes it."""
        shutil.copytree(self.root, self.root.with_name(name))
        return Held(self.root.with_name(name), self.rotate_bytes)

    def restore(self, older: Held, *, but: Sequence[str] = ()) -> None:
        """Put `older` in this folder's place, except what `but` names below it."""
        kept = {name: self.root / f"kept-{number}" for number, name in enumerate(but)}
        for name, place in kept.items():
            (self.folder / name).rename(place)
        shutil.rmtree(self.folder)
        shutil.copytree(older.folder, self.folder)
        for name, place in kept.items():
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).unlink(missing_ok=True)
            place.rename(self.folder / name)

    def raw(self) -> list[bytes]:
        """The lines as they are."""
        return [raw for _, raw in self.log.lines()]

    def put(self, lines: Sequence[bytes]) -> None:
        """The careless attack: these lines instead, byte by byte, in one file."""
        for path in self.folder.glob("events*.jsonl"):
            path.unlink()
        (self.folder / "events.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
        self.forget()

    def put_chained(self, lines: Sequence[bytes]) -> None:
        """The thorough attack: the same, every line numbered and chained anew."""
        last, made = GENESIS, []
        for seq, raw in enumerate(lines):
            made.append(canonical_json({**json.loads(raw), "seq": seq, "prev_hash": last}))
            last = hashlib.sha256(made[-1]).hexdigest()
        self.put(made)

    def forget(self) -> None:
        """Throw away what the log and the tree remember beside the lines."""
        for path in self.folder.iterdir():
            if path.suffix in (".state", ".bin"):
                path.unlink()


def honest(root: Path, rotate_bytes: int = 0) -> Held:
    """12 lines and a checkpoint, 10 more and a second one, 7 more that no checkpoint covers yet."""
    held = Held(root, rotate_bytes)
    held.write(8)
    held.write(4, "CASE-B")
    held.sign()
    held.write(6)
    held.write(3, "CASE-B")
    held.sign()
    held.write(6)
    return held


def edited(raw: bytes, **fields: Any) -> bytes:
    """A line that says something else."""
    return canonical_json({**json.loads(raw), **fields})


Lines = list[bytes]


Change = Callable[[Lines, int], Lines]


def edit(lines: Lines, at: int) -> Lines:
    """Another content."""
    return [*lines[:at], edited(lines[at], text="another name"), *lines[at + 1 :]]


def delete(lines: Lines, at: int) -> Lines:
    """One line less."""
    return lines[:at] + lines[at + 1 :]


def insert(lines: Lines, at: int) -> Lines:
    """One line more, made of another."""
    return [*lines[:at], edited(lines[at], number=99), *lines[at:]]


def swap(lines: Lines, at: int) -> Lines:
    """Two lines exchanged."""
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def replay(lines: Lines, at: int) -> Lines:
    """The lines of another case, as if they were of this one."""
    others = [edited(raw, case_id="CASE-A") for raw in lines[8:12]]
    return lines[:at] + others + lines[at:]


CHANGES = {"edit": edit, "delete": delete, "insert": insert, "swap": swap, "replay": replay}
