"""Cards and sessions that tests of tiling and certificates share: any function of an array, as a session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from playe_assets.core.errors import OutOfMemoryError
from playe_assets.core.values import AiClass
from playe_assets.inference.cards import InputFacts, ModelCard, TilingFacts
from playe_assets.inference.contract import RuntimeFacts, Session


def card(
    mode: str = "halo",
    tile: int = 64,
    border: int = 4,
    multiple: int = 1,
    scale: int = 1,
    range: str = "0..1",
    order: str = "rgb",
    hyper: Mapping[str, Any] | None = None,
    name: str = "pretended",
) -> ModelCard:
    """A card of which only the tiling, the input and the scale matter."""
    return ModelCard(
        name=name, title="Pretended", task="denoising", architecture="None", version="1", file="none.pth",
        format="pth", url="", bytes=4, sha256=None, sha256_status="unknown", licence="MIT",
        commercial_use="yes", ai_class=AiClass.FIDELITY, scale=scale, reference="none",
        input=InputFacts(range, order, multiple), tiling=TilingFacts(mode, tile, border, False),
        hyper=hyper or {},
    )  # fmt: skip


class Pretended(Session):
    """Runs `function` on the first input; remembers the shapes it saw; refuses more than `room` px a tile."""

    inputs = ("input",)
    outputs = ("output",)

    def __init__(
        self, function: Callable[[np.ndarray], np.ndarray], room: int | None = None, precision: str = "fp32"
    ) -> None:
        self.function = function
        self.room = room
        self.shapes: list[tuple[int, ...]] = []
        self.facts = RuntimeFacts("pretended", "1", "cpu", ("cpu",), "a processor", None, None, 1, precision,
                                  True)  # fmt: skip

    def run(self, inputs):
        self.shapes.append(inputs[0].shape)
        if self.room and inputs[0].shape[2] * inputs[0].shape[3] > self.room:
            raise OutOfMemoryError("models.tile_too_small", tile=0, border=0, least=0)
        return [self.function(inputs[0])]


def torch_function(module):
    """A torch module as a function of arrays."""
    import torch

    def function(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(np.array(x))).numpy()

    return function
