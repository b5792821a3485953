"""The checksums of FFV1 slices (RFC 9043, 4.9.3), because libavcodec conceals a damaged slice silently.

Measured with libavcodec 62.28: a slice whose CRC fails is filled from the frame before, and neither an error
nor the frame's corrupt flag tells.
"""

from __future__ import annotations

import zlib
from typing import Final

_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_FOOTER: Final = 8
"""slice_size (24 bits), error_status (8), slice_crc_parity (32)."""


class SliceCheck:
    """Checks the packets of one stream; one without checksums is recognised by its first packet's layout."""

    def __init__(self) -> None:
        self._has_checksums: bool | None = None

    def damaged(self, packet: bytes) -> bool:
        """Whether a slice of `packet` (one coded frame) fails; False where the stream has no checksums."""
        intact = _slices_intact(packet)
        if self._has_checksums is None:
            self._has_checksums = intact is not None
        return self._has_checksums and intact is not True


def _slices_intact(packet: bytes) -> bool | None:
    """None where the slice sizes, followed from the end, do not meet the beginning."""
    end, intact = len(packet), True
    while end > 0:
        size = int.from_bytes(packet[end - _FOOTER : end - _FOOTER + 3], "big")
        start = end - _FOOTER - size
        if start < 0:
            return None
        intact = intact and _remainder(packet[start:end]) == 0
        end = start
    return intact


def _remainder(data: bytes) -> int:
    """CRC-32 with the generator 0x04C11DB7, most significant bit first, from 0; 0 over data and its parity.

    zlib's CRC is the same polynomial with reflected bits, so the bytes are reflected instead. The result is
    reflected too, which does not matter for a comparison with 0.
    """
    return zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
