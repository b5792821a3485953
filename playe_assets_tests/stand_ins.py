"""Models whose answer is a formula, named by real cards: for contracts, where the network does not matter."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

from playe_assets.inference.cards import ModelCard, model_cards

_REGISTRY = Path(__file__).resolve().parents[1] / "models-data" / "registry.yaml"
_YUNET_STRIDES, _YUNET_VALUES = (8, 16, 32), (1, 1, 4, 10)


@functools.cache
def cards() -> dict[str, ModelCard]:
    """The tracked cards."""
    return model_cards(_REGISTRY)


class StandIn:
    """`picture`: each row smoothed over 3 px, then every sample repeated `scale` times; turning the picture
    changes the answer, as with a network. `batch`: no face for detectors of faces, the input for all others."""

    def __init__(self, name: str) -> None:
        self.card = cards()[name]
        self.name = name
        self.ai_class = self.card.ai_class
        self.scale = self.card.scale

    def picture(self, pixels: Any) -> Any:
        import cv2

        smooth = cv2.blur(pixels, (3, 1), borderType=cv2.BORDER_REPLICATE).reshape(pixels.shape)
        return smooth.repeat(self.scale, axis=0).repeat(self.scale, axis=1)

    def window(self, frames: Any, noise: float) -> Any:
        """The mean over the frames, rounded down: every frame counts."""
        total = sum(frame.astype(np.uint32) for frame in frames)
        return self.picture((total // len(frames)).astype(frames[0].dtype))

    def batch(self, *inputs: Any) -> list[Any]:
        if not self.card.task.startswith("face detection"):
            return [inputs[0]]
        height, width = inputs[0].shape[2:]
        sizes = [(height // stride) * (width // stride) for stride in _YUNET_STRIDES]
        return [np.zeros((1, n, values), np.float32) for values in _YUNET_VALUES for n in sizes]

    def measured(self) -> dict[str, float]:
        return {"tiles": 1.0}

    def facts(self) -> dict[str, Any]:
        return {"model": {"name": self.name, "stand_in": True}}


def stand_ins(cls: Any, params: Any) -> dict[str, StandIn]:
    """A stand-in for every model that the plug-in asks for."""
    return {use.name: StandIn(use.name) for use in cls.needs(params)}
