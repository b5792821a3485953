"""What the processes of one log tell one another in `events.state`: a cache, which absent or wrong costs a scan.

Two slots of fixed size, each with a digest over itself: the head (written under the append lock) and how far the
log is synced (written under the sync lock). Both name the boot in which they hold; after a restart neither counts.
"""

from __future__ import annotations

import hashlib
import os
import struct
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from playe_assets.custody.log_lock import Descriptor

_HEAD = struct.Struct("<16s8sQQQ32s")
_SYNCED = struct.Struct("<16s8sQQQQB")
_DIGEST = 16
_SLOT = 128
_SIZE = 4096
NO_RUN = bytes(8)


class HeadSlot(NamedTuple):
    """The head of the log as the last writer left it."""

    run: bytes
    """8 random bytes, new whenever the head was found by a scan: lines counted in another run do not compare."""
    inode: int
    size: int
    lines: int
    last_hash: str


class SyncedSlot(NamedTuple):
    """How far the log is on the disk."""

    run: bytes = NO_RUN
    inode: int = 0
    size: int = 0
    """Bytes of the file `inode` that are known to be on the disk."""
    lines: int = 0
    """Lines of the log, over all files, that are on the disk; counts in the same `run` only."""
    failures: int = 0
    """How many fsyncs have failed since the boot. A process that knows a smaller number must stop."""
    poisoned: bool = False
    """The last fsync failed, and nobody has written the unsynced tail again since."""
    in_doubt: bool = False
    """An fsync began and nobody wrote down how it ended: its process was killed."""


NOTHING_SYNCED = SyncedSlot()


def boot_id() -> str | None:
    """The kernel's random name of this boot, null where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


class LogState:
    """The file `path`. Every method works where the file cannot be written; it then remembers nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        boot = boot_id()
        self._boot = uuid.UUID(boot).bytes if boot else None
        self._file: Descriptor | None = None

    def head(self) -> HeadSlot | None:
        """The head, or None: not known."""
        return self._head_of(self._read(0))

    def _head_of(self, raw: bytes) -> HeadSlot | None:
        found = self._get(raw, 0, _HEAD)
        return None if found is None else HeadSlot(found[1], found[2], found[3], found[4], found[5].hex())

    def both(self) -> tuple[HeadSlot | None, SyncedSlot]:
        """`head` and `synced` in one reading. Each slot vouches for itself; they need not be of one moment."""
        file = self._open()
        raw = b"" if file is None else os.pread(file.fileno(), 2 * _SLOT, 0)
        return self._head_of(raw[:_SLOT]), self._synced_of(raw[_SLOT:])

    def put_head(self, slot: HeadSlot) -> None:
        """Only under the append lock."""
        self._put(0, _HEAD, slot.run, slot.inode, slot.size, slot.lines, bytes.fromhex(slot.last_hash))

    def synced(self) -> SyncedSlot:
        """How far the log is synced; a slot of zeros where that is not known."""
        return self._synced_of(self._read(1))

    def _synced_of(self, raw: bytes) -> SyncedSlot:
        found = self._get(raw, 1, _SYNCED)
        if found is None:
            return NOTHING_SYNCED
        run, inode, size, lines, failures, flags = found[1:]
        return SyncedSlot(run, inode, size, lines, failures, bool(flags & 1), bool(flags & 2))

    def put_synced(self, slot: SyncedSlot) -> None:
        """Only under the sync lock."""
        flags = slot.poisoned | slot.in_doubt << 1
        self._put(1, _SYNCED, slot.run, slot.inode, slot.size, slot.lines, slot.failures, flags)

    def _open(self, make: bool = False) -> Descriptor | None:
        if self._file is None:
            with suppress(OSError):
                flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if make else 0)
                self._file = Descriptor(os.open(self.path, flags, 0o640))
                if (
                    os.fstat(self._file.fileno()).st_size < _SIZE
                ):  # so that a full disk has room for the slots
                    os.pwrite(self._file.fileno(), bytes(_SIZE - 2 * _SLOT), 2 * _SLOT)
        return self._file

    def _read(self, place: int) -> bytes:
        file = self._open()
        return b"" if file is None else os.pread(file.fileno(), _SLOT, place * _SLOT)

    def _get(self, raw: bytes, place: int, form: struct.Struct) -> tuple[Any, ...] | None:
        end = form.size + _DIGEST
        body = raw[: form.size]
        if self._boot is None or len(raw) < end or raw[form.size : end] != _digest(place, body):
            return None
        found = form.unpack(body)
        return found if found[0] == self._boot else None

    def _put(self, place: int, form: struct.Struct, *values: Any) -> None:
        file = self._open(make=True)
        if file is None or self._boot is None:
            return
        body = form.pack(self._boot, *values)
        with suppress(
            OSError
        ):  # an old slot is found out by its size, run or digest: it costs a scan or a sync
            os.pwrite(file.fileno(), body + _digest(place, body), place * _SLOT)


def _digest(place: int, body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST, person=b"%d" % place).digest()
