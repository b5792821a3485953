"""A network that works frame by frame invents differently in each: its answers are averaged along the motion.

Averaged are the answers' differences from what was given, so that the given picture's own content is not touched;
or, where the difference is the noise that a step takes away, the answers themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from playe_assets.core.contracts import Frame, Pixels
from playe_assets.enhancers.flow import Flow, Mask, enlarged, flow_between, flow_plane, warped
from playe_assets.enhancers.luma import planes, unit
from playe_assets.enhancers.window import windows
from playe_assets.media.evidence import Plane, shrunk

AGREE_PX = 5
"""Side of the window over which two frames are compared: single samples differ by noise alone."""
BIASED = 3.0
"""A difference that does not change its sign within the window is no noise: of white noise the mean over 25 samples
is a fifth of the mean size, of another brightness or a shifted edge it is all of it."""
BACK_SHARE, BACK_PX2 = 0.01, 0.5
"""Motion there and back may differ, in squares, by this share of its length and these px of the reduced copy:
N. Sundaram, T. Brox, K. Keutzer: Dense Point Trajectories by GPU-Accelerated Large Displacement Optical Flow,
ECCV 2010."""


@dataclass(frozen=True)
class Search:
    """How motion is sought; beside the size fixed, because what it gets wrong the two tests refuse."""

    flow_max_side_px: int
    flow_smooth_px: float = 1.0
    flow_finest_scale: int = 1
    flow_iterations: int = 16
    flow_refinements: int = 2


@dataclass(frozen=True)
class Smoothing:
    """How far, on what and how strictly."""

    radius: int
    """Frames to each side."""
    flow_px: int
    """Motion is sought on copies of this longer side at most."""
    agreement: float
    """8-bit units: up to this mean difference of luma a neighbour counts in full, from twice as much not at all."""
    of_results: bool
    """The answers are averaged; else their differences from the given pictures."""


@dataclass
class Worked:
    """One frame of a learned step: with its answer, and as it was given."""

    frame: Frame
    given: Pixels
    applied: bool
    flow_px: int

    @property
    def usable(self) -> bool:
        """Whether it may give and take."""
        return self.applied and not self.frame.corrupt

    @cached_property
    def luma(self) -> Any:
        """(h, w) float32 of the given picture, 8-bit units."""
        found = planes(self.given)[:, :, 0].astype(np.float32)
        found /= np.float32(unit(self.given))
        return found

    @cached_property
    def small(self) -> Mask:
        """(h', w'): the luma in which motion is sought."""
        return flow_plane(self.given, Search(self.flow_px))

    @cached_property
    def base(self) -> Pixels:
        """The given picture at the answer's size (Lanczos where it grew)."""
        return shrunk(self.given, *self.frame.pixels.shape[:2])

    def change(self, of_results: bool) -> Plane:
        """(H, W, c) float32: what is averaged."""
        import cv2

        if of_results:
            return self.frame.pixels.astype(np.float32)
        found: Plane = cv2.subtract(self.frame.pixels, self.base, dtype=cv2.CV_32F)
        return found.reshape(self.base.shape)


def smoothed(items: Iterable[Worked], how: Smoothing) -> Iterator[Frame]:
    """The frames with their answers averaged over the neighbours of the same shot that agree.

    A neighbour counts at a pixel where motion there and back meet and the given pictures agree after it; the frame
    itself always counts. `smoothed_share` of the numbers is the mean weight of the neighbours, 0..1. Corrupt
    frames, and those to which the step was not applied, neither give nor take.
    """
    motion = _Motion()
    for window, centre in windows(items, how.radius):
        motion.forget(window[0].frame.index)
        yield _averaged(window, centre, how, motion)


class _Motion:
    """Flow between frames of the window, each pair and direction computed once."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], Flow | None] = {}

    def forget(self, first: int) -> None:
        """Drop what belongs to frames before `first`."""
        self._found = {k: v for k, v in self._found.items() if min(k) >= first}

    def between(self, one: Worked, other: Worked) -> Flow | None:
        """px of the reduced copy, from `one` to `other`; None where the pictures are too small to be searched."""
        key = (one.frame.index, other.frame.index)
        if key not in self._found:
            self._found[key] = flow_between(one.small, other.small, Search(one.flow_px))
        return self._found[key]


def _averaged(window: Sequence[Worked], centre: int, how: Smoothing, motion: _Motion) -> Frame:
    item = window[centre]
    frame = item.frame
    if not item.usable:
        return frame
    own = item.change(how.of_results)
    total, weight = own.copy(), np.ones(own.shape[:2], np.float32)
    used = 0
    for place, other in enumerate(window):
        if place == centre or not other.usable or other.given.shape != item.given.shape:
            continue
        given = _carried(item, other, how, motion)
        if given is not None and given[1].any():
            moved, share = given
            total += moved * share[:, :, np.newaxis]
            weight += share
            used += 1
    numbers = {**frame.numbers, "smoothed_share": float(weight.mean(dtype=np.float64) - 1.0) / max(1, used)}
    if not used:
        return replace(frame, numbers=numbers)
    total /= weight[:, :, np.newaxis]
    if not how.of_results:
        total += item.base
    top = np.iinfo(frame.pixels.dtype).max
    pixels = np.rint(total.clip(0, top)).astype(frame.pixels.dtype)
    return replace(frame, pixels=pixels, kind="fused", fused_from=frame.fused_from + used, numbers=numbers)


def _carried(item: Worked, other: Worked, how: Smoothing, motion: _Motion) -> tuple[Plane, Plane] | None:
    """What `other` has to give, moved to where `item` shows the same, and its weight there, 0..1, (H, W)."""
    import cv2

    there, back = motion.between(item, other), motion.between(other, item)
    if there is None or back is None:
        return None
    height, width = item.luma.shape
    luma, inside = _fetched(other.luma[:, :, np.newaxis], enlarged(there, height, width))
    apart = _apart(luma[:, :, 0] - item.luma)
    share = np.clip(2.0 - apart / np.float32(how.agreement), 0.0, 1.0) * (inside > 0)
    share *= cv2.resize(_met(there, back), (width, height), interpolation=cv2.INTER_LINEAR)
    high, wide = item.frame.pixels.shape[:2]
    if share.shape != (high, wide):
        share = cv2.resize(share, (wide, high), interpolation=cv2.INTER_LINEAR)
    moved, _ = _fetched(other.change(how.of_results), enlarged(there, high, wide))
    return moved, share


def _fetched(plane: Any, flow: Flow) -> tuple[Any, Mask]:
    """`warped` for planes of float32."""
    return warped(plane, flow)


def _apart(difference: Any) -> Any:
    """(h, w): the mean difference around each px, or `BIASED` times its mean with sign where that is more."""
    import cv2

    window = (AGREE_PX, AGREE_PX)
    size = cv2.blur(np.abs(difference), window, borderType=cv2.BORDER_REFLECT)
    bias = np.abs(cv2.blur(difference, window, borderType=cv2.BORDER_REFLECT))
    return np.maximum(size, np.float32(BIASED) * bias)


def _met(there: Flow, back: Flow) -> Any:
    """(h', w') float32: 1 where the motion from a px, and back from where it leads, ends at the px."""
    again = _fetched(back, there)[0]
    apart = np.square(there + again).sum(axis=2)
    length = np.square(there).sum(axis=2) + np.square(again).sum(axis=2)
    return (apart <= BACK_SHARE * length + BACK_PX2).astype(np.float32)
