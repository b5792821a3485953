"""The contract of the architectures: one turns a checked state dict into a module with a uniform forward.

An architecture is asked for by the first word of a card's `architecture`. Its module takes one float32 NCHW
tensor in the card's range and channel order, and gives a tensor or a tuple of tensors. What changes the network
beside its weights is the variant: every key is written out by the caller, none has a hidden default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from playe_assets.core.errors import CommandError, GovernanceError
from playe_assets.inference.cards import ModelCard

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Checkpoint:
    """What an architecture is built from."""

    card: ModelCard
    state: dict[str, Tensor]
    """Names to tensors, as the loading door gives them."""
    variant: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, dict[str, Tensor]] = field(default_factory=dict)
    """State dicts of the further cards that the variant needs, by card name."""


@dataclass(frozen=True)
class Knob:
    """One key of a variant."""

    low: float
    high: float
    required: bool
    meaning: str


class Architecture(ABC):
    """Builds the module of one architecture."""

    reference: ClassVar[str]
    """The paper, and where the code of the module comes from."""
    fixed_side: ClassVar[int | None] = None
    """The exported graph has this height and width (0: the card's tile); null: any height and width."""
    one_at_a_time: ClassVar[bool] = False
    """The exported graph takes a batch of one; else any."""
    knobs: ClassVar[Mapping[str, Knob]] = {}
    """The keys of a variant that it knows."""

    @abstractmethod
    def build(self, checkpoint: Checkpoint) -> nn.Module:
        """The module in evaluation mode; every tensor of the state dict is used, none is missing.

        Raises:
            GovernanceError: the state dict is not of this architecture.
            CommandError: the variant is not one that the architecture knows.
            MissingResourceError: the library that holds the architecture is not installed.
        """

    def output_names(self) -> tuple[str, ...]:
        """Names of the exported graph's outputs."""
        return ("output",)

    def check(self, checkpoint: Checkpoint) -> None:
        """Raise `CommandError` where the variant lacks a key, has one too many or a value out of range."""
        card, variant = checkpoint.card.name, checkpoint.variant
        known = ", ".join(f"{key} {knob.low:g}..{knob.high:g}" for key, knob in self.knobs.items()) or "-"
        for key, value in variant.items():
            if key not in self.knobs:
                raise CommandError("runtime.variant_unknown", name=card, key=key, known=known)
            knob = self.knobs[key]
            if not knob.low <= value <= knob.high:
                raise CommandError("runtime.variant_range", name=card, key=key, value=value, low=knob.low,
                                   high=knob.high)  # fmt: skip
        for key, knob in self.knobs.items():
            if knob.required and key not in variant:
                raise CommandError("runtime.variant_missing", name=card, key=key, low=knob.low, high=knob.high,
                                   meaning=knob.meaning)  # fmt: skip


def load_strictly(module: Any, state: Mapping[str, Any], card: ModelCard) -> Any:
    """`module` in evaluation mode with the weights of `state`: same names, same shapes, nothing left over."""
    try:
        module.load_state_dict(dict(state), strict=True)
    except RuntimeError as error:
        problem = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise not_of(card, problem) from error
    return module.eval().requires_grad_(False)


def not_of(card: ModelCard, problem: str) -> GovernanceError:
    """The error for weights that are not of the card's architecture."""
    return GovernanceError("runtime.layout", name=card.name, file=card.file, architecture=card.architecture,
                           problem=problem[:300])  # fmt: skip
