"""From 16-bit RGB to the 10-bit 4:2:0 that HEVC takes. Not swscale's, whose deep white is 1020 of 1023."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from playe_assets.core.contracts import Pixels

_LUMA: Final = {"bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}
"""Kr and Kb of ITU-T H.273, table 4."""
_BLACK, _Y_SPAN, _C_SPAN, _CENTRE = 64, 876, 896, 512


def ten_bit_420(pixels: Pixels, matrix: str) -> npt.NDArray[np.uint16]:
    """(h, w, 3) uint16 over the full range, h and w even, to (h * 3 / 2, w) uint16: Y, then Cb and Cr.

    Limited range; chroma lies at the left sample of each pair and between two rows (H.273, chroma type 0):
    1-2-1 along the row, then the mean of two rows.
    """
    kr, kb = _LUMA[matrix]
    unit = pixels.astype(np.float32)
    unit *= np.float32(1 / 65535)
    red, green, blue = unit[:, :, 0], unit[:, :, 1], unit[:, :, 2]
    luma = np.float32(kr) * red + np.float32(1 - kr - kb) * green + np.float32(kb) * blue
    height, width = luma.shape
    out = np.empty((height * 3 // 2, width), np.uint16)
    out[:height] = np.rint(luma * _Y_SPAN + _BLACK)
    planes = [_half((c - luma) * np.float32(0.5 / (1 - k))) for c, k in ((blue, kb), (red, kr))]
    out[height:] = np.concatenate([np.rint(p * _C_SPAN + _CENTRE).ravel() for p in planes]).reshape(-1, width)
    return out


def _half(plane: Any) -> Any:
    left = np.concatenate([plane[:, :1], plane[:, 1:-1:2]], axis=1)
    row = (left + 2 * plane[:, 0::2] + plane[:, 1::2]) * np.float32(0.25)
    return (row[0::2] + row[1::2]) * np.float32(0.5)
