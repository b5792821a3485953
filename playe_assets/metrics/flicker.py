"""How much more a derivative changes from frame to frame than its source: warped error and luma flicker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Column, Metric, Pair, Pixels
from playe_assets.core.params import bounds
from playe_assets.metrics.scale import Plane, alike, luma, resized

Mask = npt.NDArray[np.bool_]
MIN_SIDE_PX = 32
"""DIS needs its patches of 8 px on at least two levels; smaller frames are not judged."""
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float64)
"""Weights of BT.601 luma, as `scale.luma`."""


@dataclass(frozen=True)
class FlickerParams:
    """Lengths are px of the exhibit, errors are 8-bit units."""

    max_side_px: int = bounds(64, 8192, "px")
    """Long side at which the flow is found; errors are always taken at the exhibit's own size."""
    occlusion_share: float = bounds(0.0, 1.0, "1")
    """A pixel is occluded where |f + b|^2 > share * (|f|^2 + |b|^2) + offset, f and b the flows there and back."""
    occlusion_offset_px2: float = bounds(0.01, 100.0, "px^2")
    min_valid: float = bounds(0.01, 1.0, "1")
    """Least share of pixels seen in both frames; below it the two are not compared."""
    block_px: int = bounds(4, 256, "px")
    """Side of the blocks whose mean luma is followed."""
    warped_floor: float = bounds(0.01, 16.0, "8-bit units")
    """Errors below it count as this much in the ratio: a source without noise has next to none to divide by."""
    luma_floor: float = bounds(0.01, 16.0, "8-bit units")


@dataclass
class _Sums:
    """Errors of every compared step so far."""

    before: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)

    def add(self, before: float, after: float, floor: float) -> tuple[float, float, float, float]:
        """The step's before, after, ratio and what was added."""
        self.before.append(before)
        self.after.append(after)
        return before, after, max(after, floor) / max(before, floor), after - before

    def whole(self, floor: float) -> float:
        """Ratio of the means: a mean of ratios would be led by the stillest steps."""
        return max(_mean(self.after), floor) / max(_mean(self.before), floor)


class Flicker(Metric):
    """Compares what changes between a frame and the one before it, in the derivative and in its source.

    The motion is that of the *source* (DIS optical flow from its frame to the one before), so both are laid
    on each other along the same paths; pixels that are not seen in both frames (flows there and back that do
    not agree) or that leave the picture are masked out. The derivative is brought to the source's size first.

    `warped_error_*`: root mean square over pixels and channels of frame minus warped frame before, 8-bit units
    (the warping error of Lai et al., its root taken so that it has the unit of a sample). Noise is part of it:
    `_before` of a clip with noise s is about 1.2 s.
    `luma_flicker_*`: the same difference's mean luma in each block of `block_px`, absolute, averaged over the
    blocks by their visible pixels (own definition): noise averages out, motion is compensated, brightness that
    jumps, in all of the picture or in parts, remains.
    `_ratio` is after / before (1: as steady as the source, below: steadier), of the means over all compared
    steps; `_added` is after minus before, negative where the derivative is steadier; `luma_flicker_worst` is
    the largest `luma_flicker_added` of any compared step.

    Null for photographs, for the first frame of a shot, for frames under 32 px, and where less than
    `min_valid` of the picture is seen in both frames; and for a derivative whose view a step moved by itself
    (`frames_moved`, stabilisation), which changes along other paths than its source.
    """

    name = "flicker"
    version = "1"
    reference = (
        "W.-S. Lai et al.: Learning Blind Video Temporal Consistency, ECCV 2018 (warping error); "
        "T. Kroeger et al.: Fast Optical Flow using Dense Inverse Search, ECCV 2016; "
        "N. Sundaram et al.: Dense Point Trajectories, ECCV 2010 (occlusion by the flows there and back)"
    )
    columns = (
        Column("warped_error_before", "8-bit units", 0.0, 255.0, "none"),
        Column("warped_error_after", "8-bit units", 0.0, 255.0, "lower"),
        Column("warped_error_ratio", "1", 0.0, None, "lower"),
        Column("warped_error_added", "8-bit units", -255.0, 255.0, "lower"),
        Column("luma_flicker_before", "8-bit units", 0.0, 255.0, "none"),
        Column("luma_flicker_after", "8-bit units", 0.0, 255.0, "lower"),
        Column("luma_flicker_ratio", "1", 0.0, None, "lower"),
        Column("luma_flicker_added", "8-bit units", -255.0, 255.0, "lower"),
        Column("luma_flicker_worst", "8-bit units", -255.0, 255.0, "lower", over="max"),
    )
    Params: ClassVar[type] = FlickerParams

    def __init__(self, params: Any, models: Any = None) -> None:
        super().__init__(params, models or {})
        self._warped = _Sums()
        self._luma = _Sums()

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """One value a column of the step from `pair.previous` to `pair`; null without one."""
        found = self._step(pair)
        names = [c.name for c in self.columns]
        return dict(zip(names, found or (None,) * len(names), strict=True))

    def finish(self) -> dict[str, float | None]:
        """The ratios over the whole clip."""
        if not self._warped.before:
            return {}
        p = self.params
        return {
            "warped_error_ratio": self._warped.whole(p.warped_floor),
            "luma_flicker_ratio": self._luma.whole(p.luma_floor),
        }

    def _step(self, pair: Pair) -> tuple[float, ...] | None:
        last, p = pair.previous, self.params
        if pair.measured.get("frames_moved", 0.0) > 0:
            return None
        if last is None or min(pair.exhibit.shape[:2]) < MIN_SIDE_PX:
            return None
        paths, seen = _paths(pair.exhibit, last.exhibit, p)
        visible = int(np.count_nonzero(seen))
        if visible < p.min_valid * seen.size:
            return None
        now, then = resized(pair.derivative, pair.exhibit), resized(last.derivative, last.exhibit)
        before = _errors(*alike(pair.exhibit, last.exhibit), paths, seen, p.block_px)
        after = _errors(*alike(now, then), paths, seen, p.block_px)
        warped = self._warped.add(before[0], after[0], p.warped_floor)
        flicker = self._luma.add(before[1], after[1], p.luma_floor)
        return (*warped, *flicker, flicker[3])


