"""Learned denoising of a clip's frame from the frames around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

from playe_assets.core.contracts import NO_MODELS, Enhancer, Frame, Model, ModelUse, Pixels
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.params import bounds, card
from playe_assets.core.values import AiClass, MediaKind, StreamFacts
from playe_assets.enhancers.learned import blended
from playe_assets.enhancers.luma import contiguous, planes
from playe_assets.enhancers.noise_level import noise_sigma
from playe_assets.enhancers.window import windows
from playe_assets.inference.windowed import WindowModel

RADIUS = 2
"""Frames to each side that the network sees: five in all, as it was trained."""


@dataclass(frozen=True)
class DenoiseVideoParams:
    """Sigmas are standard deviations in 8-bit units, for either bit depth."""

    model: str = card("video denoising")
    sigma: float = bounds(0.0, 100.0, "8-bit units")
    """Noise that the network is told; 0 takes what was estimated for the shot."""
    sigma_factor: float = bounds(0.1, 3.0, "times the estimate")
    """The estimate times this is told; below 1 keeps texture, above 1 takes more. Not used with a stated sigma."""
    strength: float = bounds(0.0, 1.0, "share")
    """Share of what the network would take away."""
    apply_from_sigma: float = bounds(0.0, 100.0, "8-bit units")
    apply_to_sigma: float = bounds(0.0, 100.0, "8-bit units")
    """Shots whose luma noise is estimated outside of these are left as they are."""
    apply_below_px: int = bounds(1, 1_000_000_000, "px")
    """Frames of more pixels are left as they are: the time grows with their pixels."""


@dataclass(frozen=True)
class _Held:
    frame: Frame


class DenoiseVideo(Enhancer):
    """The middle one of five frames of the same shot, told the shot's noise.

    At a shot's ends, and where a frame is corrupt or of another size, the nearest usable frame towards the middle
    stands in, so that nothing is seen across a cut. Corrupt frames themselves pass as they are. The network aligns
    by itself; a thing that is in one frame only is a question to its training, which is why the step is learned.
    """

    name = "denoise_video"
    version = "1"
    kinds = frozenset({MediaKind.CLIP})
    ai_class = AiClass.FIDELITY
    reference = (
        "M. Tassano, J. Delon, T. Veit: FastDVDnet: Towards Real-Time Deep Video Denoising Without Flow "
        "Estimation, CVPR 2020"
    )
    Params: ClassVar[type] = DenoiseVideoParams
    summaries: ClassVar[Mapping[str, str]] = {
        "applied": "mean",
        "sigma_told": "mean",
        "frames_seen": "mean",
        "tiles": "mean",
        "tile_halvings": "max",
        "seam_max_255": "max",
        "seam_mean_255": "mean",
        "low_pass_max_255": "max",
    }

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        self._applied = 0

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The network."""
        return (ModelUse(params.model),)

    @classmethod
    def reach(cls, params: Any) -> int:
        """Two frames to each side."""
        return RADIUS

    def frame(self, pixels: Pixels) -> Pixels:
        """A single picture has no neighbours and stays as it is."""
        return pixels.copy(order="C")

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Each frame with its neighbours; at most five are held."""
        for window, centre in windows((_Held(item) for item in frames), RADIUS):
            yield self._denoised([held.frame for held in window], centre)

    def touched(self) -> bool:
        """Whether the network was applied to any frame."""
        return self._applied > 0

    def _denoised(self, window: Sequence[Frame], centre: int) -> Frame:
        params, item = self.params, window[centre]
        sigma = self._estimated(item)
        small = item.pixels.shape[0] * item.pixels.shape[1] <= params.apply_below_px
        if item.corrupt or not (small and params.apply_from_sigma <= sigma <= params.apply_to_sigma):
            return replace(item, pixels=self.frame(item.pixels), numbers={"applied": 0.0})
        if params.model not in self.models:
            raise MissingResourceError("learned.no_model", step=self.name, model=params.model)
        model = cast(WindowModel, self.models[params.model])
        told = params.sigma or sigma * params.sigma_factor
        seen = five(window, centre)
        result = model.window([contiguous(f.pixels) for f in seen], told)
        self._applied += 1
        distinct = len({f.index for f in seen})
        numbers = {"applied": 1.0, "sigma_told": told, "frames_seen": float(distinct), **model.measured()}
        return replace(
            item,
            pixels=contiguous(blended(item.pixels, result, params.strength)),
            kind="fused" if distinct > 1 else item.kind,
            fused_from=item.fused_from + distinct - 1,
            numbers=numbers,
        )

    def _estimated(self, item: Frame) -> float:
        """The shot's noise; of a frame of which no shot is known, its own."""
        if item.shot is not None:
            return item.shot.noise_sigma
        return noise_sigma(contiguous(planes(item.pixels)[:, :, :1]))


def five(window: Sequence[Frame], centre: int) -> list[Frame]:
    """The five frames around the one at `centre` of its shot's `window`, in order of time.

    One that is not there, corrupt or of another size is replaced by its neighbour towards the middle.
    """
    shape = window[centre].pixels.shape
    found = {0: window[centre]}
    for way in (-1, 1):
        for step in range(1, RADIUS + 1):
            place = centre + way * step
            inside = 0 <= place < len(window)
            usable = inside and not window[place].corrupt and window[place].pixels.shape == shape
            found[way * step] = window[place] if usable else found[way * (step - 1)]
    return [found[k] for k in range(-RADIUS, RADIUS + 1)]
