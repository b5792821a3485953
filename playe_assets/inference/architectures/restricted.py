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


class WithFidelity(nn.Module):  # type: ignore[misc]
    """CodeFormer with its w fixed: 0 trusts the codebook, 1 keeps to the input."""

    def __init__(self, network: nn.Module, w: float) -> None:
        super().__init__()
        self.network = network
        self.w = w

    def forward(self, faces: Tensor) -> Tensor:
        restored: Tensor = self.network(faces, weight=self.w)[0]
        return restored


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
