"""Multi-frame fusion: neighbouring frames average away noise, and nothing else.

A neighbour contributes to a pixel only where its registered residual is explained by noise; elsewhere the
frame keeps its own value, so that an object that is there for three frames survives without a ghost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Enhancer, Frame, Pixels
from playe_assets.core.params import bounds
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.agreement import Noise, agreeing, mean_of, noise_of
from playe_assets.enhancers.registration import Plane, Shift, register, shifted, small_grey
from playe_assets.enhancers.window import same_shot, windows


@dataclass(frozen=True)
class FusionParams:
    """Sigmas are in 8-bit units for either bit depth."""

    radius: int = bounds(1, 8, "frames")
    """Neighbours to each side; 2 * radius + 1 frames are held in memory."""
    register_max_side_px: int = bounds(64, 4096, "px")
    """Registration works on a copy shrunken to this longer side."""
    min_likeness: float = bounds(0.0, 1.0, "correlation coefficient of details")
    """Below this two consecutive frames have no known shift (a cut, a flash): neither side sees across."""
    max_shift_px: float = bounds(0.0, 512.0, "px")
    """Neighbours further away than this are not used."""
    min_shift_px: float = bounds(0.0, 0.5, "px")
    """Shifts under this count as none, because interpolation would cost more than it mends."""
    sigma_min: float = bounds(0.1, 10.0, "8-bit units")
    sigma_max: float = bounds(0.5, 60.0, "8-bit units")
    """The noise is taken as no smaller, and as no larger unless single frames show more:"""
    sigma_spatial: float = bounds(0.0, 4.0, "times the noise within single frames, 0: never")
    """... then up to this many times what lies within them, which nothing that moves can raise."""
    pixel_sigmas: float = bounds(1.0, 6.0, "sigmas of the difference")
    """A pixel agrees when the difference in every channel is at most this."""
    patch_px: int = bounds(3, 31, "px", odd=True)
    patch_ratio: float = bounds(1.05, 5.0, "times the expected mean square")
    """A patch agrees when its mean squared difference is at most this ..."""
    mean_sigmas: float = bounds(1.0, 10.0, "sigmas of the patch mean")
    """... and its mean difference in every channel at most this: finds objects fainter than the noise."""
    min_agreement: float = bounds(0.0, 1.0, "share of the picture")
    """A neighbour that agrees on less than this is not used at all: it shows something else."""


@dataclass(frozen=True)
class _Held:
    """A frame in the window, with how it lies against the frame before it."""

    frame: Frame
    grey: Plane
    step: Shift | None
    """From the frame before to this one; None where it is not known."""
    noise: Noise | None
    """From this frame's registered difference with the frame before."""
    refused: bool = False
    """There is a frame before it in the shot, and the two could not be registered."""


