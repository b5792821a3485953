"""The lock keeps everybody else out: threads that use it first, children that outlive their parent, a removed file."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from playe_assets.core.errors import LockTimeoutError
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_lock import FileLock

_PARENT = """
import os, sys, threading, time
from pathlib import Path
from playe_assets.custody.log_lock import FileLock
lock = FileLock(Path(sys.argv[1]), Path(sys.argv[1]), 20.0, "custody.lock_timeout")
holding = threading.Event()
def hold():
    with lock.held():
        holding.set()
        time.sleep(60)
threading.Thread(target=hold, daemon=True).start()
holding.wait()
child = os.fork()
if not child:
    print(os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
time.sleep(0.2)
os.kill(os.getpid(), 9)
"""


def _lock(folder, seconds=20.0):
    return FileLock(folder / "events.lock", folder / "events.jsonl", seconds, "custody.lock_timeout")


def test_threads_that_use_a_lock_for_the_first_time_keep_each_other_out(tmp_path):
    within, most = [0], [0]
    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(40):
            lock, start = _lock(tmp_path), threading.Barrier(6)

            def enter(lock=lock, start=start):
                start.wait()
                with lock.held():
                    within[0] += 1
                    most[0] = max(most[0], within[0])
                    within[0] -= 1

            threads = [threading.Thread(target=enter) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
    finally:
        sys.setswitchinterval(switching)
    assert most == [1]


def test_a_lock_file_that_was_removed_keeps_nobody_in_a_lock_of_his_own(tmp_path):
    one, other = _lock(tmp_path, 0.2), _lock(tmp_path)
    with one.held():
        pass
    one.path.unlink()
    with other.held(), pytest.raises(LockTimeoutError), one.held():
        pass
    with one.held() as got:
        assert got


def test_writers_whose_lock_files_are_removed_again_and_again_keep_the_chain_whole(tmp_path):
    path, done = tmp_path / "events.jsonl", threading.Event()

    def write():
        log = CustodyLog(path)
        for number in range(60):
            log.append([{"event": "x", "number": number}])

    def remove():
        while not done.wait(0.01):
            for name in ("events.lock", "events.sync", "events.state"):
                path.with_name(name).unlink(missing_ok=True)

    remover = threading.Thread(target=remove)
    remover.start()
    write()
    write()
    done.set()
    remover.join()
    assert CustodyLog(path).verify() == (120, None)


def test_the_lock_of_a_killed_process_is_free_although_a_child_of_it_lives_on(tmp_path):
    lock = _lock(tmp_path)
    program = [sys.executable, "-c", _PARENT, str(lock.path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) > 0
        parent.wait(30)  # killed; the child still reads its input
        with lock.held() as got:
            assert got
        assert parent.stdin is not None
        parent.stdin.close()
