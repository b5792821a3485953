"""The Merkle tree over the log's lines (RFC 6962, 2.1): hashes, roots, proofs and their verification. Pure.

A leaf is `sha256(0x00 || raw line)`, a node `sha256(0x01 || left || right)`; a tree of n leaves is split at the
largest power of two below n. Proofs are lists of 32-byte hashes in the order of RFC 6962. Size and root must both come
from one signed checkpoint: a proof binds the leaf and its index to them, not the size to the root.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves (RFC 6962, 2.1)."""


def leaf_hash(raw: bytes) -> bytes:
    """The leaf of one raw line, without its newline: 32 bytes."""
    return hashlib.sha256(b"\x00" + raw).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two subtrees: 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows by a leaf at a time and keeps at most 64 hashes: the roots of its full subtrees."""

    def __init__(self, size: int = 0, full: Sequence[bytes] = ()) -> None:
        """`full` as an earlier frontier of `size` leaves gave it, the largest subtree first."""
        if len(full) != size.bit_count():
            raise ValueError(f"{len(full)} subtrees do not make {size} leaves")
        self.size = size
        self.full = list(full)

    def add(self, leaf: bytes) -> None:
        """Append the hash of one leaf."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self.full.pop(), carry)
            size >>= 1
        self.full.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """The root of all leaves so far."""
        if not self.full:
            return EMPTY
        found = self.full[-1]
        for left in reversed(self.full[:-1]):
            found = node_hash(left, found)
        return found


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in order."""
    grown = Frontier()
    for leaf in leaves:
        grown.add(leaf)
    return grown.root()


def split(size: int) -> int:
    """Where a tree of `size` > 1 leaves is split: the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


Subtree = Callable[[int, int], bytes]
"""Gives the root over the leaves from `low` to below `high`, however it is kept."""


def inclusion_from(size: int, index: int, subtree: Subtree) -> list[bytes]:
    """The audit path of leaf `index` in a tree of `size` leaves, the lowest sibling first (RFC 6962, 2.1.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(subtree(middle, high))
            high = middle
        else:
            path.append(subtree(low, middle))
            low = middle
    path.reverse()
    return path


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """`inclusion_from` over leaf hashes."""
    return inclusion_from(len(leaves), index, lambda low, high: root(leaves[low:high]))


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with that root."""
    if not 0 <= index < size or not _are_hashes([leaf, *proof]):
        return False
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == expected


def consistency_from(size: int, first: int, subtree: Subtree) -> list[bytes]:
    """The proof that the tree of the `first` leaves begins that of `size` leaves (RFC 6962, 2.1.2).

    Raises:
        ValueError: `first` is not within 1 and `size`.
    """
    if not 1 <= first <= size:
        raise ValueError(f"no tree of {first} leaves in one of {size}")

    def proof(old: int, low: int, high: int, whole: bool) -> list[bytes]:
        if old == high - low:
            return [] if whole else [subtree(low, high)]
        middle = split(high - low)
        if old <= middle:
            return [*proof(old, low, low + middle, whole), subtree(low + middle, high)]
        return [*proof(old - middle, low + middle, high, False), subtree(low, low + middle)]

    return proof(first, 0, size, True)


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """`consistency_from` over leaf hashes."""
    return consistency_from(len(leaves), first, lambda low, high: root(leaves[low:high]))


def consistent(first: int, second: int, old: bytes, new: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `first` leaves with root `old` begins that of `second` with `new`."""
    if not 1 <= first <= second or not _are_hashes(proof):
        return False
    if first == second:
        return not proof and old == new
    path = [old, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and before == old and after == new


def several_from(size: int, indices: Iterable[int], subtree: Subtree) -> list[bytes]:
    """The hashes of the largest subtrees without any of `indices`, from left to right.

    With the leaves of `indices` themselves they give the root: one proof for all lines of a case.

    Raises:
        ValueError: an index is not in the tree.
    """
    wanted = _within(indices, size)

    def gather(low: int, high: int, first: int, last: int) -> list[bytes]:
        if first == last:
            return [subtree(low, high)]
        if high - low == 1:
            return []
        middle = low + split(high - low)
        between = bisect_left(wanted, middle, first, last)
        return [*gather(low, middle, first, between), *gather(middle, high, between, last)]

    return gather(0, size, 0, len(wanted)) if size else []


def several(leaves: Sequence[bytes], indices: Iterable[int]) -> list[bytes]:
    """`several_from` over leaf hashes."""
    return several_from(len(leaves), indices, lambda low, high: root(leaves[low:high]))


def root_of_several(known: Mapping[int, bytes], size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the leaves `known` (by index) and the hashes of `several` give for a tree of `size` leaves.

    Without any known leaf the one hash is itself the root and shows nothing about any line.

    Raises:
        ValueError: too few or too many hashes, one that is not of 32 bytes, or an index outside the tree.
    """
    wanted = _within(known, size)
    if not _are_hashes([*proof, *known.values()]):
        raise ValueError("a hash of the proof is not of 32 bytes")
    left_over = list(reversed(proof))

    def build(low: int, high: int, first: int, last: int) -> bytes:
        if first == last:
            if not left_over:
                raise ValueError("the proof has too few hashes")
            return left_over.pop()
        if high - low == 1:
            return known[low]
        middle = low + split(high - low)
        between = bisect_left(wanted, middle, first, last)
        return node_hash(build(low, middle, first, between), build(middle, high, between, last))

    found = build(0, size, 0, len(wanted)) if size else EMPTY
    if left_over:
        raise ValueError("the proof has too many hashes")
    return found


def _within(indices: Iterable[int], size: int) -> list[int]:
    """`indices` sorted, each once.

    Raises:
        ValueError: one of them is not below `size`, or `size` is none that a log can have.
    """
    wanted = sorted(set(indices))
    if not 0 <= size < 1 << 63:
        raise ValueError(f"no tree has {size} leaves")
    if wanted and not 0 <= wanted[0] <= wanted[-1] < size:
        raise ValueError(f"no leaf {wanted[0] if wanted[0] < 0 else wanted[-1]} in a tree of {size}")
    return wanted


def _are_hashes(hashes: Iterable[bytes]) -> bool:
    return all(len(one) == 32 for one in hashes)
