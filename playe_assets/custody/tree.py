"""The log's Merkle tree with a cache of its nodes (`tree.bin` beside the log), so that a proof costs a few reads.

The cache is derived: absent, torn or wrong it is made anew from the log and costs time, never a line. Every root
and every proof is checked against the cache's own root, which a checksum guards, before it is given out.
Whether the log's present lines still are those under a checkpoint is the audit's question: it reads them all.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from playe_assets.core.errors import IntegrityError, LockTimeoutError
from playe_assets.custody import merkle
from playe_assets.custody.log import GENESIS, CustodyLog
from playe_assets.custody.log_read import parse

T = TypeVar("T")
_MAGIC = b"PLAYE tree 1\n\0\0\0"
_HEADER = struct.Struct(">16sQ32s32s32s")
"""Magic, lines, SHA-256 of the last raw line, root, SHA-256 of all that."""
_NODES = 128
"""Where the nodes begin. They stand in the order in which they become whole: each leaf, then the parents that it
completes (32 bytes each, so less than 64 a line)."""
_BATCH = 1 << 20
"""Bytes of nodes that are written at once."""


class LogTree:
    """The tree over the lines of `log`, as far as `log.head()` says that they are there."""

    def __init__(self, log: CustodyLog, path: Path | None = None) -> None:
        """`path`: the cache, `tree.bin` beside the log unless given."""
        self.log = log
        self.path = path or log.path.with_name("tree.bin")
        self._threads = threading.RLock()
        self._passing: int | None = None

    def size(self) -> int:
        """Lines of the log now."""
        return self.log.head().lines

    def root(self, size: int) -> bytes:
        """The root over the first `size` lines.

        Raises:
            ValueError: the log has fewer lines.
            IntegrityError: the log broke off under the reader, or two readings of it differ.
            LockTimeoutError: another process made the cache for longer than the log's lock timeout.
        """

        def work(nodes: _Nodes) -> bytes:
            found = nodes.subtree(0, size)
            if size and not merkle.consistent(
                size, nodes.size, found, nodes.root,
                merkle.consistency_from(nodes.size, size, nodes.subtree),
            ):  # fmt: skip
                raise _WrongCacheError
            return found

        return self._with_nodes(size, work)

    def full(self, size: int) -> list[bytes]:
        """The roots of the full subtrees of the first `size` lines, the largest first, as `merkle.Frontier` takes them.

        They fold to `root(size)`: whoever knows that root from elsewhere knows that they are right.
        """
        return self._with_nodes(size, lambda nodes: [nodes.at(*place) for place in peaks(0, size)])

    def leaf(self, seq: int) -> bytes:
        """The leaf hash of line `seq` as it was when the cache read it (errors as `root`)."""
        return self._with_nodes(seq + 1, lambda nodes: nodes.at(0, seq))

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """The proof that line `seq` is in the tree of `size` lines (errors as `root`)."""

        def work(nodes: _Nodes) -> list[bytes]:
            proof = merkle.inclusion_from(size, seq, nodes.subtree)
            if not merkle.included(nodes.at(0, seq), seq, size, proof, nodes.subtree(0, size)):
                raise _WrongCacheError
            return proof

        self.root(size)
        return self._with_nodes(size, work)

    def consistency(self, first: int, size: int) -> list[bytes]:
        """The proof that the tree of `first` lines begins that of `size` lines (errors as `root`)."""

        def work(nodes: _Nodes) -> list[bytes]:
            proof = merkle.consistency_from(size, first, nodes.subtree)
            old, new = nodes.subtree(0, first), nodes.subtree(0, size)
            if not merkle.consistent(first, size, old, new, proof):
                raise _WrongCacheError
            return proof

        self.root(size)
        return self._with_nodes(size, work)

    def several(self, seqs: Iterable[int], size: int) -> list[bytes]:
        """One proof that all lines `seqs` are in the tree of `size` lines (`merkle.several`; errors as `root`)."""
        wanted = sorted(set(seqs))

        def work(nodes: _Nodes) -> list[bytes]:
            proof = merkle.several_from(size, wanted, nodes.subtree)
            known = {seq: nodes.at(0, seq) for seq in wanted}
            if merkle.root_of_several(known, size, proof) != nodes.subtree(0, size):
                raise _WrongCacheError
            return proof

        self.root(size)
        return self._with_nodes(size, work)

    def anew(self) -> None:
        """Make the cache from the log's lines as they are now."""
        with self._opened() as fd:
            os.ftruncate(fd, 0)
            self._grown(fd)

    def _with_nodes(self, size: int, work: Callable[[_Nodes], T]) -> T:
        with self._opened() as fd:
            try:
                return work(self._up_to_date(fd, size))
            except _WrongCacheError:
                os.ftruncate(fd, 0)
            try:
                return work(self._up_to_date(fd, size))
            except _WrongCacheError:
                raise IntegrityError("tree.unsteady", path=str(self.path)) from None

    def _up_to_date(self, fd: int, size: int) -> _Nodes:
        nodes = self._grown(fd)
        if not 0 <= size <= nodes.size:
            raise ValueError(f"the log has {nodes.size} lines, not {size}")
        return nodes

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The cache's file under its lock. A copy of the log on a medium that takes no file gets a passing one."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as problem:
            if problem.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
                raise
            with self._threads:
                if self._passing is None:
                    self._passing, name = tempfile.mkstemp(prefix="playe-tree-")
                    Path(name).unlink()
                    weakref.finalize(self, os.close, self._passing)
                yield self._passing
            return
        try:
            lock(fd, self.path, self.log.lock_timeout_s)
            yield fd
        finally:
            os.close(fd)

    def _grown(self, fd: int) -> _Nodes:
        """The nodes over all lines that the log has now."""
        head = self.log.head()
        lines, last, root = _read_header(fd)
        if lines > head.lines or (lines == head.lines and last.hex() != head.last_hash):
            lines, last, root = 0, bytes.fromhex(GENESIS), merkle.EMPTY
        if lines == head.lines:
            return _Nodes(fd, lines, root)
        if not lines:
            os.ftruncate(fd, 0)
        known = _Nodes(fd, lines, root)
        full = [known.at(level, position) for level, position in peaks(0, lines)]
        pending = bytearray()
        start, first = _position(0, lines), lines
        for index, raw in self.log.lines(lines):
            if index >= head.lines:
                break
            # The chain ties the new lines to those that the cache has seen; a torn line says nothing itself.
            if index == first and first and (parse(raw) or {}).get("prev_hash") != last.hex():
                os.ftruncate(fd, 0)
                return self._grown(fd)
            node, below = merkle.leaf_hash(raw), lines
            pending += node
            while below & 1:
                node, below = merkle.node_hash(full.pop(), node), below >> 1
                pending += node
            full.append(node)
            lines += 1
            if len(pending) >= _BATCH:
                last = hashlib.sha256(raw).digest()
                start = _write(fd, start, pending, lines, last, full)
        if lines != head.lines:
            raise IntegrityError("tree.log_short", path=str(self.log.path), lines=lines, expected=head.lines)
        _write(fd, start, pending, lines, bytes.fromhex(head.last_hash), full)
        return _Nodes(fd, lines, folded(full))


