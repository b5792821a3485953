"""From the bytes of a weight file to a torch module with a uniform forward."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets.inference.architectures import ARCHITECTURES, word_of
from playe_assets.inference.architectures.contract import Architecture, Checkpoint
from playe_assets.inference.cards import ModelCard
from playe_assets.inference.contract import Network
from playe_assets.inference.door import state_dict

if TYPE_CHECKING:
    from torch import nn


def architecture_of(card: ModelCard) -> Architecture:
    """The architecture that a card names by the first word of its `architecture` field.

    Raises:
        GovernanceError: there is none of that name here; the message lists those that there are.
    """
    name = word_of(card)
    if name not in ARCHITECTURES:
        raise GovernanceError("runtime.architecture", name=card.name, architecture=card.architecture,
                              known=", ".join(ARCHITECTURES))  # fmt: skip
    return ARCHITECTURES.get(name)()


def torch_module(network: Network) -> nn.Module:
    """The network in evaluation mode, float32 on the CPU, its variant applied.

    It takes one float32 NCHW tensor in the card's range and channel order, and gives a tensor or a tuple.

    Raises:
        GovernanceError: the file is refused by the loading door, or is not of the card's architecture.
        CommandError: the variant is not one that the architecture knows.
        MissingResourceError: torch, spandrel or the extra that holds the architecture is not installed.
    """
    require_torch()
    architecture = architecture_of(network.card)
    return architecture.build(
        Checkpoint(
            network.card,
            state_dict(network.weights, network.card),
            network.variant,
            {name: state_dict(data, network.card) for name, data in network.others.items()},
        )
    )


def require_torch() -> None:
    """Raise `MissingResourceError` where torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingResourceError("runtime.torch_absent", problem=str(error)) from error
