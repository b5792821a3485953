"""Learned removal of JPEG artefacts, with the compression's quality given or estimated by the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.core.params import bounds, card
from playe_assets.core.tracks import Shot
from playe_assets.enhancers.learned import Learned, LearnedParams, blended

SEEN_PX = 256
"""Side of the middle part from which the network's estimate of the quality is noted."""


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
    version = "2"
    smooths_results = True
    summaries: ClassVar[Mapping[str, str]] = {**Learned.summaries, "quality_estimated": "mean"}
    reference = "J. Jiang, K. Zhang, R. Timofte: Towards Flexible Blind JPEG Artifacts Removal, ICCV 2021"
    Params: ClassVar[type] = ArtefactsParams

    @classmethod
    def variant(cls, params: Any) -> Mapping[str, float]:
        """The quality that the network is told; 0 for its own estimate."""
        return {"quality": float(params.quality)}

    def applies(self, pixels: Pixels, shot: Shot | None) -> bool:
        """Always; the network's own estimate of the quality is noted where it gives one."""
        found = self.model.batch(_centre(pixels))
        if len(found) > 1:
            self.note(quality_estimated=float(np.mean(found[1], dtype=np.float64)))
        return True

    def made(self, pixels: Pixels) -> Pixels:
        """`pixels` without blocks and ringing, same shape and dtype."""
        return blended(pixels, self.model.picture(pixels), self.params.strength)


def _centre(pixels: Pixels) -> npt.NDArray[np.float32]:
    """The middle of the picture, at most 256 px a side, RGB 0..1 NCHW, mirrored up to a multiple of 8."""
    height, width = pixels.shape[:2]
    top, left = max(0, (height - SEEN_PX) // 2), max(0, (width - SEEN_PX) // 2)
    part: Any = pixels[top : top + SEEN_PX, left : left + SEEN_PX]
    part = np.pad(part, [(0, -part.shape[0] % 8), (0, -part.shape[1] % 8), (0, 0)], mode="symmetric")
    samples = part.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    return np.ascontiguousarray(samples.transpose(2, 0, 1)[np.newaxis])
