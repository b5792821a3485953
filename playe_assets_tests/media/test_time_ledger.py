"""The time ledger gives back what was written, in the same bytes, and refuses what contradicts itself."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.pixel_digest import frame_sha256, frames_sha256, pixel_sha256
from playe_assets.media.time_ledger import (
    KINDS,
    LedgerClock,
    LedgerFrame,
    write_time_ledger,
)
from playe_assets_tests.media.ledger_rows import rows_of
from playe_assets_tests.media.samples import noise

BASE = Fraction(1, 90000)


def _rows():
    kinds = [("kept", 1), ("fused", 5), ("interpolated", 2), ("repeated", 1)]
    return [
        LedgerFrame(n, n * 3003, n * 33367, n * 3003, "a" * 64, f"{n:064x}", kind, count, n == 2,
                    None if n == 3 else 0, {"2_residual_px": 0.25 * n} if n != 1 else {"3_shift_px": 1.5})
        for n, (kind, count) in enumerate(kinds)
    ]  # fmt: skip


def test_what_was_written_is_read_again_and_the_bytes_are_the_same():
    shift = Fraction(10667, 500000)
    data = write_time_ledger(_rows(), BASE, shift=shift)
    assert data == write_time_ledger(iter(_rows()), BASE, shift=shift)
    assert rows_of(data) == _rows()
    assert read_ledger_columns(data).clock == LedgerClock(BASE, Fraction(1, 10**6), shift)
    assert {r.kind for r in _rows()} == set(KINDS)


def test_the_viewing_copys_times_and_its_clock_stand_in_the_ledger_where_there_is_one():
    rows = [replace(r, proxy_written_pts=512 * n) for n, r in enumerate(_rows())]
    stated = {"proxy_time_base": Fraction(1, 15360), "proxy_shift": Fraction(7, 100)}
    data = write_time_ledger(rows, BASE, **stated)
    assert rows_of(data) == rows
    held = read_ledger_columns(data)
    assert held.clock == LedgerClock(BASE, **stated)
    assert held.proxy_written_pts is not None and held.proxy_written_pts.tolist() == [0, 512, 1024, 1536]
    assert read_ledger_columns(write_time_ledger(_rows(), BASE)).proxy_written_pts is None
    for faulty, clock in ((rows, {}), (_rows(), stated), ([*rows[:1], *_rows()[1:]], stated)):
        with pytest.raises(IntegrityError, match="proxy_written_pts"):
            write_time_ledger(faulty, BASE, **clock)


def test_a_ledger_without_frames_is_one():
    data = write_time_ledger([], BASE)
    assert rows_of(data) == []
    assert (len(read_ledger_columns(data)), read_ledger_columns(data).clock) == (0, LedgerClock(BASE))


@pytest.mark.parametrize(
    "fault",
    [{"output_frame": 2}, {"kind": "invented"}, {"fused_from": 0}, {"fused_from": 3, "kind": "kept"},
     {"source_sha256": "ab"}, {"output_sha256": ""}],
)  # fmt: skip
def test_a_row_that_contradicts_itself_or_its_place_is_not_written(fault):
    rows = _rows()
    rows[1] = replace(rows[1], **fault)
    with pytest.raises(IntegrityError, match="Row 1"):
        write_time_ledger(rows, BASE)


@pytest.mark.parametrize("change", ["schema", "column", "null"])
def test_another_table_is_refused(change):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(write_time_ledger(_rows(), BASE)))
    if change == "schema":
        table = table.replace_schema_metadata({**table.schema.metadata, b"schema": b"playe-time-ledger/9"})
    elif change == "column":
        table = table.drop_columns(["source_pts"])
    else:
        place = table.column_names.index("source_pts")
        table = table.set_column(
            place, pa.field("source_pts", pa.int64()), pa.array([None, 1, 2, 3], pa.int64())
        )
    out = io.BytesIO()
    pq.write_table(table, out)
    with pytest.raises(IntegrityError, match="no time ledger"):
        read_ledger_columns(out.getvalue())


def test_digests_of_frames_combine_in_order():
    frames = [noise(seed=n) for n in range(3)]
    digests = [frame_sha256(f) for f in frames]
    assert digests == [pixel_sha256(f) for f in frames]
    assert frames_sha256(digests) != frames_sha256(reversed(digests))
    assert frames_sha256(iter(digests)) == frames_sha256(digests)
    assert frames_sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
