"""Reading many lines alike: a shape learned from one line that was parsed in full recognises the next of its kind.

A line without escapes falls apart at its quotation marks into what stands between strings and the strings. Two lines
of one shape have the same keys at the same places and the same marks between, only numbers and strings differ, so
where one is JSON with no key twice the other is as well, and the outermost `seq` stands at the same place. What no
shape matches is parsed in full: shapes decide how fast a line is read, never what is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from playe_assets.core.canonical import canonical_json

_NUMBER = rb"-?(?:0|[1-9][0-9]{0,14}+)(?:\.[0-9]{1,20}+)?+(?:e[+-]?[0-9]{1,2}+)?+"
_ANY_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_CONTROL = bytes(range(32))
_STRINGS = ("boot_id", "clock_utc", "prev_hash")
_NUMBERS = ("clock_boottime", "seq")
_MOST = 512
"""Shapes kept; lines of further ones are parsed in full."""


class Facts(NamedTuple):
    """What stands in a line, as bytes."""

    boot_id: bytes
    clock_utc: bytes
    prev_hash: bytes
    clock_boottime: bytes
    seq: bytes


class _Shape(NamedTuple):
    fixed_of: itemgetter[Any]
    fixed: tuple[bytes, ...]
    numbers_of: itemgetter[Any]
    numbers: re.Pattern[bytes]
    strings_of: itemgetter[Any]


class Shapes:
    """The shapes of one reading."""

    def __init__(self) -> None:
        self._known: dict[int, list[_Shape]] = {}
        self._count = 0

    def read(self, raw: bytes) -> Facts | None:
        """What stands in a line of a known shape, or None: parse it."""
        pieces = raw.split(b'"')
        alike = self._known.get(len(pieces))
        if alike is None or b"\\" in raw or len(raw.translate(None, _CONTROL)) != len(raw):
            return None
        for place, shape in enumerate(alike):
            if shape.fixed_of(pieces) == shape.fixed:
                found = shape.numbers.fullmatch(b'"'.join(shape.numbers_of(pieces)))
                if found is None or not _is_text(raw):
                    return None
                if place:  # what came last often comes next
                    alike[0], alike[place] = shape, alike[0]
                return Facts(*shape.strings_of(pieces), *found.groups())
        return None

    def learn(self, raw: bytes, entry: Mapping[str, Any]) -> None:
        """Remember the shape of a line that was parsed in full and has no key twice."""
        if self._count >= _MOST or b"\\" in raw or canonical_json(entry) != raw:
            return
        if not all(isinstance(entry.get(name), str) for name in _STRINGS):
            return
        if type(entry.get("seq")) is not int or type(entry.get("clock_boottime")) is not float:
            return
        pieces = raw.split(b'"')
        keys, places = _keys(pieces)
        between = range(0, len(pieces), 2)
        numbers = [i for i in between if _ANY_NUMBER.search(pieces[i])]
        fixed = itemgetter(*(i for i in between if i not in numbers), *keys)
        asked = {places[name] + 1 for name in _NUMBERS}
        pattern = b'"'.join(_pattern(pieces[i], i in asked) for i in numbers)
        shape = _Shape(fixed, fixed(pieces), itemgetter(*numbers), re.compile(pattern),
                       itemgetter(*(places[name] + 2 for name in _STRINGS)))  # fmt: skip
        self._known.setdefault(len(pieces), []).insert(0, shape)
        self._count += 1


def _keys(pieces: list[bytes]) -> tuple[list[int], dict[str, int]]:
    """Where the keys stand, and by name where the outermost ones do."""
    keys, outermost, depth = [], {}, 0
    for i in range(0, len(pieces) - 1, 2):
        depth += sum(pieces[i].count(mark) for mark in (b"{", b"["))
        depth -= sum(pieces[i].count(mark) for mark in (b"}", b"]"))
        if pieces[i + 2].startswith(b":"):
            keys.append(i + 1)
            if depth == 1:
                outermost[pieces[i + 1].decode()] = i + 1
    return keys, outermost


def _pattern(piece: bytes, asked: bool) -> bytes:
    """What stands between two strings, with any number for each number; the first one is a group where `asked`."""
    marks = [re.escape(mark) for mark in _ANY_NUMBER.split(piece)]
    if asked:
        marks[:2] = [marks[0] + b"(" + _NUMBER + b")" + marks[1]]
    return _NUMBER.join(marks)


def _is_text(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
