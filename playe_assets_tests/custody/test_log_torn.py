"""Torn lines of the custody log: a crash within their acknowledgement, and changes to them afterwards."""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json

import pytest

from playe_assets.core.errors import LockTimeoutError
from playe_assets.custody import log_read
from playe_assets.custody.log import CustodyLog, Finding
from playe_assets.custody.log_read import GENESIS, Head
from playe_assets_tests.custody.test_log import _filled as filled


def test_a_crash_at_any_byte_of_closing_and_acknowledging_is_itself_acknowledged(tmp_path):
    path = tmp_path / "events.jsonl"
    filled(path, 3)
    path.write_bytes(path.read_bytes()[:-20])
    torn = path.read_bytes()
    CustodyLog(path).append([{"event": "after"}])
    written = path.read_bytes()[len(torn) :].splitlines(keepends=True)
    assert (len(written), written[0]) == (3, b"\n")
    note = b"".join(written[:2])
    for cut in range(1, len(note) + 1):
        path.write_bytes(torn + note[:cut])
        whole = cut >= len(note) - 1  # the acknowledgement then lacks its newline at most
        before = CustodyLog(path).verify()[1]
        assert before == (None if whole else Finding(2, "torn_unacknowledged")), cut
        CustodyLog(path).append([{"event": "after"}])
        entries = [e for _, e, _ in CustodyLog(path).read()]
        partial = [] if whole or cut == 1 else [None]
        assert [e and e["event"] for e in entries] == [
            "test", "test", None, *partial, "log.torn", "after",
        ], cut  # fmt: skip
        assert entries[-2]["torn_line"] == 2, cut
        assert entries[-2]["torn_lines"] == 1 + len(partial), cut
        assert CustodyLog(path).verify() == (len(entries), None), cut
        assert path.read_bytes().startswith(torn + note[:cut]), "nothing that was written may be rewritten"


def test_torn_lines_that_are_altered_after_they_were_acknowledged_are_found(tmp_path):
    path = tmp_path / "events.jsonl"
    filled(path, 3)
    path.write_bytes(path.read_bytes()[:-20] + b"\n" + b'{"event":"log.to')
    log = CustodyLog(path)
    log.append([{"event": "after"}])
    assert log.verify() == (6, None)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{other}\n", *lines[3:]]))
    assert log.verify()[1] == Finding(2, "torn_unacknowledged")
    path.write_bytes(b"".join([lines[0], b"rubbish\n", *lines[2:]]))
    assert log.verify()[1] == Finding(1, "torn_unacknowledged")


def test_an_acknowledgement_of_an_older_version_stands_for_the_one_line_before_it(tmp_path):
    path = tmp_path / "events.jsonl"
    torn = b'{"event":"te'
    entry = {"event": "log.torn", "torn_line": 0, "seq": 1, "prev_hash": hashlib.sha256(torn).hexdigest()}
    path.write_bytes(torn + b"\n" + json.dumps(entry).encode() + b"\n")
    assert CustodyLog(path).verify() == (2, None)


def test_the_head_is_never_read_while_a_line_is_being_written(tmp_path):
    path = tmp_path / "events.jsonl"
    filled(path, 2)
    log = CustodyLog(path, lock_timeout_s=0.1)
    with path.with_suffix(".lock").open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(LockTimeoutError):
            log.head()
    assert log.head().lines == 2


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1 << 16])
def test_the_end_is_found_as_a_reading_from_the_beginning_finds_it(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(log_read, "_CHUNK", chunk)
    parts = [b"\n", b"x", b'{"seq":4}', b'{"seq":9}\n']
    for chosen in itertools.product(parts, repeat=4):
        content = b"".join(chosen)
        path = tmp_path / "events.jsonl"
        path.write_bytes(content)
        lines = content.removesuffix(b"\n").split(b"\n")
        whole = [n for n, raw in enumerate(lines) if log_read.parse(raw)]
        torn = lines[whole[-1] + 1 :] if whole else lines
        count = (json.loads(lines[whole[-1]])["seq"] + 1 if whole else 2) + len(torn)
        with path.open("rb") as handle:
            head, closed, found = log_read.scan_tail(handle.fileno(), len(content), Head(2, GENESIS, 0))
        assert (found, closed, head.lines) == (torn, content.endswith(b"\n"), count), content
        assert head.last_hash == hashlib.sha256(lines[-1]).hexdigest()


def test_a_tail_of_empty_lines_takes_no_longer_than_its_length_asks(tmp_path):
    log = filled(tmp_path / "events.jsonl", 1)
    with log.path.open("ab") as handle:
        handle.write(b"\n" * 200_000)  # looking at each piece again and again would take minutes
    assert log.append([{"event": "after"}]) == [200_002]
    assert log.verify() == (200_003, None)
