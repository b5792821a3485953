"""Matroska with a clock of 1 microsecond, which libavformat's muxer cannot be asked for.

It states a clock of 1 ms (TimestampScale 1,000,000 ns) whatever it is given. So it is fed microseconds as if they
were milliseconds, and afterwards the scale is set to 1,000 ns in the closed file: all stamps (clusters, blocks,
cues, the segment's Duration) count in that unit and need no change. Only the DURATION tags are texts in seconds.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import IO, Final

from playe_assets.core.errors import IntegrityError

CLOCK: Final = Fraction(1, 10**6)
"""What the file counts in, s."""
MUXER_CLOCK: Final = Fraction(1, 1000)
"""What libavformat believes to count in, s."""
MUXER_OPTIONS: Final = {"fflags": "+bitexact", "write_crc32": "0"}
"""No checksums of header elements, because one of them is changed afterwards; FFV1's slices carry their own."""

_SEGMENT, _INFO, _TAGS, _CLUSTER = 0x18538067, 0x1549A966, 0x1254C367, 0x1F43B675
_TIMESTAMP_SCALE: Final = 0x2AD7B1
_TAG, _SIMPLE, _NAME, _STRING = 0x7373, 0x67C8, 0x45A3, 0x4487
_NESTED: Final = (_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE)


def set_microseconds(path: Path) -> None:
    """Make the Matroska file at `path`, just written with `MUXER_OPTIONS`, count in microseconds.

    Raises:
        IntegrityError: it is not laid out as libavformat does.
    """
    with path.open("r+b") as file:
        if not patch_clock(file):
            raise IntegrityError("media.matroska_form", file=path.name)


def patch_clock(file: IO[bytes]) -> bool:
    """The same in an open file; False where the scale was not found as expected."""
    file.seek(0, 2)
    end, scaled, name = file.tell(), False, b""
    stack = [(0, end)]
    while stack:
        at, stop = stack.pop()
        if at >= stop:
            continue
        kind, start, size = _element(file, at)
        if kind == _CLUSTER:  # libavformat writes everything of interest before the first
            break
        stack.append((start + size, stop))
        if kind in _NESTED:
            stack.append((start, start + size))
        elif kind == _TIMESTAMP_SCALE and int.from_bytes(_content(file, start, size), "big") == 10**6:
            _replace(file, start, (1000).to_bytes(size, "big"))
            scaled = True
        elif kind == _NAME:
            name = _content(file, start, size)
        elif kind == _STRING and name == b"DURATION":
            _replace(file, start, _thousandth(_content(file, start, size)))
    return scaled


def _thousandth(stated: bytes) -> bytes:
    """`00:41:40.000000000` (milliseconds that are microseconds) as `00:00:02.500000000`, in as many bytes."""
    hours, minutes, seconds = stated.rstrip(b"\0").decode("ascii").split(":")
    exact = (int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)) / 1000
    whole, part = divmod(round(exact * 10**9), 10**9)
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{part:09d}"
    return text.encode("ascii")[: len(stated)].ljust(len(stated), b"\0")


def _element(file: IO[bytes], at: int) -> tuple[int, int, int]:
    """Id, start of the content and its size (RFC 8794, 5 and 6: lengths stand in the leading zero bits)."""
    file.seek(at)
    head = file.read(12)
    id_bytes = 9 - head[0].bit_length()
    size_bytes = 9 - head[id_bytes].bit_length()
    size = int.from_bytes(head[id_bytes : id_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
    return int.from_bytes(head[:id_bytes], "big"), at + id_bytes + size_bytes, size


def _content(file: IO[bytes], start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _replace(file: IO[bytes], start: int, content: bytes) -> None:
    file.seek(start)
    file.write(content)
