"""The log's last lines, those of one case, and those that follow while it grows and is rotated."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_read import parse

Line = tuple[int, dict[str, Any] | None, bytes]
"""Index, entry (None where it is torn), raw line."""


def last(log: CustodyLog, count: int, case_id: str | None = None) -> tuple[list[Line], int]:
    """The last `count` lines (of a case where one is named), and the index of the line that comes after them all."""
    needle = _needle(case_id)
    # Whole files are passed over where the newest two hold enough.
    start = log.files()[-2][1] if needle == b"" and len(log.files()) > 1 else 0
    kept: deque[tuple[int, bytes]] = deque(maxlen=count)
    while True:
        after = start
        for index, raw in log.lines(start):
            after = index + 1
            if needle in raw:
                kept.append((index, raw))
        if not start or len(kept) == count:
            break
        start = 0
        kept.clear()
    lines = [(index, parse(raw), raw) for index, raw in kept]
    if lines and lines[-1][1] is None and lines[-1][0] == after - 1:
        after -= 1  # perhaps it is just being written: it is shown when it is whole, or when another follows
        lines.pop()
    return [line for line in lines if _is_of(line, case_id)], after


def of_case(log: CustodyLog, case_id: str) -> Iterator[dict[str, Any]]:
    """The entries of the case's lines, in order."""
    parsed = parser_of(case_id)
    for _, raw in log.lines():
        entry = parsed(raw)
        if entry is not None:
            yield entry


def parser_of(case_id: str) -> Callable[[bytes], dict[str, Any] | None]:
    """Gives the entry of a raw line of the case and None for any other, which is not parsed: a long log is quick.

    A line that is not in canonical form is not found: PLAYE writes none, and the audit names it.
    """
    needle = _needle(case_id)

    def parsed(raw: bytes) -> dict[str, Any] | None:
        entry = parse(raw) if needle in raw else None
        return entry if entry is not None and entry.get("case_id") == case_id else None

    return parsed


def followed(log: CustodyLog, start: int, case_id: str | None = None, pause_s: float = 0.3) -> Iterator[Line]:
    """Lines from `start` on, for ever: each once, whole, over rotated files too. Looks every `pause_s` seconds."""
    while True:
        held: Line | None = None
        for index, raw in log.lines(start):
            if held is not None:
                start = index
                if _is_of(held, case_id):
                    yield held
            held = (index, parse(raw), raw)
        if held is not None and held[1] is not None:
            start = held[0] + 1
            if _is_of(held, case_id):
                yield held
        time.sleep(pause_s)


def _needle(case_id: str | None) -> bytes:
    """What every line of the case holds, for its JSON is canonical."""
    return b"" if case_id is None else b'"case_id":' + canonical_json(case_id)


def _is_of(line: Line, case_id: str | None) -> bool:
    return case_id is None or (line[1] is not None and line[1].get("case_id") == case_id)
