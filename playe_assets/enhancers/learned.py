"""What all learned steps share: one model, self-ensemble, the map of agreement with the evidence, and figures;
on clips decisions once a shot, and smoothing along the motion."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Enhancer, Frame, Model, ModelUse, Pixels
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.params import bounds, one_of
from playe_assets.core.tracks import Shot
from playe_assets.core.values import AiClass, StreamFacts
from playe_assets.enhancers.ensemble import EIGHT, eight
from playe_assets.enhancers.luma import contiguous
from playe_assets.enhancers.temporal_smoothing import Smoothing, Worked, smoothed
from playe_assets.media.evidence import Plane, as_map, disagreement, summary


@dataclass(frozen=True)
class LearnedParams:
    """What every learned step must be told beside its own parameters."""

    self_ensemble: str = one_of("off", "variance", "mean")
    """`variance` runs the step over eight flips and rotations for the map of uncertainty and keeps the plain
    answer; `mean` keeps the mean of the eight; both take eight times as long. `off` runs it once."""
    ensemble_below_px: int = bounds(0, 1_000_000_000, "px")
    """Pictures of more pixels are run once, without the map; `passes` says which it was."""
    smooth_radius: int = bounds(0, 4, "frames")
    """Of clips: the answers are averaged along the motion over so many frames to each side; 0 leaves each frame as
    the network made it. Photographs have no neighbours."""
    smooth_flow_px: int = bounds(64, 2048, "px")
    """Motion is sought on copies of this longer side at most."""
    smooth_agreement: float = bounds(0.5, 64.0, "8-bit units")
    """Up to this mean difference of luma (5 x 5 px) along the motion a neighbour counts in full, from twice as much
    not at all."""


class Learned(Enhancer):
    """A step through one network, on the frames for which it is meant; the others pass as they are.

    On clips what a frame's brightness or noise decides is decided by its shot's, so that no shot changes half-way;
    frames of which no shot is known decide for themselves.

    Maps beside the last frame that it changed, both (h, w, 1) uint8, 8 a unit of 8 bit (full scale 32/255):
    `consistency`, where the result brought back to the evidence disagrees with it, and `uncertainty`, the
    standard deviation over the self-ensemble. `ai_class` is the least that a model may raise: the step's
    class is that of its card.
    """

    ai_class = AiClass.FIDELITY
    smooths_results: ClassVar[bool] = False
    """What is averaged on clips: the network's change of the picture; or, where the change is what differs from
    frame to frame by nature (noise, artefacts), the result."""
    summaries: ClassVar[Mapping[str, str]] = {
        "applied": "mean",
        "passes": "mean",
        "consistency_mean": "mean",
        "consistency_p99": "mean",
        "uncertainty_mean": "mean",
        "uncertainty_p99": "mean",
        "smoothed_share": "mean",
        "tiles": "mean",
        "tile_halvings": "max",
        "seam_max_255": "max",
        "seam_mean_255": "mean",
        "low_pass_max_255": "max",
    }

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        self._maps: dict[str, Pixels] = {}
        self._frames = 0
        self._sums: dict[str, tuple[float, int]] = {}
        self._here: dict[str, tuple[float, int]] = {}
        self._shot: Shot | None = None

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The model that the parameters name, with what they change in it."""
        return (ModelUse(params.model, cls.variant(params)),)

    @classmethod
    def variant(cls, params: Any) -> Mapping[str, float]:
        """What the parameters change in the network beside its weights; nothing here."""
        return {}

    @classmethod
    def reach(cls, params: Any) -> int:
        """What the smoothing looks at: the network itself sees one frame."""
        radius: int = params.smooth_radius
        return radius

    @property
    def model(self) -> Model:
        """The model of this step.

        Raises:
            MissingResourceError: the step was built without it.
        """
        if self.params.model not in self.models:
            raise MissingResourceError("learned.no_model", step=self.name, model=self.params.model)
        return self.models[self.params.model]

    def frame(self, pixels: Pixels) -> Pixels:
        """The enhanced pixels, or a copy where the step does not apply; three equal channels stay equal."""
        if pixels.shape[2] == 3 and _colourless(pixels):
            return contiguous(np.repeat(self._frame(contiguous(pixels[:, :, :1])), 3, axis=2))
        return self._frame(contiguous(pixels))

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Each frame by itself, then smoothed; by-products follow where it grew, repeated and not interpolated."""
        params = self.params
        worked = self._worked(frames)
        if not params.smooth_radius:
            return (item.frame for item in worked)
        how = Smoothing(
            params.smooth_radius, params.smooth_flow_px, params.smooth_agreement, self.smooths_results
        )
        return smoothed(worked, how)

    def measured(self) -> dict[str, float]:
        """`applied` (share of the frames), `passes`, means over the frames of what was measured, and the
        model's own figures for its last picture. Consistency and uncertainty are in 8-bit units."""
        found = {name: total / count for name, (total, count) in self._sums.items()}
        if self._sums.get("applied", (0.0, 0))[0] and self.params.model in self.models:
            found |= self.model.measured()
        return found

    def touched(self) -> bool:
        """Whether the network was applied to any frame."""
        return self._sums.get("applied", (0.0, 0))[0] > 0

    def maps(self) -> dict[str, Pixels]:
        """`consistency` and, with the self-ensemble, `uncertainty` of the last frame that was changed."""
        return dict(self._maps)

    @abstractmethod
    def made(self, pixels: Pixels) -> Pixels:
        """The whole of the step once: network and whatever surrounds it; (h, w, 1 or 3) contiguous in."""

    def applies(self, pixels: Pixels, shot: Shot | None) -> bool:
        """Whether the step is meant for this picture, by its shot where that is known; what it looked at goes to
        `note`."""
        return True

    def disagreement(self, pixels: Pixels, result: Pixels) -> Plane:
        """(h, w) float32 at the size of `pixels`, 8-bit units: where `result` says other than the evidence."""
        return disagreement(pixels, result)

    def note(self, **values: float) -> None:
        """Add to the means that `measured` gives, and to those of the frame."""
        for name, value in values.items():
            for sums in (self._sums, self._here):
                total, count = sums.get(name, (0.0, 0))
                sums[name] = (total + float(value), count + 1)

    def _worked(self, frames: Iterator[Frame]) -> Iterator[Worked]:
        for item in frames:
            self._shot, self._here = item.shot, {}
            pixels = self.frame(item.pixels)
            side = item.side
            if pixels.shape[:2] != item.pixels.shape[:2]:
                side = {k: repeated(v, pixels.shape[0], pixels.shape[1]) for k, v in side.items()}
            numbers = {name: total / count for name, (total, count) in self._here.items()}
            applied = numbers["applied"] > 0
            if applied and self.params.model in self.models:
                numbers |= self.model.measured()
            done = replace(item, pixels=pixels, side=side, numbers=numbers)
            yield Worked(done, item.pixels, applied, self.params.smooth_flow_px)

    def _frame(self, pixels: Pixels) -> Pixels:
        applied = self.applies(pixels, self._shot)
        self.note(applied=float(applied))
        if not applied:
            return pixels.copy()
        small = pixels.shape[0] * pixels.shape[1] <= self.params.ensemble_below_px
        spread: Plane | None = None
        if self.params.self_ensemble != "off" and small:
            result, spread = eight(self.made, pixels, self.params.self_ensemble == "mean")
        else:
            result = self.made(pixels)
        self.note(passes=1 if spread is None else len(EIGHT))
        self._describe(pixels, result, spread)
        return contiguous(result)

    def _describe(self, pixels: Pixels, result: Pixels, spread: Plane | None) -> None:
        size = result.shape[:2]
        apart = self.disagreement(pixels, result)
        mean, high = summary(apart)
        self.note(consistency_mean=mean, consistency_p99=high)
        self._maps = {"consistency": as_map(apart, *size)}
        if spread is not None:
            mean, high = summary(spread)
            self.note(uncertainty_mean=mean, uncertainty_p99=high)
            self._maps["uncertainty"] = as_map(spread, *size)


def blended(pixels: Pixels, output: Pixels, share: float) -> Pixels:
    """`pixels` moved towards `output` (same shape and dtype) by `share` of the way, rounded."""
    import cv2

    if share == 1.0:
        return output
    mixed: Pixels = cv2.addWeighted(output, share, pixels, 1.0 - share, 0.0)
    return mixed.reshape(pixels.shape)


def repeated(plane: Pixels, height: int, width: int) -> Pixels:
    """A plane of counts or coverage at another size, its values repeated."""
    import cv2

    found: Pixels = cv2.resize(
        np.ascontiguousarray(plane), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    return found.reshape(height, width, plane.shape[2])


def _colourless(pixels: Pixels) -> bool:
    first = pixels[:, :, 0]
    return bool(np.array_equal(first, pixels[:, :, 1]) and np.array_equal(first, pixels[:, :, 2]))
