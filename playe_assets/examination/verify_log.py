"""What the custody log says of one case, read in one pass: issued documents, its lines, roots of the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_tail import parser_of
from playe_assets.custody.log_verify import Checked
from playe_assets.custody.merkle import Frontier, leaf_hash

_ISSUED = ("custody.report_issued", "custody.report_withheld")
_STAGE = "processing.stage"
"""The pair of lines around an asset's work; its end states the manifest first, as Dagster's metadata does."""


@dataclass(frozen=True)
class Line:
    """A line of the case, as far as other records state it."""

    asset: str | None
    run_id: str | None
    examination_id: str | None
    request_id: str | None
    operator: str | None
    ended_utc: str


@dataclass(frozen=True)
class Made:
    """What an asset handed on, as its last line states it."""

    first: int
    """Number of its first line."""
    last: int
    """Number of its last line, the one that states this."""
    outputs: tuple[str, ...]
    """The manifest, then the verdicts."""


@dataclass
class Logged:
    """What the log says of one case, and the digests of the lines that were asked for."""

    issued: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Id of a report or notice to the digests of its JSON and its PDF, once for each time it was issued."""
    issued_files: dict[str, set[str]] = field(default_factory=dict)
    """Id of a report or notice to the digests of all files that were issued under it."""
    issued_by: dict[str, list[str]] = field(default_factory=dict)
    """Id of a run to the digests of the JSON of the reports that it issued."""
    made_from: dict[str, str] = field(default_factory=dict)
    """Digest of a report's JSON to that of the metrics manifest that it was made from."""
    digests: dict[int, str] = field(default_factory=dict)
    """sha256 of the raw lines that were asked for."""
    lines: dict[int, Line] = field(default_factory=dict)
    """The case's lines by number, in order."""
    made: dict[tuple[str, str], list[Made]] = field(default_factory=dict)
    """(asset, run) to what it handed on, in order; none in logs that have no lines around a stage."""
    begun: dict[str, int] = field(default_factory=dict)
    """Operation of a stage to the number of its first line."""
    chain: dict[str, dict[str, str]] = field(default_factory=dict)
    """Digest of a report's JSON to asset and manifest of all that it was made from."""
    roots: dict[int, str] = field(default_factory=dict)
    """Root of the tree over the first lines, in hexadecimal, for each number of lines that was asked for."""
    total: int = 0


def read_log(log: CustodyLog, case_id: str, wanted: set[int], sizes: set[int]) -> tuple[Logged, Checked]:
    """The log's own check and what it says of the case, in one reading; a second one only where the chain breaks.

    Memory grows with the lines of this case only. `wanted` are numbers of lines of which the digest is kept, `sizes`
    numbers of lines of which the tree's root is.
    """
    reading = _Reading(case_id, wanted, sizes)
    checked = log.check(on_line=reading.add)
    if checked.finding is not None:  # it stopped there; what lies behind is witness all the same
        reading = _Reading(case_id, wanted, sizes)
        for index, raw in log.lines():
            reading.add(index, raw)
    return reading.logged, checked


class _Reading:
    """Takes the raw lines in order."""

    def __init__(self, case_id: str, wanted: set[int], sizes: set[int]) -> None:
        self.logged = Logged()
        self._parsed = parser_of(case_id)
        self._wanted, self._sizes = wanted, sizes
        self._last_size, self._tree = max(sizes, default=0), Frontier()

    def add(self, index: int, raw: bytes) -> None:
        """The next line, without its newline."""
        self.logged.total = index + 1
        if index < self._last_size:
            self._tree.add(leaf_hash(raw))
            if self._tree.size in self._sizes:
                self.logged.roots[self._tree.size] = self._tree.root().hex()
        if index in self._wanted:
            self.logged.digests[index] = hashlib.sha256(raw).hexdigest()
        entry = self._parsed(raw)
        if entry is not None:
            _note(self.logged, index, entry)


def _note(logged: Logged, index: int, entry: Mapping[str, Any]) -> None:
    activity, operator = entry.get("activity") or {}, entry.get("operator") or {}
    line = Line(activity.get("asset_key"), activity.get("run_id"), entry.get("examination_id"),
                entry.get("request_id"), operator.get("id"),
                str(entry.get("t_end_utc") or entry.get("t_start_utc") or ""))  # fmt: skip
    logged.lines[index] = line
    event, outputs = entry.get("event"), list(entry.get("output_sha256") or ())
    if event in _ISSUED and len(outputs) >= 2:
        logged.issued.setdefault(str(entry.get("step")), []).append((outputs[0], outputs[1]))
        logged.issued_files.setdefault(str(entry.get("step")), set()).update(outputs)
        if event == _ISSUED[0] and line.run_id:
            logged.issued_by.setdefault(line.run_id, []).append(outputs[0])
    elif event == "processing.report" and entry.get("status") == "ok" and outputs:
        logged.made_from[outputs[0]] = (entry.get("input_sha256") or [""])[0]
    elif event == _STAGE and entry.get("status") == "started":
        logged.begun[str(entry.get("op_id"))] = index
    elif event == _STAGE and entry.get("status") == "ok" and outputs:
        first = logged.begun.get(str(entry.get("op_id")), index)
        logged.made.setdefault((str(line.asset), str(line.run_id)), []).append(
            Made(first, index, tuple(outputs))
        )
