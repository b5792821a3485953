"""The time ledger is exact, readable, and the same each time."""

from __future__ import annotations

from fractions import Fraction

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.media.ledger import LedgerRow, read_ledger, seconds, write_ledger

ROWS = (
    LedgerRow(0, -512, True),
    LedgerRow(1, 0, False, ("corrupt", "dts"), 33),
    LedgerRow(2, 7_000_000_000_000),
)


def test_what_is_written_is_read():
    data = write_ledger(ROWS, Fraction(1001, 30000))
    assert read_ledger(data) == (ROWS, Fraction(1001, 30000))
    assert data == write_ledger(ROWS, Fraction(1001, 30000))
    assert data.splitlines()[1] == b"0,-512,-17.083733333,1,,"


@pytest.mark.parametrize(("exact", "words"), [
    (Fraction(1, 3), "0.333333333"), (Fraction(-1, 25), "-0.040000000"), (Fraction(0), "0.000000000"),
    (Fraction(5, 2 * 10**9), "0.000000002"), (Fraction(86400), "86400.000000000"),
])  # fmt: skip
def test_seconds_are_rounded_to_nanoseconds(exact, words):
    assert seconds(exact) == words


@pytest.mark.parametrize(
    "damage", [b"x", b"index,pts,time_s,key,flags,written_pts,time_base=1/25\n1,0,0,1,,\n"]
)
def test_a_changed_ledger_is_refused(damage):
    with pytest.raises(IntegrityError):
        read_ledger(damage)
