"""Learned removal of JPEG artefacts, with the compression's quality given or estimated by the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import Pixels
from playe_assets.core.params import bounds, card
from playe_assets.enhancers.learned import Learned, LearnedParams, blended


@dataclass(frozen=True)
class ArtefactsParams(LearnedParams):
    """Blocks and ringing go; what the quantisation cut off is guessed, and may be guessed wrong."""

    model: str = card("JPEG artefact removal")
    quality: int = bounds(0, 100, "JPEG quality")
    """Quality factor that the network is told; 0 lets it estimate the factor from the picture (blind)."""
    strength: float = bounds(0.0, 1.0, "share")
    """Share of the network's picture; the rest is the exhibit's."""


class Artefacts(Learned):
    """The network's picture mixed with the exhibit's."""

    name = "artefacts"
    version = "1"
    reference = "J. Jiang, K. Zhang, R. Timofte: Towards Flexible Blind JPEG Artifacts Removal, ICCV 2021"
    Params: ClassVar[type] = ArtefactsParams

    @classmethod
    def variant(cls, params: Any) -> Mapping[str, float]:
        """The quality, where one is stated."""
        return {"quality": float(params.quality)} if params.quality else {}

    def made(self, pixels: Pixels) -> Pixels:
        """`pixels` without blocks and ringing, same shape and dtype."""
        return blended(pixels, self.model.picture(pixels), self.params.strength)
