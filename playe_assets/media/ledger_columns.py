"""The time ledger as columns: for whoever needs every frame of a long clip and no Python object a frame."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Any, Final

from playe_assets.core.errors import IntegrityError
from playe_assets.media.time_ledger import KINDS, PROXY, LedgerClock, clock_of, columns_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow


@dataclass(frozen=True)
class LedgerColumns:
    """A time ledger as columns of one length n, without what the steps measured: 102 bytes a frame."""

    clock: LedgerClock
    output_pts: npt.NDArray[np.int64]
    """(n,), as the fields of `LedgerFrame`."""
    written_pts: npt.NDArray[np.int64]
    source_pts: npt.NDArray[np.int64]
    source_sha256: npt.NDArray[np.uint8]
    """(n, 32): the digests' raw bytes."""
    output_sha256: npt.NDArray[np.uint8]
    kind: npt.NDArray[np.uint8]
    """(n,): places in `KINDS`."""
    fused_from: npt.NDArray[np.int32]
    corrupt: npt.NDArray[np.bool_]
    proxy_written_pts: npt.NDArray[np.int64] | None = None
    """None where the ledger says nothing of a viewing copy."""

    def __len__(self) -> int:
        return len(self.output_pts)

    def frames_sha256(self) -> str:
        """Over the digests of all output frames, as `pixel_digest.frames_sha256`."""
        return hashlib.sha256(self.output_sha256.data).hexdigest()

    def kinds(self) -> dict[str, int]:
        """How many frames are of each kind; kinds that do not occur are left out."""
        counts = ((name, int((self.kind == place).sum())) for place, name in enumerate(KINDS))
        return {name: count for name, count in sorted(counts) if count}

    def moved(self) -> int | None:
        """The first frame that does not stand at its source's time, as far as the container's clock can say it."""
        clock = self.clock
        most = clock.written_time_base / 2 // clock.time_base  # whole ticks
        pairs = zip(self.output_pts.data, self.source_pts.data, strict=True)
        return next((n for n, (output, source) in enumerate(pairs) if abs(output - source) > most), None)

    def miswritten(self) -> int | None:
        """The first frame whose stamp in the container is not its time: to the nearest tick of the source."""
        clock = self.clock
        whole = lcm(*(f.denominator for f in (clock.written_time_base, clock.shift, clock.time_base)))
        ticks, shift, tick = (int(f * whole) for f in (clock.written_time_base, clock.shift, clock.time_base))
        pairs = zip(self.written_pts.data, self.output_pts.data, strict=True)
        wrong = (n for n, (written, output) in enumerate(pairs)
                 if 2 * abs(written * ticks - shift - output * tick) > tick)  # fmt: skip
        return next(wrong, None)


_BATCH: Final = 1 << 16
"""Rows that are unpacked at a time."""


def read_ledger_columns(data: bytes) -> LedgerColumns:
    """The ledger without an object a row.

    1,000,000 frames (80 MB of `data`) on one busy core: 94 MB of columns, the process grows by 141 MiB, 3.5 s; with
    an object a row it grew by 1,056 MiB, 32 s.

    Raises:
        IntegrityError: it is no time ledger of this schema, or its rows contradict it.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        clock, count, done = clock_of(file.schema_arrow), file.metadata.num_rows, 0
        own = list(columns_of(clock))
        names = ("output_pts", "written_pts", "source_pts", "fused_from", "corrupt", PROXY)
        kinds = (np.int64, np.int64, np.int64, np.int32, np.bool_, np.int64)
        plain: dict[str, Any] = {n: np.empty(count, k) for n, k in zip(names, kinds, strict=True) if n in own}
        digests = {n: np.empty((count, 32), np.uint8) for n in ("source_sha256", "output_sha256")}
        kind = np.empty(count, np.uint8)
        for batch in file.iter_batches(_BATCH, columns=own, use_threads=False):
            here = slice(done, done + batch.num_rows)
            wrong: dict[str, npt.NDArray[np.bool_]] = {}
            for name in own:
                if name != "shot" and batch.column(name).null_count:
                    raise IntegrityError("ledger.parquet", what=name)
            for name, column in plain.items():
                column[here] = batch.column(name).to_numpy(zero_copy_only=False)
            for name, rows in digests.items():
                rows[here], wrong[name] = _raw(batch.column(name))
            words = batch.column("kind").dictionary_encode()
            places = [KINDS.index(w) if w in KINDS else len(KINDS) for w in words.dictionary.to_pylist()]
            kind[here] = np.array(places, np.uint8)[words.indices.to_numpy()]
            frames = batch.column("output_frame").to_numpy()
            wrong["output_frame"] = frames != np.arange(here.start, here.stop)
            wrong["kind"] = kind[here] == len(KINDS)
            behind = plain["fused_from"][here]
            wrong["fused_from"] = (behind < 1) | ((kind[here] == KINDS.index("kept")) & (behind != 1))
            for name, rows_wrong in wrong.items():
                if rows_wrong.any():
                    raise IntegrityError("ledger.row", line=done + int(rows_wrong.argmax()), what=name)
            done = here.stop
    except (pa.ArrowException, OSError) as problem:
        raise IntegrityError("ledger.parquet", what=type(problem).__name__) from None
    return LedgerColumns(clock, kind=kind, **plain, **digests)


def _raw(column: pyarrow.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Digests in hexadecimal as (n, 32) bytes, and which of them are none."""
    import numpy as np

    count = len(column)
    _, offsets, held = column.buffers()
    if not count or held is None:
        return np.zeros((count, 32), np.uint8), np.ones(count, np.bool_)
    ends = np.frombuffer(offsets, np.int32)[column.offset : column.offset + count + 1]
    wrong = np.diff(ends) != 64
    if wrong.any():
        return np.zeros((count, 32), np.uint8), wrong
    digits = np.full(256, 255, np.uint8)
    digits[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
    found = digits[np.frombuffer(held, np.uint8)[ends[0] : ends[-1]]].reshape(count, 64)
    raw = np.left_shift(found[:, ::2], 4) | np.bitwise_and(found[:, 1::2], 15)
    return raw.astype(np.uint8, copy=False), (found == 255).any(axis=1)
