"""From pixels to a network's numbers and back: range, channel order, grey, 8 and 16 bit, and the colour correction.

A grey picture through an RGB network is copied to three channels and its output becomes luma again. An RGB
picture through a grey network goes channel by channel: with luma alone the noise in the chroma would stay
(DnCNN-25 on the five pictures of Set5, Gaussian noise of 25: 29.82 dB by channel, 21.58 dB by luma, 20.82 dB
before).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from playe_assets.core.errors import GovernanceError

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels
    from playe_assets.inference.cards import InputFacts
    from playe_assets.inference.contract import Tensor

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, the luma of JFIF, in which grey photographs are written."""


def full_scale(dtype: Any) -> int:
    """255 or 65535."""
    return int(np.iinfo(dtype).max)


def to_unit(pixels: Pixels) -> Tensor:
    """(h, w, c) uint8 or uint16 to float32 (c, h, w), 0..1. 16-bit samples keep all their bits (float32 has 24)."""
    planes = np.empty((pixels.shape[2], *pixels.shape[:2]), np.float32)
    np.divide(pixels.transpose(2, 0, 1), np.float32(full_scale(pixels.dtype)), out=planes)
    return planes


def to_network(pixels: Pixels, facts: InputFacts) -> Tensor:
    """(h, w, 1 or 3) uint8 or uint16 to float32 NCHW in the card's range and order.

    N is 1, or 3 where an RGB picture meets a grey network.
    """
    planes = to_unit(pixels)
    if facts.order == "grey":
        samples = planes[:, None]
    elif planes.shape[0] == 1:
        samples = np.repeat(planes, 3, axis=0)[None]
    else:
        samples = planes[::-1][None] if facts.order == "bgr" else planes[None]
    if facts.range == "0..255":
        samples = samples * np.float32(255)
    elif facts.range == "-1..1":
        samples = samples * np.float32(2) - np.float32(1)
    return np.ascontiguousarray(samples)


def from_network(output: Tensor, facts: InputFacts, channels: int, name: str) -> Tensor:
    """The output for one tile, float32 (n, c, h, w), as (channels, h, w) on 0..1, not yet clipped.

    It may be the output's own memory, which belongs to the caller: sessions give each run arrays of its own.

    Raises:
        GovernanceError: NaN or infinity in the output; never turned into pixels.
    """
    low, high = float(output.min()), float(output.max())  # NaN passes through both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise GovernanceError("models.not_finite", name=name)
    planes = output.reshape(-1, *output.shape[2:]) if facts.order == "grey" else output[0]
    if facts.order == "bgr":
        planes = planes[::-1]
    if facts.range == "0..255":
        planes = planes / np.float32(255)
    elif facts.range == "-1..1":
        planes = planes * np.float32(0.5) + np.float32(0.5)
    if channels == 1 and planes.shape[0] == 3:
        weights = np.array(LUMA, np.float32)
        return np.tensordot(weights, planes, axes=1)[None].astype(np.float32)
    return np.ascontiguousarray(planes, np.float32)


def quantised(values: Tensor, out: Pixels) -> None:
    """Write (c, h, w) on 0..1 into `out` (h, w, c): clipped, then rounded to the nearest, halves to even."""
    import cv2

    scaled = values * np.float32(full_scale(out.dtype))
    depth = cv2.CV_8U if out.dtype == np.uint8 else cv2.CV_16U
    # OpenCV's conversion clips and rounds halves to even, in a third of the time of numpy's four passes.
    planes = [cv2.add(plane, 0.0, dtype=depth) for plane in scaled]
    out[...] = np.stack(planes, axis=2) if len(planes) == 1 else cv2.merge(planes)


def low_passed(values: Tensor, given: Tensor, scale: int, radius: int) -> tuple[Tensor, float]:
    """`values` with the low frequencies of `given` put back, and the largest amount that was added (0..1).

    `values` (c, h * scale, w * scale), `given` (c, h, w), both on 0..1. The difference `given` - `values`
    (averaged down to the size of `given`) is smoothed twice by a square of 2 x `radius` + 1 px and added: on a
    flat field the model's colour shift goes, and detail finer than about 2 x `radius` px stays the model's.
    Measured on flat fields: Real-ESRGAN general and animevideov3 move a grey of 128 by 3.2 and 3.4 levels of 255,
    DnCNN-25 black by 3.2; with a radius of 8 none of them moves any by more than 0.1.
    It reaches 2 x `radius` px, plus one for the interpolation; tiles must share that much more.
    """
    import cv2

    channels, height, width = given.shape
    small = values.reshape(channels, height, scale, width, scale).mean(axis=(2, 4)) if scale > 1 else values
    largest = 0.0
    window = (2 * radius + 1, 2 * radius + 1)
    result = np.empty_like(values)
    for k in range(channels):
        smooth = cv2.blur(given[k] - small[k], window, borderType=cv2.BORDER_REFLECT)
        smooth = cv2.blur(smooth, window, borderType=cv2.BORDER_REFLECT)
        largest = max(largest, float(np.abs(smooth).max()))
        if scale > 1:
            smooth = cv2.resize(smooth, (width * scale, height * scale), interpolation=cv2.INTER_LINEAR)
        np.add(values[k], smooth, out=result[k])
    return result, largest


def low_pass_reach(radius: int) -> int:
    """px of its surroundings that `low_passed` looks at."""
    return 2 * radius + 1 if radius else 0
