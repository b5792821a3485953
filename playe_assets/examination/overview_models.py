"""What there is to know about the models of this laboratory: facts, state, installation, certificates."""

from __future__ import annotations

from typing import Any

from playe_assets.examination.engine import cards_of
from playe_assets.examination.governance import history, state_of, states
from playe_assets.examination.models_import import plain_card
from playe_assets.examination.settings import Settings
from playe_assets.inference.cards import ModelCard
from playe_assets.inference.certificate import FOLDER, Certificate, read
from playe_assets.inference.weights import card_of, installed


def models_overview(settings: Settings) -> list[dict[str, Any]]:
    """One object a card, in the registry's order: its facts, `state`, `installed`, `certificates`."""
    known = states(settings.log)
    made = _certificates(settings)
    return [_row(card, settings, state_of(card, known).state, made) for card in cards_of(settings).values()]


def model_details(settings: Settings, name: str) -> dict[str, Any]:
    """The same of one card, with the `history` of its weight bytes.

    Raises:
        CommandError: there is no such card.
    """
    card = card_of(name, cards_of(settings))
    decided = history(settings.log, card.sha256) if card.sha256 else []
    state = state_of(card, {s.weights_sha256: s for s in decided}).state
    return {**_row(card, settings, state, _certificates(settings)), "history": [d.plain for d in decided]}


def plain_certificate(made: Certificate) -> dict[str, Any]:
    """What of a certificate is shown, as JSON types."""
    target, difference = made.target, made.max_difference
    return {
        "sha256": made.sha256, "verdict": made.verdict, "reasons": list(made.reasons), "made_utc": made.made_utc,
        "target": f"{target['runtime']}/{target['provider']}/{target['device']}/{target['precision']}",
        "device": made.place["device"], "variant": dict(made.variant),
        "max_difference": None if difference is None else float(f"{difference:.3g}"),
    }  # fmt: skip


def _row(card: ModelCard, settings: Settings, state: str, made: list[Certificate]) -> dict[str, Any]:
    return {
        **plain_card(card),
        "state": state,
        "installed": installed(card, settings.weights) is not None,
        "certificates": [plain_certificate(c) for c in made if c.weights_sha256 == card.sha256],
    }


def _certificates(settings: Settings) -> list[Certificate]:
    """Every certificate that was made here, passed or failed, oldest first."""
    found = [read(path) for path in (settings.engines / FOLDER).glob("*.json")]
    return sorted((c for c in found if c is not None), key=lambda c: c.made_utc)
