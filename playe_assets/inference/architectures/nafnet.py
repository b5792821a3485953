"""NAFNet, and the local-statistics correction for pictures larger than those it was trained on.

NAFNet weighs its channels by averages over the whole picture. Trained on 256 px crops, it meets other averages in
a larger picture, and its answer then depends on the size. The test-time local converter (TLC, Chu et al., ECCV
2022, arXiv 2112.04491) takes each average over a window of 1.5 times the training crop around the pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from playe_assets.inference.architectures.contract import Architecture, Checkpoint
from playe_assets.inference.architectures.spandrel_ import spandrel_module

if TYPE_CHECKING:
    from collections.abc import Iterator

TRAINING_SIDE = 256
"""Crops of the official training, px."""
WINDOW = TRAINING_SIDE * 3 // 2
"""Side of the window at full size, px: 1.5 times the training crop, as in the official test settings."""


class LocalMean(nn.Module):  # type: ignore[misc]
    """Means over a `window` x `window` neighbourhood, (n, c, h, w) to the same shape.

    Near the border the window is moved inwards, not cut; a picture smaller than it gives its overall mean. Written as
    two products with banded matrices: exact in float32 (running sums would cancel), fast, and plain ONNX.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    def forward(self, features: Tensor) -> Tensor:
        rows = self._band(features, 2)
        columns = self._band(features, 3)
        return torch.matmul(torch.matmul(rows, features), columns.transpose(0, 1))

    def _band(self, features: Tensor, axis: int) -> Tensor:
        """(side, side): row i averages over the window of position i."""
        # Counted by a tensor, not by Python, so that the traced graph keeps the side free.
        one_line = features[:1, :1, :, 0].flatten() if axis == 2 else features[:1, :1, 0, :].flatten()
        place = torch.cumsum(torch.ones_like(one_line), 0) - 1.0
        side = place[-1] + 1.0
        window = torch.clamp(side, max=float(self.window))
        first = torch.minimum((place - float((self.window - 1) // 2)).clamp(min=0.0), side - window)
        offset = place.unsqueeze(0) - first.unsqueeze(1)
        inside = (offset >= 0.0) & (offset < window)
        return inside.to(features.dtype) / window


class NAFNet(Architecture):
    """Restoration without nonlinear activations; `tiling.local_statistics` of the card turns the correction on."""

    reference = (
        "Chen et al., NAFNet, ECCV 2022, arXiv 2204.04676; module of spandrel (MIT), correction written here"
    )

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        module = spandrel_module("NAFNet", checkpoint.state, checkpoint.card)
        if checkpoint.card.tiling.local_statistics:
            for block, window in _blocks(module):
                block.sca[0] = LocalMean(window)
        return module


def _blocks(module: Any) -> Iterator[tuple[Any, int]]:
    """Every block with its window, which is halved with the features at each level."""
    deepest = len(module.encoders)
    for level, blocks in enumerate(module.encoders):
        yield from ((block, WINDOW >> level) for block in blocks)
    yield from ((block, WINDOW >> deepest) for block in module.middle_blks)
    for step, blocks in enumerate(module.decoders):
        yield from ((block, WINDOW >> (deepest - 1 - step)) for block in blocks)
