"""Weight files: model cards from `models-data/registry.yaml`, bytes from `models-data/weights`, hashed as loaded."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from playe_assets.core.errors import CommandError, IntegrityError, MissingResourceError
from playe_assets.core.yamlfile import read_block


@dataclass(frozen=True)
class ModelCard:
    """Facts of one official weight file; approvals are events in the log, not facts."""

    name: str
    task: str
    architecture: str
    version: str
    file: str
    url: str
    bytes: int
    sha256: str
    licence: str
    commercial_use: str
    ai_class: str


def model_cards(registry: Path) -> dict[str, ModelCard]:
    """All cards by name.

    Raises:
        CommandError: the registry cannot be read, with file and line.
    """
    block = read_block(registry.read_text(encoding="utf-8"), registry.name, CommandError)
    cards = [ModelCard(**item.plain()) for item in block["models"]]
    return {card.name: card for card in cards}


def load_weights(name: str, registry: Path, folder: Path) -> bytes:
    """The bytes of the model `name`; the bytes that are hashed are the bytes that are returned.

    Raises:
        MissingResourceError: not installed; the message names the command that installs them.
        IntegrityError: the file is not the one that the card names.
    """
    card = _card(name, registry)
    path = folder / card.file
    if not path.is_file():
        raise MissingResourceError("weights.absent", name=name, file=card.file, url=card.url)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != card.sha256:
        raise IntegrityError("weights.digest", name=name, path=str(path), found=found, expected=card.sha256)
    return data


def installed(name: str, registry: Path, folder: Path) -> str | None:
    """The card's sha256 where a file of its size is installed, else None; the bytes are hashed when loaded."""
    card = _card(name, registry)
    path = folder / card.file
    return card.sha256 if path.is_file() and path.stat().st_size == card.bytes else None


def import_weights(source: Path, registry: Path, folder: Path) -> ModelCard:
    """Install a local file whose sha256 a card knows; it appears whole under its name or not at all.

    Raises:
        CommandError: no card has this sha256, or the file is not there.
    """
    if not source.is_file():
        raise CommandError("weights.no_file", path=str(source))
    data = source.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    for card in model_cards(registry).values():
        if card.sha256 == found:
            folder.mkdir(parents=True, exist_ok=True)
            scratch = folder / f".{card.file}.{os.getpid()}"
            with scratch.open("wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            scratch.replace(folder / card.file)
            return card
    raise CommandError("weights.unknown", path=str(source), sha256=found, registry=registry.name)


def _card(name: str, registry: Path) -> ModelCard:
    cards = model_cards(registry)
    if name not in cards:
        raise CommandError("weights.no_card", name=name, known=", ".join(sorted(cards)))
    return cards[name]
