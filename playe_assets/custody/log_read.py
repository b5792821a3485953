"""The log's lines from its files, oldest first: names of rotated files, the end of a file, one line parsed."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

GENESIS = "0" * 64
"""The `prev_hash` of the first line."""
_CHUNK = 1 << 16
_BUFFER = 1 << 20
_MARK_EVERY = 64


@dataclass(frozen=True)
class Head:
    """The end of the log: how many lines, the hash of the last one, and the size of the newest file in bytes."""

    lines: int
    last_hash: str
    size: int


def parse(raw: bytes) -> dict[str, Any] | None:
    """The entry of a raw line, or None for a line that is none: torn, or not written by the log."""
    try:
        entry = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    seq = entry.get("seq") if isinstance(entry, dict) else None
    return entry if type(seq) is int and 0 <= seq < 1 << 63 else None  # further no head counts


def rotated_name(path: Path, first: int) -> Path:
    """What the file at `path` is called once it is rotated; `first` is the number of its first line."""
    return path.with_name(f"{path.stem}-{first:012d}{path.suffix}")


def rotated(path: Path) -> list[tuple[Path, int]]:
    """(rotated file, number of its first line as its name states it), oldest first."""
    form = re.compile(re.escape(path.stem) + r"-(\d{12,})" + re.escape(path.suffix))
    try:
        # A pipe would let every reader wait for ever, and a folder is no line: what is no file is absent.
        names = [p.name for p in path.parent.iterdir() if form.fullmatch(p.name) and p.is_file()]
    except FileNotFoundError:
        return []
    found = [(path.with_name(n), int(m[1])) for n in names if (m := form.fullmatch(n))]
    return sorted(found, key=lambda item: item[1])


def files(path: Path) -> list[tuple[Path, int]]:
    """(file, number of its first line), oldest first; the newest is `path` itself, where it exists."""
    found = rotated(path)
    try:
        with path.open("rb") as handle:
            entry = parse(handle.readline())
    except FileNotFoundError:
        return found
    first = base_of(found).lines if entry is None else int(entry["seq"])
    return [*found, (path, first)]


def base_of(older: list[tuple[Path, int]]) -> Head:
    """What a new file goes on from: the end of the newest of the rotated files, or the genesis."""
    if not older:
        return Head(0, GENESIS, 0)
    path, first = older[-1]
    with path.open("rb") as handle:
        head = scan_tail(handle.fileno(), os.fstat(handle.fileno()).st_size, Head(first, GENESIS, 0))[0]
    return Head(head.lines, head.last_hash, 0)


def scan_tail(fd: int, size: int, base: Head) -> tuple[Head, bool, list[bytes]]:
    """The head of a file of `size` bytes, whether it ends in a newline, and the torn lines at its end.

    Reads backwards, no further than the last line that is whole; `base` is what the file goes on from.
    """
    if size == 0:
        return base, True, []
    closed = os.pread(fd, 1, size - 1) == b"\n"
    torn: list[bytes] = []  # the last one first
    for raw in _backwards(fd, size - closed):
        entry = parse(raw)
        if entry is not None:
            last = hashlib.sha256(torn[0] if torn else raw).hexdigest()
            return Head(int(entry["seq"]) + 1 + len(torn), last, size), closed, torn[::-1]
        torn.append(raw)
    # No line is whole: every line of the file is torn.
    return Head(base.lines + len(torn), hashlib.sha256(torn[0]).hexdigest(), size), closed, torn[::-1]


def _backwards(fd: int, end: int) -> Iterator[bytes]:
    """The lines before `end`, the last one first, each byte read once."""
    pieces: list[bytes] = []  # of a line the beginning of which is not read yet, the last one first
    while end > 0:
        step = min(_CHUNK, end)
        end -= step
        first, *rest = os.pread(fd, step, end).split(b"\n")
        for piece in reversed(rest):
            yield b"".join([piece, *reversed(pieces)])
            pieces = []
        pieces.append(first)
    yield b"".join(reversed(pieces))


def raw_lines(
    path: Path,
    start: int = 0,
    until: tuple[int, int] | None = None,
    marks: dict[int, tuple[int, int]] | None = None,
) -> Iterator[tuple[int, bytes]]:
    """(index, raw line without its newline) from `start` over all files, also while the log is being rotated.

    Args:
        path: the newest file.
        start: lines before it are skipped unread: whole files by their names, the rest by counting newlines.
        until: (inode, size) of the newest file, where to stop: half a line of a writer at work is never met.
        marks: by inode, (line, offset) of a line's beginning that an earlier call came to; kept up to date.
    """
    marks = {} if marks is None else marks
    read: set[int] = set()
    index = 0
    older = rotated(path)
    for (name, _), (_, following) in itertools.pairwise(older):
        if following <= start:
            read.add(name.stat().st_ino)
            index = following
    while (handle := _oldest_unread(path, read)) is not None:
        with handle:
            inode = os.fstat(handle.fileno()).st_ino
            read.add(inode)
            offset = 0
            if index < start:
                index, offset = _skip(handle, index, start, marks.get(inode))
            limit = until[1] if until is not None and until[0] == inode else None
            full: list[Path] = []
            for line in _lines_of(handle, path, inode, full):
                raw = line if limit is None else line[: max(limit - offset, 0)]
                if not raw:
                    break
                offset += len(raw)
                whole = raw.endswith(b"\n")
                if index >= start:
                    yield index, raw[:-1] if whole else raw
                index += 1
                if whole and not index % _MARK_EVERY:
                    marks[inode] = (index, offset)
        # What came after the end of the newest file is for the next reading, also where a further file has begun
        # since: between that end and the further file there may be lines.
        if limit is not None or not full:
            return


def _oldest_unread(path: Path, read: set[int]) -> BinaryIO | None:
    while True:
        older = rotated(path)
        for name, _ in older:
            if name.stat().st_ino not in read:
                return name.open("rb", buffering=_BUFFER)
        try:
            handle = path.open("rb", buffering=_BUFFER)
        except FileNotFoundError:
            handle = None
        if rotated(path) != older:  # the log was rotated between the two looks
            if handle is not None:
                handle.close()
            continue
        if handle is not None and os.fstat(handle.fileno()).st_ino in read:
            handle.close()
            return None
        return handle


def _lines_of(handle: BinaryIO, path: Path, inode: int, full: list[Path]) -> Iterator[bytes]:
    """Lines with their newline; the last one without, where the file ends so. Told in `full`: no more can come."""
    left = b""
    final = not _is_at(path, inode)  # a rotated file grows no more
    while True:
        for raw in handle:
            if raw.endswith(b"\n"):
                yield left + raw if left else raw
                left = b""
            else:
                left += raw
        if final:
            full.append(path)
            break
        if _is_at(path, inode):
            break
        final = True  # it was renamed meanwhile: what was appended until then belongs before the next file
    if left:
        yield left


def _is_at(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except FileNotFoundError:
        return False


def _skip(handle: BinaryIO, index: int, start: int, mark: tuple[int, int] | None) -> tuple[int, int]:
    """Move `handle` from line `index`, its first, to line `start` or its end; (line, offset) where it stands."""
    offset = 0
    if mark is not None and index <= mark[0] <= start:
        handle.seek(mark[1] - 1)
        if handle.read(1) == b"\n":  # else somebody changed the file since
            index, offset = mark
    handle.seek(offset)
    while index < start and (chunk := handle.read(_BUFFER)):
        lines = chunk.count(b"\n")
        if index + lines < start:
            index += lines
            offset += len(chunk)
            continue
        place = -1
        while index < start:
            place = chunk.index(b"\n", place + 1)
            index += 1
        offset += place + 1
    handle.seek(offset)
    return index, offset
