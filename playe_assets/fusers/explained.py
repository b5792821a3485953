"""Where a registered crop differs from the reference by noise alone: only there it may contribute.

The noise is taken from the residuals themselves, never assumed white: compression makes neighbouring px alike,
so the spread of patch means is measured too. At edges, interpolation and aliasing add what a misfit of
`edge_px` would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_GRADIENT_SMOOTH_PX = 0.7
_FLAT_SHARE = 0.25
"""Of lettering a half has slopes, whose aliasing would count as noise."""


@dataclass(frozen=True)
class Tolerance:
    """How much a residual may be."""

    edge_px: float
    pixel_sigmas: float
    patch_px: int
    patch_ratio: float
    mean_sigmas: float


def slope(reference: Plane) -> Plane:
    """(h, w): the steepest change of luma a px within one px of each place."""
    import cv2

    smooth = cv2.GaussianBlur(reference, (0, 0), _GRADIENT_SMOOTH_PX)
    gx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1.0 / 32.0)
    gy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1.0 / 32.0)
    return np.asarray(cv2.dilate(np.hypot(gx, gy), np.ones((3, 3), np.uint8)), np.float32)


def noise_of(residual: Plane, seen: npt.NDArray[np.bool_], slopes: Plane) -> float:
    """Standard deviation of one sample from a pair's residual (h, w, c), on the flattest part of what both see."""
    if not seen.any():
        return float("inf")
    flat = seen & (slopes <= np.quantile(slopes[seen], _FLAT_SHARE))
    return float(_MAD * np.median(np.abs(residual[flat])) / np.sqrt(2.0))


def explained(
    residual: Plane, seen: npt.NDArray[np.bool_], variance: float, slopes: Plane, tolerance: Tolerance
) -> npt.NDArray[np.bool_]:
    """(h, w): the residual (h, w, c), of this variance where nothing moved, is explained by noise.

    Each px by itself, the mean and the mean square of its patch; a patch that fails takes its neighbours with
    it, because the samples around a place count for it as well.
    """
    import cv2

    room = np.sqrt(np.float32(variance) + (np.float32(tolerance.edge_px) * slopes) ** 2)[:, :, None]
    z = np.where(seen[:, :, None], residual / room, 0.0).astype(np.float32)
    size = (tolerance.patch_px, tolerance.patch_px)
    mean = _boxed(z, size)
    square = _boxed(z * z, size)
    white = 1.0 / tolerance.patch_px
    good = (np.abs(z) <= tolerance.pixel_sigmas).all(axis=2)
    for c in range(z.shape[2]):
        spread = (
            min(max(white, _MAD * float(np.median(np.abs(mean[:, :, c][seen])))), 1.0) if seen.any() else 1.0
        )
        good &= np.abs(mean[:, :, c]) <= tolerance.mean_sigmas * spread
        good &= square[:, :, c] <= tolerance.patch_ratio
    left_out = cv2.dilate((~good).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    found: npt.NDArray[np.bool_] = seen & ~left_out
    return found


def _boxed(planes: Plane, size: tuple[int, int]) -> Plane:
    import cv2

    made = cv2.blur(planes, size, borderType=cv2.BORDER_REFLECT)
    return np.asarray(made, np.float32).reshape(planes.shape)


def left_over_px(residual: Plane, reference: Plane, mask: npt.NDArray[np.bool_]) -> float:
    """Length of the one shift, px, that would best explain a luma residual (h, w) where `mask`: what
    registration left over; 0 where the picture has no slopes to tell by."""
    import cv2

    gx = cv2.Scharr(reference, cv2.CV_32F, 1, 0, scale=1.0 / 32.0)[mask]
    gy = cv2.Scharr(reference, cv2.CV_32F, 0, 1, scale=1.0 / 32.0)[mask]
    a, b, c = float(gx @ gx), float(gx @ gy), float(gy @ gy)
    determinant = a * c - b * b
    if determinant <= 1e-3 * (a + c) ** 2 or determinant <= 0:
        return 0.0
    p, q = float(gx @ residual[mask]), float(gy @ residual[mask])
    return float(np.hypot((c * p - b * q) / determinant, (a * q - b * p) / determinant))
