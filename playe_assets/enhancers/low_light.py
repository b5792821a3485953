"""Learned brightening of dark pictures: the network sees a reduced copy, its tone curve is applied to the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.core.params import bounds, card
from playe_assets.core.tracks import Shot
from playe_assets.enhancers.learned import Learned, LearnedParams, blended
from playe_assets.enhancers.luma import planes, unit
from playe_assets.media.evidence import Plane, shrunk, unexplained

WINDOW_SHARE = 16
"""The tone curve is fitted in windows of a 16th of the reduced picture's longer side: local, not detail."""
FLAT = 0.5
"""Variance, 8-bit units squared, below which a window counts as flat and only its mean is carried over: six
times that of rounding, so that faint texture in the dark is brightened with its surroundings."""
BAR = 16.0
"""8-bit units at or below which a border is a black bar: video black is 16, and compression rings."""
_BAND_ROWS = 512


@dataclass(frozen=True)
class LowLightParams(LearnedParams):
    """Only dark pictures are changed: one that is well exposed loses by it."""

    model: str = card("low-light enhancement", "exposure correction")
    apply_below_mean: float = bounds(0.0, 255.0, "8-bit units")
    """Pictures whose mean luma, without black bars at the borders, is this or more are left as they are; of a clip
    the shot's median of the whole frame's mean decides."""
    strength: float = bounds(0.0, 1.0, "share")
    """Share of the brightened picture; the rest is the exhibit's."""
    max_side_px: int = bounds(64, 4096, "px")
    """The network sees the picture at this longer side at most: it must see it whole, because it measures the
    exposure of the scene, and it was trained on pictures of some 500 px."""


class LowLight(Learned):
    """The network's picture where it saw the exhibit in full; its local tone curve where that is larger.

    The curve: in windows of the reduced picture each channel of the network's answer is fitted as a + b times
    that of its input (fast guided filter); a and b, enlarged bilinearly, are applied to every sample of the
    exhibit. So the large picture gets no detail that it has not, only another brightness. Disagreement with
    the evidence is structure in the result that no local change of brightness explains.
    """

    name = "low_light"
    version = "2"
    summaries: ClassVar[Mapping[str, str]] = {**Learned.summaries, "luma_mean": "mean"}
    reference = (
        "Z. Cui et al.: You Only Need 90K Parameters to Adapt Light (IAT), BMVC 2022; K. He, J. Sun: Fast Guided "
        "Filter, arXiv 1505.00996"
    )
    Params: ClassVar[type] = LowLightParams

    def applies(self, pixels: Pixels, shot: Shot | None) -> bool:
        """Where the mean luma lies below the limit; black bars at the borders are not counted."""
        mean = float(np.mean(without_bars(planes(pixels)[:, :, 0], unit(pixels)), dtype=np.float64))
        mean /= unit(pixels)
        self.note(luma_mean=mean)
        decides = mean if shot is None else shot.luma_mean
        return bool(decides < self.params.apply_below_mean)

    def made(self, pixels: Pixels) -> Pixels:
        """`pixels` brightened, same shape and dtype."""
        height, width = pixels.shape[:2]
        ratio = self.params.max_side_px / max(height, width)
        if ratio >= 1.0:
            return blended(pixels, self.model.picture(pixels), self.params.strength)
        small = shrunk(pixels, max(1, round(height * ratio)), max(1, round(width * ratio)))
        offset, slope = tone_curve(small, self.model.picture(small))
        result = np.empty_like(pixels)
        for rows, a, b in _enlarged(offset, slope, height, width):
            bright = pixels[rows] * b + a
            top = np.iinfo(pixels.dtype).max
            result[rows] = np.rint(bright).clip(0, top)
        return blended(pixels, result, self.params.strength)

    def disagreement(self, pixels: Pixels, result: Pixels) -> Plane:
        """Structure that was added, whatever happened to the brightness."""
        return unexplained(pixels, result)[0]


def without_bars(luma: Any, step: float) -> Any:
    """The part of `luma` (h, w) inside of rows and columns at the borders that are black throughout; all of it
    where nothing is brighter. `step` is an 8-bit unit in its samples."""
    bright = luma > BAR * step
    rows, columns = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return luma
    return luma[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def tone_curve(before: Pixels, after: Pixels) -> tuple[Plane, Plane]:
    """(offset, slope) of shape (h, w, c) with after = offset + slope x before in each window, least squares."""
    import cv2

    side = max(3, max(before.shape[:2]) // WINDOW_SHARE)

    def mean(plane: Any) -> Any:
        box: Plane = cv2.blur(plane, (side, side), borderType=cv2.BORDER_REFLECT)
        return box.reshape(before.shape)

    x, y = before.astype(np.float32), after.astype(np.float32)
    mean_x, mean_y = mean(x), mean(y)
    variance = np.maximum(mean(x * x) - mean_x * mean_x, 0.0)
    covariance = mean(x * y) - mean_x * mean_y
    step = unit(before)
    slope = covariance / (variance + np.float32(FLAT * step * step))
    return mean(mean_y - slope * mean_x), mean(slope)


def _enlarged(offset: Plane, slope: Plane, height: int, width: int) -> Iterator[tuple[slice, Plane, Plane]]:
    """Bands of rows of the whole with offset and slope at full size, so that memory stays small."""
    import cv2

    columns = np.clip((np.arange(width, dtype=np.float32) + 0.5) * (slope.shape[1] / width) - 0.5, 0, None)
    for top in range(0, height, _BAND_ROWS):
        rows = np.arange(top, min(top + _BAND_ROWS, height), dtype=np.float32)
        rows = np.clip((rows + 0.5) * (slope.shape[0] / height) - 0.5, 0, None)
        x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        a, b = (
            cv2.remap(p, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(
                len(rows), width, -1
            )
            for p in (offset, slope)
        )
        yield slice(top, top + len(rows)), a, b
