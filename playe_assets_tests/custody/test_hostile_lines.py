"""Lines that an attacker forged behind the newest checkpoint: each gets a verdict, never a crash."""

from __future__ import annotations

import hashlib

import pytest

from playe_assets.custody.audit import audit
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_verify import ClockCheck

_LINE = (
    b'{"boot_id":"b","clock_boottime":10.5,"clock_utc":"2026-01-01T00:00:00.000000Z","event":"x",'
    b'"prev_hash":"%PREV%","seq":%SEQ%}'
)
_WRONG = {
    "a key twice": (b'"event":"x"', b'"event":"x","event":"y"'),
    "not a number": (b'"event":"x"', b'"event":NaN'),
    "an infinite number": (b'"event":"x"', b'"event":1e999'),
    "an infinite clock": (b"10.5", b"1e999"),
    "a key twice before a number without end": (b'"event":"x"', b'"e":{"a":1,"a":2},"event":' + b"1" * 5000),
    "a number of a line that no log reaches": (b"%SEQ%", b"9" * 4300),
    "a negative number of a line": (b"%SEQ%", b"-7"),
    "a mark of byte order": (b'{"boot_id"', b'\xef\xbb\xbf{"boot_id"'),
    "a checkpoint whose number is no file's name": (
        b'"event":"x"',
        b'"epoch":' + b"9" * 4000 + b',"event":"log.checkpoint","note_sha256":"x"',
    ),
}
_ODD = {
    "half a character as boot": (b'"b"', rb'"\ud800"'),
    "half a character as time": (b'"2026-01-01T00:00:00.000000Z"', rb'"\ud800"'),
    "a clock that is no number of seconds": (b"10.5", b"1" + b"0" * 400),
    "a torn line's count in words": (b'"event":"x"', b'"event":"log.torn","torn_lines":"many"'),
    "a year without a place in time": (b"2026-01-01T00:00:00.000000Z", b"0001-01-01T00:00:00"),
}


class _Unlocked(CustodyLog):
    """As an auditor finds it who may read the log and not its lock."""

    def _end(self):
        raise PermissionError


def _forged(folder, old, new):
    log = CustodyLog(folder / "events.jsonl")
    log.append([{"event": "first"}])
    checkpoints = Checkpoints(log, folder / "checkpoints")
    checkpoints.make()
    head = log.head()
    last, lines = head.last_hash, head.lines
    with log.path.open("ab") as handle:
        for number, line in enumerate((_LINE.replace(old, new), _LINE)):
            raw = line.replace(b"%SEQ%", b"%d" % (lines + number)).replace(b"%PREV%", last.encode())
            handle.write(raw + b"\n")
            last = hashlib.sha256(raw).hexdigest()
    return checkpoints


@pytest.mark.parametrize("log", [CustodyLog, _Unlocked])
@pytest.mark.parametrize(("old", "new"), _WRONG.values(), ids=_WRONG)
def test_a_line_that_readers_may_read_differently_never_holds_with_the_lock_or_without(
    tmp_path, old, new, log
):
    checkpoints = _forged(tmp_path, old, new)
    found = audit(log(tmp_path / "events.jsonl"), checkpoints)
    assert not found.holds
    assert all(finding.said(language) for finding in found.findings for language in ("en", "ru"))


@pytest.mark.parametrize("log", [CustodyLog, _Unlocked])
@pytest.mark.parametrize(("old", "new"), _ODD.values(), ids=_ODD)
def test_a_field_that_says_nonsense_does_not_keep_the_audit_from_its_verdict(tmp_path, old, new, log):
    checkpoints = _forged(tmp_path, old, new)
    found = audit(log(tmp_path / "events.jsonl"), checkpoints)
    assert found.lines == 4
    assert found.holds, "the chain is whole; what its lines say of clocks is advisory"


def test_a_log_that_names_another_boot_in_each_line_does_not_fill_the_memory():
    clocks = ClockCheck()
    for number in range(30_000):
        clocks.add(number, b"%d" % number, 1.0, None)
    clocks.add(30_000, b"7", 1.0, None)
    assert [(found.line, found.problem) for found in clocks.found] == [(30_000, "boot_returned")]
    assert len(clocks._boots) <= 10_000


@pytest.mark.parametrize("old", [b"9" * 30, b"9" * 4300, b"-7"])
def test_a_number_that_no_log_reaches_does_not_carry_on_into_the_next_line(tmp_path, old):
    log = CustodyLog(tmp_path / "events.jsonl")
    log.append([{"event": "first"}])
    with log.path.open("ab") as handle:
        handle.write(_LINE.replace(b"%SEQ%", old) + b"\n")
    assert log.append([{"event": "next"}]) == [3], "the line is closed and acknowledged as torn"
    assert log.verify()[1] is not None


def test_a_full_file_under_the_name_of_another_line_is_found(tmp_path):
    log = CustodyLog(tmp_path / "events.jsonl", rotate_bytes=1)
    for _ in range(3):
        log.append([{"event": "x"}, {"event": "x"}])
    checkpoints = Checkpoints(log, tmp_path / "checkpoints")
    assert audit(log, checkpoints).holds
    (tmp_path / "events-000000000002.jsonl").rename(tmp_path / "events-000000000001.jsonl")
    found = audit(log, checkpoints)
    assert [finding.code for finding in found.findings] == ["file_name"]
    assert "its first line is 2" in found.findings[0].said("en")
