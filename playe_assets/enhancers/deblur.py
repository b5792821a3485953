"""Learned removal of motion blur."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.contracts import Pixels
from playe_assets.core.params import bounds, card
from playe_assets.core.tracks import Shot
from playe_assets.enhancers.learned import Learned, LearnedParams, blended
from playe_assets.media.evidence import Plane, disagreement, shrunk

COARSER = 4
"""A blur of unknown shape keeps what lies on this scale and above; finer detail cannot be held against it."""


@dataclass(frozen=True)
class DeblurParams(LearnedParams):
    """A sharp picture hardly changes; a blur unlike those of the training stays."""

    model: str = card("motion deblurring", "motion deblurring with JPEG artefacts")
    strength: float = bounds(0.0, 1.0, "share")
    """Share of the network's picture; the rest is the exhibit's."""
    apply_below_px: int = bounds(1, 1_000_000_000, "px")
    """Pictures of more pixels are left as they are: blur of many pixels is outside of the training."""


class Deblur(Learned):
    """The network's picture mixed with the exhibit's; agreement is asked for at a quarter of the size.

    The evidence was made by an unknown blur of the scene, which leaves coarse structure in its place: both
    pictures are area-averaged to a quarter before they are compared.
    """

    name = "deblur"
    version = "2"
    reference = "L. Chen et al.: Simple Baselines for Image Restoration (NAFNet), ECCV 2022"
    Params: ClassVar[type] = DeblurParams

    def applies(self, pixels: Pixels, shot: Shot | None) -> bool:
        """Not above the limit of pixels."""
        return bool(pixels.shape[0] * pixels.shape[1] <= self.params.apply_below_px)

    def made(self, pixels: Pixels) -> Pixels:
        """`pixels` deblurred, same shape and dtype."""
        return blended(pixels, self.model.picture(pixels), self.params.strength)

    def disagreement(self, pixels: Pixels, result: Pixels) -> Plane:
        """At a quarter of the size."""
        size = (-(-pixels.shape[0] // COARSER), -(-pixels.shape[1] // COARSER))
        return disagreement(shrunk(pixels, *size), shrunk(result, *size))
