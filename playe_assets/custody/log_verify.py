"""Checking line after line: its number, its chain, its JSON, torn lines acknowledged, and what the clocks tell."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from playe_assets.custody.log_read import GENESIS
from playe_assets.custody.log_shapes import Shapes

CLOCK_TOLERANCE_S = 5.0
"""Seconds by which the wall clock may fall behind CLOCK_BOOTTIME: what synchronisation of clocks steps at most."""
_MOST_CLOCKS = 100
_MOST_BOOTS = 10_000
"""Boots that are remembered: more than a machine has, and a log of forged ones does not fill the memory."""


@dataclass(frozen=True)
class Finding:
    """The first thing that `CustodyLog.verify` found wrong."""

    line: int
    problem: str
    """`seq`, `prev_hash`, `json` (a key twice, or no JSON that all readers read alike), `torn_unacknowledged`."""


@dataclass(frozen=True)
class ClockFinding:
    """A line before which a clock was set back."""

    line: int
    problem: str
    """`boottime_fell` (within one boot: the line is not where it was written), `wall_clock_set_back` (within one
    boot), `wall_clock_fell` (over a restart), `boot_returned` (a boot goes on after another one began)."""
    seconds: float
    """By how much."""
    boot_id: str


@dataclass(frozen=True)
class Checked:
    """What one reading of the whole log found."""

    lines: int
    finding: Finding | None
    clocks: tuple[ClockFinding, ...]
    """The first hundred."""
    clock_count: int
    last_hash: str


class LineCheck:
    """Feed it every line in order."""

    def __init__(self) -> None:
        self.lines = 0
        self.finding: Finding | None = None
        self._last = GENESIS.encode()
        self._torn: int | None = None
        self._torn_bytes = hashlib.sha256()
        self._clocks = ClockCheck()
        self._shapes = Shapes()

    def add(self, index: int, raw: bytes) -> bool:
        """Check one line; False once something is wrong."""
        facts = self._shapes.read(raw) if self._torn is None else None
        if facts is None:
            if not self._add_parsed(index, raw):
                return False
        elif facts.seq != b"%d" % index:
            return self._found(index, "seq")
        elif facts.prev_hash != self._last:
            return self._found(index, "prev_hash")
        else:
            self._clocks.add(index, facts.boot_id, float(facts.clock_boottime), facts.clock_utc)
        self._last = hashlib.sha256(raw).hexdigest().encode()
        self.lines += 1
        return True

    def result(self) -> Checked:
        """After the last line."""
        if self.finding is None and self._torn is not None:
            self.finding = Finding(self._torn, "torn_unacknowledged")
        clocks = self._clocks
        return Checked(self.lines, self.finding, tuple(clocks.found), clocks.count, self._last.decode())

    def _add_parsed(self, index: int, raw: bytes) -> bool:
        told = _parsed(raw)
        if told is None:
            if self._torn is None:
                self._torn, self._torn_bytes = index, hashlib.sha256()
            self._torn_bytes.update(raw + b"\n")
            return True
        entry, problem = told
        if self._torn is not None:
            if not _acknowledges(entry, index - self._torn, self._torn_bytes.hexdigest()):
                return self._found(self._torn, "torn_unacknowledged")
            self._torn = None
        seq, previous = entry.get("seq"), entry.get("prev_hash")
        if type(seq) is not int or seq != index:
            return self._found(index, "seq")
        if previous != self._last.decode():
            return self._found(index, "prev_hash")
        if problem:
            return self._found(index, problem)
        self._clocks.add_entry(index, entry)
        self._shapes.learn(raw, entry)
        return True

    def _found(self, line: int, problem: str) -> bool:
        self.finding = Finding(line, problem)
        return False


class ClockCheck:
    """Whether the clocks of the lines, in the order of the log, run forward."""

    def __init__(self) -> None:
        self.found: list[ClockFinding] = []
        self.count = 0
        self._boot = b""
        self._boots: set[bytes] = set()
        self._boottime = 0.0
        self._ahead: float | None = None
        self._wall: float | None = None

    def add_entry(self, line: int, entry: Mapping[str, Any]) -> None:
        """The clocks of an entry, whatever it says they are; what is no clock is not judged."""
        boot, boottime, utc = (entry.get(name) for name in ("boot_id", "clock_boottime", "clock_utc"))
        if not isinstance(boot, str) or isinstance(boottime, bool) or not isinstance(boottime, (int, float)):
            return
        try:
            seconds = float(boottime)
        except OverflowError:
            return
        if math.isfinite(seconds):  # older lines state no clock_utc
            wall = utc.encode("utf-8", "surrogatepass") if isinstance(utc, str) else None
            self.add(line, boot.encode("utf-8", "surrogatepass"), seconds, wall)

    def add(self, line: int, boot: bytes, boottime: float, utc: bytes | None) -> None:
        """One line's clocks, `utc` as ISO 8601; a line without it is not judged by the wall clock."""
        if boot != self._boot:
            if boot in self._boots:
                self._tell(line, "boot_returned", 0.0, boot)
            if len(self._boots) < _MOST_BOOTS and len(boot) <= 64:
                self._boots.add(boot)
            self._boot, self._ahead = boot, None
        elif boottime < self._boottime:
            self._tell(line, "boottime_fell", self._boottime - boottime, boot)
        self._boottime = boottime
        wall = None if utc is None else _seconds(utc)
        if wall is None:
            return
        ahead = wall - boottime
        if self._ahead is None:
            if self._wall is not None and wall < self._wall - CLOCK_TOLERANCE_S:
                self._tell(line, "wall_clock_fell", self._wall - wall, boot)
        elif ahead < self._ahead - CLOCK_TOLERANCE_S:
            self._tell(line, "wall_clock_set_back", self._ahead - ahead, boot)
        self._ahead, self._wall = (
            ahead,
            wall,
        )  # slow drift is followed; a fall is measured from the line before

    def _tell(self, line: int, problem: str, seconds: float, boot: bytes) -> None:
        self.count += 1
        if len(self.found) < _MOST_CLOCKS:
            self.found.append(ClockFinding(line, problem, round(seconds, 3), boot.decode("utf-8", "replace")))


def _seconds(utc: bytes) -> float | None:
    try:
        return datetime.fromisoformat(utc.decode()).timestamp()
    except (ValueError, OverflowError):
        return None


class _DoubledError(ValueError):
    pass


def _parsed(raw: bytes) -> tuple[dict[str, Any], str] | None:
    """(entry, problem or empty), or None for a torn line."""
    try:
        try:
            entry, problem = _STRICT.decode(raw.decode("utf-8")), ""
        except _DoubledError:
            entry, problem = json.loads(raw), "json"
    except (ValueError, RecursionError):
        return None
    return (entry, problem) if isinstance(entry, dict) and "seq" in entry else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DoubledError
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(number: str) -> float:
    found = float(number)
    if not math.isfinite(found):  # 1e999: JSON to the grammar, infinite or an error to readers
        raise ValueError(number)
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite)


def _acknowledges(entry: Mapping[str, Any], count: int, sha256: str) -> bool:
    """Whether `entry` stands for the `count` torn lines before it, the bytes of which have this digest."""
    if entry.get("event") != "log.torn":
        return False
    # Older entries state one line only.
    return (entry.get("torn_lines", 1), entry.get("torn_sha256", sha256)) == (count, sha256)
