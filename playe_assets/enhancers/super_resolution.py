"""Learned enlargement x2 or x4; a model of more is brought down to the wanted size by area average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import NO_MODELS, Model, Pixels
from playe_assets.core.errors import PresetError
from playe_assets.core.params import bounds, card, one_number_of
from playe_assets.core.tracks import Shot
from playe_assets.core.values import StreamFacts
from playe_assets.enhancers.learned import Learned, LearnedParams, repeated
from playe_assets.media.evidence import shrunk


@dataclass(frozen=True)
class SuperResolutionParams(LearnedParams):
    """Only small pictures are enlarged: large ones have the samples, and the time grows with their pixels."""

    model: str = card("super-resolution")
    """Trained on mean errors it blurs what it does not know (`fidelity`); adversarially, it invents it."""
    scale: int = one_number_of(2, 4)
    """The derivative's px per px of the exhibit; the model's own scale is this or a multiple of it."""
    denoise: float = bounds(0.0, 1.0, "share")
    """Share of the model's own weights against those trained to keep noise, for models that have such a pair
    (realesr_general_x4v3 and its -wdn twin); 1 takes the weights as they are."""
    apply_below_px: int = bounds(1, 1_000_000_000, "px")
    """Pictures of more pixels are left as they are, at their own size."""


class SuperResolution(Learned):
    """The model's enlargement, and its disagreement with the exhibit after area average back to its size."""

    name = "super_resolution"
    version = "2"
    geometry = True
    reference = (
        "the model's card; self-ensemble after B. Lim et al.: Enhanced Deep Residual Networks for Single "
        "Image Super-Resolution, CVPRW 2017"
    )
    Params: ClassVar[type] = SuperResolutionParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        """Raises PresetError where the model cannot make this scale."""
        super().__init__(params, facts, models)
        native = models[params.model].scale if params.model in models else params.scale
        if native % params.scale:
            raise PresetError("learned.scale", model=params.model, scale=params.scale, native=native)

    @classmethod
    def variant(cls, params: Any) -> Mapping[str, float]:
        """The blend of weights, where one is asked for."""
        return {} if params.denoise == 1.0 else {"denoise": params.denoise}

    def applies(self, pixels: Pixels, shot: Shot | None) -> bool:
        """Not above the limit of pixels."""
        return bool(pixels.shape[0] * pixels.shape[1] <= self.params.apply_below_px)

    def made(self, pixels: Pixels) -> Pixels:
        """(scale * h, scale * w, c)."""
        height, width = (side * self.params.scale for side in pixels.shape[:2])
        return shrunk(self.model.picture(pixels), height, width)

    def plane(self, pixels: Pixels) -> Pixels:
        """Alpha or counts beside the picture: repeated where the picture was enlarged, never judged."""
        scale = self.params.scale if self.applies(pixels, None) else 1
        return repeated(pixels, pixels.shape[0] * scale, pixels.shape[1] * scale)
