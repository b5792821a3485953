"""Verification: strict where it does not parse, what clocks tell, and one reading for chain and tree."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.canonical import canonical_json
from playe_assets.custody import merkle
from playe_assets.custody.log import GENESIS, Finding
from playe_assets.custody.log_shapes import Shapes
from playe_assets.custody.log_verify import CLOCK_TOLERANCE_S, LineCheck, _parsed
from playe_assets_tests.custody.test_log import _filled as filled

BOOT = "00000000-0000-4000-8000-00000000000%d"
ENTRY = {"boot_id": BOOT % 1, "checks": [{"name": "a", "passed": True}], "clock_boottime": 12.5,
         "clock_utc": "2026-01-01T00:00:00.000000Z", "list": [1, 2.5, "x"], "params": {"h": 3, "seq": 9},
         "prev_hash": "a" * 64, "seq": 7, "text": "имя"}  # fmt: skip


def _chained(entries, clocks=None):
    last, lines = GENESIS, []
    for seq, entry in enumerate(entries):
        lines.append(canonical_json({**ENTRY, **entry, "seq": seq, "prev_hash": last}))
        last = hashlib.sha256(lines[-1]).hexdigest()
    return lines


def _checked(lines):
    check = LineCheck()
    for index, raw in enumerate(lines):
        if not check.add(index, raw):
            break
    return check.result()


def _shape():
    shapes = Shapes()
    raw = canonical_json(ENTRY)
    shapes.learn(raw, ENTRY)
    assert shapes.read(raw) is not None
    return shapes, raw


def test_a_line_of_a_known_shape_gives_its_outermost_numbers_and_hashes():
    shapes, raw = _shape()
    other = (
        raw.replace(b'"seq":7', b'"seq":1234')
        .replace(b'"h":3,', b'"h":-3.25e-07,')
        .replace(b"a" * 64, b"b" * 64)
    )
    found = shapes.read(other)
    assert (found.seq, found.prev_hash, found.clock_boottime) == (b"1234", b"b" * 64, b"12.5")


@pytest.mark.parametrize(
    "old, new",
    [
        (b'"seq":7', b'"seq":07'),
        (b'"seq":7', b'"seq":7.'),
        (b'"seq":7', b'"seq":+7'),
        (b'"seq":7', b'"seq":7 '),
        (b'"seq":7', b'"seq":7,"seq":7'),
        (b'"seq":7', b'"sex":7'),
        (b'"seq":7', b'"seq":"7"'),
        (b'"h":3,', b'"h":3.1.2,'),
        (b'"h":3,"seq":9', b'"h":3,"h":9'),
        (b'"list":[1,2.5,', b'"list":[1,,2.5,'),
        (b'"list":[1,2.5,', b'"list":[1,2.5.,'),
        (b'"passed":true', b'"passed":True'),
        (b'"name":"a"', b'"name":"\x01"'),
        (b'"name":"a"', b'"name":"\xff"'),
        (b'"name":"a"', b'"name":"\\"'),
        (b'"name":"a"', b'"name":"\\x"'),
        (b'"name":"a"', b'"passed":"a"'),
        (b'"text":', b'"seq":1,"text":'),
        (b"}", b"} "),
        (b"{", b"{{"),
    ],
)
def test_a_line_that_differs_in_more_than_numbers_and_strings_fits_no_shape(old, new):
    shapes, raw = _shape()
    broken = raw.replace(old, new)
    assert broken != raw
    assert shapes.read(broken) is None


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.data())
def test_a_changed_line_that_fits_a_shape_is_what_the_full_parser_reads(data):
    shapes, raw = _shape()
    changed = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        piece = data.draw(st.sampled_from([b'"', b",", b":", b"{", b"}", b"[", b"]", b"0", b"9", b".", b"-", b"e",
                                           b"\\", b"\x00", b"x", b"", b'"seq":1,', b"\xc3"]))  # fmt: skip
        changed[place : place + data.draw(st.integers(0, 2))] = piece
    found = shapes.read(bytes(changed))
    if found is not None:
        entry, problem = _parsed(bytes(changed))
        assert problem == ""
        assert entry["seq"] == int(found.seq)
        for name in ("boot_id", "clock_utc", "prev_hash"):
            assert entry[name].encode() == getattr(found, name)
        assert entry["clock_boottime"] == float(found.clock_boottime)


def test_a_key_that_is_said_twice_is_found_though_the_chain_holds(tmp_path):
    log = filled(tmp_path / "events.jsonl", 3)
    lines = log.path.read_bytes().splitlines()
    lines[2] = lines[2].replace(b'"event":"test"', b'"event":"test","event":"other"')
    log.path.write_bytes(b"\n".join(lines) + b"\n")
    assert log.verify()[1] == Finding(2, "json")
    lines[2] = lines[2].replace(b'"event":"test","event":"other"', b'"event":{"a":1,"a":2}')
    log.path.write_bytes(b"\n".join(lines) + b"\n")
    assert log.verify()[1] == Finding(2, "json")


def test_a_nested_seq_never_stands_for_the_outermost_one():
    lines = _chained([{"params": {"h": 1, "seq": n}} for n in range(6)])
    assert _checked(lines).finding is None
    moved = lines[4].replace(b'"seq":4}', b'"seq":9}').replace(b'"seq":4,', b'"seq":5,')
    assert b'"seq":5,' in moved
    assert _checked([*lines[:4], moved]).finding == Finding(4, "seq")


def test_chain_and_tree_come_from_one_reading(tmp_path):
    log = filled(tmp_path / "events.jsonl", 9)
    tree, told = merkle.Frontier(), []
    assert log.verify(told.append, lambda _, raw: tree.add(merkle.leaf_hash(raw))) == (9, None)
    assert tree.root() == merkle.root(merkle.leaf_hash(raw) for _, raw in log.lines())
    assert told[0] == 0
    assert log.check().last_hash == log.head().last_hash


def _clocks(*told):
    return _checked(
        _chained([{"boot_id": BOOT % b, "clock_boottime": float(t), "clock_utc": utc} for b, t, utc in told])
    ).clocks


def _utc(seconds):
    return f"2026-01-01T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.000000Z"


def test_clocks_that_run_forward_over_boots_are_not_remarked(tmp_path):
    told = [
        (1, 10, _utc(3600)),
        (1, 20, _utc(3610)),
        (1, 20, _utc(3612)),
        (2, 5, _utc(4000)),
        (2, 500, _utc(4495)),
    ]
    assert _clocks(*told) == ()
    assert filled(tmp_path / "events.jsonl", 5).clock_findings() == ()


def test_a_clock_that_was_set_back_is_told_where_it_can_be_known():
    (one,) = _clocks((1, 10, _utc(7200)), (1, 20, _utc(7210)), (1, 30, _utc(3620)), (1, 40, _utc(3630)))
    assert (one.line, one.problem, one.seconds, one.boot_id) == (2, "wall_clock_set_back", 3600.0, BOOT % 1)
    # Two hours idle: the wall clock still seems to run forward, but not as far as the other clock did.
    (one,) = _clocks((1, 10, _utc(3600)), (1, 7210, _utc(7200)))
    assert (one.line, one.problem, one.seconds) == (1, "wall_clock_set_back", 3600.0)
    (one,) = _clocks((1, 10, _utc(7200)), (2, 5, _utc(3600)))
    assert (one.line, one.problem, one.seconds) == (1, "wall_clock_fell", 3600.0)
    (one,) = _clocks((1, 10, _utc(3600)), (1, 9, _utc(3599)))
    assert (one.line, one.problem, one.seconds) == (1, "boottime_fell", 1.0)
    found = _clocks((1, 10, _utc(3600)), (2, 5, _utc(3700)), (1, 20, _utc(3800)))
    assert [(f.line, f.problem) for f in found] == [(2, "boot_returned")]
    assert _clocks((1, 10, _utc(3600)), (1, 20, _utc(3610 - int(CLOCK_TOLERANCE_S)))) == ()


def test_lines_of_an_older_version_without_the_wall_clock_are_judged_by_the_other_one():
    entries = [{"clock_boottime": 9.0}, {"clock_boottime": 8.0}]
    last, lines = GENESIS, []
    for seq, entry in enumerate(entries):
        full = {**ENTRY, **entry, "seq": seq, "prev_hash": last}
        del full["clock_utc"]
        lines.append(json.dumps(full).encode())
        last = hashlib.sha256(lines[-1]).hexdigest()
    found = _checked(lines)
    assert found.finding is None
    assert [f.problem for f in found.clocks] == ["boottime_fell"]
