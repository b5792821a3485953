"""Opens files below the drop folder without following anything out of it.

Linux's openat2(2) resolves the whole path in the kernel (beneath the folder, no symbolic links, no other
file system). Where the kernel lacks it or a container's filter forbids it, every component is opened by
itself with O_NOFOLLOW and compared by device: the same rules, more system calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from playe_assets.core.errors import UnsafePathError
from playe_assets.core.values import Reason
from playe_assets.examination.names import shown

_OPENAT2: Final = 437  # the same number on every architecture (since Linux 5.6)
_NO_XDEV, _NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 1, 2, 4, 8
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DEEPEST: Final = 64


@dataclass(frozen=True)
class Entry:
    """One thing found below the folder: a regular file, or what is refused and why."""

    name: bytes
    """Path below the folder, components joined by `/`."""
    refused: Reason | None = None


@contextmanager
def drop_folder(folder: Path | bytes) -> Iterator[int]:
    """A descriptor of the drop folder.

    Raises:
        UnsafePathError: it is no folder, or a symbolic link to one.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as problem:
        raise UnsafePathError("intake.folder", folder=shown(os.fsencode(folder)),
                              problem=os.strerror(problem.errno or 0)) from None  # fmt: skip
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_beneath(folder: int, name: bytes, flags: int = _READ) -> int:
    """A descriptor of `name` below the descriptor `folder`.

    Raises:
        OSError: ELOOP for a symbolic link, EXDEV for a way out or another file system, else as open(2).
    """
    descriptor = _openat2(folder, name, flags)
    return _walk_open(folder, name, flags) if descriptor is None else descriptor


@cache
def _syscall() -> ctypes._NamedFuncPointer | None:
    try:
        call = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return None
    call.restype = ctypes.c_long
    return call


def _openat2(folder: int, name: bytes, flags: int) -> int | None:
    """None where the kernel has no openat2 or a filter forbids it."""
    call = _syscall()
    if call is None:
        return None
    how = struct.pack("=QQQ", flags, 0, _NO_XDEV | _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH)
    found: int = call(ctypes.c_long(_OPENAT2), ctypes.c_int(folder), ctypes.c_char_p(name),
                      ctypes.c_char_p(how), ctypes.c_size_t(len(how)))  # fmt: skip
    if found >= 0:
        return found
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EPERM):
        return None
    raise OSError(code, os.strerror(code))


def _walk_open(folder: int, name: bytes, flags: int) -> int:
    parts = name.split(b"/")
    if any(p in (b"", b".", b"..") for p in parts):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    device, current = os.fstat(folder).st_dev, os.dup(folder)
    try:
        for position, part in enumerate(parts):
            last = position == len(parts) - 1
            wanted = (flags if last else os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) | os.O_NOFOLLOW
            following = os.open(part, wanted, dir_fd=current)
            os.close(current)
            current = following
            _same_device(current, device)
    except BaseException:
        os.close(current)
        raise
    return current


def _same_device(descriptor: int, device: int) -> None:
    if os.fstat(descriptor).st_dev != device:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))


def walk(folder: int) -> list[Entry]:
    """Everything below `folder`, hidden files too, sorted by raw name; folders are entered, not listed."""
    found: list[Entry] = []
    _walk_into(folder, b"", 0, found)
    return sorted(found, key=lambda entry: entry.name)


def _walk_into(folder: int, above: bytes, depth: int, found: list[Entry]) -> None:
    with os.scandir(folder) as entries:
        for item in entries:
            name = above + os.fsencode(item.name)
            try:
                kind = item.stat(follow_symlinks=False).st_mode
            except OSError as problem:  # it went away between two system calls
                found.append(Entry(name, reason_of(problem)))
                continue
            if stat.S_ISDIR(kind):
                if depth >= _DEEPEST:
                    found.append(Entry(name, Reason("too_deep", {"limit": _DEEPEST})))
                    continue
                _enter(folder, os.fsencode(item.name), name, depth, found)
            else:
                found.append(Entry(name, _refusal(folder, item.name, kind)))


def _enter(folder: int, part: bytes, name: bytes, depth: int, found: list[Entry]) -> None:
    try:
        inner = open_beneath(folder, part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as problem:
        found.append(Entry(name, reason_of(problem)))
        return
    try:
        _walk_into(inner, name + b"/", depth + 1, found)
    finally:
        os.close(inner)


def _refusal(folder: int, name: str, kind: int) -> Reason | None:
    if stat.S_ISREG(kind):
        return None
    if stat.S_ISLNK(kind):
        try:
            return Reason("symlink", {"target": shown(os.fsencode(os.readlink(name, dir_fd=folder)))})
        except OSError as problem:
            return reason_of(problem)
    for test, code in ((stat.S_ISFIFO, "fifo"), (stat.S_ISSOCK, "socket")):
        if test(kind):
            return Reason(code, {})
    return Reason("device", {})


def reason_of(problem: OSError) -> Reason:
    """Why an entry could not be opened or read."""
    if problem.errno == errno.ELOOP:
        return Reason("symlink", {"target": "?"})
    if problem.errno == errno.EXDEV:
        return Reason("leads_out", {})
    if problem.errno in (errno.EACCES, errno.EPERM):
        return Reason("unreadable", {})
    return Reason("read_error", {"problem": os.strerror(problem.errno or 0)})
