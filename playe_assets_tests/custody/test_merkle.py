"""The Merkle tree against RFC 6962's own definitions, its known answers, and thousands of forged proofs."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.custody import merkle

RAW = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                  "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
"""The eight leaves of the test tree of certificate-transparency, which every implementation knows."""
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
NODE_56 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_5 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_78 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
SIZES = range(1, 20)

orderly = settings(deadline=None, derandomize=True, max_examples=60)
trees = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


# The oracle: MTH, PATH and PROOF word for word as RFC 6962 2.1 defines them, on lists of raw entries.
def _k(n: int) -> int:
    return max(2**i for i in range(64) if 2**i < n)


def mth(d: list[bytes]) -> bytes:
    if not d:
        return hashlib.sha256().digest()
    if len(d) == 1:
        return hashlib.sha256(bytes([0]) + d[0]).digest()
    k = _k(len(d))
    return hashlib.sha256(bytes([1]) + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    if len(d) == 1:
        return []
    k = _k(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    if m == len(d):
        return [] if b else [mth(d)]
    k = _k(len(d))
    if m <= k:
        return [*subproof(m, d[:k], b), mth(d[k:])]
    return [*subproof(m - k, d[k:], False), mth(d[:k])]


def leaves_of(raw: list[bytes]) -> list[bytes]:
    return [merkle.leaf_hash(line) for line in raw]


def numbered(size: int) -> list[bytes]:
    return leaves_of([b"line %d" % n for n in range(size)])


def test_the_roots_of_the_well_known_tree_are_the_known_ones():
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    leaves = leaves_of(RAW)
    assert [merkle.root(leaves[: n + 1]).hex() for n in range(8)] == list(ROOTS)


def test_the_proofs_of_the_well_known_tree_are_the_known_ones():
    leaves = leaves_of(RAW)
    assert [h.hex() for h in merkle.inclusion(leaves, 5)] == [NODE_5, NODE_78, ROOTS[3]]
    assert [h.hex() for h in merkle.consistency(leaves, 6)] == [NODE_56, NODE_78, ROOTS[3]]
    assert [h.hex() for h in merkle.several(leaves, range(4, 8))] == [ROOTS[3]]


@orderly
@given(trees)
def test_roots_and_frontiers_are_those_of_the_definition(raw):
    leaves = leaves_of(raw)
    assert merkle.root(leaves) == mth(raw)
    grown = merkle.Frontier()
    for leaf in leaves[: len(raw) // 2]:
        grown.add(leaf)
    again = merkle.Frontier(grown.size, grown.full)
    for leaf in leaves[len(raw) // 2 :]:
        again.add(leaf)
    assert again.root() == mth(raw)


@orderly
@given(trees, st.data())
def test_proofs_are_those_of_the_definition_and_are_accepted(raw, data):
    leaves, size = leaves_of(raw), len(raw)
    index = data.draw(st.integers(0, size - 1))
    first = data.draw(st.integers(1, size))
    proof = merkle.inclusion(leaves, index)
    assert proof == path(index, raw)
    assert merkle.included(leaves[index], index, size, proof, mth(raw))
    proof = merkle.consistency(leaves, first)
    assert proof == subproof(first, raw, True)
    assert merkle.consistent(first, size, mth(raw[:first]), mth(raw), proof)


@orderly
@given(trees, st.data())
def test_one_proof_for_many_lines_gives_the_root_with_those_lines_alone(raw, data):
    leaves, size = leaves_of(raw), len(raw)
    chosen = data.draw(st.sets(st.integers(0, size - 1)))
    proof = merkle.several(leaves, chosen)
    assert merkle.root_of_several({i: leaves[i] for i in chosen}, size, proof) == mth(raw)
    assert len(proof) <= len(path(0, raw)) * max(len(chosen), 1) + 1
    if len(chosen) == 1:
        (only,) = chosen
        assert sorted(proof) == sorted(path(only, raw))


def _altered(proof: list[bytes], chance: random.Random) -> list[list[bytes]]:
    """Every proof that differs from `proof` by one bit, one hash less or more, or two hashes exchanged."""
    found = []
    for place, one in enumerate(proof):
        flipped = bytearray(one)
        flipped[chance.randrange(32)] ^= 1 << chance.randrange(8)
        found += [
            [*proof[:place], bytes(flipped), *proof[place + 1 :]],
            [*proof[:place], *proof[place + 1 :]],
            [*proof[:place], one, *proof[place:]],
            [*proof[:place], one[:-1], *proof[place + 1 :]],
            [*proof[:place], one + b"\0", *proof[place + 1 :]],
            [*proof[:place], b"", one, *proof[place + 1 :]],
        ]
    found += [[*proof[:a], proof[b], *proof[a + 1 : b], proof[a], *proof[b + 1 :]]
              for a, b in itertools.combinations(range(len(proof)), 2)]  # fmt: skip
    found += [[*proof, chance.randbytes(32)], [chance.randbytes(32), *proof], [*proof, merkle.EMPTY]]
    return [one for one in found if one != proof]


def test_thousands_of_forged_inclusion_proofs_are_all_refused():
    chance, tried = random.Random(6962), 0
    leaves = numbered(max(SIZES) + 1)
    roots = [merkle.root(leaves[:n]) for n in range(len(leaves) + 1)]
    for size in SIZES:
        for index in range(size):
            proof = merkle.inclusion(leaves[:size], index)
            assert merkle.included(leaves[index], index, size, proof, roots[size])
            for forged in _altered(proof, chance):
                assert not merkle.included(leaves[index], index, size, forged, roots[size])
                tried += 1
            for other in range(-1, size + 2):
                if other != index:
                    assert not merkle.included(leaves[index], other, size, proof, roots[size])
                    assert not merkle.included(leaves[other % size], index, size, proof, roots[size]) or (
                        other % size == index
                    )
                    tried += 2
            for other in range(size + 2):
                if other != size:
                    assert not merkle.included(leaves[index], index, other, proof, roots[other])
                    assert not merkle.included(leaves[index], index, size, proof, roots[other])
                    tried += 2
            for wrong in (proof[0] if proof else merkle.EMPTY, leaves[-1], b"", leaves[index] + b"\0"):
                assert not merkle.included(wrong, index, size, proof, roots[size])
                tried += 1
    assert tried > 10_000


def test_thousands_of_forged_consistency_proofs_are_all_refused():
    chance, tried = random.Random(9162), 0
    leaves = numbered(max(SIZES) + 1)
    roots = [merkle.root(leaves[:n]) for n in range(len(leaves) + 1)]
    for size in SIZES:
        for first in range(1, size + 1):
            proof = merkle.consistency(leaves[:size], first)
            assert merkle.consistent(first, size, roots[first], roots[size], proof)
            for forged in _altered(proof, chance):
                assert not merkle.consistent(first, size, roots[first], roots[size], forged)
                tried += 1
            for other in range(size + 2):
                if other != first:
                    assert not merkle.consistent(first, size, roots[other], roots[size], proof)
                    assert not merkle.consistent(other, size, roots[other], roots[size], proof)
                    tried += 2
                if other != size:
                    assert not merkle.consistent(first, size, roots[first], roots[other], proof)
                    assert not merkle.consistent(first, other, roots[first], roots[other], proof)
                    tried += 2
            assert not merkle.consistent(first, size, chance.randbytes(32), roots[size], proof)
            assert not merkle.consistent(first, size, roots[first], chance.randbytes(32), proof)
            assert not merkle.consistent(-first, size, roots[first], roots[size], proof)
            tried += 3
    assert tried > 10_000


def _gives(known: dict[int, bytes], size: int, proof: list[bytes], root: bytes) -> bool:
    try:
        return merkle.root_of_several(known, size, proof) == root
    except ValueError:
        return False


def test_thousands_of_forged_proofs_for_many_lines_are_all_refused():
    chance, tried = random.Random(5), 0
    leaves = numbered(max(SIZES) + 1)
    for size in SIZES:
        root = merkle.root(leaves[:size])
        for _ in range(25):
            chosen = chance.sample(range(size), chance.randint(1, size))
            known = {i: leaves[i] for i in chosen}
            proof = merkle.several(leaves[:size], chosen)
            assert _gives(known, size, proof, root)
            for forged in _altered(proof, chance):
                assert not _gives(known, size, forged, root)
                tried += 1
            for index in chosen:
                for wrong in (
                    leaves[(index + 1) % len(leaves)],
                    chance.randbytes(32),
                    leaves[index][:-1],
                    b"",
                ):
                    assert not _gives({**known, index: wrong}, size, proof, root)
                rest = {i: leaf for i, leaf in known.items() if i != index}
                assert not _gives(rest, size, proof, root)
                tried += 5
            for absent in set(range(-1, size + 1)) - set(chosen):
                assert not _gives({**known, absent: leaves[absent]}, size, proof, root)
                tried += 1
            assert not _gives(known, -size, proof, root)
            assert not _gives(known, 1 << 64, proof, root)
    assert tried > 10_000


def test_a_line_that_holds_two_hashes_is_not_the_node_over_them():
    """The prefixes 0x00 and 0x01 keep leaves and nodes apart: no line can be made that stands for a subtree."""
    leaves = numbered(4)
    node = merkle.node_hash(leaves[0], leaves[1])
    forged = merkle.leaf_hash(leaves[0] + leaves[1])
    above = merkle.inclusion(leaves, 0)[1:]
    assert merkle.included(node, 0, 2, above, merkle.root(leaves))
    assert not merkle.included(forged, 0, 2, above, merkle.root(leaves))


def test_what_is_not_in_the_tree_has_no_proof():
    leaves = numbered(5)
    for index in (-1, 5, 6):
        with pytest.raises(ValueError, match="no leaf"):
            merkle.inclusion(leaves, index)
        with pytest.raises(ValueError, match="no leaf"):
            merkle.several(leaves, [0, index])
    for first in (-1, 0, 6):
        with pytest.raises(ValueError, match="no tree of"):
            merkle.consistency(leaves, first)
    with pytest.raises(ValueError, match="subtrees do not make"):
        merkle.Frontier(5, leaves[:1])
    assert merkle.several([], []) == []
    assert merkle.root_of_several({}, 0, []) == merkle.EMPTY
