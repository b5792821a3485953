"""What the commands about models share: the record of who asked, and variants on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import CommandError

if TYPE_CHECKING:
    from playe_assets.custody.record import Recorder
    from playe_assets.examination.settings import Settings
    from playe_assets.inference.cards import ModelCard

VARIANT: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True}
"""Context settings of a command that takes a model's own parameters, such as `--denoise 0.5`."""


def recorder_of(settings: Settings) -> Recorder:
    """A recorder for a command that belongs to no case."""
    import getpass
    import secrets

    from playe_assets.custody.record import Operator, Recorder

    return Recorder(
        settings.log,
        request_id=f"cli-{secrets.token_hex(8)}",
        case_id=None,
        operator=Operator(getpass.getuser(), "administrator", "os-user"),
        audit=settings.audit,
    )


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
