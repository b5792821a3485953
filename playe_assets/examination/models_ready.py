"""What a preset's models still lack before a case run takes them; what can be done without a decision is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from playe_assets.core.contracts import ModelUse
from playe_assets.core.errors import PlayeError
from playe_assets.core.presets import load_preset
from playe_assets.examination.governance import APPROVED, WITHDRAWN, State, state_of, states
from playe_assets.examination.models_engine import cards_for, certificate_of, words_of
from playe_assets.examination.plan import check, needed
from playe_assets.examination.settings import Settings
from playe_assets.inference.weights import installed

if TYPE_CHECKING:
    from playe_assets.inference.cards import ModelCard
    from playe_assets.inference.certificate import Certificate

READY, ABSENT, FAILED, UNAPPROVED = "ready", "absent", "failed", "unapproved"


@dataclass(frozen=True)
class Readiness:
    """One model of a preset, in the variant that the preset asks for."""

    use: ModelUse
    card: ModelCard
    lacks: str
    """`ready`, `absent` (no weight file), `failed` (no engine or certificate) or `unapproved`."""
    certificate: str | None = None
    """sha256 of the valid certificate; null for parameters without a network, and where there is none."""
    problem: PlayeError | None = None
    """Why building or certifying ended."""
    reasons: tuple[str, ...] = ()
    """Why the certificate did not pass."""
    withdrawn: State | None = None
    """Who withdrew the model and why, where that was the last decision."""

    @property
    def next(self) -> str | None:
        """The command that brings the model further, ready to paste; null where none helps by itself."""
        words = words_of(self.use.variant)
        if self.lacks == ABSENT:
            return f"playe models pull {self.card.name}"
        if self.lacks == UNAPPROVED:
            accept = f' --accept-licence "{self.card.licence}"' if self.card.restricted else ""
            return f"playe models approve {self.card.name}{words}{accept}"
        return None


def readiness(
    preset: str, settings: Settings, certify: Callable[[ModelUse], Certificate]
) -> Iterator[Readiness]:
    """Each model of `preset` in the recipe's order, certified by `certify` where it was not; nothing is approved.

    Raises:
        PresetError: there is no such preset, or it is broken.
        GovernanceError: it names a model that has no card.
    """
    for use in _uses(preset, settings):
        yield _one(use, settings, certify)


def _uses(preset: str, settings: Settings) -> list[ModelUse]:
    """The preset's uses; a file that a variant blends in is approved by itself, so it follows as its own use."""
    uses: dict[tuple[str, str], ModelUse] = {}
    for use in needed(check(load_preset(preset), settings)):
        blended = [ModelUse(card.name) for card in cards_for(use, settings)[1:]]
        for each in (use, *blended):
            uses.setdefault((each.name, words_of(each.variant)), each)
    return list(uses.values())


def _one(use: ModelUse, settings: Settings, certify: Callable[[ModelUse], Certificate]) -> Readiness:
    cards = cards_for(use, settings)
    found = Readiness(use, cards[0], READY)
    if any(installed(card, settings.weights) is None for card in cards):
        return replace(found, lacks=ABSENT)
    if cards[0].format != "data":
        try:
            made = certificate_of(use, settings) or certify(use)
        except PlayeError as problem:
            return replace(found, lacks=FAILED, problem=problem)
        if not made.passed:
            return replace(found, lacks=FAILED, reasons=tuple(made.reasons))
        found = replace(found, certificate=made.sha256)
    state = state_of(cards[0], states(settings.log))
    accepted = not cards[0].restricted or state.licence_accepted == cards[0].licence
    if state.state == APPROVED and accepted:
        return found
    return replace(found, lacks=UNAPPROVED, withdrawn=state if state.state == WITHDRAWN else None)
