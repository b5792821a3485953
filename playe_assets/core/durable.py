"""Files and names that outlive a power cut: written whole or not at all, and their folder synchronised."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(path: Path, data: bytes, mode: int = 0o640) -> None:
    """`data` at `path`, whole or not at all: temporary file, fsync, rename, fsync of the folder."""
    passing = path.with_name(f"{path.name}.tmp")
    fd = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    passing.rename(path)
    sync_folder(path.parent)


def make_folder(folder: Path, mode: int = 0o750) -> None:
    """`folder` and those above it, there after a power cut as well."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        folder.mkdir(mode=mode, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` last."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
