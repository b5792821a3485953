"""Architectures whose modules spandrel holds and whose forward needs nothing added."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from playe_assets.core.errors import MissingResourceError
from playe_assets.inference.architectures.contract import Architecture, Checkpoint, not_of
from playe_assets.inference.cards import ModelCard
from playe_assets.inference.torchvision_shim import allow_torchvision

if TYPE_CHECKING:
    from torch import nn


def spandrel_module(arch_id: str, state: dict[str, Any], card: ModelCard, registry: Any = None) -> nn.Module:
    """The module that spandrel's architecture `arch_id` makes of `state`, in evaluation mode, float32.

    Raises:
        MissingResourceError: spandrel is not installed.
        GovernanceError: the state dict is not of that architecture.
    """
    if registry is None:
        registry = main_registry()
    support = registry[arch_id]
    if not support.detect(state):
        raise not_of(card, f"spandrel's {arch_id} does not recognise its tensors")
    try:
        # It loads the weights too, strictly, after renaming the older of two layouts (ESRGAN, SwinIR).
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="torch.meshgrid"
            )  # in SwinIR; its order is the one meant
            module = support.architecture.load(dict(state)).model
    except (RuntimeError, KeyError, ValueError, IndexError, AssertionError) as error:
        raise not_of(card, str(error)) from error
    return module.eval().float().requires_grad_(False)


def main_registry() -> Any:
    """spandrel's registry, with torchvision made importable first."""
    try:
        allow_torchvision()
        from spandrel import MAIN_REGISTRY
    except ImportError as error:
        raise MissingResourceError("runtime.spandrel_absent", problem=str(error)) from error
    return MAIN_REGISTRY


class FromSpandrel(Architecture):
    """Built by spandrel as it is."""

    spandrel_id: ClassVar[str]

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        return spandrel_module(self.spandrel_id, checkpoint.state, checkpoint.card)


class RRDBNet(FromSpandrel):
    """ESRGAN's generator; x2 begins with a pixel unshuffle."""

    spandrel_id = "ESRGAN"
    reference = "Wang et al., Real-ESRGAN, ICCVW 2021, arXiv 2107.10833; module of spandrel (MIT)"


class SwinIR(FromSpandrel):
    """Shifted-window transformer: exported for one tile size, because its masks are made from it."""

    spandrel_id = "SwinIR"
    fixed_side = 0
    reference = "Liang et al., SwinIR, ICCVW 2021, arXiv 2108.10257; module of spandrel (MIT)"


class SCUNet(FromSpandrel):
    """Swin-conv U-Net."""

    spandrel_id = "SCUNet"
    fixed_side = 0
    reference = "Zhang et al., SCUNet, MIR 2023, arXiv 2203.13278; module of spandrel (MIT)"


class DnCNN(FromSpandrel):
    """Residual denoiser for one noise level."""

    spandrel_id = "DnCNN"
    reference = "Zhang et al., DnCNN, IEEE TIP 2017, arXiv 1608.03981; module of spandrel (MIT)"
