"""What libavformat's Matroska muxer cannot be asked for: a clock of 1 microsecond, and through PyAV a pixel's shape.

It states a clock of 1 ms (TimestampScale 1,000,000 ns) whatever it is given. So it is fed microseconds as if they
were milliseconds, and afterwards the scale is set to 1,000 ns in the closed file: all stamps (clusters, blocks,
cues, the segment's Duration) count in that unit and need no change. Only the DURATION tags are texts in seconds.
The sample aspect ratio it takes from a field that PyAV does not reach; DisplayWidth and DisplayHeight are put into
the place that it leaves free after the Video element.
"""

from __future__ import annotations

from collections.abc import Iterator
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
_TRACKS, _TRACK, _VIDEO, _VOID = 0x1654AE6B, 0xAE, 0xE0, 0xEC
_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
_SHORT: Final = 126
"""Content of at most this many bytes has a size of one byte."""
_NESTED: Final = (_SEGMENT, _INFO, _TAGS, _TAG, _SIMPLE)


def set_microseconds(path: Path, width: int, height: int, aspect: Fraction | None) -> None:
    """Make the Matroska file at `path`, just written with `MUXER_OPTIONS`, count in microseconds.

    `aspect` is the sample aspect ratio of its (`width`, `height`) frames, or None where nothing states it.

    Raises:
        IntegrityError: it is not laid out as libavformat does.
    """
    with path.open("r+b") as file:
        if not patch_clock(file) or (aspect is not None and not _shape(file, width, height, aspect)):
            raise IntegrityError("media.matroska_form", file=path.name)


def display_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """The smallest whole sizes of exactly the shown shape that are no smaller than the frame."""
    shown = Fraction(width, height) * aspect
    times = max(-(-width // shown.numerator), -(-height // shown.denominator))
    return shown.numerator * times, shown.denominator * times


def _shape(file: IO[bytes], width: int, height: int, aspect: Fraction) -> bool:
    """Put DisplayWidth and DisplayHeight (px) into the Video element; False where there is no room for them."""
    file.seek(0, 2)
    begin, made, between = 0, b"", b""
    for kind, start, size in _within(file, 0, file.tell(), (_SEGMENT, _TRACKS, _TRACK)):
        if kind == _VIDEO and not begin:
            begin = start - 2  # its id and its size are one byte each
            for part, at, length in _children(file, start, start + size):
                if part not in (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT):  # the unit is px by default
                    made += _made(part, _content(file, at, length))
            shown = display_size(width, height, aspect)
            for part, value in zip((_DISPLAY_WIDTH, _DISPLAY_HEIGHT), shown, strict=True):
                made += _made(part, value.to_bytes((value.bit_length() + 7) // 8, "big"))
            if size > _SHORT or len(made) > _SHORT:
                return False
            made = _made(_VIDEO, made)
        elif begin and kind == _VOID:
            made += between
            room = start + size - begin - len(made)
            if room < 2 or room - 2 > _SHORT:
                return False
            _replace(file, begin, made + _made(_VOID, bytes(room - 2)))
            return True
        elif begin:
            if size > _SHORT:
                return False
            between += _made(kind, _content(file, start, size))
    return False


def _within(file: IO[bytes], at: int, stop: int, path: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """Elements of the masters that `path` leads to, before the first cluster."""
    for kind, start, size in _children(file, at, stop):
        if kind == _CLUSTER:
            return
        if not path:
            yield kind, start, size
        elif kind == path[0]:
            yield from _within(file, start, start + size, path[1:])


def _children(file: IO[bytes], at: int, stop: int) -> Iterator[tuple[int, int, int]]:
    while at < stop:
        kind, start, size = _element(file, at)
        yield kind, start, size
        at = start + size


def _made(kind: int, content: bytes) -> bytes:
    """An element of fewer than 127 bytes."""
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + bytes([0x80 | len(content)]) + content


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
