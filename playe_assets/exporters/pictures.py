"""The pictures of the report: exhibit, derivative, their difference and the map of fused frames.

Small PNG files (long side at most 900 px) whose bytes depend on the pixels only; each carries what its
caption must state (gain, upper end of the scale) in a tEXt chunk, so that bytes and caption cannot part.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.core.errors import IntegrityError
from playe_assets.exporters.report_parts import Picture

LONG_SIDE = 900
DIFFERENCE_GAIN = 8
"""Differences are amplified by this factor: 1/8 of the range of 8 bit is far beyond a faithful step."""
ROLES = ("before", "after", "difference", "contributors", "consistency", "uncertainty", "faces")
TRACK_ROLES = ("fused", "single", "uncertainty")
"""Of one track, beside `best_1` upward: the picture fused from many frames, the best single frame enlarged to
its size, and where the fused samples are how sure."""
MAPS = ("consistency", "uncertainty", "faces")
"""Planes that enhancers make beside a derivative; the first two amplified by `DIFFERENCE_GAIN` already."""
SCALE_COLOURS = (
    (68, 1, 84),
    (59, 82, 139),
    (33, 145, 140),
    (94, 201, 98),
    (253, 231, 37),
)
"""Anchors of the contributors' scale, dark (own frame only) to light; read the same in greyscale print."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEYWORD = b"PLAYE-picture"


def make_pictures(
    original: Pixels,
    derivative: Pixels,
    contributors: Pixels | None = None,
    maps: Mapping[str, Pixels] | None = None,
) -> dict[str, bytes]:
    """PNG bytes by role: `before`, `after`, `difference`; `contributors` and `MAPS` where there are such.

    `original` is the oriented exhibit frame (h, w, 1|3), `derivative` the same view at any scale,
    `contributors` (H, W) or (H, W, 1) counts of fused frames; uint8 or uint16. The difference is the largest
    absolute difference over the channels, at the exhibit's scale (the derivative averaged down by area),
    in 8-bit units times `DIFFERENCE_GAIN`: black is equal.

    Raises:
        IntegrityError: the two views do not have the same proportions (within 2%, or 2 px of a tiny picture).
    """
    before, after = _eight(original), _eight(derivative)
    high, wide = before.shape[:2]
    _same_view(before, after)
    difference = np.abs(_resized(after, wide, high).astype(np.int16) - before.astype(np.int16)).max(axis=2)
    peak = int(difference.max())
    amplified = np.minimum(difference * DIFFERENCE_GAIN, 255).astype(np.uint8)[:, :, None]
    found = {
        "before": _png(_small(before), "before", {}),
        "after": _png(_small(after), "after", {}),
        "difference": _png(
            _small(amplified), "difference", {"gain": float(DIFFERENCE_GAIN), "unit_max": float(peak)}
        ),
    }
    if contributors is not None:
        counts = contributors.reshape(contributors.shape[0], contributors.shape[1])
        top = max(1, int(counts.max()))
        found["contributors"] = _png(_small(_heat(counts, top), True), "contributors", {"high": float(top)})
    for role, plane in sorted((maps or {}).items()):
        if role not in MAPS:
            raise IntegrityError("report.picture_role", role=role, allowed=", ".join(MAPS))
        eight = _eight(plane)[:, :, :1]
        scale = {} if role == "faces" else {"gain": float(DIFFERENCE_GAIN),
                                            "unit_max": float(eight.max()) / DIFFERENCE_GAIN}  # fmt: skip
        found[role] = _png(_small(eight), role, scale)
    return found


def track_picture(pixels: Pixels, role: str, scale: Mapping[str, float] | None = None) -> bytes:
    """PNG bytes of one picture of a track: (h, w, 1|3) uint8 or uint16, `role` of `TRACK_ROLES` or `best_<n>`.

    `scale` goes into the caption: `gain` and `unit_max` of an uncertainty (8-bit units).

    Raises:
        IntegrityError: there is no such role.
    """
    if role not in TRACK_ROLES and not re.fullmatch(r"best_[1-9]\d*", role):
        raise IntegrityError(
            "report.picture_role", role=role, allowed=", ".join((*TRACK_ROLES, "best_1 ..."))
        )
    eight = _eight(pixels)
    return _png(_small(eight[:, :, :1] if role == "uncertainty" else eight), role, dict(scale or {}))