def _paths(now: Pixels, then: Pixels, p: FlickerParams) -> tuple[Plane, Mask]:
    """For each pixel of `now` where it was in `then`, (h, w, 2) in px, and whether it is seen in both."""
    import cv2

    height, width = now.shape[:2]
    factor = min(1.0, p.max_side_px / max(height, width))
    size = (max(MIN_SIDE_PX, round(width * factor)), max(MIN_SIDE_PX, round(height * factor)))
    one, other = (_small(x, size) for x in (now, then))
    # Stripes are fixed in DIS, so that the number of threads does not change the flow (a test holds it).
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    there, back = dis.calc(one, other, None), dis.calc(other, one, None)
    returned = cv2.remap(back, _grid(there), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    missed = np.sum((there + returned) ** 2, axis=2)
    length = np.sum(there**2, axis=2) + np.sum(returned**2, axis=2)
    agree = (missed <= p.occlusion_share * length + p.occlusion_offset_px2).astype(np.uint8)
    flow = cv2.resize(there, (width, height), interpolation=cv2.INTER_LINEAR)
    flow *= np.array([width / size[0], height / size[1]], dtype=np.float32)
    places = _grid(flow)
    inside = (places[:, :, 0] >= 0) & (places[:, :, 0] <= width - 1)
    inside &= (places[:, :, 1] >= 0) & (places[:, :, 1] <= height - 1)
    seen = cv2.resize(agree, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)
    return places, seen & inside


def _small(pixels: Pixels, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    import cv2

    found: npt.NDArray[np.uint8] = np.clip(np.rint(luma(pixels)), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _grid(flow: Plane) -> Plane:
    height, width = flow.shape[:2]
    found = flow.copy()
    found[:, :, 0] += np.arange(width, dtype=np.float32)
    found[:, :, 1] += np.arange(height, dtype=np.float32)[:, np.newaxis]
    return found


def _errors(now: Plane, then: Plane, paths: Plane, seen: Mask, block: int) -> tuple[float, float]:
    """Root mean square of the compensated change, and the blocks' mean absolute change of luma."""
    import cv2

    warped = cv2.remap(then, paths, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    change = now - warped.reshape(now.shape)
    change[~seen] = 0.0
    visible, channels = int(np.count_nonzero(seen)), now.shape[2]
    rms = float(np.sqrt(np.sum(np.square(change), dtype=np.float64) / (visible * channels)))
    weights = _LUMA if channels == 3 else np.ones(1)
    blocks = _block_sums(change, block) @ weights
    return rms, float(np.sum(np.abs(blocks)) / visible)


def _block_sums(plane: Plane, block: int) -> npt.NDArray[np.float64]:
    """Sums over blocks of `block` x `block` px, those at the edges smaller: (rows, columns, channels)."""
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], block), axis=0, dtype=np.float64)
    return np.asarray(np.add.reduceat(rows, np.arange(0, plane.shape[1], block), axis=1), dtype=np.float64)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
