"""The append-only custody log: JSON lines chained by hash, durable on return, one chain over threads and processes.

A line's `seq` is its index in the log, its `prev_hash` the sha256 of the raw previous line without its newline (64
zeros for the first). Nothing is ever rewritten. A line cut short by a crash is closed with a newline, keeps its index
and is acknowledged by a `log.torn` entry, which states how many torn lines stand before it and their sha256. Writers
append under one lock and are synced by one of them for all under another (ADR 0013); a full file is renamed and the
chain goes on in a new one.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.core.durable import sync_folder
from playe_assets.core.errors import IntegrityError
from playe_assets.core.texts import text
from playe_assets.custody import log_read
from playe_assets.custody.log_lock import Descriptor, FileLock
from playe_assets.custody.log_read import GENESIS, Head, parse
from playe_assets.custody.log_state import NO_RUN, HeadSlot, LogState, boot_id
from playe_assets.custody.log_sync import GroupSync
from playe_assets.custody.log_verify import Checked, ClockFinding, Finding, LineCheck

__all__ = ["GENESIS", "Checked", "ClockFinding", "CustodyLog", "Finding", "Head", "utc_now"]


def utc_now() -> str:
    """The wall clock as ISO 8601 UTC with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class CustodyLog:
    """The log at `path`. Safe over threads and processes, after fork too."""

    def __init__(self, path: Path, lock_timeout_s: float = 30.0, rotate_bytes: int = 0) -> None:
        """`rotate_bytes`: a file that has grown to this size is renamed before the next append; 0: never."""
        self.path = path
        self.lock_timeout_s = lock_timeout_s
        self.rotate_bytes = rotate_bytes
        self._state = LogState(path.with_suffix(".state"))
        self._appending = FileLock(path.with_suffix(".lock"), path, lock_timeout_s, "custody.lock_timeout")
        self._sync = GroupSync(path, self._state, lock_timeout_s)
        self._file: Descriptor | None = None
        self._boot = boot_id()
        self._marks: dict[int, tuple[int, int]] = {}
        # Stands for what is known only under the lock; random, so that no entry can hold it.
        self._gap = f'"{secrets.token_hex(16)}"'

    def append(self, entries: Sequence[Mapping[str, Any]]) -> list[int]:
        """Append `entries` in order and return their numbers once they are on the disk.

        Raises:
            LockTimeoutError: another process held the append lock (`custody.lock_timeout`: nothing was written) or
                synced (`custody.sync_timeout`: written, but not acknowledged) longer than `lock_timeout_s`.
            IntegrityError: an fsync failed (`custody.poisoned`), so this process promises nothing more.
            OSError: the disk refused the bytes; what was written of them is not acknowledged.
        """
        prepared = [self._prepared(entry) for entry in entries]
        if not prepared:
            return []
        if self.rotate_bytes and self._size() >= self.rotate_bytes:
            self._rotate()
        while True:
            with self._appending.held():
                slot, synced = self._state.both()
                if not self._sync.held_good(synced).poisoned:
                    file, head, run = self._current(slot)
                    head = self._write(file, head, prepared, run)
                    break
            self._take_over()
        self._sync.settle(file, run, head.lines)
        return list(range(head.lines - len(prepared), head.lines))

    def head(self) -> Head:
        """The present end of the log, which is on the disk; an empty log has zero lines and the genesis hash.

        Waits for a line that is being written: a report states the head, and half a line is no witness.

        Raises:
            LockTimeoutError, IntegrityError, OSError: as `append`.
        """
        if not self._appending.path.exists():  # a copy: no process writes to it
            return self._found()[0]
        if not self._sync.check():
            self._take_over()
        with self._appending.held():
            head, run = self._found()
            if self._place() is None:  # never written, or between two files: what there is was synced
                return head
            file = Descriptor(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        self._sync.settle(file, run, head.lines)
        return head

    def files(self) -> list[tuple[Path, int]]:
        """(file, number of its first line), oldest first."""
        return log_read.files(self.path)

    def lines(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """(index, raw line without its newline) from `start` over all files; what is before costs next to nothing."""
        return log_read.raw_lines(self.path, start, marks=self._marks)

    def read(self, start: int = 0) -> Iterator[tuple[int, dict[str, Any] | None, bytes]]:
        """(index, entry, raw line) from `start` over all files; the entry of a torn line is None."""
        for index, raw in self.lines(start):
            yield index, parse(raw), raw

    def verify(
        self,
        progress: Callable[[int], object] | None = None,
        on_line: Callable[[int, bytes], object] | None = None,
    ) -> tuple[int, Finding | None]:
        """(lines checked, first finding or None): every seq, prev_hash and the JSON of every line, memory flat."""
        checked = self.check(progress, on_line)
        return checked.lines, checked.finding

    def check(
        self,
        progress: Callable[[int], object] | None = None,
        on_line: Callable[[int, bytes], object] | None = None,
        locked: bool = True,
    ) -> Checked:
        """`verify` and the clocks in one reading.

        Args:
            progress: called with the number of lines checked, now and then.
            on_line: called with (index, raw line) for every line up to the first finding, such as a Merkle tree's
                `add`.
            locked: without the append lock the last line may be half of one that is just being written.

        Raises:
            LockTimeoutError: a writer holds the append lock longer than `lock_timeout_s`.
        """
        found = LineCheck()
        for index, raw in log_read.raw_lines(self.path, until=self._end() if locked else None):
            if not found.add(index, raw):
                break
            if on_line is not None:
                on_line(index, raw)
            if progress is not None and not index % 4096:
                progress(index)
        return found.result()

    def clock_findings(self) -> tuple[ClockFinding, ...]:
        """Where a clock was set back, as far as the lines tell. Advisory: the chain does not depend on clocks."""
        return self.check().clocks

    def _end(self) -> tuple[int, int] | None:
        """(inode, size) of the newest file while nobody writes."""
        if not self._appending.path.exists():
            return None
        with self._appending.held(looks=True):
            try:
                found = self.path.stat()
            except FileNotFoundError:
                return None
            return found.st_ino, found.st_size

    def _place(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _found(self) -> tuple[Head, bytes | None]:
        """The head and the run under which it is known, without writing a line."""
        base = log_read.base_of(log_read.rotated(self.path))
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return base, None
        with file:
            now = os.fstat(file.fileno())
            slot = self._state.head()
            if slot is not None and (slot.inode, slot.size) == (now.st_ino, now.st_size):
                return Head(slot.lines, slot.last_hash, slot.size), slot.run
            return log_read.scan_tail(file.fileno(), now.st_size, base)[0], None

    def _opened(self) -> tuple[Descriptor, int]:
        """The newest file, opened anew where another process rotated the log, and its size. Only under the lock."""
        if self._file is not None:
            try:
                there = self.path.stat()
            except FileNotFoundError:
                pass
            else:
                if (there.st_dev, there.st_ino) == self._file.place:
                    return self._file, there.st_size
        # The old one is closed once nobody syncs it any more.
        self._file = Descriptor(os.open(self.path, _FLAGS, 0o640))
        return self._file, os.fstat(self._file.fileno()).st_size

    def _current(self, slot: HeadSlot | None = None) -> tuple[Descriptor, Head, bytes]:
        """The file to append to, its head and run, its tail closed and acknowledged. Only under the append lock.

        `slot`: the head slot where it was just read.
        """
        file, size = self._opened()
        slot = slot or self._state.head()
        if slot is not None and (slot.inode, slot.size) == (file.place[1], size):
            return file, Head(slot.lines, slot.last_hash, slot.size), slot.run
        run = secrets.token_bytes(8)
        older = log_read.rotated(self.path)
        base = log_read.base_of(older)
        if size == 0:
            sync_folder(self.path.parent)
            begun = {"event": "log.rotated", "previous": older[-1][0].name} if older else None
            return file, self._note(file, base, begun, run), run
        head, closed, torn = log_read.scan_tail(file.fileno(), size, base)
        newline = b"" if closed else b"\n"  # a full line that only lacks its newline is never called torn
        # The torn bytes stay as a line of their own; closing and acknowledging them is one write. A crash
        # within that write leaves lines that are closed but not acknowledged: then only the latter is due.
        note: dict[str, Any] | None = None
        if torn:
            sha256 = hashlib.sha256(b"".join(raw + b"\n" for raw in torn)).hexdigest()
            note = {"event": "log.torn", "torn_line": head.lines - len(torn), "torn_lines": len(torn),
                    "torn_sha256": sha256}  # fmt: skip
        return file, self._note(file, head, note, run, newline), run

    def _note(
        self, file: Descriptor, head: Head, note: Mapping[str, Any] | None, run: bytes, before: bytes = b""
    ) -> Head:
        prepared = [] if note is None else [self._prepared({**note, "t_start_utc": utc_now()})]
        return self._write(file, head, prepared, run, before)

    def _prepared(self, entry: Mapping[str, Any]) -> list[bytes]:
        """The canonical JSON of `entry`, cut where its place in the log will stand: this needs no lock."""
        gap = self._gap[1:-1]
        full = {
            **entry,
            "boot_id": self._boot,
            "clock_boottime": gap,
            "clock_utc": gap,
            "prev_hash": gap,
            "seq": gap,
        }
        return canonical_json(full).split(self._gap.encode())

    def _write(
        self,
        file: Descriptor,
        head: Head,
        prepared: Sequence[Sequence[bytes]],
        run: bytes,
        before: bytes = b"",
    ) -> Head:
        """Number, chain and write; the head behind them. Only under the append lock."""
        out = bytearray(before)
        count, last = head.lines, head.last_hash
        boottime = round(time.clock_gettime(time.CLOCK_BOOTTIME), 6)
        clocks = repr(boottime).encode(), b'"%b"' % utc_now().encode()
        for start, utc, previous, seq, rest in prepared:
            raw = b"".join((start, clocks[0], utc, clocks[1], previous, b'"%b"' % last.encode(), seq,
                            b"%d" % count, rest))  # fmt: skip
            out += raw
            out += b"\n"
            last = hashlib.sha256(raw).hexdigest()
            count += 1
        view = memoryview(out)
        try:
            while view:
                view = view[os.write(file.fileno(), view) :]
        except OSError as problem:
            said = text("custody_log.write_failed", path=str(self.path))
            raise OSError(problem.errno, f"{problem.strerror}: {said}") from problem
        head = Head(count, last, head.size + len(out))
        self._state.put_head(HeadSlot(run, file.place[1], head.size, count, last))
        return head

    def _take_over(self) -> None:
        with self._sync.lock.held(), self._appending.held():
            count = self._sync.take_over()
            if count is not None:
                # The tail is looked at again, for pages may be lost, and nobody who stopped is covered by a new run.
                self._state.put_head(HeadSlot(NO_RUN, 0, 0, 0, GENESIS))
                file, head, run = self._current()
                self._note(file, head, {"event": "log.resumed", "written_again_bytes": count}, run)

    def _rotate(self) -> None:
        # The sync lock comes before the append lock wherever both are held.
        with self._sync.lock.held(), self._appending.held():
            if not self._sync.check():
                return  # the append that follows writes the tail again first; the next one rotates
            file, head, run = self._current()
            first = self.files()[-1][1]
            if head.size < self.rotate_bytes or head.lines - first < 2:
                return  # another process was faster; a file that holds next to nothing is kept
            self._sync.sync(file, run, head.lines)
            target = log_read.rotated_name(self.path, first)
            if target.exists():
                raise IntegrityError("custody.rotation_blocked", path=str(self.path), target=str(target))
            self.path.rename(target)
            sync_folder(self.path.parent)
            file, head, run = self._current()
            self._sync.sync(file, run, head.lines)


_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
