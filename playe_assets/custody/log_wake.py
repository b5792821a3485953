"""Waking who waits for a lock: a shared counter on which processes sleep (futex) until the holder has counted on.

Only a hint. The lock itself is the kernel's `flock`, tried again after every wake-up and after `_LONGEST_S` at the
latest, so that a holder that was killed, or a counter that nobody can write, costs a little time and nothing else.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import struct
import sys
import time
import weakref
from contextlib import suppress
from pathlib import Path

_LONGEST_S = 0.005
"""Seconds after which a sleeper looks for itself: what the death of a holder costs at most."""
_SLEEP, _WAKE = 0, 1
_NO_PAGE = -errno.EFAULT
_CALLS = {"x86_64": 202, "aarch64": 98}
"""The number of the system call futex(2)."""


class WakeUps:
    """The counter in the file `path`: the lock's own file, one page long.

    It is read and written as a file. The mapping only gives the kernel an address to sleep on: where the file was
    cut short, the kernel refuses, but a process that touched the page would be killed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pid = -1
        self._number = 0
        self._file: int | None = None
        self._page: ctypes.c_uint32 | None = None
        self._futex = _futex()

    def seen(self) -> int:
        """The counter before the lock is tried; `wait` returns at once when it has moved since."""
        file = self._opened()
        raw = b"" if file is None else os.pread(file, 4, 0)
        return int.from_bytes(raw, sys.byteorder)

    def wait(self, seen: int, longest_s: float = _LONGEST_S) -> None:
        """Sleep until a holder lets go, or for `longest_s`."""
        seconds = max(0.0, min(longest_s, _LONGEST_S))
        if self._opened() is None or self._futex is None:
            time.sleep(min(seconds, 0.001))
            return
        limit = ctypes.create_string_buffer(struct.pack("qq", 0, int(seconds * 1e9)))
        if self._futex(self._page, _SLEEP, seen, limit) == _NO_PAGE:
            time.sleep(min(seconds, 0.001))

    def count(self) -> None:
        """Write another number than any that was there lately; before the lock is let go."""
        file = self._opened()
        if file is not None:
            self._number += 1
            # Of one's own, so that it need not be read first; one number twice would let somebody sleep 5 ms too long.
            moved = (self._pid * 0x9E3779B1 + self._number) & 0xFFFFFFFF
            with suppress(OSError):
                os.pwrite(file, moved.to_bytes(4, sys.byteorder), 0)

    def wake(self, most: int) -> None:
        """Wake up to `most` sleepers, after the lock was let go: one who looks earlier would sleep again."""
        if self._page is not None and self._futex is not None:
            self._futex(self._page, _WAKE, most, None)

    def _opened(self) -> int | None:
        if self._pid != os.getpid():
            self._pid, self._file, self._page = os.getpid(), None, None
            with suppress(OSError, ValueError):  # who may not write here looks again and again instead
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
                weakref.finalize(self, os.close, fd)
                if os.fstat(fd).st_size < mmap.PAGESIZE:
                    os.truncate(fd, mmap.PAGESIZE)
                self._page = ctypes.c_uint32.from_buffer(mmap.mmap(fd, mmap.PAGESIZE))
                self._file = fd
        return self._file


def _futex() -> _Futex | None:
    number = _CALLS.get(platform.machine())
    if number is None or platform.system() != "Linux":
        return None
    return _Futex(number)


class _Futex:
    """futex(2) by its number, because libc has no function for it."""

    def __init__(self, number: int) -> None:
        self._call = ctypes.CDLL(None, use_errno=True).syscall
        self._number = number

    def __call__(self, page: ctypes.c_uint32 | None, what: int, value: int, limit: object) -> int:
        """0 or more, or the negative error number."""
        done = self._call(ctypes.c_long(self._number), ctypes.byref(page) if page is not None else None,
                          ctypes.c_int(what), ctypes.c_uint32(value), limit, None, ctypes.c_int(0))  # fmt: skip
        return -ctypes.get_errno() if done < 0 else int(done)
