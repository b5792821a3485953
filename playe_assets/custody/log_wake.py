"""Waking who waits for a lock: a shared counter on which processes sleep (futex) until the holder has counted on.

Only a hint. The lock itself is the kernel's `flock`, tried again after every wake-up and after `_LONGEST_S` at the
latest, so that a holder that was killed, or a counter that nobody can write, costs a little time and nothing else.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import time
from contextlib import suppress
from pathlib import Path

_LONGEST_S = 0.005
"""Seconds after which a sleeper looks for itself: what the death of a holder costs at most."""
_SLEEP, _WAKE = 0, 1
_CALLS = {"x86_64": 202, "aarch64": 98}
"""The number of the system call futex(2)."""


class WakeUps:
    """The counter in the file `path`: the lock's own file, one page long."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = -1
        self._counter: ctypes.c_uint32 | None = None
        self._futex = _futex()

    def seen(self) -> int:
        """The counter before the lock is tried; `wait` returns at once when it has moved since."""
        counter = self._opened()
        return 0 if counter is None else counter.value

    def wait(self, seen: int, longest_s: float = _LONGEST_S) -> None:
        """Sleep until a holder lets go, or for `longest_s`."""
        counter = self._opened()
        seconds = max(0.0, min(longest_s, _LONGEST_S))
        if counter is None or self._futex is None:
            time.sleep(min(seconds, 0.001))
            return
        limit = ctypes.create_string_buffer(struct.pack("qq", 0, int(seconds * 1e9)))
        self._futex(ctypes.byref(counter), _SLEEP, seen, limit)

    def count(self) -> None:
        """Move the counter. Only while the lock is held: counting on is not atomic."""
        counter = self._opened()
        if counter is not None:
            counter.value = (counter.value + 1) & 0xFFFFFFFF

    def wake(self, most: int) -> None:
        """Wake up to `most` sleepers, after the lock was let go: one who looks earlier would sleep again."""
        if self._counter is not None and self._futex is not None:
            self._futex(ctypes.byref(self._counter), _WAKE, most, None)

    def _opened(self) -> ctypes.c_uint32 | None:
        if self._pid != os.getpid():
            self._pid, self._counter = os.getpid(), None
            with suppress(OSError, ValueError):  # who may not write here looks again and again instead
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
                try:
                    if os.fstat(fd).st_size < mmap.PAGESIZE:
                        os.truncate(fd, mmap.PAGESIZE)
                    self._counter = ctypes.c_uint32.from_buffer(mmap.mmap(fd, mmap.PAGESIZE))
                finally:
                    os.close(fd)
        return self._counter


def _futex() -> _Futex | None:
    number = _CALLS.get(platform.machine())
    if number is None or platform.system() != "Linux":
        return None
    return _Futex(number)


class _Futex:
    """futex(2) by its number, because libc has no function for it."""

    def __init__(self, number: int) -> None:
        self._call = ctypes.CDLL(None).syscall
        self._number = number

    def __call__(self, counter: object, what: int, value: int, limit: object) -> None:
        self._call(ctypes.c_long(self._number), counter, ctypes.c_int(what), ctypes.c_uint32(value), limit, None,
                   ctypes.c_int(0))  # fmt: skip
