"""The rows of a time ledger as objects, read with nothing of ours: what the columns are held against."""

from __future__ import annotations

import io

import pyarrow.parquet as pq

from playe_assets.media.time_ledger import LedgerFrame

_OWN = tuple(LedgerFrame.__dataclass_fields__)


def rows_of(data: bytes) -> list[LedgerFrame]:
    """Every row, with its numbers; those that are null are left out."""
    return [
        LedgerFrame(
            **{k: v for k, v in row.items() if k in _OWN},
            numbers={k: v for k, v in row.items() if k not in _OWN and v is not None},
        )
        for row in pq.read_table(io.BytesIO(data)).to_pylist()
    ]
