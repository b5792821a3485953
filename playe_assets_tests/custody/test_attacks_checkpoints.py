"""Attacks on checkpoints and keys: rolled back, forked, deleted, signed anew. As in `test_attacks.py`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.note import Checkpoint, digest, sign_note
from playe_assets_tests.custody.attacks import Held, edit, edited, honest


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """The honest log, which holds."""
    held = honest(tmp_path / "lab")
    assert held.codes() == []
    return held


def test_a_rolled_back_log_is_found_by_its_checkpoints_and_its_keys(held):
    older = held.copy("older")
    held.write(3)
    held.sign()
    held.restore(older, but=["checkpoints"])
    assert held.codes() == ["log_shorter"]
    newer = held.copy("newer")
    held.restore(older, but=["checkpoints/keys"])
    assert held.codes() == ["key_later"], "log and checkpoints rolled back, the private key not"
    shutil.rmtree(held.folder / "checkpoints" / "keys")
    assert held.codes() == ["keys_absent"]
    assert newer.codes() == ["log_shorter"]


def test_a_whole_folder_rolled_back_with_its_keys_is_found_only_by_a_witness(held):
    older = held.copy("older")
    held.write(3)
    witness = held.sign()
    held.restore(older)
    assert held.codes() == [], "an older copy is as good as it was then"
    assert held.codes(witness) == ["witness_ahead"]
    held.write(20)
    assert held.codes(witness) == ["witness_changed"]
    held.sign()
    assert held.codes(witness) == ["witness_forked"]
    for _ in range(2):
        held.write(1)
        held.sign()
    assert held.codes(witness) == ["witness_forked"]


def test_two_continuations_of_one_log_hold_each_for_itself_and_convict_each_other(held):
    other = held.copy("other")
    held.write(2, "CASE-A")
    other.write(2, "CASE-B")
    notes = {"held": [held.sign()], "other": [other.sign()]}
    for one, name in ((held, "held"), (other, "other")):
        one.write(4)
        notes[name].append(one.sign())
        assert one.codes() == []
    assert held.codes(notes["other"][0]) == ["witness_forked"]
    assert other.codes(notes["held"][0]) == ["witness_forked"]
    assert held.codes(notes["other"][1]) == ["witness_unsigned"], (
        "after the fork each side has keys of its own"
    )


@pytest.mark.parametrize("epoch", [0, 1])
def test_a_deleted_checkpoint_is_named_by_its_epoch(held, epoch):
    held.write(2)
    held.sign()
    held.notes[epoch].unlink()
    assert held.codes() == ["checkpoint_deleted"]
    [finding] = held.found().findings
    assert finding.facts["epoch"] == epoch
    assert str(epoch) in finding.said("en")


def test_the_newest_checkpoint_cannot_be_deleted_even_with_all_lines_after_it(held):
    size = json.loads(held.raw()[22])["size"]
    held.notes[-1].unlink()
    assert held.codes() == ["checkpoint_deleted", "key_later"]
    held.put(held.raw()[:size])
    assert held.codes() == ["key_later"], "the line that named it is gone too: the private key still tells"


def test_all_checkpoints_deleted_are_missed_by_the_lines_that_name_them(held):
    witness = held.notes[-1].read_text()
    for note in held.notes:
        note.unlink()
    assert held.codes() == ["checkpoint_deleted"] * 2 + ["key_later"]
    held.put_chained([raw for raw in held.raw() if b"log.checkpoint" not in raw])
    assert held.codes() == ["key_later"], "the private key is left over from a log that was signed"
    shutil.rmtree(held.folder / "checkpoints")
    assert held.codes() == [], "a log that was never signed, as far as it shows"
    assert held.codes(witness) == ["witness_changed"]


def test_a_log_made_anew_with_a_first_key_of_its_own_is_found_by_the_pinned_key_and_by_a_witness(held):
    key0, witness = held.checkpoints.key0(), held.notes[0].read_text()
    lines = [raw for raw in held.raw() if b"log.checkpoint" not in raw]
    shutil.rmtree(held.folder / "checkpoints")
    held.put_chained(edit(lines, 3))
    held.sign()
    assert held.codes() == [], "nothing in a new log says that it is not the first"
    assert held.codes(key0=key0) == ["key0_other"]
    assert held.codes(witness) == ["witness_foreign"]


def test_the_first_key_cannot_be_exchanged_or_removed(held):
    path = held.folder / "checkpoints" / "key0.txt"
    path.write_text(held.copy("other").checkpoints._read(0).checkpoint.next_key + "\n")
    assert "checkpoint.refused" in held.codes()
    path.write_text("no key\n")
    assert held.codes() == ["note.key"]
    path.unlink()
    assert held.codes() == ["key0_absent"]


def _signed_by_force(held: Held) -> None:
    """Checkpoint 2 by the stolen current key over whatever the log says now, without the checks of the real one."""
    checkpoints = held.checkpoints
    key, private = checkpoints.keys.load(2)
    following = checkpoints.keys.generate(3, key.name)
    last = checkpoints._read(1)
    size = held.log.head().lines
    extensions = (
        "epoch 2",
        f"next {following}",
        f"previous {digest(last.note)}",
        *last.checkpoint.extensions[3:],
    )
    text = Checkpoint(key.name, size, checkpoints.tree.root(size), extensions).text()
    (checkpoints.folder / "000002.note").write_text(sign_note(text, key.name, private))
    checkpoints.keys.erase_below(3)
    held.sign()  # what the real one finds undone it does: the line in the log


def test_an_old_checkpoint_signed_anew_with_the_stolen_current_key_is_refused(held):
    held.put_chained(edit(held.raw(), 15))
    checkpoints = held.checkpoints
    key, private = checkpoints.keys.load(2)
    old = checkpoints._read(1).checkpoint
    text = Checkpoint(old.origin, old.size, checkpoints.tree.root(old.size), old.extensions).text()
    held.notes[1].write_text(sign_note(text, key.name, private))
    assert "checkpoint.refused" in held.codes()
    named = digest(held.notes[1].read_text())
    held.put_chained([edited(r, note_sha256=named) if b'"epoch":1' in r else r for r in held.raw()])
    assert held.codes() == ["checkpoint.refused"], "epoch 1's key is erased: nobody can sign for it any more"


def test_a_stolen_current_key_cannot_sign_away_what_older_checkpoints_cover(held):
    held.put_chained(edit(held.raw(), 15))
    with pytest.raises(IntegrityError):
        held.sign()
    assert "log_changed" in held.codes()


def test_a_stolen_current_key_signs_lines_after_the_last_checkpoint_and_a_witness_convicts_it(held):
    before = held.copy("before")
    witness = held.sign()
    held.restore(before)
    held.put_chained(edit(held.raw(), 25))
    _signed_by_force(held)
    assert held.codes() == [], "who holds the current key is the laboratory, as far as one copy shows"
    assert held.codes(witness) == ["witness_forked"]


def test_a_checkpoint_line_of_another_checkpoint_or_an_exchanged_note_is_found(held):
    other = held.copy("other")
    held.write(1)
    other.write(2)
    held.sign()
    other.sign()
    shutil.copy(other.notes[2], held.notes[2])
    assert "checkpoint_exchanged" in held.codes()
    assert "key_other" in held.codes()


def test_a_crash_while_a_checkpoint_was_made_is_no_finding(held):
    keys = held.checkpoints.keys
    keys.generate(3, held.checkpoints.key0().partition("+")[0])
    assert held.codes() == [], "the next key is there already, its announcement not yet"
    held.write(1)
    held.sign()
    assert held.codes() == []
    kept = held.copy("kept")
    lines = held.raw()
    held.put(lines[:-1])
    assert held.codes() == [], "the checkpoint is there already, the line that names it not yet"
    held.sign()
    assert kept.codes() == held.codes() == []


def test_the_private_key_of_another_log_is_found(held, tmp_path):
    other = honest(tmp_path / "other")
    shutil.copy(other.checkpoints.keys.path(2), held.checkpoints.keys.path(2))
    assert held.codes() == ["key_other"]
    held.checkpoints.keys.path(2).write_text("no key\n")
    held.checkpoints.keys.path(2).chmod(0o600)
    assert held.codes() == ["checkpoint.key_broken"]
    held.checkpoints.keys.path(2).unlink()
    assert held.codes() == ["checkpoint.key_absent"]


def test_notes_that_were_renamed_or_made_unreadable_are_named(held):
    held.notes[0].rename(held.notes[0].with_name("000007.note"))
    assert held.codes()[0] == "note_misplaced"
    held.notes[-1].write_bytes(b"\xff\xfe")
    assert "note_unreadable" in held.codes()


def test_a_clock_that_was_set_back_between_two_checkpoints_is_told(tmp_path, monkeypatch):
    held = Held(tmp_path / "lab")
    held.write(2)
    held.sign()
    held.write(2)
    monkeypatch.setattr("playe_assets.custody.checkpoints.utc_now", lambda: "2020-01-01T00:00:00.000000Z")
    held.sign()
    assert held.codes() == []
    assert held.advice() == ["checkpoint_clock"]