def picture_of(exhibit: str, data: bytes, frame: int | None = None, track: int | None = None) -> Picture:
    """The report's entry for a picture made here; role and scale are read from its bytes.

    Raises:
        IntegrityError: the bytes are not such a picture.
    """
    facts = _facts(data)
    if facts is None:
        raise IntegrityError("report.picture_unknown", exhibit=exhibit, size=len(data))
    width, height = struct.unpack(">II", data[16:24])
    return Picture(
        exhibit, facts["role"], hashlib.sha256(data).hexdigest(), width, height, frame, facts["scale"], track
    )


def reduced(data: bytes, long_side: int) -> bytes:
    """A report's picture (PNG or JPEG) averaged down to `long_side` px, as JPEG; as it is if smaller.

    Raises:
        IntegrityError: the bytes are no picture.
    """
    import cv2

    found = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise IntegrityError("report.picture_unknown", exhibit="-", size=len(data))
    if max(found.shape[:2]) <= long_side:
        return data
    small = _small(found, long_side=long_side)
    quality = [
        cv2.IMWRITE_JPEG_QUALITY,
        88,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return bytes(cv2.imencode(".jpg", small, quality)[1])


def _facts(data: bytes) -> dict[str, Any] | None:
    if not data.startswith(_SIGNATURE):
        return None
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 8 : at + 8 + length]
        if data[at + 4 : at + 8] == b"tEXt" and body.startswith(_KEYWORD + b"\0"):
            found: dict[str, Any] = json.loads(body[len(_KEYWORD) + 1 :])
            return found
        at += 12 + length
    return None


def _eight(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """(h, w, 3) uint8; 16 bit is rounded by 257, the exact ratio of the two ranges."""
    flat = pixels if pixels.ndim == 3 else pixels[:, :, None]
    if flat.dtype == np.uint16:
        flat = ((flat.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(flat, (*flat.shape[:2], 3)).astype(np.uint8, copy=False))


def _same_view(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> None:
    (bh, bw), (ah, aw) = before.shape[:2], after.shape[:2]
    expected = aw * bh / bw
    if abs(ah - expected) > max(2.0 * ah / bh, 0.02 * expected):
        raise IntegrityError("report.picture_view", before=f"{bw}x{bh}", after=f"{aw}x{ah}")


def _resized(pixels: npt.NDArray[Any], width: int, height: int, nearest: bool = False) -> npt.NDArray[Any]:
    import cv2

    if pixels.shape[:2] == (height, width):
        return pixels
    larger = pixels.shape[1] < width
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    made: npt.NDArray[Any] = cv2.resize(pixels, (width, height), interpolation=how)
    return made if made.ndim == 3 else made[:, :, None]


def _small(pixels: npt.NDArray[Any], nearest: bool = False, long_side: int = LONG_SIDE) -> npt.NDArray[Any]:
    height, width = pixels.shape[:2]
    factor = long_side / max(height, width)
    if factor >= 1.0:
        return pixels
    return _resized(pixels, max(1, round(width * factor)), max(1, round(height * factor)), nearest)


def _heat(counts: npt.NDArray[Any], top: int) -> npt.NDArray[np.uint8]:
    """Counts 1..top to `SCALE_COLOURS`, linear between the anchors."""
    anchors = np.asarray(SCALE_COLOURS, dtype=np.float64)
    place = np.linspace(0.0, 1.0, len(anchors))
    levels = np.clip((np.arange(256) - 1.0) / max(1, top - 1), 0.0, 1.0)
    table = np.stack([np.interp(levels, place, anchors[:, c]) for c in range(3)], axis=1)
    coloured: npt.NDArray[np.uint8] = np.rint(table).astype(np.uint8)[np.minimum(counts, 255)]
    return coloured


def _png(pixels: npt.NDArray[Any], role: str, scale: dict[str, float]) -> bytes:
    """8-bit PNG written here rather than by a library, whose choices change between versions."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    up = np.vstack([rows[:1], rows[1:] - rows[:-1]])  # filter type 2 (Up): modulo 256, uint8 wraps
    filtered = np.empty((height, 1 + width * channels), dtype=np.uint8)
    filtered[:, 0] = 2
    filtered[:, 1:] = up
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    facts = json.dumps({"role": role, "scale": scale}, sort_keys=True, separators=(",", ":"))
    chunks = (
        (b"IHDR", header),
        (b"tEXt", _KEYWORD + b"\0" + facts.encode("latin-1")),
        (b"IDAT", _deflated(filtered.tobytes())),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def _deflated(data: bytes) -> bytes:
    """Run lengths and Huffman codes only: a sixth of the time of level 6 and a tenth more bytes on such pictures."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return packer.compress(data) + packer.flush()
