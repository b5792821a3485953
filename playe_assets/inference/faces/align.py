"""Five-point alignment: the similarity that lays a face on a template, and pixels warped by it and back.

S. Umeyama: Least-squares estimation of transformation parameters between two point patterns, PAMI 13 (1991),
376-380. Points are centres of pixels: the first pixel is (0, 0), as in OpenCV.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.inference.faces.found import Floats, Point

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix: TypeAlias = npt.NDArray[np.float64]
else:
    Matrix: TypeAlias = Any

FFHQ_SIDE = 512
FFHQ: tuple[Point, ...] = (
    (192.98138, 239.94708),
    (318.90277, 240.1936),
    (256.63416, 314.01935),
    (201.26117, 371.41043),
    (313.08905, 371.15118),
)
"""Where the five points lie in aligned FFHQ faces of 512 px (facexlib's and GFPGAN's template), px."""
ARCFACE_SIDE = 112
ARCFACE: tuple[Point, ...] = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""The same for embedders of 112 px (InsightFace's template, which OpenCV's FaceRecognizerSF uses too), px."""

_MARGIN = 8
"""px around what a crop sees, more than cubic interpolation and its smoothing reach at a face's scale."""


def similarity(source: tuple[Point, ...], target: tuple[Point, ...]) -> Matrix:
    """(2, 3): rotation, one scale and shift that take `source` nearest to `target` in least squares, no mirroring.

    In the plane Umeyama's solution without reflection is a ratio of complex numbers.

    Raises:
        ValueError: all points of `source` are one.
    """
    one, other = (np.array([complex(x, y) for x, y in points]) for points in (source, target))
    centred = one - one.mean()
    spread = float(np.sum(np.abs(centred) ** 2))
    if spread == 0.0:
        raise ValueError("the points of a face are all at one place")
    turn = np.sum(np.conj(centred) * (other - other.mean())) / spread
    shift = other.mean() - turn * one.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def scale_of(matrix: Matrix) -> float:
    """Crop px per px of the frame."""
    return float(math.hypot(matrix[0, 0], matrix[1, 0]))


def misfit(matrix: Matrix, source: tuple[Point, ...], target: tuple[Point, ...]) -> float:
    """Root mean square distance, px of the crop, between the aligned points and the template."""
    moved = np.array(source) @ matrix[:, :2].T + matrix[:, 2]
    return float(np.sqrt(np.mean(np.sum((moved - np.array(target)) ** 2, axis=1))))


def aligned(pixels: Pixels, matrix: Matrix, side: int, antialias: float) -> Floats:
    """The face laid on its template: (side, side, c) float32, 0..1 of the dtype's full range.

    Cubic interpolation. Where the crop is coarser than the frame, the frame is smoothed first with a Gaussian
    of `antialias * sqrt(n^2 - 1)` px, n px of the frame becoming one. Outside the frame its border repeats.
    """
    import cv2

    back = cv2.invertAffineTransform(matrix)
    shrinking = 1.0 / scale_of(matrix)
    reach = _MARGIN + math.ceil(3 * shrinking)
    top, bottom, left, right = _window(back, side, pixels.shape, reach)
    part = pixels[top:bottom, left:right].astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    part = smoothed(part, shrinking, antialias)
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    found = cv2.warpAffine(
        part, moved, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).reshape(side, side, pixels.shape[2])
    return np.asarray(np.clip(found, 0.0, 1.0), dtype=np.float32)


def smoothed(picture: Floats, shrinking: float, antialias: float) -> Floats:
    """`picture` with what `shrinking` px to one cannot carry taken off; unchanged where nothing shrinks."""
    import cv2

    sigma = antialias * math.sqrt(max(0.0, shrinking**2 - 1.0))
    if sigma < 0.05:  # a Gaussian this narrow weighs the neighbours with less than 1e-80
        return picture
    found = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(picture.shape), dtype=np.float32)


def footprint(matrix: Matrix, side: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the crop's place in the frame, cut at the frame's borders."""
    import cv2

    return _window(cv2.invertAffineTransform(matrix), side, shape, 1)


def _window(back: Matrix, side: int, shape: tuple[int, ...], reach: int) -> tuple[int, int, int, int]:
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)]) @ back[:, :2].T + back[:, 2]
    low = np.floor(corners.min(axis=0)).astype(int) - reach
    high = np.ceil(corners.max(axis=0)).astype(int) + reach + 1
    height, width = shape[:2]
    # At least one px, also where a face's template reaches wholly over a border.
    left, top = int(np.clip(low[0], 0, width - 1)), int(np.clip(low[1], 0, height - 1))
    right, bottom = int(np.clip(high[0], left + 1, width)), int(np.clip(high[1], top + 1, height))
    return top, bottom, left, right
