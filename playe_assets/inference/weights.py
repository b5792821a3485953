"""Weight files below `models-data/weights`: the bytes that are hashed are the bytes that are used.

A file appears under its card's name whole and checked, or not at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError, MissingResourceError
from playe_assets.inference.cards import ModelCard


def read_weights(card: ModelCard, folder: Path) -> bytes:
    """The bytes of the card's file; the bytes that are hashed are the bytes that are returned.

    Raises:
        GovernanceError: the card knows no digest.
        MissingResourceError: not installed; the message names the commands that install it.
        IntegrityError: the file is not the one that the card names.
    """
    if card.sha256 is None:
        raise GovernanceError("models.no_digest", name=card.name, file=card.file)
    path = folder / card.file
    if not path.is_file():
        raise MissingResourceError("weights.absent", name=card.name, file=card.file, url=card.url)
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != card.sha256:
        raise IntegrityError(
            "weights.digest", name=card.name, path=str(path), found=found, expected=card.sha256
        )
    return data


def load_weights(name: str, cards: Mapping[str, ModelCard], folder: Path) -> bytes:
    """`read_weights` by the card's name.

    Raises:
        CommandError: there is no such card.
    """
    return read_weights(card_of(name, cards), folder)


def card_of(name: str, cards: Mapping[str, ModelCard]) -> ModelCard:
    """The card `name`; CommandError lists those that there are."""
    if name not in cards:
        raise CommandError("weights.no_card", name=name, known=", ".join(sorted(cards)))
    return cards[name]


def installed(card: ModelCard, folder: Path) -> str | None:
    """The card's sha256 where a file of its size is installed, else None; the bytes are hashed when loaded."""
    path = folder / card.file
    if not path.is_file() or card.bytes not in (None, path.stat().st_size):
        return None
    return card.sha256


def import_weights(source: Path, cards: Mapping[str, ModelCard], folder: Path, registry: str) -> ModelCard:
    """Install a local file whose sha256 one of `cards` knows; `registry` names them in the message.

    Raises:
        CommandError: no card has this sha256, or the file is not there.
    """
    if not source.is_file():
        raise CommandError("weights.no_file", path=str(source))
    data = source.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    for card in cards.values():
        if card.sha256 == found:
            place(data, folder, card.file)
            return card
    raise CommandError("weights.unknown", path=str(source), sha256=found, registry=registry)


def place(data: bytes, folder: Path, name: str) -> Path:
    """Write `data` as `folder / name`, on the disk before the name appears."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{name}.{os.getpid()}"
    try:
        with scratch.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        return publish(scratch, folder / name)
    finally:
        scratch.unlink(missing_ok=True)


def publish(scratch: Path, goal: Path) -> Path:
    """Rename a file that is whole and synced, and make the rename last."""
    scratch.replace(goal)
    folder = os.open(goal.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return goal
