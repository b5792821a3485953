"""Statistics of natural scenes that NIQE and BRISQUE share: normalised luminance and what is fitted to it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
WINDOW_PX, SIGMA_PX = 7, 7.0 / 6.0
"""The Gaussian of both papers."""
HALO_PX = WINDOW_PX // 2


def normalised(plane: Floats, constant: float, flat_is_zero: bool = False) -> Floats:
    """(x - local mean) / (local deviation + `constant`), same shape; beyond the border its last samples repeat.

    On flat ground rounding makes the variance negative: the two metrics' own codes take its size there (NIQE) or
    drop the sample (BRISQUE in OpenCV, `flat_is_zero`).

    Source: A. Mittal, A. K. Moorthy, A. C. Bovik: No-Reference Image Quality Assessment in the Spatial Domain,
    IEEE TIP 21 (2012), equation 1.
    """
    import cv2

    def blurred(values: Floats) -> Floats:
        found: Floats = cv2.GaussianBlur(
            values, (WINDOW_PX, WINDOW_PX), SIGMA_PX, borderType=cv2.BORDER_REPLICATE
        )
        return found

    mean = blurred(plane)
    variance = blurred(plane * plane) - mean * mean
    found = (plane - mean) / (np.sqrt(np.abs(variance)) + plane.dtype.type(constant))
    if flat_is_zero:
        found[variance < 0] = 0
    return found


@dataclass(frozen=True)
class Fit:
    """Asymmetric generalised Gaussians, one a group of samples. Nan where a group lacks a sign or is flat."""

    shape: Floats
    left: Floats
    """Deviation of what is below zero."""
    right: Floats

    @property
    def bridge(self) -> Floats:
        """sqrt(gamma(1 / shape) / gamma(3 / shape)): deviation to scale."""
        from scipy.special import gammaln

        found: Floats = np.exp((gammaln(1 / self.shape) - gammaln(3 / self.shape)) / 2)
        return found

    @property
    def mean_per_scale(self) -> Floats:
        """gamma(2 / shape) / gamma(1 / shape)."""
        from scipy.special import gammaln

        found: Floats = np.exp(gammaln(2 / self.shape) - gammaln(1 / self.shape))
        return found


@dataclass(frozen=True)
class Sums:
    """What a fit needs of groups of samples, each an array with one value a group; may be added."""

    count: Floats
    below: Floats
    below_squared: Floats
    above: Floats
    above_squared: Floats
    absolute: Floats

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


def sums(groups: Floats) -> Sums:
    """Over the last two axes; in double precision."""
    low, high = np.minimum(groups, 0), np.maximum(groups, 0)
    axes = (-2, -1)

    def total(values: Floats) -> Floats:
        found: Floats = values.sum(axes, dtype=np.float64)
        return found

    size = np.float64(groups.shape[-1] * groups.shape[-2])
    return Sums(
        np.full(groups.shape[:-2], size),
        np.count_nonzero(low, axes).astype(np.float64),
        total(low * low),
        np.count_nonzero(high, axes).astype(np.float64),
        total(high * high),
        total(high) - total(low),
    )


def fitted(of: Sums) -> Fit:
    """Moment matching; the shape is sought from 0.2 to 10 in steps of 0.001, as in the authors' code.

    Source: N.-E. Lasmar, Y. Stitou, Y. Berthoumieu: Multiscale skewed heavy tailed model for texture analysis,
    ICIP 2009.
    """
    shapes, ratios = _table()
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = np.sqrt(of.below_squared / of.below), np.sqrt(of.above_squared / of.above)
        skew = left / right
        plain = (of.absolute / of.count) ** 2 / ((of.below_squared + of.above_squared) / of.count)
        wanted = plain * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    known = np.isfinite(wanted)
    at = np.searchsorted(ratios, np.where(known, wanted, 0.5)).clip(1, len(ratios) - 1)
    at -= np.abs(ratios[at - 1] - wanted) <= np.abs(ratios[at] - wanted)
    nothing = np.where(known, 0.0, np.nan)
    return Fit(shapes[at] + nothing, left + nothing, right + nothing)


@functools.cache
def _table() -> tuple[Floats, Floats]:
    """Shapes, and gamma(2/s)^2 / (gamma(1/s) gamma(3/s)), which rises with them."""
    from scipy.special import gammaln

    shapes = np.arange(0.2, 10.001, 0.001)
    return shapes, np.exp(2 * gammaln(2 / shapes) - gammaln(1 / shapes) - gammaln(3 / shapes))