class Fusion(Enhancer):
    """Averages the frames of a window around each frame, with equal weights, after registration.

    The noise is measured in the window itself (see `agreement`), so a frame's result depends on its window
    only. Corrupt frames neither give nor take, and nothing is seen across them or across a cut. By-product:
    `contributors`, uint8 (h, w, 1), how many frames stand behind each pixel, the frame itself included.
    `fused_from` grows by the neighbours that gave at least one pixel.
    """

    name = "fusion"
    version = "3"
    kinds = frozenset({MediaKind.CLIP})
    reference = (
        "C. D. Kuglin, D. C. Hines: The phase correlation image alignment method, 1975; B. D. Lucas, "
        "T. Kanade: An iterative image registration technique, IJCAI 1981; A. Buades et al.: A note on "
        "multi-image denoising, LNLA 2009 (average where explained by noise)"
    )
    Params: ClassVar[type] = FusionParams

    summaries: ClassVar[Mapping[str, str]] = {
        "frames": "sum",
        "frames_without_neighbours": "sum",
        "contributors_mean": "mean",
        "pairs_not_registered": "sum",
        "shift_mean_px": "mean",
        "shift_max_px": "max",
        "noise_sigma_mean": "mean",
    }

    @classmethod
    def reach(cls, params: Any) -> int:
        """`radius`: shifts and noise come from pairs of frames that both lie in the window."""
        return int(params.radius)

    def frame(self, pixels: Pixels) -> Pixels:
        """A single picture has no neighbours and stays as it is."""
        return pixels.copy()

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Each frame fused with up to `radius` neighbours on each side; at most 2 * radius + 1 are held."""
        for window, centre in windows(self._paired(frames), self.params.radius):
            yield self._fused(window, centre)

    def _paired(self, frames: Iterator[Frame]) -> Iterator[_Held]:
        before: _Held | None = None
        for item in frames:
            before = self._held(item, before)
            yield before

    def _held(self, item: Frame, before: _Held | None) -> _Held:
        params = self.params
        grey, x_scale, y_scale = small_grey(item.pixels, params.register_max_side_px)
        if before is None or not same_shot(before.frame, item):
            return _Held(item, grey, None, None)
        step = None
        if not (item.corrupt or before.frame.corrupt) and item.pixels.shape == before.frame.pixels.shape:
            found, likeness = register(before.grey, grey, params.min_likeness)
            if likeness >= params.min_likeness:
                step = Shift(found.dx * x_scale, found.dy * y_scale)
        if step is None or step.length > params.max_shift_px:
            return _Held(item, grey, None, None, refused=True)
        moved, rows, columns = shifted(item.pixels, self._settled(step))
        noise = noise_of(before.frame.pixels[rows, columns], moved, params.patch_px)
        noise = noise.believed([before.frame.pixels, item.pixels], params) if noise is not None else None
        return _Held(item, grey, step, noise)

    def _settled(self, shift: Shift) -> Shift:
        least = self.params.min_shift_px
        return Shift(*(0.0 if abs(v) < least else v for v in (shift.dx, shift.dy)))

    def _joined(self, window: Sequence[_Held], centre: int) -> tuple[int, int]:
        """First and last frame of the window that unbroken known steps join with the centre."""
        first = last = centre
        while first > 0 and window[first].step is not None:
            first -= 1
        while last < len(window) - 1 and window[last + 1].step is not None:
            last += 1
        return first, last

    def _neighbours(self, window: Sequence[_Held], centre: int) -> Iterator[tuple[Pixels, Shift]]:
        """Pixels and shift of each usable neighbour, the earlier ones first, nearest first."""
        first, last = self._joined(window, centre)
        for way, ends in ((-1, range(centre, first, -1)), (1, range(centre + 1, last + 1))):
            total = Shift(0.0, 0.0)
            for index in ends:
                step = window[index].step
                if step is None:
                    break
                total = total + (step if way > 0 else -step)
                if total.length <= self.params.max_shift_px:
                    yield window[index if way > 0 else index - 1].frame.pixels, total

    def _noise(self, window: Sequence[_Held], centre: int) -> Noise | None:
        """The lower median over the joined pairs of the frame's window: motion only ever adds to it."""
        first, last = self._joined(window, centre)
        found = [n for i in range(first + 1, last + 1) if (n := window[i].noise) is not None]
        return Noise.lower_median(found) if found else None

    def _fused(self, window: Sequence[_Held], centre: int) -> Frame:
        import cv2

        item = window[centre].frame
        own = item.pixels
        total: npt.NDArray[np.float32] = own.astype(np.float32)
        count = np.ones(own.shape[:2], np.uint8)
        used = 0
        noise = None if item.corrupt else self._noise(window, centre)
        for other, shift in self._neighbours(window, centre) if noise is not None else ():
            moved, rows, columns = shifted(other, self._settled(shift))
            mask = agreeing(own[rows, columns], moved, noise, self.params) if noise is not None else None
            if mask is None:
                continue
            used += 1
            # Views into the sums: rows and columns are slices, so both calls write in place.
            cv2.accumulate(np.ascontiguousarray(moved), total[rows, columns], mask)
            cv2.add(count[rows, columns], 1, count[rows, columns], mask)
        pixels = mean_of(own, total, count) if used else own.copy()
        return replace(
            item,
            pixels=pixels,
            side={**item.side, "contributors": count[:, :, np.newaxis]},
            kind="fused" if used else item.kind,
            fused_from=item.fused_from + used,
            numbers=_numbers(window[centre], used, count, noise),
        )


def _numbers(held: _Held, used: int, count: npt.NDArray[np.uint8], noise: Noise | None) -> dict[str, float]:
    """What this frame adds; what is not known of it (no frame before it, no noise) is left out."""
    import cv2

    numbers = {
        "frames": 1.0,
        "frames_without_neighbours": float(used == 0),
        "contributors_mean": float(cv2.mean(count)[0]),
        "pairs_not_registered": float(held.refused),
    }
    if held.step is not None:
        numbers["shift_mean_px"] = numbers["shift_max_px"] = held.step.length
    if noise is not None:
        numbers["noise_sigma_mean"] = float(np.mean(noise.sigma))
    return numbers
