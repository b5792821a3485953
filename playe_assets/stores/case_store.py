"""The evidence store of one case: every object lies under its sha256, read-only, whole or not there at all.

A file is written under `tmp/`, synchronised, renamed into `objects/ab/`, and its folder synchronised, so that
after a power cut an object is complete or absent. A record is a claim about an object: `get_*` hash again.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playe_assets.core.canonical import canonical_json
from playe_assets.core.durable import sync_folder
from playe_assets.core.errors import IntegrityError

PIECE: Final = 4 << 20
"""Bytes hashed at a time: memory stays flat whatever the size of the object."""


class CaseStore:
    """Content-addressed objects below `root` (`models-data/cases/<case>`); several processes may write.

    Two writers of the same bytes meet in the same name; the second finds the object there and drops its copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the object lies or would lie; nothing is looked up.

        Raises:
            IntegrityError: `sha256` is not 64 lower-case hexadecimal digits (a manifest was tampered with).
        """
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise IntegrityError("store.name", sha256=sha256)
        return self.root / "objects" / sha256[:2] / sha256

    def has(self, sha256: str) -> bool:
        """Whether the object is there (its bytes are not read: `verify` does)."""
        return self.path(sha256).is_file()

    def put_bytes(self, data: bytes) -> str:
        """Stores `data`; returns its sha256."""
        name = hashlib.sha256(data).hexdigest()
        if self.has(name):
            return name
        with self.scratch() as folder:
            path = folder / "object"
            path.write_bytes(data)
            self._move_in(path, name)
        return name

    def put_json(self, value: Any) -> str:
        """Stores the canonical JSON of `value`; returns its sha256."""
        return self.put_bytes(canonical_json(value))

    def get_bytes(self, sha256: str) -> bytes:
        """The object's bytes, hashed again on the way.

        Raises:
            IntegrityError: the object is absent, or its bytes have another digest.
        """
        path = self.path(sha256)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise IntegrityError("store.absent", sha256=sha256, path=str(path)) from None
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise IntegrityError("store.digest", sha256=sha256, found=found, path=str(path))
        return data

    def get_json(self, sha256: str) -> Any:
        """The object parsed as JSON, after its digest was checked as in `get_bytes`."""
        return json.loads(self.get_bytes(sha256))

    def verify(self, sha256: str) -> bool:
        """Whether the bytes on disk still have their digest; any size, 4 MiB of memory.

        Raises:
            IntegrityError: the object is absent.
        """
        path = self.path(sha256)
        try:
            return hash_file(path)[0] == sha256
        except FileNotFoundError:
            raise IntegrityError("store.absent", sha256=sha256, path=str(path)) from None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A fresh private folder on the filesystem of the store, removed afterwards with all in it."""
        above = self.root / "tmp"
        above.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = above / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def adopt(self, path: Path, sha256: str | None = None) -> tuple[str, int]:
        """Moves a finished scratch file in; returns its sha256 and size. An object that is there is kept.

        `sha256` is given only by a caller that has just read these very bytes back from `path`, hashed and
        synchronised them; otherwise both happen here.
        """
        name, size = (sha256, path.stat().st_size) if sha256 else hash_file(path)
        if self.has(name):
            path.unlink()
        else:
            self._move_in(path, name, synchronised=sha256 is not None)
        return name, size

    def _move_in(self, path: Path, name: str, synchronised: bool = False) -> None:
        goal = self.path(name)
        if not goal.parent.is_dir():
            goal.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(goal.parent.parent)
            sync_folder(self.root)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, 0o444)
            if not synchronised:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.rename(goal)
        sync_folder(goal.parent)


def hash_file(path: Path) -> tuple[str, int]:
    """The sha256 of a file and its size in bytes, read in pieces."""
    running, size = hashlib.sha256(), 0
    piece = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(piece):
            running.update(piece[:count])
            size += count
    return running.hexdigest(), size
