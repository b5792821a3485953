"""Every change of an export is found by its verifier."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from playe_assets.custody import standalone_verifier
from playe_assets.custody.export import VERIFIER
from playe_assets.custody.merkle import consistency, leaf_hash, root, several
from playe_assets_tests.custody.attacks import edited
from playe_assets_tests.custody.exports import Bag, told


def test_an_export_cannot_repaint_the_readers_screen(bag, stranger):
    bag.put_proof(case_id="X\x1b[2J\nThe export HOLDS.")
    (bag.folder / "checkpoints" / "key0.txt").write_text("log\x1b[2J+00000000+AAAA")
    for words in ((), ("--language", "ru")):
        done = stranger(bag.folder / VERIFIER, bag.folder, *words)
        assert done.returncode == 1
        assert "\x1b" not in done.stdout
        assert not any(line.startswith("The export HOLDS") for line in done.stdout.splitlines())


def _first_line_changed(bag: Bag) -> None:
    rows = bag.rows()
    rows[0]["line"] = edited(rows[0]["line"].encode(), text="another").decode()
    bag.put_rows(rows)


def _lines_exchanged(bag: Bag) -> None:
    rows = bag.rows()
    rows[0]["line"], rows[1]["line"] = (
        edited(rows[1]["line"].encode(), seq=rows[0]["seq"]).decode(),
        edited(rows[0]["line"].encode(), seq=rows[1]["seq"]).decode(),
    )
    bag.put_rows(rows)


def _line_of_another_case(bag: Bag) -> None:
    raw = next(raw for raw in bag.held.raw() if b"CASE-B" in raw)
    bag.put_rows([*bag.rows(), {"seq": json.loads(raw)["seq"], "line": raw.decode()}])


def _invented_line(bag: Bag) -> None:
    rows = bag.rows()
    line = edited(rows[-1]["line"].encode(), seq=10**6).decode()
    bag.put_rows([*rows, {"seq": 10**6, "line": line}])


def _lines_of_another_case_under_this_name(bag: Bag) -> None:
    bag.put_proof(case_id="CASE-B")


def _proof_hash_changed(bag: Bag) -> None:
    hashes = bag.proof()["hashes"]
    bag.put_proof(hashes=["00" * 32, *hashes[1:]])


def _proof_hash_dropped(bag: Bag) -> None:
    bag.put_proof(hashes=bag.proof()["hashes"][1:])


def _proof_hash_added(bag: Bag) -> None:
    bag.put_proof(hashes=[*bag.proof()["hashes"], "00" * 32])


def _checkpoint_changed(bag: Bag) -> None:
    bag.note(1).write_text(bag.note(1).read_text().replace("\nepoch 1\n", "\nepoch 2\n"))


def _root_changed(bag: Bag) -> None:
    text = bag.note(2).read_text()
    bag.note(2).write_text(text.replace(text.split("\n")[2], "A" * 43 + "="))


def _consistency_changed(bag: Bag) -> None:
    extends = bag.proof()["extends"]
    extends[0][0] = "00" * 32
    bag.put_proof(extends=extends)


def _consistency_dropped(bag: Bag) -> None:
    bag.put_proof(extends=[bag.proof()["extends"][0][1:], *bag.proof()["extends"][1:]])


def _first_key_exchanged(bag: Bag) -> None:
    next_key = re.search(r"^next (.*)$", bag.note(0).read_text(), re.MULTILINE)
    assert next_key is not None
    (bag.folder / "checkpoints" / "key0.txt").write_text(next_key[1])


def _first_row(bag: Bag, before: str, after: str) -> None:
    place = bag.folder / "lines.jsonl"
    place.write_text(place.read_text().replace(before, after, 1))


def _below_the_newest_checkpoint(bag: Bag, more: str) -> None:
    bag.note(2).write_text(bag.note(2).read_text() + more)


def _second_signature_that_is_wrong(bag: Bag) -> None:
    dash, name, encoded = bag.note(2).read_text().splitlines()[-1].split(" ")
    wrong = base64.b64encode(base64.b64decode(encoded)[:4] + bytes(64)).decode()
    _below_the_newest_checkpoint(bag, f"{dash} {name} {wrong}\n")


SPOILT: dict[str, tuple[Callable[[Bag], object], str]] = {
    "a changed line": (_first_line_changed, "do not lead to the signed root"),
    "a dropped line": (lambda bag: bag.put_rows(bag.rows()[:-1]), "do not lead to the signed root"),
    "exchanged lines": (_lines_exchanged, "do not lead to the signed root"),
    "a doubled line": (lambda bag: bag.put_rows([*bag.rows(), bag.rows()[0]]), "is there twice"),
    "a line of another case": (_line_of_another_case, "belongs to another case"),
    "an invented line": (_invented_line, "do not lead to the signed root"),
    "another case's name": (_lines_of_another_case_under_this_name, "belongs to another case"),
    "no lines": (lambda bag: bag.put_rows([]), "malformed"),
    "a changed proof": (_proof_hash_changed, "do not lead to the signed root"),
    "a shorter proof": (_proof_hash_dropped, "do not lead to the signed root"),
    "a longer proof": (_proof_hash_added, "do not lead to the signed root"),
    "no proof": (lambda bag: (bag.folder / "proof.json").unlink(), "malformed"),
    "a changed checkpoint": (_checkpoint_changed, "checkpoint 1 is not signed by"),
    "a changed root": (_root_changed, "checkpoint 2 is not signed by"),
    "no first checkpoint": (lambda bag: bag.note(0).unlink(), "checkpoint 0 is not signed by"),
    "no middle checkpoint": (lambda bag: bag.note(1).unlink(), "checkpoint 1 is not signed by"),
    "no newest checkpoint": (lambda bag: bag.note(2).unlink(), "do not lead to the signed root"),
    "no checkpoints": (lambda bag: shutil.rmtree(bag.folder / "checkpoints"), "malformed"),
    "a changed consistency proof": (_consistency_changed, "does not extend the one before"),
    "a shorter consistency proof": (_consistency_dropped, ""),
    "a remark beside a line": (
        lambda bag: _first_row(bag, '{"line"', '{"remark":"forged","line"'),
        "malformed",
    ),
    "a line twice in one row": (
        lambda bag: _first_row(bag, '{"line"', '{"line":"a lie","line"'),
        "malformed",
    ),
    "another root in words": (lambda bag: bag.put_proof(root="00" * 32), "do not lead to the signed root"),
    "another size in words": (lambda bag: bag.put_proof(size=1), "do not lead to the signed root"),
    "a remark below a checkpoint": (lambda bag: _below_the_newest_checkpoint(bag, "void\n"), "no signature"),
    "a second note": (
        lambda bag: _below_the_newest_checkpoint(bag, "\n" + bag.note(2).read_text()),
        "no signature",
    ),
    "a second signature": (_second_signature_that_is_wrong, "checkpoint 2 is not signed by"),
    "an exchanged first key": (_first_key_exchanged, "checkpoint 0 is not signed by"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_an_export_with(bag, stranger, name):
    spoil, expected = SPOILT[name]
    spoil(bag)
    found = told(bag.folder)
    assert found
    assert expected in found
    done = stranger(bag.folder / VERIFIER, bag.folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert "The export DOES NOT HOLD" in done.stdout


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@seed(5)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_lines_is_found(pristine, tmp_path_factory, at, bit):
    copy = tmp_path_factory.getbasetemp() / "flipped"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(pristine.folder, copy)
    whole = bytearray((copy / "lines.jsonl").read_bytes())
    whole[int(at * (len(whole) - 1))] ^= 1 << bit
    (copy / "lines.jsonl").write_bytes(whole)
    assert told(copy) != "", (at, bit)


@settings(deadline=None, max_examples=300)
@seed(5)
@given(data=st.data(), size=st.integers(1, 70))
def test_its_own_tree_agrees_with_ours_and_refuses_forged_proofs(data, size):
    leaves = [leaf_hash(b"%d" % n) for n in range(size)]
    chosen = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    hashes = several(leaves, chosen)
    assert standalone_verifier.root_from({n: leaves[n] for n in chosen}, size, hashes) == root(leaves)
    first = data.draw(st.integers(1, size))

    def head(lines: int) -> standalone_verifier.Checkpoint:
        return standalone_verifier.Checkpoint("log", lines, root(leaves[:lines]), 0, "", "")

    proof = consistency(leaves, first)
    assert standalone_verifier.extends(head(first), head(size), proof)
    forged = [h if n else b"\0" * 32 for n, h in enumerate(proof)] if proof else [b"\0" * 32]
    assert not standalone_verifier.extends(head(first), head(size), forged)
    other = head(first)._replace(root=b"\1" * 32)
    assert not standalone_verifier.extends(other, head(size), proof)
