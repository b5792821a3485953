"""Paste-back: what a network changed in an aligned face is taken back into the frame through a soft mask.

Not the crop but the change is warped back and added, so what the network left alone keeps its exact samples,
whatever interpolation costs.
"""

from __future__ import annotations

import math

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.inference.faces.align import Matrix, footprint, scale_of, smoothed
from playe_assets.inference.faces.found import Floats
from playe_assets.inference.faces.picture import Bytes

SHAPES = ("ellipse", "box")


def soft_mask(side: int, shape: str, margin_px: int, feather_px: float) -> Floats:
    """(side, side) 0..1: an ellipse or a box, its edge a Gaussian of sigma `feather_px`, 0 over `margin_px`.

    The hard shape is inset by the margin and three sigmas, the kernel reaches three sigmas: the outer margin
    is exactly 0, the middle exactly 1.
    """
    import cv2

    reach = math.ceil(3 * feather_px)
    inset = margin_px + reach
    mask = np.zeros((side, side), np.float32)
    if shape == "box":
        mask[inset : side - inset, inset : side - inset] = 1.0
    else:
        offset = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
        radius = max(side / 2 - inset, 1.0)
        mask[offset[:, None] ** 2 + offset[None, :] ** 2 <= radius**2] = 1.0
    if feather_px > 0.0:
        mask = cv2.GaussianBlur(
            mask, (2 * reach + 1, 2 * reach + 1), feather_px, borderType=cv2.BORDER_CONSTANT
        ).astype(np.float32, copy=False)
    return mask


def paste(
    pixels: Pixels, covered: Bytes, change: Floats, mask: Floats, matrix: Matrix, antialias: float
) -> float:
    """Add an aligned face's change to `pixels` (h, w, c) in place; returns the sum of absolute changes, 0..1 each.

    Args:
        pixels: samples over the full range of the dtype, rounded to nearest.
        covered: (h, w) 0..255, in place: the share of the pixel that faces have changed. Where an earlier face
            lies, a later one has only the rest.
        change: (side, side, c) of full scale, what is to be added inside the mask.
        mask: (side, side) 0..1.
        matrix: (2, 3) from frame to crop.
        antialias: as in `align.aligned`, where the frame is coarser than the crop.
    """
    import cv2

    side = mask.shape[0]
    top, bottom, left, right = footprint(matrix, side, pixels.shape)
    size = (right - left, bottom - top)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    coarser = scale_of(matrix)
    inverse = cv2.WARP_INVERSE_MAP
    added = cv2.warpAffine(smoothed(change, coarser, antialias), moved, size, flags=cv2.INTER_CUBIC | inverse,
                           borderMode=cv2.BORDER_CONSTANT, borderValue=0)  # fmt: skip
    weight = cv2.warpAffine(mask, moved, size, flags=cv2.INTER_LINEAR | inverse,
                            borderMode=cv2.BORDER_CONSTANT, borderValue=0)  # fmt: skip
    place = (slice(top, bottom), slice(left, right))
    free = 1.0 - covered[place].astype(np.float32) / 255.0
    weight = np.minimum(weight, free)
    full = float(np.iinfo(pixels.dtype).max)
    before = pixels[place].astype(np.float32)
    change_here = added.reshape(before.shape) * weight[:, :, None] * np.float32(full)
    after = np.rint(np.clip(before + change_here, 0.0, full))
    pixels[place] = after.astype(pixels.dtype)
    # Rounded up: where the map is 0 no face was touched.
    covered[place] = np.minimum(covered[place] + np.ceil(weight * 255.0), 255.0).astype(np.uint8)
    return float(np.sum(np.abs(after - before), dtype=np.float64)) / full
