"""The custody log: chained over threads and processes, torn tails closed, every change found."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError, LockTimeoutError
from playe_assets.custody.log import GENESIS, CustodyLog, Finding

PROCESSES, THREADS, LINES = 4, 4, 12


def _write(path: Path, who: int, count: int) -> None:
    log = CustodyLog(path)
    for number in range(count):
        log.append([{"event": "test", "who": who, "number": number}])


def _filled(path: Path, lines: int = 6) -> CustodyLog:
    log = CustodyLog(path)
    for number in range(lines):
        log.append([{"event": "test", "number": number, "text": "имя"}])
    return log


def _raw(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_an_empty_log_has_the_genesis_head_and_verifies(tmp_path):
    log = CustodyLog(tmp_path / "events.jsonl")
    assert (log.head().lines, log.head().last_hash) == (0, GENESIS)
    assert log.verify() == (0, None)
    assert list(log.read()) == []


def test_lines_are_numbered_and_chained_from_the_first_on(tmp_path):
    import hashlib

    log = CustodyLog(tmp_path / "deep" / "events.jsonl")
    assert log.append([{"event": "a"}, {"event": "b"}]) == [0, 1]
    assert log.append([{"event": "c"}]) == [2]
    lines = _raw(log.path)
    entries = [json.loads(line) for line in lines]
    assert [e["seq"] for e in entries] == [0, 1, 2]
    assert entries[0]["prev_hash"] == GENESIS
    assert [e["prev_hash"] for e in entries[1:]] == [
        hashlib.sha256(line.rstrip(b"\n")).hexdigest() for line in lines[:2]
    ]
    assert all(e["boot_id"] and e["clock_boottime"] > 0 for e in entries)
    assert log.verify() == (3, None)


def test_threads_of_one_log_and_of_several_logs_keep_one_chain(tmp_path):
    path = tmp_path / "events.jsonl"
    shared = CustodyLog(path)
    threads = [
        threading.Thread(target=lambda n=n: [shared.append([{"who": n}]) for _ in range(LINES)])
        for n in range(THREADS)
    ] + [threading.Thread(target=_write, args=(path, n, LINES)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert CustodyLog(path).verify() == (2 * THREADS * LINES, None)


def test_four_processes_keep_one_chain_and_each_its_own_order(tmp_path):
    path = tmp_path / "events.jsonl"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(path, n, LINES)) for n in range(PROCESSES)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [w.exitcode for w in writers] == [0] * PROCESSES
    log = CustodyLog(path)
    assert log.verify() == (PROCESSES * LINES, None)
    seen = [e for _, e, _ in log.read() if e]
    for who in range(PROCESSES):
        assert [e["number"] for e in seen if e["who"] == who] == list(range(LINES))


def test_a_child_after_fork_opens_the_file_anew_and_shares_the_lock(tmp_path):
    log = _filled(tmp_path / "events.jsonl", 1)
    child = os.fork()
    if child == 0:
        log.append([{"event": "child"}])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    log.append([{"event": "parent"}])
    assert log.verify() == (3, None)


def test_a_tail_torn_at_any_byte_is_closed_kept_and_acknowledged(tmp_path):
    path = tmp_path / "events.jsonl"
    _filled(path, 3)
    whole = path.read_bytes()
    start = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(start + 1, len(whole) - 1):
        path.write_bytes(whole[:cut])
        before = CustodyLog(path).verify()
        assert before == (3, Finding(2, "torn_unacknowledged")), cut
        assert CustodyLog(path).append([{"event": "after"}]) == [4], cut
        assert path.read_bytes().startswith(whole[:cut] + b"\n"), "nothing that was written may be rewritten"
        entries = [e for _, e, _ in CustodyLog(path).read()]
        assert [e and e["event"] for e in entries] == ["test", "test", None, "log.torn", "after"], cut
        assert entries[3]["torn_line"] == 2
        assert CustodyLog(path).verify() == (5, None), cut


def test_a_full_line_that_only_lacks_its_newline_is_not_called_torn(tmp_path):
    path = tmp_path / "events.jsonl"
    _filled(path, 3)
    path.write_bytes(path.read_bytes()[:-1])
    assert CustodyLog(path).append([{"event": "after"}]) == [3]
    assert [e["event"] for _, e, _ in CustodyLog(path).read()] == ["test", "test", "test", "after"]
    assert CustodyLog(path).verify() == (4, None)


def test_a_log_whose_only_line_is_torn_goes_on_behind_it(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event":"te')
    assert CustodyLog(path).append([{"event": "after"}]) == [2]
    assert CustodyLog(path).verify() == (3, None)


def test_two_torn_tails_one_after_the_other_are_both_acknowledged(tmp_path):
    path = tmp_path / "events.jsonl"
    _filled(path, 2)
    path.write_bytes(path.read_bytes()[:-5])
    CustodyLog(path).append([{"event": "between"}])
    path.write_bytes(path.read_bytes()[:-5])
    CustodyLog(path).append([{"event": "after"}])
    events = [e and e["event"] for _, e, _ in CustodyLog(path).read()]
    assert events == ["test", None, "log.torn", None, "log.torn", "after"]
    assert CustodyLog(path).verify() == (6, None)


def test_a_line_longer_than_the_chunk_is_found_from_behind(tmp_path):
    path = tmp_path / "events.jsonl"
    CustodyLog(path).append([{"event": "long", "text": "x" * 300_000}])
    CustodyLog(path).append([{"event": "longer", "text": "y" * 700_000}])
    assert CustodyLog(path).append([{"event": "short"}]) == [2]
    assert CustodyLog(path).verify() == (3, None)


def test_an_edited_line_is_found(tmp_path):
    path = tmp_path / "events.jsonl"
    log = _filled(path)
    lines = _raw(path)
    lines[2] = lines[2].replace(b'"number":2', b'"number":9')
    path.write_bytes(b"".join(lines))
    assert log.verify()[1] == Finding(3, "prev_hash")


def test_a_deleted_line_is_found(tmp_path):
    log = _filled(tmp_path / "events.jsonl")
    lines = _raw(log.path)
    log.path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert log.verify()[1] == Finding(2, "seq")


def test_an_inserted_line_is_found(tmp_path):
    log = _filled(tmp_path / "events.jsonl")
    lines = _raw(log.path)
    log.path.write_bytes(b"".join([*lines[:3], lines[2], *lines[3:]]))
    assert log.verify()[1] == Finding(3, "seq")


def test_two_swapped_lines_are_found(tmp_path):
    log = _filled(tmp_path / "events.jsonl")
    lines = _raw(log.path)
    log.path.write_bytes(b"".join([*lines[:2], lines[3], lines[2], *lines[4:]]))
    assert log.verify()[1] == Finding(2, "seq")


def test_a_line_that_is_renumbered_with_a_false_hash_is_found(tmp_path):
    log = _filled(tmp_path / "events.jsonl")
    lines = _raw(log.path)
    entry = json.loads(lines[1])
    entry["prev_hash"] = "f" * 64
    lines[1] = json.dumps(entry).encode() + b"\n"
    log.path.write_bytes(b"".join(lines))
    assert log.verify()[1] == Finding(1, "prev_hash")


def test_a_line_of_rubbish_in_the_middle_is_found(tmp_path):
    log = _filled(tmp_path / "events.jsonl")
    lines = _raw(log.path)
    lines[2] = b"rubbish\n"
    log.path.write_bytes(b"".join(lines))
    assert log.verify()[1] == Finding(2, "torn_unacknowledged")


def test_kill_9_of_a_writer_loses_no_acknowledged_line(tmp_path):
    path = tmp_path / "events.jsonl"
    code = (
        "import sys; from pathlib import Path; from playe_assets.custody.log import CustodyLog\n"
        f"log = CustodyLog(Path({str(path)!r}))\n"
        "while True:\n    print(log.append([{'event': 'x', 'text': 'y' * 500}])[0], flush=True)\n"
    )
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            last = ""
            for _ in range(25):
                last = writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            last = ([last, *writer.stdout.readlines()])[-1] or last
        acknowledged = int(last)
        lines = [e for _, e, _ in CustodyLog(path).read()]
        assert lines[acknowledged] is not None
        assert lines[acknowledged]["seq"] == acknowledged
    CustodyLog(path).append([{"event": "after"}])
    assert CustodyLog(path).verify()[1] is None


def test_a_lock_that_another_process_holds_ends_in_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "events.jsonl"
    log = _filled(path, 1)
    patient = CustodyLog(path, lock_timeout_s=0.2)
    with path.with_suffix(".lock").open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(LockTimeoutError) as caught:
            patient.append([{"event": "x"}])
    assert not caught.value.permanent
    assert str(path) in str(caught.value)
    assert patient.append([{"event": "now"}]) == [1]
    assert log.verify() == (2, None)


def test_after_a_failed_fsync_the_log_takes_no_more(tmp_path, monkeypatch):
    # The failing disk is a fake: os.fdatasync raises what the kernel would report.
    log = _filled(tmp_path / "events.jsonl", 1)

    def failing(_descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(OSError, match="Input/output error"):
        log.append([{"event": "lost?"}])
    monkeypatch.undo()
    with pytest.raises(IntegrityError) as caught:
        log.append([{"event": "more"}])
    assert caught.value.code == "custody.poisoned"


def test_what_cannot_be_written_as_json_leaves_the_log_as_it_was(tmp_path):
    log = _filled(tmp_path / "events.jsonl", 2)
    before = log.path.read_bytes()
    with pytest.raises(ValueError, match="JSON compliant"):
        log.append([{"event": "good"}, {"event": "bad", "value": float("nan")}])
    assert log.path.read_bytes() == before
    assert log.append([{"event": "next"}]) == [2]
