"""The append-only custody log: JSON lines chained by hash, one lock for all processes, durable on return.

A line's `seq` is its index in the file, its `prev_hash` the sha256 of the raw previous line without its
newline (64 zeros for the first). Nothing is ever rewritten. A line cut short by a crash is closed with a
newline, keeps its index and is acknowledged by a `log.torn` entry; where a crash cut that entry short as
well, the next one acknowledges both: it states how many torn lines stand before it and their sha256.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import IntegrityError, LockTimeoutError

GENESIS = "0" * 64
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Head:
    """The end of the log: how many lines, the hash of the last one, and the size in bytes."""

    lines: int
    last_hash: str
    size: int


@dataclass(frozen=True)
class Finding:
    """The first thing that `CustodyLog.verify` found wrong."""

    line: int
    problem: str
    """`seq`, `prev_hash`, `json`, `torn_unacknowledged`."""


def utc_now() -> str:
    """The wall clock as ISO 8601 UTC with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


class CustodyLog:
    """The log at `path`. Safe over threads and processes; a child after fork opens the file anew."""

    def __init__(self, path: Path, lock_timeout_s: float = 30.0) -> None:
        self.path = path
        self.lock_timeout_s = lock_timeout_s
        self._threads = threading.Lock()
        self._fd = -1
        self._pid = -1
        self._known: Head | None = None
        self._boot = _boot_id()
        self._poisoned = False

    def append(self, entries: Sequence[Mapping[str, Any]]) -> list[int]:
        """Append `entries` in order and return their sequence numbers once they are on the disk.

        Raises:
            LockTimeoutError: another process held the lock longer than `lock_timeout_s`.
            IntegrityError: an earlier fsync failed (`custody.poisoned`), so nothing more is promised.
            OSError: the disk refused the bytes; after a failed fsync the log takes no more.
        """
        with self._threads:
            if self._poisoned:
                raise IntegrityError("custody.poisoned", path=str(self.path))
            fd = self._open()
            self._lock(fd)
            try:
                head = self._current_head(fd)
                lines, numbers, head = self._chain(entries, head)
                self._write(fd, lines)
                self._known = Head(head.lines, head.last_hash, head.size)
                return numbers
            finally:
                fcntl.flock(fd, fcntl.LOCK_UN)

    def head(self) -> Head:
        """The present end of the log; an empty log has zero lines and the genesis hash.

        Waits for a line that is being written: a report states the head, and half a line is no witness.

        Raises:
            LockTimeoutError: another process held the lock longer than `lock_timeout_s`.
        """
        if not self.path.exists():
            return Head(0, GENESIS, 0)
        with self.path.open("rb") as handle:
            self._lock(handle.fileno(), fcntl.LOCK_SH)
            return _scan_tail(handle.fileno(), os.fstat(handle.fileno()).st_size)[0]

    def read(self, start: int = 0) -> Iterator[tuple[int, dict[str, Any] | None, bytes]]:
        """(index, entry, raw line) from `start`; the entry of a torn line is None."""
        if not self.path.exists():
            return
        with self.path.open("rb") as handle:
            for index, raw in enumerate(handle):
                if index >= start:
                    yield index, _parse(raw.rstrip(b"\n")), raw.rstrip(b"\n")

    def verify(self) -> tuple[int, Finding | None]:
        """(lines checked, first finding or None): every seq and prev_hash, memory flat."""
        expected = GENESIS
        count = 0
        torn: int | None = None
        bytes_torn = hashlib.sha256()
        for index, entry, raw in self.read():
            if entry is None:
                if torn is None:
                    torn, bytes_torn = index, hashlib.sha256()
                bytes_torn.update(raw + b"\n")
            else:
                if torn is not None and not _acknowledges(entry, index - torn, bytes_torn.hexdigest()):
                    return count, Finding(torn, "torn_unacknowledged")
                torn = None
                if entry.get("seq") != index:
                    return count, Finding(index, "seq")
                if entry.get("prev_hash") != expected:
                    return count, Finding(index, "prev_hash")
            expected = hashlib.sha256(raw).hexdigest()
            count += 1
        return count, Finding(torn, "torn_unacknowledged") if torn is not None else None

    def _open(self) -> int:
        # A flock belongs to the open file description, which fork shares: the child needs its own.
        if self._fd < 0 or self._pid != os.getpid():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            created = not self.path.exists()
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            self._pid = os.getpid()
            self._known = None
            if created:
                folder = os.open(self.path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
        return self._fd

    def _lock(self, fd: int, how: int = fcntl.LOCK_EX) -> None:
        deadline = time.monotonic() + self.lock_timeout_s
        pause = 0.0005
        while True:
            try:
                fcntl.flock(fd, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LockTimeoutError(
                        "custody.lock_timeout", path=str(self.path), seconds=self.lock_timeout_s
                    ) from None
                time.sleep(pause)
                pause = min(pause * 1.5, 0.02)
            else:
                return

    def _current_head(self, fd: int) -> Head:
        size = os.fstat(fd).st_size
        if self._known is not None and self._known.size == size:
            return self._known
        head, closed, torn = _scan_tail(fd, size)
        if not torn and closed:
            return head
        if not torn:  # a full line that only lacks its newline is never called torn
            self._write(fd, b"\n")
            return Head(head.lines, head.last_hash, size + 1)
        # The torn bytes stay as a line of their own; closing and acknowledging them is one write. A crash
        # within that write leaves lines that are closed but not acknowledged: then only the latter is due.
        newline = b"" if closed else b"\n"
        head = Head(head.lines, head.last_hash, size + len(newline))
        note = {"event": "log.torn", "torn_line": head.lines - len(torn), "torn_lines": len(torn),
                "torn_sha256": hashlib.sha256(b"".join(raw + b"\n" for raw in torn)).hexdigest(),
                "t_start_utc": utc_now()}  # fmt: skip
        lines, _, head = self._chain([note], head)
        self._write(fd, newline + lines)
        return head

    def _chain(self, entries: Sequence[Mapping[str, Any]], head: Head) -> tuple[bytes, list[int], Head]:
        out = bytearray()
        numbers: list[int] = []
        count, last = head.lines, head.last_hash
        boottime = time.clock_gettime(time.CLOCK_BOOTTIME)
        for entry in entries:
            full = {
                **entry,
                "seq": count,
                "prev_hash": last,
                "clock_boottime": round(boottime, 6),
                "boot_id": self._boot,
            }
            raw = canonical_json(full)
            out += raw + b"\n"
            last = hashlib.sha256(raw).hexdigest()
            numbers.append(count)
            count += 1
        return bytes(out), numbers, Head(count, last, head.size + len(out))

    def _write(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        self._known = None
        while view:
            view = view[os.write(fd, view) :]
        try:
            os.fdatasync(fd)
        except OSError:
            # The kernel may have dropped the dirty pages: a second fsync would lie (design, custody log).
            self._poisoned = True
            raise


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(raw)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "seq" in entry else None


def _acknowledges(entry: Mapping[str, Any], count: int, sha256: str) -> bool:
    """Whether `entry` stands for the `count` torn lines before it, the bytes of which have this digest."""
    if entry.get("event") != "log.torn":
        return False
    stated = (
        entry.get("torn_lines", 1),
        entry.get("torn_sha256", sha256),
    )  # older entries state one line only
    return stated == (count, sha256)


def _scan_tail(fd: int, size: int) -> tuple[Head, bool, list[bytes]]:
    """The head of a log of `size` bytes, whether it ends in a newline, and the torn lines at its end.

    Reads backwards, no further than the last line that is whole.
    """
    if size == 0:
        return Head(0, GENESIS, 0), True, []
    tail = b""
    start = size
    while start > 0:
        step = min(_CHUNK, start)
        start -= step
        tail = os.pread(fd, step, start) + tail
        lines = tail.split(b"\n")
        closed = lines[-1] == b""
        complete = lines[:-1] if closed else lines
        whole = complete if start == 0 else complete[1:]  # the first piece may be cut by the chunk
        for back, raw in enumerate(reversed(whole)):
            entry = _parse(raw)
            if entry is not None:
                last = hashlib.sha256(whole[-1]).hexdigest()
                return Head(int(entry["seq"]) + 1 + back, last, size), closed, whole[len(whole) - back :]
    # No line is whole: every line of the file is torn.
    return Head(len(whole), hashlib.sha256(whole[-1]).hexdigest(), size), closed, whole
