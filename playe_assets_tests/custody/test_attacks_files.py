"""Attacks on the log's bytes and files, writers that bypass its lock, and what an audit must not do."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import shutil
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import CommandError
from playe_assets.custody.audit import witness_from
from playe_assets.custody.log import CustodyLog
from playe_assets_tests.custody.attacks import Held, honest, swap


@pytest.fixture
def held(tmp_path: Path) -> Held:
    """The honest log, which holds."""
    held = honest(tmp_path / "lab")
    assert held.codes() == []
    return held


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


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_a_missing_file_and_holds_nobody_up(rotated, make):
    path = CustodyLog(rotated.folder / "events.jsonl").files()[0][0]
    path.unlink()
    make(path)
    assert rotated.codes()


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
    held.put(swap(held.raw(), 3))
    before = state()
    assert not held.found().holds
    assert state() == before


def test_every_finding_is_a_plain_sentence_in_both_languages(held):
    held.put(swap(held.raw(), 3)[:20])
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
