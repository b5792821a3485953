"""Architectures under licences of their own, fenced: their modules come with the extra `restricted` alone."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from torch import Tensor, nn

from playe_assets.core.errors import MissingResourceError
from playe_assets.inference.architectures.contract import Architecture, Checkpoint, Knob
from playe_assets.inference.architectures.faces import FACE_SIDE
from playe_assets.inference.architectures.spandrel_ import main_registry, spandrel_module

LICENCES = {
    "CodeFormer": "S-Lab License 1.0, non-commercial use only",
    "Restormer": "MIT as of 2025, the Academic Public License before",
}


def extra_registry(architecture: str) -> Any:
    """The registry of spandrel_extra_arches.

    Raises:
        MissingResourceError: the extra `restricted` is not installed; the message names the licence.
    """
    main_registry()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.script, at its import
            from spandrel_extra_arches import EXTRA_REGISTRY
    except ImportError as error:
        raise MissingResourceError("runtime.restricted_absent", architecture=architecture,
                                   licence=LICENCES[architecture], problem=str(error)) from error  # fmt: skip
    return EXTRA_REGISTRY


class Restormer(Architecture):
    """Transformer with attention across channels."""

    reference = "Zamir et al., Restormer, CVPR 2022, arXiv 2111.09881; module of spandrel_extra_arches"

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        registry = extra_registry("Restormer")
        return spandrel_module("Restormer", checkpoint.state, checkpoint.card, registry)


ADAIN_EPSILON = 1e-5
"""Added to variances, as in the source."""


class WithFidelity(nn.Module):  # type: ignore[misc]
    """CodeFormer with its w fixed: 0 trusts the codebook, 1 keeps to the input."""

    def __init__(self, network: nn.Module, w: float) -> None:
        super().__init__()
        self.network = network
        self.w = w

    def forward(self, faces: Tensor) -> Tensor:
        # The source's own forward names the sizes of features by text, which cannot be traced for export.
        net, encoded, found = self.network, {}, faces
        kept = {net.fuse_encoder_block[size]: size for size in net.connect_list}
        for index, block in enumerate(net.encoder.blocks):
            found = block(found)
            if index in kept:
                encoded[kept[index]] = found
        looked_up = self._looked_up(found)
        used = {net.fuse_generator_block[size]: size for size in net.connect_list}
        for index, block in enumerate(net.generator.blocks):
            looked_up = block(looked_up)
            if index in used and self.w > 0:
                size = used[index]
                looked_up = net.fuse_convs_dict[size](encoded[size], looked_up, self.w)
        return looked_up

    def _looked_up(self, seen: Tensor) -> Tensor:
        """The codebook's features for what the encoder saw, with the statistics of what it saw."""
        net = self.network
        tokens = net.feat_emb(seen.flatten(2).permute(2, 0, 1))
        place = net.position_emb.unsqueeze(1)
        for layer in net.ft_layers:
            tokens = layer(tokens, query_pos=place)
        codes = net.idx_pred_layer(tokens).permute(1, 0, 2).argmax(2)
        features = net.quantize.embedding(codes).transpose(1, 2).reshape(seen.shape)
        return self._restyled(features, seen)

    @staticmethod
    def _restyled(features: Tensor, like: Tensor) -> Tensor:
        """`features` with the mean and deviation of each channel of `like` (AdaIN, as the source does it)."""

        def statistics(of: Tensor) -> tuple[Tensor, Tensor]:
            flat = of.flatten(2)
            mean = flat.mean(2, keepdim=True)
            spread = (flat - mean).square().sum(2, keepdim=True) / (flat.shape[2] - 1)
            return mean.unsqueeze(-1), (spread + ADAIN_EPSILON).sqrt().unsqueeze(-1)

        mean, deviation = statistics(features)
        wanted_mean, wanted_deviation = statistics(like)
        return (features - mean) / deviation * wanted_deviation + wanted_mean


class CodeFormer(Architecture):
    """Face restoration by predicted codes."""

    reference = "Zhou et al., CodeFormer, NeurIPS 2022, arXiv 2206.11253; module of spandrel_extra_arches"
    fixed_side = FACE_SIDE
    knobs: ClassVar = {"w": Knob(0.0, 1.0, True, "fidelity: 0 quality, 1 identity")}

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        registry = extra_registry("CodeFormer")
        network = spandrel_module("CodeFormer", checkpoint.state, checkpoint.card, registry)
        return WithFidelity(network, float(checkpoint.variant["w"])).eval()
