"""Sleepers on a lock are woken by who lets go, and look for themselves where nobody can wake them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

import pytest

from playe_assets.core.errors import LockTimeoutError
from playe_assets.custody.log_lock import FileLock
from playe_assets.custody.log_wake import WakeUps


def _lock(folder, seconds=20.0):
    return FileLock(folder / "events.lock", folder / "events.jsonl", seconds, "custody.lock_timeout")


def _hold(folder, ready, seconds):
    with _lock(folder).held():
        ready.set()
        time.sleep(seconds)


def test_a_counter_that_moved_since_it_was_seen_lets_nobody_sleep(tmp_path):
    one, other = WakeUps(tmp_path / "lock"), WakeUps(tmp_path / "lock")
    seen = one.seen()
    other.count()
    assert one.seen() != seen
    one.wait(seen)  # returns: the kernel compares the counter before it lets anybody sleep


def test_a_sleeper_is_woken_over_processes_and_threads(tmp_path):
    lock, order = _lock(tmp_path), []

    def take():
        with _lock(tmp_path).held():
            order.append("thread")

    with lock.held():
        thread = threading.Thread(target=take)
        thread.start()
        time.sleep(0.05)
        order.append("holder")
    thread.join(20)
    assert order == ["holder", "thread"]


def test_a_holder_that_is_killed_wakes_nobody_and_the_lock_is_had_all_the_same(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    holder = spawn.Process(target=_hold, args=(tmp_path, ready, 60.0))
    holder.start()
    assert ready.wait(30)
    killer = threading.Timer(0.2, os.kill, (holder.pid, signal.SIGKILL))
    killer.start()
    with _lock(tmp_path).held() as got:
        assert got
    holder.join(20)


def test_a_lock_file_that_somebody_cuts_short_kills_nobody(tmp_path):
    lock = _lock(tmp_path)
    with lock.held():
        pass
    os.truncate(tmp_path / "events.lock", 0)
    with lock.held(), pytest.raises(LockTimeoutError), _lock(tmp_path, 0.1).held():
        pass
    waiter = WakeUps(tmp_path / "events.lock")
    os.truncate(tmp_path / "events.lock", 0)
    waiter.wait(waiter.seen(), 0.01)
    waiter.count()
    waiter.wake(1)


def test_a_lock_file_that_nobody_may_write_still_ends_in_the_time_limit(tmp_path):
    held = _lock(tmp_path)
    with held.held():
        late = _lock(tmp_path, 0.2)
        late._wake._pid, late._wake._file = os.getpid(), None  # as for one who may only read
        with pytest.raises(LockTimeoutError, match=r"events\.jsonl"), late.held():
            pass
