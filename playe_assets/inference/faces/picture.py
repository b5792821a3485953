"""Pictures as face networks want them: 8 bit, of bounded size, padded, as float32 NCHW."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.inference.faces.found import Floats

if TYPE_CHECKING:
    import numpy.typing as npt

    Bytes: TypeAlias = npt.NDArray[np.uint8]
else:
    Bytes: TypeAlias = Any


def eight_bit(pixels: Pixels) -> Bytes:
    """`pixels` as 8 bit: the upper byte of 16-bit samples."""
    return (pixels if pixels.dtype == np.uint8 else pixels >> 8).astype(np.uint8, copy=False)


def shrunk(pixels: Pixels, max_side_px: int) -> tuple[Bytes, float]:
    """(h, w, c) as 8 bit with its longer side at most `max_side_px`, and its px per px of `pixels`.

    Pixels are averaged over their area; a picture is never enlarged.
    """
    import cv2

    eight = eight_bit(pixels)
    height, width, channels = eight.shape
    scale = min(1.0, max_side_px / max(height, width))
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        smaller = cv2.resize(np.ascontiguousarray(eight), size, interpolation=cv2.INTER_AREA)
        eight = smaller.reshape(size[1], size[0], channels)
    return np.ascontiguousarray(eight, dtype=np.uint8), scale


def colours(picture: Bytes, order: str) -> Bytes:
    """(h, w, 3) in `order` (`rgb` or `bgr`); grey is repeated."""
    if picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    return picture if order == "rgb" else picture[:, :, ::-1]


def tensor(
    picture: Bytes, multiple: int, mean: tuple[float, float, float] = (0.0, 0.0, 0.0), divisor: float = 1.0
) -> Floats:
    """(1, 3, H, W): `(picture - mean) / divisor`, zeros added right and below up to a multiple of `multiple` px."""
    height, width, _ = picture.shape
    tall, wide = (-(-side // multiple) * multiple for side in (height, width))
    out = np.zeros((1, 3, tall, wide), np.float32)
    for channel in range(3):
        out[0, channel, :height, :width] = (picture[:, :, channel] - np.float32(mean[channel])) / np.float32(
            divisor
        )
    return out
