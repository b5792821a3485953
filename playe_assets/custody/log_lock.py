"""A lock over threads and processes on a file of its own, with a time limit and an error that says what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playe_assets.core.durable import make_folder
from playe_assets.core.errors import LockTimeoutError
from playe_assets.custody.log_wake import WakeUps

ALL = 2**31 - 1


class Descriptor:
    """An open file that is closed when nobody uses it any more, so that no thread syncs a number that changed hands."""

    def __init__(self, number: int) -> None:
        self._number = number
        found = os.fstat(number)
        self.place = (found.st_dev, found.st_ino)
        """Device and inode, which an open file keeps wherever it is moved."""

    def fileno(self) -> int:
        """As `os` functions take it."""
        return self._number

    def __del__(self) -> None:
        os.close(self._number)


class FileLock:
    """`flock` on `path`, which is made where it does not exist.

    A flock belongs to the open file description, which threads and forked children share: so a thread lock besides,
    and a child opens the file anew. The kernel frees the lock of a process that is killed.
    """

    def __init__(self, path: Path, log: Path, timeout_s: float, code: str, wakes: int = 1) -> None:
        """`log` and `code` (of the error) are for the message. `wakes`: how many to wake when it is let go."""
        self.path = path
        self.log = log
        self.timeout_s = timeout_s
        self.code = code
        self.wakes = wakes
        self._wake = WakeUps(path)
        self._threads = threading.Lock()
        self._file: Descriptor | None = None
        _watch_forks()
        _LOCKS.add(self)

    @contextmanager
    def held(self, unless: Callable[[], bool] | None = None, *, looks: bool = False) -> Iterator[bool]:
        """Hold the lock for the block (True), or do without it because `unless` came true meanwhile (False).

        Args:
            unless: asked before every try.
            looks: leave no trace in the file; who waits then looks for itself a little later.

        Raises:
            LockTimeoutError: somebody else held it longer than `timeout_s`.
        """
        deadline = time.monotonic() + self.timeout_s
        if not self._threads.acquire(timeout=max(self.timeout_s, 0)):
            raise self._late()
        try:
            got = self._lock(deadline, unless)
            try:
                yield got
            finally:
                if got and self._file is not None:
                    if not looks:
                        self._wake.count()
                    fcntl.flock(self._file, fcntl.LOCK_UN)
                    self._wake.wake(self.wakes)
        finally:
            self._threads.release()

    def _lock(self, deadline: float, unless: Callable[[], bool] | None) -> bool:
        if self._file is None:
            self._file = _opened(self.path)
        seen: int | None = None
        while True:
            if unless is not None and unless():
                return False
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left < 0:
                    raise self._late() from None
                if seen is not None:  # else it is tried once more: the counter must be older than the try
                    self._wake.wait(seen, left)
                seen = self._wake.seen()
            else:
                if _is_at(self.path, self._file):
                    return True
                # Somebody removed the file: whoever came later locks another one, so this lock keeps nobody out.
                self._file, self._wake = _opened(self.path), WakeUps(self.path)

    def renew(self) -> None:
        """In a forked child: no thread that held it is here, and the parent's lock must not live on in the child."""
        self._threads, self._file, self._wake = threading.Lock(), None, WakeUps(self.path)

    def _late(self) -> LockTimeoutError:
        return LockTimeoutError(self.code, path=str(self.log), lock=str(self.path), seconds=self.timeout_s)


_LOCKS: weakref.WeakSet[FileLock] = weakref.WeakSet()
_watching: list[bool] = []


def _watch_forks() -> None:
    if not _watching:
        _watching.append(True)
        os.register_at_fork(after_in_child=_renewed)


def _renewed() -> None:
    for lock in list(_LOCKS):
        lock.renew()


def _is_at(path: Path, file: Descriptor) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return file.place == (there.st_dev, there.st_ino)


def _opened(path: Path) -> Descriptor:
    make_folder(path.parent, 0o777)
    try:
        return Descriptor(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640))
    except OSError as problem:
        if problem.errno not in (errno.EACCES, errno.EROFS):
            raise
        # Who may only read waits for writers all the same.
        return Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
