"""What an audit learns from the log's lines in one pass: chain, torn lines, roots, named checkpoints. Memory flat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.errors import PlayeError
from playe_assets.core.texts import catalogue, text
from playe_assets.custody.log import GENESIS
from playe_assets.custody.log_read import parse
from playe_assets.custody.log_verify import ClockCheck, ClockFinding
from playe_assets.custody.merkle import Frontier, leaf_hash
from playe_assets.custody.stamping import STAMPED

_STAMPED = b'"event":"' + STAMPED.encode() + b'"'
MANY = 20
"""Findings about single lines that are named; further ones are counted."""


@dataclass(frozen=True)
class AuditFinding:
    """Something that does not hold, or should be asked about: a key under `audit.` (else `error.`), with its facts."""

    code: str
    facts: Mapping[str, Any]
    advisory: bool = False
    """Nothing is proved to be wrong, but a person should look at it; it does not break the audit."""

    def said(self, language: str) -> str:
        """One plain sentence in `language`."""
        key = f"audit.{self.code}"
        facts = {k: v.message(language) if isinstance(v, PlayeError) else v for k, v in self.facts.items()}
        return text(key if key in catalogue() else f"error.{self.code}", language, **facts)


@dataclass(frozen=True)
class Named:
    """A checkpoint as a line of the log names it."""

    epoch: int
    seq: int
    note_sha256: str


class LinePass:
    """Takes the raw lines in order."""

    def __init__(self, sizes: Iterable[int], seqs: Iterable[int] = (), covered: int = 0) -> None:
        """`sizes`: trees whose root is wanted; `seqs`: lines whose hash is; `covered`: how many lines are signed."""
        self.lines = 0
        self.bytes = 0
        self.roots: dict[int, bytes] = {}
        self.hashes: dict[int, str] = {}
        self.named: list[Named] = []
        self.tokens: dict[str, dict[str, int]] = {}
        """sha256 of a note to those of its time stamps that the log says were had, each with its line's number."""
        self.findings: list[AuditFinding] = []
        self.more = 0
        """Findings beyond the first `MANY`, which are counted only."""
        self.uncovered = 0
        """Lines after the covered ones, without those about checkpoints."""
        self._covered = covered
        self._sizes, self._seqs = set(sizes), set(seqs)
        self._frontier = Frontier()
        self._last = GENESIS
        self._clocks = ClockCheck()
        self._due = 0
        """The number that the next line must have."""
        self._torn: int | None = None
        self._torn_bytes = hashlib.sha256()
        if 0 in self._sizes:
            self.roots[0] = self._frontier.root()

    def add_held(self, index: int, raw: bytes) -> None:
        """The next line of a log the chain of which `CustodyLog.check` has found whole up to here."""
        self._due = index
        if b'"event":"log.' in raw:
            entry = parse(raw) or {}
            if entry.get("event") == "log.torn":
                count = entry.get("torn_lines", 1)
                if type(count) is int and 0 < count <= index:
                    self._found("torn", advisory=True, line=index - count, by=index)
            self._checkpoint(entry)
        elif _STAMPED in raw:
            self._token(parse(raw) or {})
        self._count(raw)
        if index in self._seqs:
            self.hashes[index] = hashlib.sha256(raw).hexdigest()
        self._grow(raw)

    def add(self, entry: Mapping[str, Any] | None, raw: bytes) -> None:
        """The next line, without its newline, whatever it is; `entry` is None where it is no whole entry."""
        due = self._due
        if entry is None:
            if self._torn is None:
                self._torn, self._torn_bytes = due, hashlib.sha256()
            self._torn_bytes.update(raw + b"\n")
        else:
            self._chained(entry)
            self._checkpoint(entry)
            self._token(entry)
            self._clocks.add_entry(self._due, entry)
        self._count(raw)
        self._last = hashlib.sha256(raw).hexdigest()
        if self._due in self._seqs:
            self.hashes.setdefault(self._due, self._last)
        self._due += 1
        self._grow(raw)

    def end(self, still_torn: Callable[[int], bool]) -> None:
        """After the last `add`; `still_torn` looks again at a line that may have been just being written."""
        if self._torn is not None and still_torn(self._torn):
            self._found("torn_unacknowledged", line=self._torn)
        self.tell_clocks(self._clocks.found, self._clocks.count)

    def tell_clocks(self, found: Iterable[ClockFinding], count: int) -> None:
        """Clocks that were set back, `count` times in all."""
        told = [AuditFinding(c.problem, {"line": c.line, "seconds": f"{c.seconds:.0f}"}, True) for c in found]
        self.findings += told
        self.more += count - len(told)

    def _count(self, raw: bytes) -> None:
        about = b'"event":"log.checkpoint"' in raw or _STAMPED in raw
        self.uncovered += self.lines >= self._covered and not about

    def _grow(self, raw: bytes) -> None:
        self._frontier.add(leaf_hash(raw))
        self.lines += 1
        self.bytes += len(raw) + 1
        if self.lines in self._sizes:
            self.roots[self.lines] = self._frontier.root()

    def _chained(self, entry: Mapping[str, Any]) -> None:
        due, seq = self._due, entry.get("seq")
        if self._torn is not None:
            stated = (entry.get("event"), entry.get("torn_lines", 1), entry.get("torn_sha256"))
            if stated == ("log.torn", due - self._torn, self._torn_bytes.hexdigest()):
                self._found("torn", advisory=True, line=self._torn, by=due)
            else:
                self._found("torn_unacknowledged", line=self._torn)
            self._torn = None
        if seq == due and entry.get("prev_hash") != self._last:
            self._found("line_changed", line=due - 1, next=due) if due else self._found("line_first")
        elif isinstance(seq, int) and seq > due:
            self._found("lines_missing", first=due, last=seq - 1)
        elif seq != due:
            self._found("line_number", line=due, stated=seq)
        if isinstance(seq, int):
            self._due = seq  # what follows is judged from where this line says that it stands

    def _checkpoint(self, entry: Mapping[str, Any]) -> None:
        epoch, sha256 = entry.get("epoch"), entry.get("note_sha256")
        if entry.get("event") == "log.checkpoint" and isinstance(epoch, int) and isinstance(sha256, str):
            self.named.append(Named(epoch, self._due, sha256))

    def _token(self, entry: Mapping[str, Any]) -> None:
        if entry.get("event") != STAMPED or entry.get("status") != "ok":
            return
        match entry.get("input_sha256"), entry.get("output_sha256"):
            case [str(note)], [str(token)]:
                self.tokens.setdefault(note, {})[token] = self._due

    def _found(self, code: str, *, advisory: bool = False, **facts: Any) -> None:
        if sum(f.advisory == advisory for f in self.findings) < MANY:
            self.findings.append(AuditFinding(code, facts, advisory))
        elif not advisory:
            self.more += 1
