"""What the processes tell one another in `events.state` is a cache: absent, wrong or old, it never costs a line."""

from __future__ import annotations

import os

import pytest

from playe_assets.core.errors import IntegrityError, LockTimeoutError
from playe_assets.custody import log_state, log_sync
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_lock import FileLock
from playe_assets_tests.custody.test_log import _filled as filled


def _spoil(state, how):
    if how == "absent":
        state.unlink()
    elif how == "empty":
        state.write_bytes(b"")
    elif how == "cut":
        state.write_bytes(state.read_bytes()[:70])
    elif how == "rubbish":
        state.write_bytes(os.urandom(4096))
    elif how == "a bit":
        raw = bytearray(state.read_bytes())
        raw[30] ^= 1
        raw[128 + 30] ^= 1
        state.write_bytes(raw)
    else:
        state.unlink()
        state.mkdir()


@pytest.mark.parametrize("how", ["absent", "empty", "cut", "rubbish", "a bit", "a folder"])
def test_a_state_that_is_spoiled_at_any_time_costs_no_line(tmp_path, how):
    log = filled(tmp_path / "events.jsonl", 3)
    other = CustodyLog(log.path)
    other.append([{"event": "other"}])
    _spoil(tmp_path / "events.state", how)
    assert log.append([{"event": "log"}]) == [4]
    assert other.append([{"event": "other"}]) == [5]
    assert CustodyLog(log.path).append([{"event": "new"}]) == [6]
    assert log.head().lines == other.head().lines == 7
    assert log.verify() == (7, None)


def test_a_state_of_an_older_copy_or_of_another_boot_is_not_believed(tmp_path, monkeypatch):
    log = filled(tmp_path / "events.jsonl", 4)
    state = tmp_path / "events.state"
    whole, old = log.path.read_bytes(), state.read_bytes()
    log.append([{"event": "more"}])
    state.write_bytes(old)
    assert CustodyLog(log.path).append([{"event": "x"}]) == [5]
    log.path.write_bytes(whole)  # rolled back, by a backup for example
    assert CustodyLog(log.path).append([{"event": "y"}]) == [4]
    assert CustodyLog(log.path).verify() == (5, None)
    assert log_state.LogState(state).head().lines == 5
    monkeypatch.setattr(log_state, "boot_id", lambda: "00000000-0000-4000-8000-000000000001")
    assert log_state.LogState(state).head() is None
    assert log_state.LogState(state).synced() == log_state.NOTHING_SYNCED
    assert CustodyLog(log.path).append([{"event": "z"}]) == [5]


def test_one_sync_serves_all_that_was_written_before_it(tmp_path, monkeypatch):
    log, other = CustodyLog(tmp_path / "events.jsonl"), CustodyLog(tmp_path / "events.jsonl")
    log.append([{"event": "first"}])
    synced = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(fd) or real(fd))
    settle = log._sync.settle

    def late(
        file, run, lines
    ):  # a second writer appends and syncs between the first one's write and its sync
        assert other.append([{"event": "other"}]) == [2]
        settle(file, run, lines)

    monkeypatch.setattr(log._sync, "settle", late)
    assert log.append([{"event": "log"}]) == [1]
    assert len(synced) == 1


def test_the_head_that_is_told_is_on_the_disk(tmp_path, monkeypatch):
    log = filled(tmp_path / "events.jsonl", 2)
    writer = CustodyLog(log.path)
    monkeypatch.setattr(writer._sync, "settle", lambda *_: None)  # killed between its write and its sync
    writer.append([{"event": "not synced yet"}])
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    assert log.head().lines == 3
    assert len(synced) == 1
    assert log.head().lines == 3
    assert len(synced) == 1, "nothing is left to sync"


def test_a_sync_of_which_nobody_wrote_down_the_end_is_made_good_by_writing_the_tail_again(
    tmp_path, monkeypatch
):
    log = filled(tmp_path / "events.jsonl", 2)
    killed = CustodyLog(log.path)

    class KilledError(BaseException):
        pass

    def kill(_fd):
        raise KilledError

    monkeypatch.setattr(os, "fdatasync", kill)
    with pytest.raises(KilledError):
        killed.append([{"event": "in doubt"}])
    monkeypatch.undo()
    before = log.path.read_bytes()
    again = []
    real = log_sync.write_again
    monkeypatch.setattr(log_sync, "write_again", lambda *a: again.append(real(*a)))
    assert CustodyLog(log.path).append([{"event": "after"}]) == [3]
    assert len(again) == 1
    assert log.path.read_bytes().startswith(before)
    log.append([{"event": "more"}])
    assert len(again) == 1
    assert log.verify() == (5, None)


def test_a_process_that_waits_too_long_for_a_sync_says_that_the_line_is_not_acknowledged(tmp_path):
    log = filled(tmp_path / "events.jsonl", 1)
    patient = CustodyLog(log.path, lock_timeout_s=0.2)
    with (
        FileLock(tmp_path / "events.sync", log.path, 1.0, "custody.sync_timeout").held(),
        pytest.raises(LockTimeoutError) as caught,
    ):
        patient.append([{"event": "x"}])
    assert caught.value.code == "custody.sync_timeout"
    for part in (str(log.path), "events.sync", "0.2 s"):
        assert part in str(caught.value)
    assert log.append([{"event": "y"}]) == [2], "the line that was not acknowledged stays"


def test_nobody_else_is_stopped_by_a_log_that_failed(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    failed, other = filled(tmp_path / "a" / "events.jsonl", 1), filled(tmp_path / "b" / "events.jsonl", 1)

    def failing(_fd):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(OSError, match="start PLAYE again"):
        failed.append([{"event": "x"}])
    monkeypatch.undo()
    assert other.append([{"event": "y"}]) == [1]
    for same_process in (failed, CustodyLog(failed.path)):
        with pytest.raises(IntegrityError):
            same_process.append([{"event": "z"}])
    assert failed.verify()[1] is None, "who only reads goes on"
