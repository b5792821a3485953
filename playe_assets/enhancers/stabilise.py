"""Stabilisation: each frame is laid where the camera's smoothed path would have put it, and the report says how.

Nothing is invented at the rim: what the moved frame does not show is black, and the plane `coverage` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Enhancer, Frame, Pixels
from playe_assets.core.params import bounds, one_of
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.motion import MODELS, STILL, Motion, inside_of, mean_motion, motion_between
from playe_assets.enhancers.registration import small_grey
from playe_assets.enhancers.window import same_shot, windows


@dataclass(frozen=True)
class StabiliseParams:
    """Lengths are px of the frame."""

    model: str = one_of(*MODELS)
    """What of the camera's movement is measured and smoothed."""
    radius: int = bounds(1, 60, "frames")
    """The path is smoothed over this many frames to each side."""
    register_max_side_px: int = bounds(64, 4096, "px")
    """The movement is measured on a copy shrunken to this longer side."""
    min_likeness: float = bounds(0.0, 1.0, "correlation coefficient of details")
    """Below this the movement between two frames is not known: the path ends there."""
    max_shift_px: float = bounds(1.0, 512.0, "px")
    """Nor is it where a corner seems to move further than this from one frame to the next."""
    min_shift_px: float = bounds(0.0, 1.0, "px")
    """Movements and corrections under this at every corner count as none: interpolation would cost more."""
    max_correction_px: float = bounds(0.5, 512.0, "px")
    """No corner of a frame is moved further; a larger correction is shortened to it."""


@dataclass
class _Held:
    """A frame in the window, with how the picture moved from the frame before to it."""

    frame: Frame
    step: Motion | None
    """px of the frame; None where it is not known."""
    residual_px: float | None
    refused: bool = False
    """There is a frame before it in the shot, and the movement between the two is not known."""


class Stabilise(Enhancer):
    """Moves each frame by the difference between the camera's measured path and a smooth one.

    The smooth path is, for each frame, the value there of a straight line through the places of the frames
    around it (triangular weights): steady pans stay, shake goes. The window ends at cuts, at corrupt frames
    and where the movement is not known; a frame without known neighbours stays as it is. By-product:
    `coverage`, uint8 (h, w, 1), 255 where the picture shows something, 0 where the rim is black. Other planes
    move along without interpolation.
    """

    name = "stabilise"
    version = "1"
    kinds = frozenset({MediaKind.CLIP})
    geometry = True
    reference = (
        "B. D. Lucas, T. Kanade: An iterative image registration technique, IJCAI 1981; Y. Matsushita et al.: "
        "Full-frame video stabilization with motion inpainting, IEEE TPAMI 28 (2006), 4 (local smoothing, "
        "without the inpainting)"
    )
    Params: ClassVar[type] = StabiliseParams
    summaries: ClassVar[Mapping[str, str]] = {
        "frames_moved": "sum",
        "motion_unknown": "sum",
        "correction_px": "max",
        "dx_px": "mean",
        "dy_px": "mean",
        "rotation_deg": "mean",
        "scale": "mean",
        "residual_px": "mean",
        "coverage": "mean",
    }

    @classmethod
    def reach(cls, params: Any) -> int:
        """`radius`: movements come from pairs of frames that both lie in the window."""
        return int(params.radius)

    def frame(self, pixels: Pixels) -> Pixels:
        """A single picture has no path and stays as it is."""
        return pixels.copy()

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Each frame laid on the smooth path; the pixels of at most radius + 1 frames are held."""
        for window, centre in windows(self._paired(frames), self.params.radius):
            held = window[centre]
            yield self._laid(held, self._correction(window, centre))
            # What comes later asks only how it moved.
            empty = np.empty((0, 0, 1), held.frame.pixels.dtype)
            held.frame = replace(held.frame, pixels=empty, side={})

    def _paired(self, frames: Iterator[Frame]) -> Iterator[_Held]:
        params = self.params
        before, last = None, None  # the frame and its small copy
        for item in frames:
            grey, x_scale, y_scale = small_grey(item.pixels, params.register_max_side_px)
            if before is None or last is None or not same_shot(before, item):
                held = _Held(item, None, None)
            elif item.corrupt or before.corrupt or grey.shape != last.shape:
                held = _Held(item, None, None, refused=True)
            else:
                held = self._moved(item, last, grey, (x_scale + y_scale) / 2.0)
            before, last = replace(item, pixels=item.pixels[:0]), grey
            yield held

    def _moved(self, item: Frame, last: Any, grey: Any, factor: float) -> _Held:
        params = self.params
        found = motion_between(last, grey, params.model)
        step = Motion(found.motion.move * factor, found.motion.turn)
        far = step.largest_px(*item.pixels.shape[:2])
        if found.likeness < params.min_likeness or far > params.max_shift_px:
            return _Held(item, None, None, refused=True)
        return _Held(item, STILL if far < params.min_shift_px else step, found.residual_px * factor)

    def _correction(self, window: Sequence[_Held], centre: int) -> Motion:
        """From the frame's place to the smooth path's, as places in the frame."""
        height, width = window[centre].frame.pixels.shape[:2]
        found = mean_motion(*smooth_weights(places(window, centre), self.params.radius))
        if self.params.model == "rotation":
            found = Motion(found.move, found.turn / abs(found.turn))
        far = found.largest_px(height, width)
        if far == 0.0 or far < self.params.min_shift_px:
            return STILL
        return found.share(min(1.0, self.params.max_correction_px / far))

    def _laid(self, held: _Held, correction: Motion) -> Frame:
        item = held.frame
        height, width = item.pixels.shape[:2]
        numbers = {
            "frames_moved": float(correction != STILL),
            "motion_unknown": float(held.refused),
            "correction_px": correction.largest_px(height, width),
            "dx_px": correction.move.real,
            "dy_px": correction.move.imag,
            "rotation_deg": correction.rotation_deg,
            "scale": correction.scale,
        }
        if held.residual_px is not None:
            numbers["residual_px"] = held.residual_px
        if correction == STILL:
            coverage = np.full((height, width, 1), 255, np.uint8)
            side = {**item.side, "coverage": _shown(item.side, coverage)}
            numbers["coverage"] = 1.0
            return replace(item, pixels=item.pixels.copy(), side=side, numbers=numbers)
        matrix = correction.inverse.matrix(height, width)
        inside = inside_of(matrix, height, width)
        side = {name: _nearest(plane, matrix, inside) for name, plane in item.side.items()}
        side["coverage"] = _shown(side, inside[:, :, np.newaxis])
        numbers["coverage"] = float((inside > 0).mean())
        return replace(item, pixels=_cubic(item.pixels, matrix, inside), side=side, numbers=numbers)


def places(window: Sequence[_Held], centre: int) -> dict[int, Motion]:
    """Distance in frames to the movement from the centre's frame there, as far as unbroken known steps lead."""
    found = {0: STILL}
    for index in range(centre + 1, len(window)):
        step = window[index].step
        if step is None:
            break
        found[index - centre] = found[index - centre - 1].then(step)
    for index in range(centre, 0, -1):
        step = window[index].step
        if step is None:
            break
        found[index - 1 - centre] = found[index - centre].then(step.inverse)
    return dict(sorted(found.items()))


