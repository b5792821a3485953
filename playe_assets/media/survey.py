"""The survey of a clip: one row a decoded frame, as Parquet; what was seen before anything was done to it.

Held in flat arrays, 57 bytes a frame, so that a day of video fits in memory.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

from playe_assets.core.errors import IntegrityError

_NUMBERS = ("luma_mean", "noise_sigma", "motion_share", "cut_score")
_COLUMNS = ("frame", "pts", "sha256", *_NUMBERS, "corrupt")
_DIGEST = 32
_TIME_BASE = b"playe.time_base"
_ROW_GROUP = 65536


@dataclass(frozen=True, slots=True)
class SurveyRow:
    """One decoded frame, before any step; measures are of the picture as the decoder gives it."""

    frame: int
    """0 upward, in order of presentation, as `read_clip` numbers them."""
    pts: int
    """Ticks of the stream's time base."""
    sha256: str
    """Of the raw RGB samples (`media/pixel_digest.py`), before orientation."""
    luma_mean: float
    """Mean BT.601 luma, 0..255."""
    noise_sigma: float
    """Standard deviation of the noise on luma, 8-bit units."""
    motion_share: float
    """Share of the picture that differs from the frame before by more than noise, 0..1; 0 for the first."""
    cut_score: float
    """PySceneDetect's content value against the frame before, 0..255; 0 for the first."""
    corrupt: bool = False
    """The decoder's mark."""


class Survey(Sequence[SurveyRow]):
    """Rows in order; floats are kept as 32 bit, so what is decided by them is the same after reading again."""

    def __init__(self, rows: Iterable[SurveyRow] = ()) -> None:
        self.pts = array("q")
        self._digests = bytearray()
        self._numbers: dict[str, array[float]] = {name: array("f") for name in _NUMBERS}
        self._corrupt = bytearray()
        for row in rows:
            self.append(row)

    def append(self, row: SurveyRow) -> SurveyRow:
        """Adds the next frame; returns the row as it is kept.

        Raises:
            ValueError: its number is not the next one, or its digest is none.
        """
        digest = bytes.fromhex(row.sha256)
        if row.frame != len(self) or len(digest) != _DIGEST:
            raise ValueError((row.frame, row.sha256))
        self.pts.append(row.pts)
        self._digests += digest
        for name, numbers in self._numbers.items():
            numbers.append(getattr(row, name))
        self._corrupt.append(row.corrupt)
        return self[row.frame]

    def numbers(self, name: str) -> Sequence[float]:
        """One column: `luma_mean`, `noise_sigma`, `motion_share` or `cut_score`."""
        return self._numbers[name]

    def sha256(self, frame: int) -> str:
        """Of one frame's samples."""
        return self._digests[frame * _DIGEST : (frame + 1) * _DIGEST].hex()

    def digests(self) -> bytes:
        """The raw digests of all frames, one after the other, 32 bytes each."""
        return bytes(self._digests)

    def __len__(self) -> int:
        return len(self.pts)

    @overload
    def __getitem__(self, index: int) -> SurveyRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SurveyRow]: ...
    def __getitem__(self, index: int | slice) -> SurveyRow | Sequence[SurveyRow]:
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self[n] for n in places]
        luma, noise, motion, cut = (self._numbers[name][places] for name in _NUMBERS)
        return SurveyRow(places, self.pts[places], self.sha256(places), luma, noise, motion, cut,
                         bool(self._corrupt[places]))  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Survey) and self._state() == other._state()

    def _state(self) -> tuple[Any, ...]:
        return self.pts, self._digests, self._numbers, self._corrupt

    __hash__ = None  # type: ignore[assignment]


def write_survey(rows: Iterable[SurveyRow], time_base: Fraction) -> bytes:
    """The Parquet file of `rows`, the same bytes for the same rows.

    Columns: frame int64, pts int64, sha256 fixed_size_binary(32), luma_mean, noise_sigma, motion_share,
    cut_score float32, corrupt bool. The time base stands in the schema's metadata.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    survey = rows if isinstance(rows, Survey) else Survey(rows)
    columns = [
        pa.array(np.arange(len(survey), dtype=np.int64)),
        pa.array(np.frombuffer(survey.pts, np.int64) if len(survey) else np.empty(0, np.int64)),
        pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(_DIGEST), len(survey), [None, pa.py_buffer(survey.digests())]
        ),
        *(pa.array(np.array(survey.numbers(name), np.float32)) for name in _NUMBERS),
        pa.array(np.array(survey._corrupt, np.uint8).astype(bool)),
    ]
    fields = [pa.field(name, column.type, nullable=False)
              for name, column in zip(_COLUMNS, columns, strict=True)]  # fmt: skip
    schema = pa.schema(fields, metadata={_TIME_BASE: str(time_base).encode()})
    out = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(columns, schema=schema), out, compression="zstd", compression_level=3,
        use_dictionary=False, row_group_size=_ROW_GROUP, version="2.6",
    )  # fmt: skip
    return out.getvalue()


def read_survey(data: bytes) -> tuple[Survey, Fraction]:
    """Rows and time base.

    Raises:
        IntegrityError: it is no survey, or its frames are not numbered 0, 1, 2 ...
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), use_threads=False).combine_chunks()
    except pa.ArrowInvalid:
        raise IntegrityError("survey.form", line=0) from None
    base = (table.schema.metadata or {}).get(_TIME_BASE)
    if tuple(table.column_names) != _COLUMNS or base is None:
        raise IntegrityError("survey.form", line=0)
    frames = table.column("frame").to_numpy()
    wrong = np.flatnonzero(frames != np.arange(len(frames)))
    if wrong.size:
        raise IntegrityError("survey.form", line=int(wrong[0]) + 1)
    survey = Survey()
    if not len(frames):
        return survey, Fraction(base.decode())
    survey.pts.frombytes(table.column("pts").to_numpy().astype(np.int64).tobytes())
    for piece in table.column("sha256").chunks:
        held = memoryview(piece.buffers()[1])
        survey._digests += held[piece.offset * _DIGEST : (piece.offset + len(piece)) * _DIGEST]
    for name, numbers in survey._numbers.items():
        numbers.frombytes(table.column(name).to_numpy().astype(np.float32).tobytes())
    survey._corrupt += table.column("corrupt").to_numpy(zero_copy_only=False).astype(np.uint8).tobytes()
    return survey, Fraction(base.decode())
