"""What the commands about models share: variants on the command line, and a card as records name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import CommandError

if TYPE_CHECKING:
    from playe_assets.inference.cards import ModelCard

VARIANT: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings of a command that takes a model's own parameters, such as `--denoise 0.5`."""


def variant_of(extra: Sequence[str]) -> dict[str, float]:
    """`--denoise 0.5 --w=0.7` as `{"denoise": 0.5, "w": 0.7}`; which of them a model knows is checked when built.

    Raises:
        CommandError: not such pairs.
    """
    words = [part for word in extra for part in word.split("=", 1)]
    variant: dict[str, float] = {}
    for key, value in zip(words[::2], [*words[1::2], ""], strict=False):
        if not key.startswith("--") or not _is_number(value):
            raise CommandError("models.variant", given=" ".join(extra))
        variant[key.removeprefix("--")] = float(value)
    return variant


def model_field(card: ModelCard) -> dict[str, Any]:
    """A card as the record's `model` names it, before anybody has decided on it."""
    return {"name": card.name, "version": card.version, "weights_sha256": card.sha256,
            "licence": card.licence, "approval": None}  # fmt: skip


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
