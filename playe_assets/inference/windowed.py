"""Networks that see several frames at once, with a map of the noise: one tensor, the frames' channels in order of time.

A card says so in `hyper`: `frames` (odd; the middle one is the answer's) and `noise_map` (one more channel, the
noise's standard deviation over full scale).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from playe_assets.core.contracts import Model
from playe_assets.inference import colour

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels
    from playe_assets.inference.cards import ModelCard
    from playe_assets.inference.contract import Tensor

GOLDEN_NOISE = 25.0
"""8-bit units that the golden tiles state as their noise: the middle of what such networks are trained for."""


class WindowModel(Model, Protocol):
    """A model of a task over frames, as plug-ins see it."""

    def window(self, frames: Sequence[Pixels], noise: float) -> Pixels:
        """The middle one of `frames`, worked on: all (h, w, 1 or 3) of one dtype, as many as the card says.

        `noise` is the standard deviation that the network is told, 8-bit units.
        """
        ...


def frames_of(card: ModelCard) -> int:
    """How many frames one run sees; 1 for networks of pictures."""
    return int(card.hyper.get("frames", 1))


def samples_of(card: ModelCard) -> int:
    """Channels of the network's input."""
    each = 1 if card.input.order == "grey" else 3
    return each * frames_of(card) + (1 if card.hyper.get("noise_map") else 0)


def given(frames: Sequence[Pixels], noise: float, card: ModelCard) -> Tensor:
    """The input for frames of one size, float32 NCHW."""
    parts = [colour.to_network(pixels, card.input) for pixels in frames]
    if card.hyper.get("noise_map"):
        parts.append(np.full((len(parts[0]), 1, *parts[0].shape[2:]), noise / 255.0, np.float32))
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def golden(pixels: Pixels, card: ModelCard) -> Tensor:
    """The input of a golden tile: for networks over frames the tile moves a px a frame."""
    seen = pixels[:, :, : 1 if card.input.order == "grey" else 3]
    count = frames_of(card)
    return given([np.roll(seen, k - count // 2, axis=1) for k in range(count)], GOLDEN_NOISE, card)
