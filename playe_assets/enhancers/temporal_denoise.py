"""Motion-compensated denoising over time: neighbours follow things that move, and only noise is averaged away.

As with fusion, a neighbour counts at a place only where its difference is explained by noise; here each place
is followed by optical flow, so that what moves by itself gains too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Enhancer, Frame, Pixels
from playe_assets.core.params import bounds
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.agreement import Noise, agreeing, mean_of, noise_of
from playe_assets.enhancers.flow import Flow, Mask, consistent, enlarged, flow_between, flow_plane, warped
from playe_assets.enhancers.window import windows


@dataclass(frozen=True)
class TemporalDenoiseParams:
    """Sigmas are in 8-bit units for either bit depth."""

    radius: int = bounds(1, 8, "frames")
    """Neighbours to each side; 2 * radius + 1 frames are held in memory."""
    flow_max_side_px: int = bounds(64, 4096, "px")
    """The flow is found on a copy shrunken to this longer side."""
    flow_smooth_px: float = bounds(0.0, 5.0, "px, sigma")
    """... and smoothed by this, because noise would be followed as if it were a thing."""
    flow_finest_scale: int = bounds(0, 4, "level of the pyramid")
    flow_iterations: int = bounds(1, 64, "steps")
    flow_refinements: int = bounds(0, 20, "rounds")
    occlusion_px: float = bounds(0.1, 32.0, "px")
    """A place that flow does not bring back this near to its start is hidden in the neighbour."""
    min_shift_px: float = bounds(0.0, 1.0, "px")
    """Movements under this count as none, because interpolation would cost more than it mends."""
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


@dataclass
class _Held:
    """A frame in the window; flows to other frames of it are found once and kept."""

    frame: Frame
    plane: Mask
    flows: dict[int, Flow | None] = field(default_factory=dict)
    """Index of the other frame to the flow from this one to it, in px of `plane`."""


@dataclass(frozen=True)
class _Other:
    """A neighbour brought to the centre's places."""

    moved: Pixels
    seen: Mask
    """255 where it shows the place at all."""
    shift: float
    """Median length of the flow, px of the frame."""


class TemporalDenoise(Enhancer):
    """Averages each place with equal weights over a window, along optical flow, where noise explains the rest.

    The noise is measured in the window itself (see `agreement`), so a frame's result depends on its window
    only. Places that are hidden in a neighbour keep what they have; corrupt frames neither give nor take;
    nothing is seen across a cut. By-product: `contributors`, uint8 (h, w, 1), how many frames stand behind
    each pixel. `fused_from` grows by the neighbours that gave at least one pixel.
    """

    name = "temporal_denoise"
    version = "2"
    kinds = frozenset({MediaKind.CLIP})
    reference = (
        "T. Kroeger et al.: Fast Optical Flow using Dense Inverse Search, ECCV 2016; A. Buades et al.: "
        "Patch-based video denoising with optical flow estimation, IEEE TIP 25 (2016)"
    )
    Params: ClassVar[type] = TemporalDenoiseParams
    summaries: ClassVar[Mapping[str, str]] = {
        "frames": "sum",
        "frames_without_neighbours": "sum",
        "contributors_mean": "mean",
        "flow_median_px": "mean",
        "hidden_share": "mean",
        "noise_sigma_mean": "mean",
    }

    @classmethod
    def reach(cls, params: Any) -> int:
        """`radius`: flows and noise come from the frame and its window."""
        return int(params.radius)

    def frame(self, pixels: Pixels) -> Pixels:
        """A single picture has no neighbours and stays as it is."""
        return pixels.copy()

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Each frame with up to `radius` neighbours on each side; at most 2 * radius + 1 are held."""
        for window, centre in windows(self._held(frames), self.params.radius):
            yield self._denoised(window, centre)

    def _held(self, frames: Iterator[Frame]) -> Iterator[_Held]:
        for item in frames:
            yield _Held(item, flow_plane(item.pixels, self.params))

    def _denoised(self, window: Sequence[_Held], centre: int) -> Frame:
        import cv2

        held = window[centre]
        own = held.frame.pixels
        others = list(self._others(window, centre))
        found = [n for o in others if (n := noise_of(own, o.moved, self.params.patch_px)) is not None]
        noise = None
        if found:
            noise = Noise.lower_median(found).believed([own], self.params)
        total: npt.NDArray[np.float32] = own.astype(np.float32)
        count = np.ones(own.shape[:2], np.uint8)
        used = 0
        for other in others if noise is not None else ():
            mask = agreeing(own, other.moved, noise, self.params) if noise is not None else None
            if mask is None:
                continue
            mask &= other.seen
            used += bool(mask.any())
            cv2.accumulate(other.moved, total, mask)
            cv2.add(count, 1, count, mask)
        return replace(
            held.frame,
            pixels=mean_of(own, total, count) if used else own.copy(),
            side={**held.frame.side, "contributors": count[:, :, np.newaxis]},
            kind="fused" if used else held.frame.kind,
            fused_from=held.frame.fused_from + used,
            numbers=_numbers(others, used, count, noise),
        )

    def _others(self, window: Sequence[_Held], centre: int) -> Iterator[_Other]:
        """The neighbours that show the same, the earlier ones first, nearest first."""
        order = (*range(centre - 1, -1, -1), *range(centre + 1, len(window)))
        one = window[centre]
        for other in (window[i] for i in order):
            if one.frame.corrupt or other.frame.corrupt or one.frame.pixels.shape != other.frame.pixels.shape:
                continue
            there, back = self._flow(one, other), self._flow(other, one)
            if there is None or back is None:
                continue
            yield self._brought(one, other, there, back)

    def _flow(self, one: _Held, other: _Held) -> Flow | None:
        index = other.frame.index
        if index not in one.flows:
            one.flows[index] = flow_between(one.plane, other.plane, self.params)
        return one.flows[index]

    def _brought(self, one: _Held, other: _Held, there: Flow, back: Flow) -> _Other:
        import cv2

        params = self.params
        height, width = one.frame.pixels.shape[:2]
        small = there.shape[1] / width
        seen = consistent(there, back, params.occlusion_px * small)
        if seen.shape != (height, width):
            seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_NEAREST)
        flow = enlarged(there, height, width)
        length = cv2.magnitude(flow[:, :, 0], flow[:, :, 1])
        settled = np.where(length[:, :, np.newaxis] < params.min_shift_px, np.float32(0.0), flow)
        moved, inside = warped(other.frame.pixels, settled)
        return _Other(moved, seen & inside, float(np.median(length[::4, ::4])))


def _numbers(
    others: Sequence[_Other], used: int, count: npt.NDArray[np.uint8], noise: Noise | None
) -> dict[str, float]:
    """What this frame adds; what is not known of it (no neighbour) is left out."""
    import cv2

    numbers = {
        "frames": 1.0,
        "frames_without_neighbours": float(used == 0),
        "contributors_mean": float(cv2.mean(count)[0]),
    }
    if others:
        numbers["flow_median_px"] = sum(o.shift for o in others) / len(others)
        hidden = sum(1.0 - cv2.countNonZero(o.seen) / o.seen.size for o in others)
        numbers["hidden_share"] = hidden / len(others)
    if noise is not None:
        numbers["noise_sigma_mean"] = float(np.mean(noise.sigma))
    return numbers
