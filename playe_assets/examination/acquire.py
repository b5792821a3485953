"""Takes one file into the evidence store: hashed while copied, read a second time, the stored copy read back.

The two last readings run side by side, and the copy goes to disk meanwhile, so that durability costs little
beyond what the disk needs. The second reading may be served from the kernel's cache: it finds a file that
changes and memory that lies, not a disk that reads one sector differently each time.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playe_assets.core.errors import EvidenceChangedError, EvidenceError, UnsafePathError
from playe_assets.stores.case_store import CaseStore

PIECE: Final = 4 << 20
_SMALL: Final = 1 << 20
"""Below this, threads cost more than they save."""
_WRITE_NOW: Final = 2  # SYNC_FILE_RANGE_WRITE


class ReadError(EvidenceError):
    """The source cannot be read to its end; `facts["problem"]` is the system's word for it."""


@dataclass(frozen=True)
class Acquired:
    """A working copy in the store. The three digests were equal, or acquiring would have raised."""

    sha256: str
    size: int


def acquire(store: CaseStore, source: int) -> Acquired:
    """Copies the open file `source` (a descriptor, at any position) into `store`.

    Raises:
        UnsafePathError: it is no regular file.
        EvidenceChangedError: size, time or bytes changed meanwhile; `sha256` in its facts names the copy that
            was made of it and is kept.
        ReadError: the source cannot be read to its end.
        OSError: the store cannot be written; nothing is known about the evidence then.
    """
    before = os.fstat(source)
    if not stat.S_ISREG(before.st_mode):
        raise UnsafePathError("intake.no_file", mode=stat.filemode(before.st_mode))
    with store.scratch() as folder, ThreadPoolExecutor(3) as threads:
        copy = folder / "copy"
        first, size = _copy(source, copy, before.st_size, threads)
        again, back = _verify(source, copy, size, threads)
        after = os.fstat(source)
        stable = all(getattr(before, k) == getattr(after, k) for k in ("st_size", "st_mtime_ns", "st_ino"))
        store.adopt(copy, back)
    if not (stable and first == again == back and size == before.st_size):
        raise EvidenceChangedError("intake.changed", sha256=back, size=size, first=first, second=again)
    return Acquired(first, size)


def _copy(source: int, copy: Path, expected: int, threads: ThreadPoolExecutor) -> tuple[str, int]:
    """Digest of the bytes as they were read the first time, and how many there were."""
    goal = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    running, size = hashlib.sha256(), 0
    buffers = [memoryview(bytearray(min(PIECE, max(expected, 1)))) for _ in range(2)]
    writing: Future[None] | None = None
    flush = _flusher(goal)
    try:
        while count := _read(source, buffers[0], size):
            piece = buffers[0][:count]
            if writing is not None:
                writing.result()
            if expected > _SMALL:
                writing = threads.submit(_write, goal, piece, size, flush)
            else:
                _write(goal, piece, size, flush)
            running.update(piece)
            size += count
            buffers.reverse()
        if writing is not None:
            writing.result()
    finally:
        if writing is not None:
            wait([writing])  # or it would write into whatever file gets this descriptor next
        os.close(goal)
    return running.hexdigest(), size


def _verify(source: int, copy: Path, size: int, threads: ThreadPoolExecutor) -> tuple[str, str]:
    """Digests of the source's second reading and of the copy, which meanwhile reaches the disk."""
    stored = os.open(copy, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if size <= _SMALL:
            os.fdatasync(stored)
            return _digest(source), _digest(stored)
        durable = threads.submit(os.fdatasync, stored)
        again = threads.submit(_digest, source)
        back = _digest(stored)
        durable.result()
        return again.result(), back
    finally:
        os.close(stored)


def _digest(descriptor: int) -> str:
    running, position = hashlib.sha256(), 0
    piece = memoryview(bytearray(PIECE))
    while count := _read(descriptor, piece, position):
        running.update(piece[:count])
        position += count
    return running.hexdigest()


def _read(descriptor: int, piece: memoryview, position: int) -> int:
    try:
        return os.preadv(descriptor, [piece], position)
    except OSError as problem:
        raise ReadError("intake.read_error", problem=os.strerror(problem.errno or 0)) from None


def _write(goal: int, piece: memoryview, position: int, flush: Callable[[int, int], None]) -> None:
    start = position
    while piece:
        written = os.pwrite(goal, piece, position)
        piece, position = piece[written:], position + written
    flush(start, position - start)


def _flusher(goal: int) -> Callable[[int, int], None]:
    """Tells the kernel to begin writing what was copied, without waiting; a hint, so errors are ignored."""
    try:
        call = ctypes.CDLL(None).sync_file_range
    except (OSError, AttributeError):
        return lambda start, length: None

    def flush(start: int, length: int) -> None:
        call(ctypes.c_int(goal), ctypes.c_int64(start), ctypes.c_int64(length), ctypes.c_uint(_WRITE_NOW))

    return flush
