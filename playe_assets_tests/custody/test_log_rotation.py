"""The log over several files: one chain, one numbering, every reader, and crashes between two files."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shutil
import threading
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.custody import log_read
from playe_assets.custody.log import CustodyLog, Finding

LIMIT = 2000


def _rotated(path: Path, lines: int = 40) -> CustodyLog:
    log = CustodyLog(path, rotate_bytes=LIMIT)
    for number in range(lines):
        log.append([{"event": "test", "number": number, "text": "имя"}])
    return log


def _events(log: CustodyLog, start: int = 0) -> list[tuple[int, str | None]]:
    return [(i, e and e["event"]) for i, e, _ in log.read(start)]


def _append(path: Path, count: int) -> None:
    log = CustodyLog(path, rotate_bytes=LIMIT)
    for number in range(count):
        log.append([{"event": "test", "number": number}])


def test_a_full_file_is_renamed_by_its_first_line_and_the_chain_goes_on(tmp_path):
    log = _rotated(tmp_path / "events.jsonl")
    files = log.files()
    assert len(files) > 3
    assert files[0] == (tmp_path / "events-000000000000.jsonl", 0)
    assert files[-1][0] == log.path
    for (path, first), (_, after) in itertools.pairwise(files):
        lines = path.read_bytes().splitlines()
        assert [json.loads(raw)["seq"] for raw in lines] == list(range(first, after))
        assert path.name == f"events-{first:012d}.jsonl"
        assert len(path.read_bytes()) >= LIMIT
    for path, first in files[1:]:
        entry = json.loads(path.read_bytes().splitlines()[0])
        assert (entry["event"], entry["seq"]) == ("log.rotated", first)
    count = log.head().lines
    assert count == 40 + len(files) - 1
    assert log.verify() == (count, None)
    assert CustodyLog(log.path).verify() == (count, None), "whoever reads needs no setting"
    numbers = [e["number"] for _, e, _ in log.read() if e["event"] == "test"]
    assert numbers == list(range(40))


def test_reading_from_any_line_gives_the_same_lines_in_any_order_of_asking(tmp_path):
    log = _rotated(tmp_path / "events.jsonl")
    whole = list(log.read())
    reader = CustodyLog(log.path)
    for start in [*range(len(whole) + 2), 7, 3, 30, 29]:
        assert list(reader.read(start)) == whole[start:], start
    log.append([{"event": "later"}])
    assert _events(reader, len(whole)) == [(len(whole), "later")]


def test_a_reader_at_work_sees_every_line_once_while_the_log_is_rotated(tmp_path):
    log = _rotated(tmp_path / "events.jsonl", 5)
    seen = []
    for index, entry, _ in CustodyLog(log.path).read():
        seen.append(index)
        if entry["event"] == "test" and len(seen) < 60:
            log.append([{"event": "test"}])
    assert seen == list(range(log.head().lines))
    assert len(log.files()) > 3


def test_a_reader_who_came_to_the_end_just_before_the_log_was_rotated_passes_over_no_line(
    tmp_path, monkeypatch
):
    path = tmp_path / "events.jsonl"
    log = CustodyLog(path, rotate_bytes=1)
    for _ in range(3):
        log.append([{"event": "x"}, {"event": "x"}])
    reader, is_at, asked = CustodyLog(path), log_read._is_at, []

    def between(*what):
        found = is_at(*what)
        asked.append(found)
        if (
            sum(asked) == 2 and found
        ):  # at the end of the newest file: more is appended to it, and then it is renamed
            CustodyLog(path).append([{"event": "late"}])
            log.append([{"event": "in the next file"}])
        return found

    size = log.head().lines
    monkeypatch.setattr(log_read, "_is_at", between)
    read = [(index, entry["seq"]) for index, entry, _ in reader.read() if entry]
    assert read == [(n, n) for n in range(size)]
    assert sum(asked) == 2
    monkeypatch.undo()
    assert [index for index, entry, _ in reader.read(size) if entry] == list(range(size, log.head().lines))
    assert all(index == entry["seq"] for index, entry, _ in reader.read(size) if entry)


def test_processes_and_threads_rotate_together_without_a_gap(tmp_path):
    path = tmp_path / "events.jsonl"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_append, args=(path, 25)) for _ in range(3)]
    threads = [threading.Thread(target=_append, args=(path, 25)) for _ in range(2)]
    for one in [*writers, *threads]:
        one.start()
    for one in [*writers, *threads]:
        one.join(60)
    assert [w.exitcode for w in writers] == [0] * 3
    log = CustodyLog(path)
    assert sum(event == "test" for _, event in _events(log)) == 125
    count = log.head().lines
    assert count == 125 + len(log.files()) - 1
    assert log.verify() == (count, None)


@pytest.mark.parametrize("after", ["rename", "create", "half a line"])
def test_a_crash_between_two_files_loses_nothing(tmp_path, after):
    log = _rotated(tmp_path / "events.jsonl")
    before = log.head()
    first = log.files()[-1][1]
    begun = len(log.path.read_bytes().splitlines()[0]) // 2
    log.path.rename(tmp_path / f"events-{first:012d}.jsonl")
    if after == "create":
        log.path.touch()
    elif after == "half a line":
        torn = b'{"boot_id":"' + b"x" * begun
        log.path.write_bytes(torn)
    fresh = CustodyLog(log.path, rotate_bytes=LIMIT)
    assert fresh.verify()[1] == (Finding(before.lines, "torn_unacknowledged") if "half" in after else None)
    (seq,) = fresh.append([{"event": "after"}])
    expected = [None, "log.torn", "after"] if "half" in after else ["log.rotated", "after"]
    assert [event for _, event in _events(fresh, before.lines)] == expected
    assert seq == before.lines + len(expected) - 1
    assert fresh.verify() == (seq + 1, None)


def test_a_rotated_file_that_is_missing_changed_or_exchanged_is_found(tmp_path):
    log = _rotated(tmp_path / "events.jsonl")
    files = [path for path, _ in log.files()]
    firsts = [first for _, first in log.files()]
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in files:
        shutil.copy(path, kept)

    def found(change) -> Finding | None:
        change()
        finding = CustodyLog(log.path).verify()[1]
        for path in files:
            shutil.copy(kept / path.name, path)
        return finding

    assert found(files[0].unlink) == Finding(0, "seq")
    assert found(files[1].unlink) == Finding(firsts[1], "seq")
    cut = b"".join(files[1].read_bytes().splitlines(keepends=True)[:-1])
    assert found(lambda: files[1].write_bytes(cut)) == Finding(firsts[2] - 1, "seq")
    changed = files[0].read_bytes().replace(b'"number":3', b'"number":4')
    assert found(lambda: files[0].write_bytes(changed)).problem == "prev_hash"
    assert found(lambda: files[1].write_bytes(files[2].read_bytes())) == Finding(firsts[1], "seq")
    assert found(lambda: None) is None


def test_a_file_that_stands_where_the_full_one_should_go_is_never_overwritten(tmp_path):
    log = _rotated(tmp_path / "events.jsonl", 3)
    stranger = tmp_path / "events-000000000000.jsonl"
    log.append([{"event": "test", "text": "x" * LIMIT}])
    stranger.write_bytes(b"")
    before = log.path.read_bytes()
    with pytest.raises(IntegrityError) as caught:
        log.append([{"event": "more"}])
    assert caught.value.code == "custody.rotation_blocked"
    assert str(stranger) in str(caught.value)
    assert log.path.read_bytes() == before
    stranger.unlink()
    assert log.append([{"event": "more"}]) == [5]
    assert log.verify() == (6, None)


def test_a_copy_that_can_only_be_read_needs_no_lock(tmp_path):
    log = _rotated(tmp_path / "events.jsonl")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path, _ in log.files():
        shutil.copy(path, copy)
    copied = CustodyLog(copy / "events.jsonl")
    assert copied.head() == log.head()
    assert copied.verify() == log.verify()
    assert sorted(p.suffix for p in copy.iterdir()) == [".jsonl"] * len(log.files()), "nothing is written"