def smooth_weights(found: Mapping[int, Motion], radius: int) -> tuple[list[Motion], list[float]]:
    """The places with the weights that give the value at 0 of the straight line through them.

    Triangular weights, so that a frame that enters the window changes little. With one place, that place.
    """
    weights = {t: 1.0 - abs(t) / (radius + 1.0) for t in found}
    s0 = sum(weights.values())
    s1 = sum(w * t for t, w in weights.items())
    s2 = sum(w * t * t for t, w in weights.items())
    down = s0 * s2 - s1 * s1
    if down <= 0.0:
        return [STILL], [1.0]
    return list(found.values()), [w * (s2 - s1 * t) / down for t, w in weights.items()]


def _cubic(pixels: Pixels, matrix: npt.NDArray[np.float64], inside: npt.NDArray[np.uint8]) -> Pixels:
    """Bicubic; black outside, and no dark line at the rim."""
    import cv2

    way = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    size = (pixels.shape[1], pixels.shape[0])
    moved = cv2.warpAffine(
        np.ascontiguousarray(pixels), matrix, size, flags=way, borderMode=cv2.BORDER_REPLICATE
    ).reshape(pixels.shape)
    moved[inside == 0] = 0
    found: Pixels = moved
    return found


def _nearest(plane: Pixels, matrix: npt.NDArray[np.float64], inside: npt.NDArray[np.uint8]) -> Pixels:
    """A plane of counts or marks: values are moved, never mixed."""
    import cv2

    way = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    size = (plane.shape[1], plane.shape[0])
    moved = cv2.warpAffine(
        np.ascontiguousarray(plane), matrix, size, flags=way, borderMode=cv2.BORDER_REPLICATE
    ).reshape(plane.shape)
    moved[inside == 0] = 0
    found: Pixels = moved
    return found


def _shown(side: Mapping[str, Pixels], coverage: npt.NDArray[np.uint8]) -> Pixels:
    """With the coverage that an earlier step stated, both together."""
    earlier = side.get("coverage")
    found: Pixels = coverage if earlier is None else np.minimum(coverage, earlier)
    return found
