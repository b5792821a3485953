"""The digest of pixels, container aside: two files that show the same samples share it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels


class PixelDigest:
    """sha256 over raw samples: frames in order, rows packed, channels interleaved, little-endian."""

    def __init__(self) -> None:
        self._running = hashlib.sha256()
        self.frames = 0

    def update(self, pixels: Pixels) -> None:
        """Adds one frame, (height, width, channels), uint8 or uint16."""
        array = np.ascontiguousarray(pixels)
        if sys.byteorder == "big" and array.dtype.itemsize > 1:
            array = array.byteswap()
        self._running.update(array.data)
        self.frames += 1

    def hexdigest(self) -> str:
        """64 lower-case hexadecimal digits, for what was added so far."""
        return self._running.hexdigest()


def pixel_sha256(pixels: Pixels) -> str:
    """The pixel digest of a single picture."""
    digest = PixelDigest()
    digest.update(pixels)
    return digest.hexdigest()


def frame_sha256(pixels: Pixels) -> str:
    """The digest of one frame of a clip, (height, width, channels), uint8 or uint16: as `pixel_sha256`."""
    return pixel_sha256(pixels)


def frames_sha256(hexdigests: Iterable[str]) -> str:
    """The digest of a clip's frames out of those of each frame, in order: sha256 over the raw 32-byte digests.

    Digests of segments concatenate, and where two clips differ the list tells which frame does.
    """
    running = hashlib.sha256()
    for digest in hexdigests:
        running.update(bytes.fromhex(digest))
    return running.hexdigest()
