"""Making the log durable: one process syncs for all, and after a failed fsync every process stops.

A failed fsync tells of pages that may be lost and forgets them: the next fsync would succeed and lie. So the failure
is counted in `events.state`; whoever had the log open before stops for good. A process that starts later may go on
once it has written the bytes that were never synced again in place, and synced them. The same is due after an fsync
of which nobody wrote down how it ended.
"""

from __future__ import annotations

import os
from pathlib import Path

from playe_assets.core.errors import IntegrityError
from playe_assets.core.texts import text
from playe_assets.custody.log_lock import ALL, Descriptor, FileLock
from playe_assets.custody.log_state import LogState, SyncedSlot

_CHUNK = 1 << 20
_KNOWN_FAILURES: dict[str, int] = {}
"""By log, how many fsyncs had failed when this process first looked."""
_STOPPED: set[str] = set()
"""Logs to which this process writes nothing more."""


class GroupSync:
    """Who syncs the log at `path`, and how far it is synced."""

    def __init__(self, path: Path, state: LogState, timeout_s: float) -> None:
        self.path = path
        self.state = state
        self.lock = FileLock(path.with_suffix(".sync"), path, timeout_s, "custody.sync_timeout", ALL)
        self._key = os.path.realpath(path)

    def check(self) -> bool:
        """Whether the log may be written; False where the tail must be written again first (`take_over`).

        Raises:
            IntegrityError: an fsync failed since this process first looked (`custody.poisoned`).
        """
        return not self._checked().poisoned

    def _checked(self) -> SyncedSlot:
        return self.held_good(self.state.synced())

    def held_good(self, slot: SyncedSlot) -> SyncedSlot:
        """`slot`, which was just read; raises as `check`."""
        if slot.failures > _KNOWN_FAILURES.setdefault(self._key, slot.failures):
            _STOPPED.add(self._key)
        if self._key in _STOPPED:
            raise IntegrityError("custody.poisoned", path=str(self.path))
        return slot

    def settle(self, file: Descriptor, run: bytes | None, lines: int) -> None:
        """Return once the log's first `lines` lines are on the disk, by this process or another.

        Args:
            file: the file that holds the newest of them.
            run: the run of the head slot under which they were counted; None syncs in any case.
            lines: as counted over all files.

        Raises:
            LockTimeoutError: another process syncs for longer than the time limit (`custody.sync_timeout`).
            IntegrityError: `custody.poisoned`.
            OSError: the disk refused; from now on no process writes.
        """
        with self.lock.held(lambda: self._covers(run, lines)) as leads:
            if leads:
                self.sync(file, run, lines)

    def sync(self, file: Descriptor, run: bytes | None, lines: int) -> None:
        """Sync everything that is written by now, unless somebody has. Only under the lock."""
        head, known = self.state.both()
        if known.run == run and known.lines >= lines:
            return
        self.held_good(known)
        inode = file.place[1]
        if head is None or head.inode != inode or head.run != run:
            done = known._replace(in_doubt=False)  # counts nothing as synced but what was before
        else:
            done = SyncedSlot(head.run, inode, head.size, head.lines, known.failures)
        if known.in_doubt:
            write_again(self.path, known)
        self.state.put_synced(known._replace(in_doubt=True))
        self.sync_or_stop(file, known)
        self.state.put_synced(done)

    def sync_or_stop(self, file: Descriptor, known: SyncedSlot) -> None:
        """`fdatasync`; where it fails, nobody who has the log open writes any more. Only under the lock."""
        try:
            os.fdatasync(file.fileno())
        except OSError as problem:
            _STOPPED.add(self._key)
            self.state.put_synced(known._replace(failures=known.failures + 1, poisoned=True, in_doubt=False))
            said = text("custody_log.sync_failed", path=str(self.path))
            raise OSError(problem.errno, f"{problem.strerror}: {said}") from problem

    def take_over(self) -> int | None:
        """Write the tail that was never synced again in place and sync it: how many bytes, None if none was due.

        Only under this lock and the append lock.
        """
        if self.check():
            return None
        known = self.state.synced()
        count = write_again(self.path, known)
        self.sync_or_stop(Descriptor(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)), known)
        self.state.put_synced(SyncedSlot(failures=known.failures))
        return count

    def _covers(self, run: bytes | None, lines: int) -> bool:
        slot = self.state.synced()
        return slot.run == run and slot.lines >= lines


def write_again(path: Path, known: SyncedSlot) -> int:
    """Write the bytes of the file behind what is known to be synced over themselves; how many they were."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)  # without O_APPEND, which would append them
    try:
        found = os.fstat(fd)
        start = known.size if known.inode == found.st_ino and known.size <= found.st_size else 0
        place = start
        while place < found.st_size:
            data = os.pread(fd, min(_CHUNK, found.st_size - place), place)
            if not data:
                break
            place += os.pwrite(fd, data, place)
        return place - start
    finally:
        os.close(fd)
