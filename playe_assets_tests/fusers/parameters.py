"""The presets' parameters of the fuser, and crops of rendered clips, for tests and the benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts_tracks import Crop
from playe_assets.core.params import parse
from playe_assets.core.presets import load_preset
from playe_assets.fusers.track_fusion import TrackFusion, TrackFusionParams
from playe_assets_tests.rendered_clips import Rendered

MARGIN_PX = 8


def fuser(**changed: Any) -> TrackFusion:
    """Track fusion as `forensic_safe` uses it, with changes."""
    use = load_preset("forensic_safe").video.fusion.use
    return TrackFusion(parse(TrackFusionParams, {**use.given, **changed}, use.where))


def window(made: Rendered, frame: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the crop around the subject, whole px of the clip."""
    x, y, w, h = made.boxes[frame]
    return (math.floor(x) - MARGIN_PX, math.floor(y) - MARGIN_PX,
            math.ceil(x + w) + MARGIN_PX, math.ceil(y + h) + MARGIN_PX)  # fmt: skip


def crops(made: Rendered, frames: Sequence[npt.NDArray[np.uint8]], best: int) -> list[Crop]:
    """A crop of each frame; `best` has the highest quality."""
    found = []
    for number, pixels in enumerate(frames):
        x0, y0, x1, y1 = window(made, number)
        x, y, w, h = made.boxes[number]
        quality = 1.0 if number == best else 0.5
        found.append(Crop(number, number, pixels[y0:y1, x0:x1].copy(), x - x0, y - y0, w, h, quality))
    return found


def truth(made: Rendered, frame: int, scale: int) -> npt.NDArray[np.uint8]:
    """The truth at the crop's window, enlarged as the fused picture is."""
    x0, y0, x1, y1 = window(made, frame)
    return made.truth(frame, scale)[y0 * scale : y1 * scale, x0 * scale : x1 * scale]


def inside(crop: Crop, scale: int) -> tuple[slice, slice]:
    """Rows and columns of the subject in the enlarged crop."""
    left, top, right, bottom = (round(v * scale) for v in (crop.x, crop.y, crop.x + crop.width,
                                                           crop.y + crop.height))  # fmt: skip
    return slice(top, bottom), slice(left, right)


def psnr(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """dB, of luma (Rec. 601) in 8-bit units."""
    from playe_assets.fusers.registering import luma

    error = np.mean((luma(one).astype(np.float64) - luma(other)) ** 2)
    return float(10.0 * np.log10(255.0**2 / max(error, 1e-9)))
