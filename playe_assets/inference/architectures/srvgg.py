"""SRVGGNetCompact, Real-ESRGAN's small network, with the blend of two weight files as its denoise strength."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from playe_assets.core.errors import MissingResourceError
from playe_assets.inference.architectures.contract import Architecture, Checkpoint, Knob, not_of
from playe_assets.inference.architectures.spandrel_ import spandrel_module

if TYPE_CHECKING:
    from torch import Tensor, nn


class SRVGGNetCompact(Architecture):
    """A chain of 3x3 convolutions; the nearest-neighbour enlargement of the input is added to its output.

    `{"denoise": s}` blends the weights of two files, s of the card's and 1 - s of the other card's (deep network
    interpolation, Wang et al. 2019, as realesr-general-x4v3 and its -wdn file are meant to be used).
    """

    reference = "Wang et al., Real-ESRGAN, ICCVW 2021, arXiv 2107.10833; module of spandrel (MIT)"
    knobs: ClassVar = {
        "denoise": Knob(0.0, 1.0, False, "share of the card's own weights in the blend with the -wdn file")
    }

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        state = checkpoint.state
        if "denoise" in checkpoint.variant:
            state = _blended(checkpoint, float(checkpoint.variant["denoise"]))
        return spandrel_module("Compact", state, checkpoint.card)


def _blended(checkpoint: Checkpoint, share: float) -> dict[str, Tensor]:
    if share == 1.0:
        return checkpoint.state
    if len(checkpoint.others) != 1:
        raise MissingResourceError(
            "runtime.blend_other", name=checkpoint.card.name, count=len(checkpoint.others)
        )
    (other,) = checkpoint.others.values()
    shapes = {name: tensor.shape for name, tensor in checkpoint.state.items()}
    if shapes != {name: tensor.shape for name, tensor in other.items()}:
        raise not_of(checkpoint.card, "the two files of the blend do not have the same tensors")
    return {name: share * tensor + (1.0 - share) * other[name] for name, tensor in checkpoint.state.items()}
