"""Dense optical flow between two frames, what it makes of a third, and where it cannot be believed.

Method: T. Kroeger et al.: Fast Optical Flow using Dense Inverse Search, ECCV 2016 (OpenCV's DISOpticalFlow).
OpenCV 4.14 gave the same bits for 1, 2, 3 and 7 threads, so threads are not pinned.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels

Flow = npt.NDArray[np.float32]
"""(h, w, 2): what lies at (x, y) in one frame lies at (x + flow[..., 0], y + flow[..., 1]) in the other; px."""
Mask = npt.NDArray[np.uint8]
_PATCH = 8
_ALPHA, _DELTA, _GAMMA, _EPSILON = 20.0, 5.0, 10.0, 0.01
"""Weights of the refinement (smoothness, colour, gradient) and its regulariser, as the paper has them."""
_BEFORE, _AFTER = 1, 2
"""Samples that bicubic interpolation needs before and after the place that it reads."""


class FlowSettings(Protocol):
    """The parameters of the flow, as a step's parameters carry them."""

    @property
    def flow_max_side_px(self) -> int:
        """The flow is found on a copy shrunken to this longer side."""
        ...

    @property
    def flow_smooth_px(self) -> float:
        """Sigma of the smoothing of that copy; 0 for none."""
        ...

    @property
    def flow_finest_scale(self) -> int:
        """The finest level of the pyramid that is searched; 0 is the copy itself, 1 half of it."""
        ...

    @property
    def flow_iterations(self) -> int:
        """Steps of gradient descent for each patch."""
        ...

    @property
    def flow_refinements(self) -> int:
        """Rounds of variational refinement on each level."""
        ...


def flow_plane(pixels: Pixels, settings: FlowSettings) -> Mask:
    """Luma (h, w) as uint8, shrunken and smoothed: what `flow_between` takes."""
    import cv2

    grey = pixels[:, :, 0] if pixels.shape[2] == 1 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = min(1.0, settings.flow_max_side_px / max(height, width))
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1.0:
        grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
    if grey.dtype == np.uint16:
        grey = cv2.convertScaleAbs(grey, alpha=1.0 / 257.0)
    if settings.flow_smooth_px > 0.0:
        grey = cv2.GaussianBlur(grey, (0, 0), settings.flow_smooth_px)
    found: Mask = np.ascontiguousarray(grey)
    return found


def flow_between(one: Mask, other: Mask, settings: FlowSettings) -> Flow | None:
    """The flow from `one` to `other` in px of these planes; None where they are too small to be searched."""
    import cv2

    # Both are checked here, because OpenCV 4.14 crashes the process on small or flat-and-wide pictures.
    levels = int(math.log2(max(min(one.shape) / _PATCH, 0.5)))
    if min(one.shape) < _PATCH << settings.flow_finest_scale:
        return None
    coarsest = min(levels, round(math.log2(max(one.shape) / 20.0)))
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(settings.flow_finest_scale)
    search.setCoarsestScale(max(settings.flow_finest_scale, coarsest))
    search.setPatchSize(_PATCH)
    search.setPatchStride(_PATCH // 2)
    search.setGradientDescentIterations(settings.flow_iterations)
    search.setUseMeanNormalization(True)
    # With it, OpenCV searches in 8 fixed stripes; without it, in as many as there are threads.
    search.setUseSpatialPropagation(True)
    search.setVariationalRefinementIterations(settings.flow_refinements)
    search.setVariationalRefinementAlpha(_ALPHA)
    search.setVariationalRefinementDelta(_DELTA)
    search.setVariationalRefinementGamma(_GAMMA)
    search.setVariationalRefinementEpsilon(_EPSILON)
    found: Flow = search.calc(one, other, None)
    return found


def enlarged(flow: Flow, height: int, width: int) -> Flow:
    """A flow of a shrunken copy as one of the frame of height x width, in px of the frame."""
    import cv2

    rows, columns = flow.shape[:2]
    if (rows, columns) == (height, width):
        return flow
    factor = np.array([width / columns, height / rows], np.float32)
    found: Flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * factor
    return found


def warped(other: Pixels, flow: Flow) -> tuple[Pixels, Mask]:
    """`other` read where `flow` points (bicubic), and a mask (h, w), 255 where all samples lie inside it."""
    import cv2

    height, width = other.shape[:2]
    x = flow[:, :, 0] + np.arange(flow.shape[1], dtype=np.float32)
    y = flow[:, :, 1] + np.arange(flow.shape[0], dtype=np.float32)[:, np.newaxis]
    moved = cv2.remap(
        np.ascontiguousarray(other), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).reshape(*flow.shape[:2], other.shape[2])
    # A place at a whole px needs no neighbours; one that moved needs them all.
    still = ((flow[:, :, 0] == 0) & (flow[:, :, 1] == 0)).astype(np.uint8) * np.uint8(255)
    inside = cv2.inRange(x, _BEFORE, width - 1 - _AFTER) & cv2.inRange(y, _BEFORE, height - 1 - _AFTER)
    mask: Mask = inside | still
    return moved, mask


def consistent(forward: Flow, backward: Flow, within_px: float) -> Mask:
    """255 where going there and back again ends within `within_px` of the start; elsewhere 0.

    What is hidden in the other frame (occluded) does not come back. `within_px` is in px of these flows.
    """
    import cv2

    x = forward[:, :, 0] + np.arange(forward.shape[1], dtype=np.float32)
    y = forward[:, :, 1] + np.arange(forward.shape[0], dtype=np.float32)[:, np.newaxis]
    back = cv2.remap(backward, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gap = forward + back
    found: Mask = cv2.inRange(gap[:, :, 0] ** 2 + gap[:, :, 1] ** 2, 0.0, within_px * within_px)
    return found
