"""The time ledger: one line a frame in order of presentation, as CSV that people and programs read alike.

`time_s` is rounded to nanoseconds for people; the exact time is `pts` x time base, both integers.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import overload

from playe_assets.core.errors import IntegrityError

HEADER = ("index", "pts", "time_s", "key", "flags", "written_pts")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One frame."""

    index: int
    """0 upward, in order of presentation."""
    pts: int
    """Ticks of the source stream's time base."""
    key: bool = False
    """Decodable by itself, as the container states."""
    flags: tuple[str, ...] = ()
    """Sorted words: `corrupt` (concealed or damaged), `dts` (the container gives no presentation time, the
    decoding time stands in), `untimed` (no time at all), `hidden` (the edit list does not show it)."""
    written_pts: int | None = None
    """Of a derivative: ticks of its own container's clock, null in a source's ledger."""


class WrittenRows(Sequence[LedgerRow]):
    """The rows of a derivative while it is written: 17 bytes a frame, so a long clip needs no more memory."""

    def __init__(self) -> None:
        self._pts, self._written, self._corrupt = array("q"), array("q"), bytearray()

    def append(self, pts: int, written_pts: int, corrupt: bool) -> None:
        """Adds the next frame."""
        self._pts.append(pts)
        self._written.append(written_pts)
        self._corrupt.append(corrupt)

    def __len__(self) -> int:
        return len(self._pts)

    @overload
    def __getitem__(self, index: int) -> LedgerRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[LedgerRow]: ...
    def __getitem__(self, index: int | slice) -> LedgerRow | Sequence[LedgerRow]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return [self[n] for n in numbers]
        flags = ("corrupt",) if self._corrupt[numbers] else ()
        return LedgerRow(numbers, self._pts[numbers], False, flags, self._written[numbers])


def write_ledger(rows: Iterable[LedgerRow], time_base: Fraction) -> bytes:
    """The ledger's bytes, the same for the same rows: UTF-8, LF, header line first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*HEADER, f"time_base={time_base}"))
    for row in rows:
        written = "" if row.written_pts is None else row.written_pts
        writer.writerow((row.index, row.pts, seconds(row.pts * time_base), int(row.key),
                         " ".join(row.flags), written))  # fmt: skip
    return out.getvalue().encode("utf-8")


def read_ledger(data: bytes) -> tuple[tuple[LedgerRow, ...], Fraction]:
    """Rows and time base of a ledger.

    Raises:
        IntegrityError: it is no ledger, or its lines are not numbered 0, 1, 2 ...
    """
    lines, base = _lines(data)
    return tuple(LedgerRow(number, int(pts), key == "1", tuple(flags.split()), int(written) if written else None)
                 for number, (_, pts, _, key, flags, written) in enumerate(lines)), base  # fmt: skip


def read_pts(data: bytes) -> tuple[array[int], Fraction]:
    """Time stamps alone, 8 bytes a frame, and the time base; otherwise as `read_ledger`."""
    lines, base = _lines(data)
    return array("q", (int(line[1]) for line in lines)), base


def _lines(data: bytes) -> tuple[Iterator[list[str]], Fraction]:
    """The lines after the heading, their numbers checked as they are read, and the time base."""
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""))
    head = next(lines, [])
    if tuple(head[:-1]) != HEADER or not head[-1].startswith("time_base="):
        raise IntegrityError("ledger.form", line=1)
    return _numbered(lines), Fraction(head[-1].partition("=")[2])


def _numbered(lines: Iterable[list[str]]) -> Iterator[list[str]]:
    for number, line in enumerate(lines):
        if int(line[0]) != number:
            raise IntegrityError("ledger.form", line=number + 2)
        yield line


def seconds(exact: Fraction) -> str:
    """`exact` seconds as a decimal of nine places, halves to even; integers only, so no platform differs."""
    nanoseconds = round(exact * 10**9)
    sign, rest = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    return f"{sign}{rest // 10**9}.{rest % 10**9:09d}"
