"""The time ledger read as columns says what its rows say, exactly, and refuses what they may not say."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from fractions import Fraction

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.media.ledger import LedgerRow, read_pts, write_ledger
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.pixel_digest import frames_sha256
from playe_assets.media.time_ledger import KINDS, LedgerFrame, write_time_ledger
from playe_assets_tests.media.ledger_rows import rows_of

BASE = Fraction(1, 90000)


def _rows(count=4):
    draw = random.Random(count)
    return [
        LedgerFrame(n, n * 3003, n * 33367, n * 3003, f"{draw.getrandbits(256):064x}",
                    f"{draw.getrandbits(256):064x}", kind, 1 if kind == "kept" else 1 + n % 7, n % 5 == 2,
                    None if n % 3 else 0, {"2_shift_px": 0.25 * n})
        for n, kind in ((n, KINDS[n % 4]) for n in range(count))
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 4, 70_001])
def test_columns_hold_what_the_rows_hold(count):
    written = _rows(count)
    data = write_time_ledger(written, BASE)
    held, rows = read_ledger_columns(data), rows_of(data)
    assert rows == written and len(held) == count
    for name in ("output_pts", "written_pts", "source_pts", "fused_from", "corrupt"):
        assert getattr(held, name).tolist() == [getattr(r, name) for r in rows], name
    for name in ("source_sha256", "output_sha256"):
        assert [d.tobytes().hex() for d in getattr(held, name)] == [getattr(r, name) for r in rows], name
    assert [KINDS[k] for k in held.kind] == [r.kind for r in rows]
    assert held.kinds() == {k: n for k in sorted(KINDS) if (n := sum(r.kind == k for r in rows))}
    assert held.frames_sha256() == frames_sha256(r.output_sha256 for r in rows)
    assert held.clock.time_base == BASE


@pytest.mark.parametrize(
    ("name", "value"),
    [("output_frame", 7), ("kind", "invented"), ("fused_from", 0), ("source_sha256", "ab"),
     ("output_sha256", "g" * 64), ("output_sha256", "A" * 64)],
)  # fmt: skip
def test_a_row_that_may_not_stand_there_is_named(name, value):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(write_time_ledger(_rows(70_001), BASE)))
    place = table.column_names.index(name)
    values = table.column(name).to_pylist()
    values[69_999] = value
    table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    out = io.BytesIO()
    pq.write_table(table, out)
    with pytest.raises(IntegrityError, match="Row 69999"):
        read_ledger_columns(out.getvalue())


@pytest.mark.parametrize("data", [b"", b"PAR1", write_ledger([LedgerRow(0, 0)], BASE)])
def test_what_is_no_time_ledger_is_refused(data):
    with pytest.raises(IntegrityError, match="no time ledger"):
        read_ledger_columns(data)


def _at(base, frames, **clock):
    rows = [LedgerFrame(n, output, written, source, "a" * 64, "b" * 64)
            for n, (output, written, source) in enumerate(frames)]  # fmt: skip
    return read_ledger_columns(write_time_ledger(rows, base, **clock))


def test_a_clock_of_nanoseconds_may_lose_half_a_microsecond_and_no_more():
    base = Fraction(1, 10**9)
    assert (
        _at(base, [(0, 0, 0), (33_333_000, 33_333, 33_333_333), (66_667_000, 66_667, 66_666_500)]).moved()
        is None
    )
    assert _at(base, [(0, 0, 0), (33_333_000, 33_333, 33_333_501)]).moved() == 1


def test_a_coarse_clock_may_lose_nothing():
    assert _at(BASE, [(0, 0, 0), (3003, 33_367, 3003)]).moved() is None
    assert _at(BASE, [(0, 0, 0), (3004, 33_367, 3003)]).moved() == 1


@pytest.mark.parametrize(
    "base", [BASE, Fraction(1001, 30000), Fraction(1, 10**9), Fraction(1, 1_000_000_007)]
)
def test_stamps_are_judged_exactly_whatever_the_clocks(base):
    draw = random.Random(4)
    written_base = Fraction(1, 10**6)
    for _ in range(200):
        shift = Fraction(draw.randrange(10**6), 500_000)
        output = draw.randrange(10**15)
        written = round((output * base + shift) / written_base) + draw.choice((-1, 0, 0, 1))
        if not 0 <= written < 2**62:
            continue
        wrong = abs((written * written_base - shift) / base - output) > Fraction(1, 2)
        held = _at(base, [(output, written, output)], shift=shift)
        assert held.miswritten() == (0 if wrong else None)


def test_a_sources_time_stamps_are_read_without_its_rows():
    rows = [replace(LedgerRow(0, 0), index=n, pts=3003 * n - 5, flags=("corrupt", "dts")) for n in range(9)]
    pts, base = read_pts(write_ledger(rows, BASE))
    assert list(pts) == [r.pts for r in rows] and base == BASE
    with pytest.raises(IntegrityError):
        read_pts(write_ledger(rows[1:], BASE))
