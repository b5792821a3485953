"""What a failed fsync leaves to the processes that come later, and to one that was in the middle of an append."""

from __future__ import annotations

import subprocess
import sys

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.log import CustodyLog

_FAILS = """
import os, sys
from pathlib import Path
from playe_assets.custody.log import CustodyLog
log = CustodyLog(Path(sys.argv[1]))
log.append([{"event": "saved"}])
def failing(_file):
    raise OSError(5, "Input/output error")
os.fdatasync = failing
try:
    log.append([{"event": "never saved", "text": "x" * 500}])
except OSError:
    print("failed")
"""
_GOES_ON = """
import sys
from pathlib import Path
from playe_assets.custody.log import CustodyLog
print(CustodyLog(Path(sys.argv[1])).append([{"event": "later"}]))
"""


def _process(program, path):
    return subprocess.run(
        [sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True
    ).stdout


def _events(log):
    return [entry["event"] for _, entry, _ in log.read() if entry]


def test_rotation_after_a_failed_fsync_waits_until_the_tail_was_written_again(tmp_path):
    path = tmp_path / "events.jsonl"
    assert _process(_FAILS, path) == "failed\n"
    log = CustodyLog(path, rotate_bytes=1)
    log.append([{"event": "later"}])
    assert _events(log) == ["saved", "never saved", "log.resumed", "later"]
    (resumed,) = [entry for _, entry, _ in log.read() if entry and entry["event"] == "log.resumed"]
    assert resumed["written_again_bytes"] > 500
    log.append([{"event": "rotated at last"}])
    assert _events(log)[4:] == ["log.rotated", "rotated at last"]
    assert log.verify() == (6, None)


def test_a_line_written_before_a_failed_fsync_is_not_acknowledged_by_the_process_that_took_over(tmp_path):
    path = tmp_path / "events.jsonl"
    log = CustodyLog(path)
    log.append([{"event": "first"}])
    settle = log._sync.settle

    def late(*what):
        assert _process(_FAILS, path) == "failed\n"
        _process(_GOES_ON, path)
        settle(*what)

    log._sync.settle = late
    with pytest.raises(IntegrityError) as caught:
        log.append([{"event": "in the middle"}])
    assert caught.value.code == "custody.poisoned"


def test_who_takes_over_looks_at_the_tail_and_not_at_what_was_known_of_it(tmp_path):
    path = tmp_path / "events.jsonl"
    assert _process(_FAILS, path) == "failed\n"
    # What a kernel may do that forgot the failed page: zeros stand where the line stood.
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    path.write_bytes(content[:first] + bytes(len(content) - first))
    _process(_GOES_ON, path)
    log = CustodyLog(path)
    assert log.verify() == (5, None)
    assert _events(log) == ["saved", "log.torn", "log.resumed", "later"]
