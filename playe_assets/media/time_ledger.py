"""The time ledger of a derivative as a Parquet table: where each of its frames comes from, and when it stands.

The same rows give the same bytes: no dates, one row group, fixed compression; only the version of the writing
library (`created_by`) is named, as Parquet demands.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from playe_assets.core.errors import IntegrityError
from playe_assets.media.matroska_clock import CLOCK

if TYPE_CHECKING:
    import pyarrow

SCHEMA: Final = "playe-time-ledger/1"
KINDS: Final = ("kept", "fused", "interpolated", "repeated")
FIXED: Final = {
    "output_frame": "int64", "output_pts": "int64", "written_pts": "int64", "source_pts": "int64",
    "source_sha256": "string", "output_sha256": "string", "kind": "string", "fused_from": "int32",
    "corrupt": "bool", "shot": "int32",
}  # fmt: skip
"""Columns that every ledger has, in order; `shot` may be null. Columns of numbers follow, by name."""
PROXY: Final = "proxy_written_pts"
"""The column (int64) between the two, where a viewing copy was made."""


@dataclass(frozen=True, slots=True)
class LedgerFrame:
    """One frame of the derivative."""

    output_frame: int
    """0 upward."""
    output_pts: int
    """Ticks of the source's time base, as they are had back from `written_pts`."""
    written_pts: int
    """Ticks of the container's clock."""
    source_pts: int
    """Ticks of the source's time base."""
    source_sha256: str
    """`frame_sha256` of the source frame as it was decoded, before any step."""
    output_sha256: str
    """`frame_sha256` of the frame that was handed to the encoder."""
    kind: str = "kept"
    """One of `KINDS`."""
    fused_from: int = 1
    corrupt: bool = False
    """The decoder concealed damage in the source frame."""
    shot: int | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What the steps measured in it, `<step number>_<name>`; a name that other frames lack is null there."""
    proxy_written_pts: int | None = None
    """Ticks of the viewing copy's clock, read from its packets; None where none was made."""


@dataclass(frozen=True)
class LedgerClock:
    """How the ledger's ticks are to be read: `source = (written * written_time_base - shift) / time_base`."""

    time_base: Fraction
    """Of the source, s per tick."""
    written_time_base: Fraction = CLOCK
    """Of the derivative's container."""
    shift: Fraction = Fraction(0)
    """Seconds added to every time of the container, audio included."""
    proxy_time_base: Fraction | None = None
    """Of the viewing copy's container; None where the ledger has no such column."""
    proxy_shift: Fraction = Fraction(0)
    """As `shift`, of the viewing copy."""


def write_time_ledger(
    rows: Iterable[LedgerFrame],
    base: Fraction,
    *,
    written_time_base: Fraction = CLOCK,
    shift: Fraction = Fraction(0),
    proxy_time_base: Fraction | None = None,
    proxy_shift: Fraction = Fraction(0),
) -> bytes:
    """The ledger's bytes; memory is about 200 bytes a frame, however it is iterated.

    Raises:
        IntegrityError: rows that are not numbered 0, 1, 2 ..., or of an unknown kind; some with a time in the viewing
            copy and some, or `proxy_time_base`, without.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {**FIXED, **({} if proxy_time_base is None else {PROXY: "int64"})}
    columns: dict[str, Any] = {name: _column(kind) for name, kind in kinds.items()}
    numbers: dict[str, array[float]] = {}
    count = 0
    for row in rows:
        _check(row, count)
        if (row.proxy_written_pts is None) != (proxy_time_base is None):
            raise IntegrityError("ledger.row", line=count, what=PROXY)
        for name, values in columns.items():
            values.append(getattr(row, name))
        for name, value in row.numbers.items():
            held = numbers.setdefault(name, array("d"))
            held.extend([float("nan")] * (count - len(held)))
            held.append(value)
        count += 1
    fields = [pa.field(n, getattr(pa, k if k != "bool" else "bool_")(), nullable=n == "shot")
              for n, k in kinds.items()]  # fmt: skip
    arrays = [pa.array(v, type=f.type) for f, v in zip(fields, columns.values(), strict=True)]
    for name in sorted(numbers):
        held = numbers[name]
        held.extend([float("nan")] * (count - len(held)))
        fields.append(pa.field(name, pa.float64()))
        arrays.append(pa.array(held, type=pa.float64(), from_pandas=True))
    meta = {"schema": SCHEMA, "time_base": str(base), "written_time_base": str(written_time_base),
            "shift_s": str(shift)}  # fmt: skip
    if proxy_time_base is not None:
        meta |= {"proxy_time_base": str(proxy_time_base), "proxy_shift_s": str(proxy_shift)}
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=meta))
    out = io.BytesIO()
    with pq.ParquetWriter(out, table.schema, compression="zstd", compression_level=3, version="2.6",
                          use_dictionary=["kind"]) as writer:  # fmt: skip
        writer.write_table(table, row_group_size=max(count, 1))
    return out.getvalue()


def columns_of(clock: LedgerClock) -> dict[str, str]:
    """The columns beside those of numbers that a ledger of this clock has, with their types."""
    return {**FIXED, **({} if clock.proxy_time_base is None else {PROXY: "int64"})}


def clock_of(schema: pyarrow.Schema) -> LedgerClock:
    """The clock that the schema states; IntegrityError where it is not this schema."""
    meta = {k.decode(): v.decode() for k, v in (schema.metadata or {}).items()}
    try:
        names = ["time_base", "written_time_base", "shift_s"]
        names += ["proxy_time_base", "proxy_shift_s"] if PROXY in schema.names else []
        clock = LedgerClock(*(Fraction(meta[n]) for n in names))
    except (KeyError, ValueError, ZeroDivisionError) as problem:
        raise IntegrityError("ledger.parquet", what=type(problem).__name__) from None
    kinds = columns_of(clock)
    if meta.get("schema") != SCHEMA or schema.names[: len(kinds)] != list(kinds):
        raise IntegrityError("ledger.parquet", what=str(meta.get("schema")))
    for name, kind in kinds.items():
        if str(schema.field(name).type) != kind:
            raise IntegrityError("ledger.parquet", what=name)
    return clock


def _check(row: LedgerFrame, number: int) -> None:
    wrong = (
        "output_frame" if row.output_frame != number
        else "kind" if row.kind not in KINDS
        else "fused_from" if row.fused_from < 1 or (row.kind == "kept" and row.fused_from != 1)
        else "source_sha256" if len(row.source_sha256) != 64
        else "output_sha256" if len(row.output_sha256) != 64
        else ""
    )  # fmt: skip
    if wrong:
        raise IntegrityError("ledger.row", line=number, what=wrong)


def _column(kind: str) -> Any:
    return array("q") if kind == "int64" else []