class _WrongCacheError(Exception):
    """The cache contradicts itself."""


class _Nodes:
    """The nodes of a cache of `size` lines with that `root`, read as they are asked for."""

    def __init__(self, fd: int, size: int, root: bytes) -> None:
        self.fd = fd
        self.size = size
        self.root = root

    def at(self, level: int, position: int) -> bytes:
        """The root of the full subtree over the lines from `position << level`, `1 << level` of them."""
        found = os.pread(self.fd, 32, _NODES + 32 * _position(level, position))
        if len(found) != 32:
            raise _WrongCacheError
        return found

    def subtree(self, low: int, high: int) -> bytes:
        """The root over the lines from `low` to below `high`; `low` must be where RFC 6962 splits a tree."""
        return folded([self.at(level, position) for level, position in peaks(low, high)])


def peaks(low: int, high: int) -> list[tuple[int, int]]:
    """(level, position) of the full subtrees that make the lines from `low` to below `high`, the largest first."""
    found: list[tuple[int, int]] = []
    while low < high:
        level = (high - low).bit_length() - 1
        found.append((level, low >> level))
        low += 1 << level
    return found


def folded(full: Iterable[bytes]) -> bytes:
    """The root over full subtrees, the largest first."""
    found: bytes | None = None
    for left in reversed(list(full)):
        found = left if found is None else merkle.node_hash(left, found)
    return merkle.EMPTY if found is None else found


def lock(fd: int, path: Path, timeout_s: float) -> None:
    """Take the lock on the open file `fd` for this process alone; closing the file gives it back.

    Raises:
        LockTimeoutError: another held it for longer than `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LockTimeoutError("custody.lock_timeout", path=str(path), seconds=timeout_s) from None
            time.sleep(0.005)
        else:
            return


def _position(level: int, position: int) -> int:
    """Which node of the file it is: those that were whole before its last leaf, the leaf, its parents up to it."""
    last_leaf = ((position + 1) << level) - 1
    return 2 * last_leaf - last_leaf.bit_count() + level


def _read_header(fd: int) -> tuple[int, bytes, bytes]:
    """Lines, hash of the last one and root; of no line where the header is absent or does not hold."""
    raw = os.pread(fd, _HEADER.size, 0)
    if len(raw) == _HEADER.size and hashlib.sha256(raw[:-32]).digest() == raw[-32:]:
        magic, lines, last, root, _ = _HEADER.unpack(raw)
        if magic == _MAGIC and os.fstat(fd).st_size >= _NODES + 32 * _position(0, lines):
            return lines, last, root
    return 0, bytes.fromhex(GENESIS), merkle.EMPTY


def _write(fd: int, start: int, pending: bytearray, lines: int, last: bytes, full: list[bytes]) -> int:
    """Write nodes from number `start` on, then the header that vouches for them; the number after them."""
    view, offset = memoryview(pending), _NODES + 32 * start
    while view:
        done = os.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done
    # A header that reached the disk before its nodes would vouch for zeros after a power cut.
    os.fdatasync(fd)
    stated = _HEADER.pack(_MAGIC, lines, last, folded(full), bytes(32))[:-32]
    os.pwrite(fd, stated + hashlib.sha256(stated).digest(), 0)
    written = len(pending) // 32
    view.release()
    pending.clear()
    return start + written
