"""Every attack on the log that we could think of is found: by the log alone, or with a checkpoint kept elsewhere.

Where one copy of a log cannot show it by itself, the test says so first (the audit holds), then that it is found
with a witness. docs/custody.md has the same as a table.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import re
import shutil
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.custody.audit import Witness, witness_from
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.note import Checkpoint, digest, sign_note
from playe_assets_tests.custody.attacks import Held, edited, honest

Lines = list[bytes]
Change = Callable[[Lines, int], Lines]


def _edit(lines: Lines, at: int) -> Lines:
    return [*lines[:at], edited(lines[at], text="another name"), *lines[at + 1 :]]


def _delete(lines: Lines, at: int) -> Lines:
    return lines[:at] + lines[at + 1 :]


def _insert(lines: Lines, at: int) -> Lines:
    return [*lines[:at], edited(lines[at], number=99), *lines[at:]]


def _swap(lines: Lines, at: int) -> Lines:
    return [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]


def _replay(lines: Lines, at: int) -> Lines:
    """The lines of another case, as if they were of this one."""
    others = [edited(raw, case_id="CASE-A") for raw in lines[8:12]]
    return lines[:at] + others + lines[at:]


CHANGES = {"edit": _edit, "delete": _delete, "insert": _insert, "swap": _swap, "replay": _replay}


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """The honest log, which holds."""
    held = honest(tmp_path / "lab")
    assert held.codes() == []
    return held


def test_an_honest_log_holds_before_and_after_its_files_are_rotated_and_against_its_own_checkpoints(tmp_path):
    held = honest(tmp_path / "lab", rotate_bytes=1500)
    assert len(held.log.files()) > 3
    assert held.found().findings == ()
    for note in held.notes:
        assert held.found(note.read_text()).findings == ()
    assert held.found(key0=held.checkpoints.key0()).findings == ()


@pytest.mark.parametrize("attack", CHANGES)
@pytest.mark.parametrize("at", [2, 15, 25])
def test_lines_that_were_changed_without_care_break_the_chain_wherever_they_stand(held, attack, at):
    held.put(CHANGES[attack](held.raw(), at))
    found = held.found()
    assert not found.holds
    assert found.findings[0].code in {"line_changed", "line_number", "lines_missing"}


@pytest.mark.parametrize("attack", CHANGES)
@pytest.mark.parametrize(("at", "epoch"), [(2, 0), (15, 1)])
def test_lines_under_a_checkpoint_that_were_changed_and_chained_anew_are_found_and_placed(
    held, attack, at, epoch
):
    held.put_chained(CHANGES[attack](held.raw(), at))
    found = [f for f in held.found().findings if f.code == "log_changed"]
    assert [(f.facts["epoch"], f.facts["first"] <= at <= f.facts["last"]) for f in found] == [(epoch, True)]


@pytest.mark.parametrize("attack", CHANGES)
def test_lines_that_no_checkpoint_covers_yet_can_be_rewritten_unless_one_was_given_out(held, attack):
    before = held.copy("before")
    witness = held.sign()
    held.restore(before)  # back to when the lines were not signed, with the key of then
    held.put_chained(CHANGES[attack](held.raw(), 25))
    assert held.codes() == [], "nothing inside one copy shows it: only the next checkpoint signs these lines"
    assert held.codes(witness) in (["witness_changed"], ["witness_ahead"])
    held.write(5)
    assert held.codes(witness) == ["witness_changed"]
    held.sign()
    assert held.codes(witness) == ["witness_forked"], "signed by the same key: two stories of one log"


def test_replayed_lines_are_old_by_the_clock_that_nobody_can_set(held):
    held.put_chained(_replay(held.raw(), 27))
    assert held.codes() == []
    assert held.advice() == ["boottime_fell"]


@pytest.mark.parametrize("left", [0, 1, 5, 12, 20])
def test_a_tail_that_was_cut_off_below_a_checkpoint_is_missed(held, left):
    held.put(held.raw()[:left])
    assert "log_shorter" in held.codes()


def test_a_tail_that_was_cut_off_behind_the_last_checkpoint_is_missed_only_by_a_witness(held):
    head = held.log.head()
    report = Witness(None, (head.lines - 1, head.last_hash), name="report.json")
    before = held.copy("before")
    witness = held.sign()
    held.restore(before)
    held.put(held.raw()[:25])
    assert held.codes() == [], "lines that nothing outside has seen leave no trace"
    assert held.codes(report) == ["witness_head_ahead"], "an issued report has seen them"
    assert held.codes(witness) == ["witness_ahead"], "so has a checkpoint"
    held.write(9)
    assert held.codes(report) == ["witness_head"]


def test_the_beginning_cannot_be_cut_off(held):
    held.put(held.raw()[3:])
    assert held.codes()[0] == "lines_missing"
    held.put_chained(held.raw())
    assert "log_changed" in held.codes()


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
    held.put_chained(_edit(lines, 3))
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
    held.put_chained(_edit(held.raw(), 15))
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
    held.put_chained(_edit(held.raw(), 15))
    with pytest.raises(IntegrityError):
        held.sign()
    assert "log_changed" in held.codes()


def test_a_stolen_current_key_signs_lines_after_the_last_checkpoint_and_a_witness_convicts_it(held):
    before = held.copy("before")
    witness = held.sign()
    held.restore(before)
    held.put_chained(_edit(held.raw(), 25))
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


def test_a_clock_that_was_set_back_is_told_but_proves_nothing(held):
    lines = held.raw()
    late = [edited(raw, clock_utc="2020-01-01T00:00:00.000000Z") for raw in lines[25:]]
    held.put_chained(lines[:25] + late)
    assert held.codes() == []
    assert held.advice() == ["wall_clock_set_back"]


def test_a_clock_that_was_set_back_between_two_checkpoints_is_told(tmp_path, monkeypatch):
    held = Held(tmp_path / "lab")
    held.write(2)
    held.sign()
    held.write(2)
    monkeypatch.setattr("playe_assets.custody.checkpoints.utc_now", lambda: "2020-01-01T00:00:00.000000Z")
    held.sign()
    assert held.codes() == []
    assert held.advice() == ["checkpoint_clock"]


def _bypass(path: Path, ready: Barrier, who: int) -> None:
    """A writer that reads the head as the log does and appends as the log does, but takes no lock."""
    head = CustodyLog(path).head()
    ready.wait(30)
    last = head.last_hash
    with path.open("ab", buffering=0) as out:
        for number in range(3):
            raw = canonical_json(
                {"event": "bypass", "who": who, "seq": head.lines + number, "prev_hash": last}
            )
            last = hashlib.sha256(raw).hexdigest()
            out.write(raw + b"\n")


def test_two_writers_that_bypass_the_lock_are_found(held):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(2)
    writers = [spawn.Process(target=_bypass, args=(held.folder / "events.jsonl", ready, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [w.exitcode for w in writers] == [0, 0]
    assert "line_number" in held.codes()


@pytest.mark.parametrize(("line", "under_checkpoint"), [(1, True), (4, False)])
def test_a_line_torn_at_every_byte_is_found_and_stays_found_when_the_log_goes_on(
    tmp_path, line, under_checkpoint
):
    held = Held(tmp_path / "lab")
    held.write(2)
    held.sign()
    held.write(2)
    path = held.folder / "events.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in range(sum(map(len, lines[:line])) + 1, sum(map(len, lines[: line + 1])) - 1):
        path.write_bytes(whole[:cut])
        held.forget()
        assert "torn_unacknowledged" in held.codes(), cut
        if cut % 16 == 0:
            held.write(1)
            assert held.advice() == ["torn"], cut
            assert ("log_changed" in held.codes()) == under_checkpoint, cut


@pytest.fixture
def rotated(tmp_path: Path) -> Held:
    """The honest log over several files."""
    held = honest(tmp_path / "lab", rotate_bytes=1500)
    assert held.codes() == []
    return held


def test_a_changed_byte_in_a_rotated_file_is_found(rotated):
    path = rotated.log.files()[1][0]
    path.write_bytes(path.read_bytes().replace("имя".encode(), "Имя".encode(), 1))
    assert rotated.codes()[0] == "line_changed"
    assert "log_changed" in rotated.codes()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_removed_file_of_the_log_is_found_and_its_lines_are_named(rotated, place):
    files = rotated.log.files()
    files[place][0].unlink()
    rotated.forget()
    [missing] = [f for f in rotated.found().findings if f.code == "lines_missing"]
    assert (missing.facts["first"], missing.facts["last"]) == (files[place][1], files[place + 1][1] - 1)


def test_the_newest_files_are_missed_where_a_checkpoint_covers_them(rotated):
    rotated.write(5)
    rotated.sign()
    for path, first in rotated.log.files():
        if first > 22:
            path.unlink()
    rotated.forget()
    assert "log_shorter" in rotated.codes()


def test_exchanged_and_added_files_of_the_log_are_found(rotated):
    first, second = (path for path, _ in rotated.log.files()[:2])
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    assert "line_number" in rotated.codes() or "lines_missing" in rotated.codes()
    first.write_bytes(content[0])
    second.write_bytes(content[1])
    assert rotated.codes() == []
    shutil.copy(first, first.with_name("events-000000000002.jsonl"))
    assert rotated.codes() != []


@pytest.fixture(scope="module")
def signed(tmp_path_factory) -> tuple[Held, bytes, int]:
    """A log of one file; its bytes; how many of them stand before the last line."""
    held = Held(tmp_path_factory.mktemp("bytes") / "lab")
    held.write(9)
    held.sign()
    held.write(5)
    held.sign()
    raw = (held.folder / "events.jsonl").read_bytes()
    return held, raw, raw.rindex(b"\n", 0, -1) + 1


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@seed(5)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_line_that_has_a_successor_is_found(signed, at, bit):
    held, raw, end = signed
    place = int(at * end)
    spoilt = bytearray(raw)
    spoilt[place] ^= 1 << bit
    (held.folder / "events.jsonl").write_bytes(spoilt)
    assert not held.found().holds, (place, bit)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@seed(5)
@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), epoch=st.integers(0, 1))
def test_any_flipped_bit_of_a_checkpoint_is_found(signed, at, bit, epoch):
    held, raw, _ = signed
    (held.folder / "events.jsonl").write_bytes(raw)
    path = held.notes[epoch]
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[int(at * len(whole))] ^= 1 << bit
    path.write_bytes(spoilt)
    found = held.found()
    path.write_bytes(whole)
    assert not found.holds, (path.name, at, bit)


def test_an_audit_writes_nothing_at_all(held):
    def state() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in sorted(held.folder.rglob("*")) if p.is_file()}

    before = state()
    held.found(held.notes[0].read_text())
    assert state() == before
    held.forget()
    held.put(_swap(held.raw(), 3))
    before = state()
    assert not held.found().holds
    assert state() == before


def test_every_finding_is_a_plain_sentence_in_both_languages(held):
    held.put(_swap(held.raw(), 3)[:20])
    held.notes[0].unlink()
    for finding in held.found().findings:
        for language, letter in (("en", "[a-z]"), ("ru", "[а-яё]")):
            said = finding.said(language)
            assert "{" not in said, said
            assert re.search(letter, said), said


def test_a_witness_is_read_from_a_note_a_report_or_a_notice_and_nothing_else(held, tmp_path):
    note = held.notes[1].read_text()
    head = {"seq": 3, "sha256": hashlib.sha256(held.raw()[3]).hexdigest()}
    custody = {"log_head": head, "checkpoint": {"note": note, "key0": held.checkpoints.key0()}}
    for name, content in (("kept.note", note), ("report.json", json.dumps({"sections": {"custody": custody}})),
                          ("old.json", json.dumps({"sections": {"custody": {"log_head": head}}})),
                          ("notice.json", json.dumps({"log_head": head}))):  # fmt: skip
        (tmp_path / name).write_text(content)
        kept = witness_from(tmp_path / name)
        assert held.codes(kept) == [], name
        assert kept.name == name
    for content in ("", "{}", "[]", "text", '{"sections": 3}', note.replace("\n\n", "\n")):
        (tmp_path / "none.note").write_text(content)
        with pytest.raises(CommandError, match=r"none\.note"):
            witness_from(tmp_path / "none.note")
    (tmp_path / "other.json").write_text(json.dumps({"sections": {"custody": {
        **custody, "checkpoint": {"note": note, "key0": "other+1+2"}}}}))  # fmt: skip
    assert held.codes(witness_from(tmp_path / "other.json")) == ["witness_key0"]


def _busy(held: Held, who: int, stop: Event) -> None:
    """Writes until told to stop; the first of them signs checkpoints as well."""
    while not stop.is_set():
        held.write(3, f"CASE-{who}")
        if who == 0:
            held.sign()


def test_an_audit_of_a_log_at_work_raises_no_false_alarm(tmp_path):
    held = honest(tmp_path / "lab", rotate_bytes=4000)
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    writers = [spawn.Process(target=_busy, args=(held, n, stop)) for n in range(2)]
    for writer in writers:
        writer.start()
    witness, found = held.notes[0].read_text(), [held.found()]
    try:
        while len(found) < 10 or found[-1].checkpoints < found[0].checkpoints + 3:
            found.append(held.found(witness))
    finally:
        stop.set()
        for writer in writers:
            writer.join(60)
    assert [f.findings for f in found if f.findings] == []
    assert [w.exitcode for w in writers] == [0, 0]
    assert held.codes() == []
