"""The Merkle tree over the log's lines (RFC 6962, 2.1): hashes, roots, proofs and their verification. Pure.

A leaf is `sha256(0x00 || raw line)`, a node `sha256(0x01 || left || right)`; a tree of n leaves is split at the
largest power of two below n. Proofs are lists of 32-byte hashes in the order of RFC 6962.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

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


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index`, the lowest sibling first (RFC 6962, 2.1.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise ValueError(f"no leaf {index} in a tree of {len(leaves)}")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append(root(leaves[middle:high]))
            high = middle
        else:
            path.append(root(leaves[low:middle]))
            low = middle
    path.reverse()
    return path


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether `proof` shows that `leaf` is leaf `index` of the tree of `size` leaves with that root."""
    if not 0 <= index < size:
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


def consistency(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """The proof that the tree of the `first` leaves is the beginning of the tree of all (RFC 6962, 2.1.2).

    Raises:
        ValueError: `first` is not within 1 and the number of leaves.
    """
    if not 1 <= first <= len(leaves):
        raise ValueError(f"no tree of {first} leaves in one of {len(leaves)}")

    def proof(size: int, low: int, high: int, whole: bool) -> list[bytes]:
        if size == high - low:
            return [] if whole else [root(leaves[low:high])]
        middle = split(high - low)
        if size <= middle:
            return [*proof(size, low, low + middle, whole), root(leaves[low + middle : high])]
        return [*proof(size - middle, low + middle, high, False), root(leaves[low : low + middle])]

    return proof(first, 0, len(leaves), True)


def consistent(first: int, second: int, old: bytes, new: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `first` leaves with root `old` begins that of `second` with `new`."""
    if not 1 <= first <= second:
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


def several(leaves: Sequence[bytes], indices: Iterable[int]) -> list[bytes]:
    """The hashes of the largest subtrees without any of `indices`, from left to right.

    With the leaves of `indices` themselves they give the root: one proof for all lines of a case.

    Raises:
        ValueError: an index is not in the tree.
    """
    wanted = sorted(set(indices))
    if wanted and not 0 <= wanted[0] <= wanted[-1] < len(leaves):
        raise ValueError(f"no leaf {wanted[-1]} in a tree of {len(leaves)}")

    def gather(low: int, high: int, inside: Sequence[int]) -> list[bytes]:
        if not inside:
            return [root(leaves[low:high])]
        if high - low == 1:
            return []
        middle = low + split(high - low)
        left = [i for i in inside if i < middle]
        return [*gather(low, middle, left), *gather(middle, high, inside[len(left) :])]

    return gather(0, len(leaves), wanted) if len(leaves) else []


def root_of_several(known: Mapping[int, bytes], size: int, proof: Sequence[bytes]) -> bytes:
    """The root that the leaves `known` (by index) and the hashes of `several` give for a tree of `size` leaves.

    Raises:
        ValueError: the proof has too few or too many hashes, or an index is not in the tree.
    """
    wanted = sorted(known)
    if wanted and not 0 <= wanted[0] <= wanted[-1] < size:
        raise ValueError(f"no leaf {wanted[-1]} in a tree of {size}")
    left_over = list(reversed(proof))

    def build(low: int, high: int, inside: Sequence[int]) -> bytes:
        if not inside:
            if not left_over:
                raise ValueError("the proof has too few hashes")
            return left_over.pop()
        if high - low == 1:
            return known[low]
        middle = low + split(high - low)
        left = [i for i in inside if i < middle]
        return node_hash(build(low, middle, left), build(middle, high, inside[len(left) :]))

    found = build(0, size, wanted) if size else EMPTY
    if left_over:
        raise ValueError("the proof has too many hashes")
    return found
