"""Writes PNG, 8 or 16 bits, grey or RGB, with or without alpha; the same bytes for the same pixels.

An own writer of the format (ISO/IEC 15948): Pillow cannot write 48-bit RGB, and OpenCV neither an ICC profile
nor text. Rows are filtered in strips, so memory stays near the size of the picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels

TEXT_KEYWORD: Final = "PLAYE"
"""Keyword of the iTXt chunk that carries the method as JSON."""
_STRIP: Final = 64


def write_png(
    path: Path,
    pixels: Pixels,
    alpha: Pixels | None = None,
    icc: bytes | None = None,
    text: Mapping[str, str] | None = None,
    compression: int = 3,
    dpi: tuple[float, float] | None = None,
) -> None:
    """Writes `pixels` (height, width, 1 or 3), uint8 or uint16, as PNG.

    Args:
        alpha: (height, width, 1) of the same dtype, or None.
        icc: an ICC profile; it must fit (`GRAY` for one channel, `RGB ` for three), else ValueError.
        text: keyword (1 to 79 Latin-1 characters) to UTF-8 text, one iTXt chunk each, in sorted order.
        compression: zlib level 0..9.
        dpi: pixels an inch, x and y.
    """
    with path.open("wb") as file:
        for part in png_bytes(pixels, alpha, icc, text, compression, dpi):
            file.write(part)


def png_encoder(compression: int) -> dict[str, Any]:
    """Name, version and options, for the record: the bytes depend on them, the pixels do not."""
    options = {"compression": compression, "filter": "least sum of absolutes of sub, up, paeth"}
    library = f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return {"name": "playe-png", "library": library, "container": "png", "options": options}


def png_bytes(
    pixels: Pixels,
    alpha: Pixels | None = None,
    icc: bytes | None = None,
    text: Mapping[str, str] | None = None,
    compression: int = 3,
    dpi: tuple[float, float] | None = None,
) -> Iterator[bytes]:
    """The file of `write_png`, piece by piece."""
    height, width, channels = pixels.shape
    if icc is not None and not icc_fits(icc, channels):
        raise ValueError(f"the ICC profile is not for {channels} channel(s)")
    kind = {1: 0, 3: 2}[channels] + (4 if alpha is not None else 0)
    yield b"\x89PNG\r\n\x1a\n"
    yield _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * pixels.dtype.itemsize, kind, 0, 0, 0))
    if icc is not None:
        yield _chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc, 9))
    if dpi is not None:
        yield _chunk(b"pHYs", struct.pack(">IIB", *(round(d / 0.0254) for d in dpi), 1))
    for keyword, words in sorted((text or {}).items()):
        yield _chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + words.encode("utf-8"))
    packer = zlib.compressobj(compression, zlib.DEFLATED, 15, 9, zlib.Z_FILTERED)
    for strip in _filtered(pixels, alpha):
        if part := packer.compress(strip):
            yield _chunk(b"IDAT", part)
    yield _chunk(b"IDAT", packer.flush())
    yield _chunk(b"IEND", b"")


def icc_fits(icc: bytes, channels: int) -> bool:
    """Whether the profile's colour space (ICC.1:2022, 7.2.6) is the one of `channels`."""
    return icc[16:20] == {1: b"GRAY", 3: b"RGB "}.get(channels)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))


def _filtered(pixels: Pixels, alpha: Pixels | None) -> Iterator[bytes]:
    """Filter byte and filtered bytes of each row (ISO/IEC 15948, clause 9), a strip of rows at a time."""
    height, width, channels = pixels.shape
    step = (channels + (alpha is not None)) * pixels.dtype.itemsize
    above: Any = np.zeros((1, width * step), np.uint8)
    for top in range(0, height, _STRIP):
        planes: Any = pixels[top : top + _STRIP]
        if alpha is not None:
            planes = np.concatenate([planes, alpha[top : top + _STRIP]], axis=2)
        rows = np.ascontiguousarray(planes.astype(planes.dtype.newbyteorder(">"))).view(np.uint8)
        rows = rows.reshape(len(planes), width * step)
        yield _filter_strip(rows, np.concatenate([above, rows[:-1]]), step)
        above = rows[-1:]


def _filter_strip(rows: Any, up: Any, step: int) -> bytes:
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], corner[:, step:] = rows[:, :-step], up[:, :-step]
    choices = np.stack([rows - left, rows - up, rows - _paeth(left, up, corner)])
    # Bytes read as signed: the usual measure of how well a row will compress.
    cost = np.abs(choices.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
    best = cost.argmin(axis=0)
    chosen = choices[best, np.arange(len(rows))]
    numbers = np.array([1, 2, 4], np.uint8)[best][:, None]
    return bytes(np.concatenate([numbers, chosen], axis=1).tobytes())


def _paeth(left: Any, up: Any, corner: Any) -> Any:
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where((to_a <= to_b) & (to_a <= to_c), a, np.where(to_b <= to_c, b, c))
    return nearest.astype(np.uint8)
