"""Where two registered pictures differ by noise alone: the test that decides what may be averaged.

The noise is taken from the pair's own differences. Half of the patches are assumed to show no change, so
medians over patches give its strength per channel and the spread of its patch means. The second is measured
and not derived from the first, because compression makes neighbouring pixels' noise alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.enhancers.noise_level import noise_sigma

_BANDS = 48
"""Rows of patches that the noise is measured on; more do not change the medians."""
_FEWEST_PATCHES = 8


class AgreementSettings(Protocol):
    """The parameters of the test, as a step's parameters carry them; sigmas in 8-bit units."""

    @property
    def sigma_min(self) -> float:
        """The noise is taken as no smaller."""
        ...

    @property
    def sigma_max(self) -> float:
        """Nor as larger, ..."""
        ...

    @property
    def sigma_spatial(self) -> float:
        """... unless single frames show more: then up to this many times that; 0: never."""
        ...

    @property
    def pixel_sigmas(self) -> float:
        """A pixel agrees when the difference in every channel is at most this many sigmas of a difference."""
        ...

    @property
    def patch_px(self) -> int:
        """Side of a patch, odd."""
        ...

    @property
    def patch_ratio(self) -> float:
        """A patch agrees when its mean squared difference is at most this many times the expected one ..."""
        ...

    @property
    def mean_sigmas(self) -> float:
        """... and its mean difference in every channel at most this many sigmas of a patch's mean."""
        ...

    @property
    def min_agreement(self) -> float:
        """A picture that agrees on a smaller share shows something else."""
        ...


@dataclass(frozen=True)
class Noise:
    """Of one frame, per channel, in 8-bit units."""

    sigma: npt.NDArray[np.float32]
    """(c,) standard deviation of one sample."""
    patch_mean: npt.NDArray[np.float32]
    """(c,) standard deviation of a patch's mean."""
    patch_px: int

    @staticmethod
    def lower_median(found: Sequence[Noise]) -> Noise:
        """Per channel, the lower one of the two middle values where their number is even."""
        middle = (len(found) - 1) // 2
        return Noise(
            np.sort([n.sigma for n in found], axis=0)[middle],
            np.sort([n.patch_mean for n in found], axis=0)[middle],
            found[0].patch_px,
        )

    def believed(self, frames: Sequence[Pixels], settings: AgreementSettings) -> Noise:
        """Kept within the settings' bounds: above `sigma_max` only as far as the single `frames` show noise.

        Things that move raise the noise between frames, not that within one (see `noise_level`).
        """
        low, high, times = settings.sigma_min, settings.sigma_max, settings.sigma_spatial
        if times == 0.0 or float(self.sigma.max()) <= high:
            return self.within(low, high)
        spatial = [[noise_sigma(f[:, :, c : c + 1]) for c in range(f.shape[2])] for f in frames]
        return self.within(low, np.maximum(high, times * np.mean(spatial, axis=0)).astype(np.float32))

    def within(self, low: float, high: float | npt.NDArray[np.float32]) -> Noise:
        """Sigma kept in [low, high]; the patch means between white noise of that sigma and sigma itself."""
        sigma = np.clip(self.sigma, low, high)
        return Noise(sigma, np.clip(self.patch_mean, sigma / self.patch_px, sigma), self.patch_px)


def noise_of(one: Pixels, other: Pixels, patch_px: int) -> Noise | None:
    """The noise in each of two registered pictures (h, w, c); None where there are too few patches.

    Patches with a clipped sample (0 or full scale) are left out: clipping hides noise.
    """
    import cv2

    height, width, channels = one.shape
    across, down = width // patch_px, height // patch_px
    if across * down < _FEWEST_PATCHES:
        return None
    top = np.iinfo(one.dtype).max
    unit = 1.0 if one.dtype == np.uint8 else 1.0 / 257.0
    squares, means, clipped = [], [], []
    step = max(1, down // _BANDS)
    for band in range(0, down, step):
        rows = slice(band * patch_px, (band + 1) * patch_px)
        here, there = one[rows, : across * patch_px], other[rows, : across * patch_px]
        difference = (here.astype(np.float32) - there) * np.float32(unit)
        size = (across, 1)
        squares.append(cv2.resize(difference * difference, size, interpolation=cv2.INTER_AREA))
        means.append(cv2.resize(difference, size, interpolation=cv2.INTER_AREA))
        edge = ((here == 0) | (here == top)).astype(np.float32)
        clipped.append(cv2.resize(edge, size, interpolation=cv2.INTER_AREA))
    square, mean = np.concatenate(squares, axis=1), np.concatenate(means, axis=1)
    square, mean = square.reshape(-1, channels), mean.reshape(-1, channels)
    free = np.concatenate(clipped, axis=1).reshape(-1, channels).max(axis=1) == 0.0
    if int(free.sum()) >= _FEWEST_PATCHES:
        square, mean = square[free], mean[free]
    # The difference of two equally noisy samples has twice the variance of one.
    sigma = np.sqrt(np.median(square, axis=0) / 2.0)
    spread = np.median(np.abs(mean), axis=0) * np.float32(1.4826 / np.sqrt(2.0))
    return Noise(sigma.astype(np.float32), spread.astype(np.float32), patch_px)


def agreeing(
    own: Pixels, other: Pixels, noise: Noise, params: AgreementSettings
) -> npt.NDArray[np.uint8] | None:
    """(h, w) mask, 255 where `other` differs from `own` by noise alone.

    None where that is less than `params.min_agreement` of the picture, or the pictures share nothing.
    """
    import cv2

    height, width, channels = own.shape
    if height == 0 or width == 0:
        return None
    scale = np.float32(1.0 if own.dtype == np.uint8 else 257.0)
    root2 = np.float32(np.sqrt(2.0))
    sigma = noise.sigma * scale * root2
    depth = cv2.CV_16S if own.dtype == np.uint8 else cv2.CV_32F
    difference = cv2.subtract(np.ascontiguousarray(own), np.ascontiguousarray(other), dtype=depth)
    difference = difference.reshape(height, width, channels)
    box = (params.patch_px, params.patch_px)
    limit = (params.pixel_sigmas * sigma).astype(float)
    mask = cv2.inRange(difference, -limit, limit)
    mean = cv2.boxFilter(difference, cv2.CV_32F, box, borderType=cv2.BORDER_REFLECT)
    limit = (params.mean_sigmas * noise.patch_mean * scale * root2).astype(float)
    mask &= cv2.inRange(mean, -limit, limit)
    square = cv2.sqrBoxFilter(difference, cv2.CV_32F, box, borderType=cv2.BORDER_REFLECT)
    weights = (1.0 / (sigma.astype(np.float64) ** 2) / channels).reshape(1, -1)
    ratio = cv2.transform(square.reshape(height, width, channels), weights)
    mask &= cv2.inRange(ratio.reshape(height, width, 1), 0.0, float(params.patch_ratio))
    if cv2.countNonZero(mask) < params.min_agreement * mask.size or not mask.any():
        return None
    found: npt.NDArray[np.uint8] = mask
    return found


def mean_of(own: Pixels, total: npt.NDArray[np.float32], count: npt.NDArray[np.uint8]) -> Pixels:
    """total / count, rounded half up (cv2.divide would round a tie to even)."""
    import cv2

    divisor = count if own.shape[2] == 1 else cv2.merge([count] * own.shape[2])
    depth = cv2.CV_8U if own.dtype == np.uint8 else cv2.CV_16U
    found: Pixels = cv2.divide(total.reshape(divisor.shape), divisor, dtype=depth)
    return found.reshape(own.shape)
