"""Cards of the laboratory's own: a model that the registry does not know, with its facts and its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CommandError
from playe_assets.examination.settings import Settings
from playe_assets.inference.cards import SCHEMA, ModelCard, model_cards, read_cards
from playe_assets.inference.weights import import_weights, place


def import_known(source: Path, settings: Settings) -> ModelCard:
    """Install a file whose sha256 a card knows.

    Raises:
        CommandError: no card does, or the file is not there.
    """
    cards = model_cards(settings.registry, settings.own_cards)
    return import_weights(source, cards, settings.weights, settings.registry.name)


def import_with_card(source: Path, card_file: Path, settings: Settings) -> ModelCard:
    """Install a new model: its file, and its card into the laboratory's own `cards.yaml`.

    Args:
        source: the weight file.
        card_file: a file in the registry's form with exactly one card, which states the sha256 of `source`.

    Raises:
        CommandError: the card is wrong, is not of this file, or its name, its file or its bytes have a card already.
    """
    for path in (source, card_file):
        if not path.is_file():
            raise CommandError("weights.no_file", path=str(path))
    found = read_cards(card_file.read_text(encoding="utf-8"), card_file.name)
    if len(found) != 1:
        raise CommandError("models.one_card", file=card_file.name, found=len(found))
    [card] = found
    data = source.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    if card.sha256 != sha256:
        raise CommandError("models.other_bytes", file=card_file.name, path=str(source), found=sha256,
                           expected=card.sha256 or "null")  # fmt: skip
    if card.bytes not in (None, len(data)):
        raise CommandError("models.other_size", file=card_file.name, path=str(source), found=len(data),
                           expected=card.bytes)  # fmt: skip
    cards = model_cards(settings.registry, settings.own_cards)
    for other in cards.values():
        if other.sha256 == sha256:  # a second card would carry the first one's approval to another licence
            raise CommandError("models.known_bytes", path=str(source), name=other.name)
        if other.name == card.name:
            raise CommandError("models.duplicate", name=card.name, file=card_file.name)
        if other.file == card.file:
            raise CommandError("models.same_file", name=card.name, file=card_file.name, weights=card.file,
                               other=other.name)  # fmt: skip
    place(data, settings.weights, card.file)
    own = read_cards(settings.own_cards.read_text(encoding="utf-8"), settings.own_cards.name) if (
        settings.own_cards.is_file()
    ) else []  # fmt: skip
    place(_text([*own, card]).encode(), settings.own_cards.parent, settings.own_cards.name)
    return card


def plain_card(card: ModelCard) -> dict[str, Any]:
    """A card as JSON types."""
    return {**asdict(card), "ai_class": card.ai_class.value, "hyper": dict(card.hyper),
            "mirrors": list(card.mirrors)}  # fmt: skip


def _text(cards: list[ModelCard]) -> str:
    import yaml

    return "# Cards that this laboratory added: playe models import FILE --card CARD.yaml\n" + yaml.safe_dump(
        {"schema": SCHEMA, "models": [plain_card(c) for c in cards]}, sort_keys=False, allow_unicode=True
    )
