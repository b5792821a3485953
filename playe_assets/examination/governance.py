"""Which models may work on evidence: candidate, approved, withdrawn; each change is an event of the custody log.

A state belongs to weight bytes, not to a name: other bytes under the same name are a candidate again, and so are the
same bytes under a card with other facts. The last event of those bytes wins, and nothing but the log is asked.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playe_assets.core.contracts import ModelUse
from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError
from playe_assets.custody.log import GENESIS, CustodyLog
from playe_assets.custody.record import Recorder
from playe_assets.examination.settings import Settings
from playe_assets.inference.cards import ModelCard, model_cards
from playe_assets.inference.weights import card_of, read_weights

CANDIDATE, APPROVED, WITHDRAWN = "candidate", "approved", "withdrawn"
_EVENTS = {"custody.model_approved": APPROVED, "custody.model_withdrawn": WITHDRAWN}
_MARK = b'"custody.model_'
"""How the events stand in the log's canonical JSON: only such lines are parsed."""


@dataclass(frozen=True)
class State:
    """The state of some weight bytes, and who brought them into it."""

    state: str
    name: str
    """The card under which it was decided."""
    weights_sha256: str
    by: str = ""
    """The operator's id."""
    at: str = ""
    """UTC, as the log writes it."""
    why: str = ""
    evidence: tuple[str, ...] = ()
    """sha256 of certificates, parity results and whatever else was put forward."""
    licence_accepted: str | None = None
    """The licence, word for word, where it had to be accepted."""
    seq: int | None = None
    """The line of the log."""
    card_sha256: str | None = None
    """`ModelCard.facts_sha256` at that time: class, colour order, borders are what was looked at and certified."""

    @property
    def plain(self) -> dict[str, Any]:
        """JSON types, as the `approval` of a record's `model` carries it."""
        return {"state": self.state, "by": self.by, "at": self.at, "why": self.why,
                "evidence": list(self.evidence), "licence_accepted": self.licence_accepted,
                "seq": self.seq}  # fmt: skip


def states(log: CustodyLog) -> dict[str, State]:
    """The state of all weight bytes that were ever decided on, by sha256."""
    return {state.weights_sha256: state for state in history(log)}


def history(log: CustodyLog, sha256: str | None = None) -> list[State]:
    """Every decision, oldest first; of one file only where `sha256` is given."""
    found = []
    for entry in _lines(log, _MARK, chained=True):
        word = _EVENTS.get(entry.get("event", ""))
        model = entry.get("model")
        if word is None or entry.get("status") != "ok" or not isinstance(model, dict):
            continue
        told = model.get("approval")
        if not isinstance(told, dict):
            continue
        state = State(word, model["name"], model["weights_sha256"], entry["operator"]["id"], entry["t_end_utc"],
                      told["why"], tuple(told["evidence"]), told["licence_accepted"], entry["seq"],
                      model.get("card_sha256"))  # fmt: skip
        if sha256 in (None, state.weights_sha256):
            found.append(state)
    return found


def state_of(card: ModelCard, known: Mapping[str, State]) -> State:
    """The state of the card's bytes; a candidate where nobody has decided, or decided on a card of other facts."""
    sha256 = card.sha256 or ""
    found = known.get(sha256, State(CANDIDATE, card.name, sha256))
    if found.state == APPROVED and found.card_sha256 != card.facts_sha256:
        return replace(found, state=CANDIDATE)
    return found


def approvals(cards: Iterable[ModelCard], log: CustodyLog) -> dict[str, dict[str, Any]]:
    """By card name, the approval that stands behind each of `cards`, as records carry it.

    Raises:
        GovernanceError: one is not approved, or its licence is not the one that was accepted; the message names
            its state and the one command.
    """
    known = states(log)
    return {card.name: _approval(card, state_of(card, known)).plain for card in cards}


def require_approved(names: Iterable[str], settings: Settings) -> dict[str, dict[str, Any]]:
    """`approvals` by the cards' names."""
    cards = model_cards(settings.registry, settings.own_cards)
    return approvals([card_of(name, cards) for name in names], settings.log)


def approve(
    name: str,
    settings: Settings,
    recorder: Recorder,
    *,
    why: str = "",
    accept_licence: str | None = None,
    evidence: Iterable[str] = (),
    variant: Mapping[str, float] | None = None,
) -> State:
    """Approve the installed weights of `name` for case runs; the event stands in the log.

    Args:
        name: the card.
        settings: whose target the model must be certified for.
        recorder: who approves.
        why: in the approver's words; where empty, what it rests on.
        accept_licence: the card's licence, word for word, where it restricts the use.
        evidence: further files or sha256 digests beside the certificate.
        variant: the variant whose certificate counts, such as `{"w": 0.7}`.

    Raises:
        MissingResourceError, IntegrityError: not installed, or not the card's bytes.
        GovernanceError: no certificate, the licence is not accepted, or nothing is logged.
        CommandError: no such card, or evidence that is neither file nor digest.
    """
    from playe_assets.examination.models_engine import words_of

    cards = model_cards(settings.registry, settings.own_cards)
    card = card_of(name, cards)
    with _deciding(card, "custody.model_approved", "models approve", recorder) as told:
        read_weights(card, settings.weights)
        if accept_licence != card.licence and (card.restricted or accept_licence is not None):
            raise GovernanceError("models.licence_not_accepted", name=name, licence=card.licence,
                                  variant=words_of(variant or {}))  # fmt: skip
        certificate = None if card.format == "data" else _certificate(card, variant or {}, settings)
        digests = [certificate] if certificate else []
        told["evidence"] = [*digests, *(_digest_of(item) for item in evidence)]
        told["licence_accepted"] = accept_licence
        rests = "parameters without a network" if certificate is None else f"certified for {settings.target}"
        told["why"] = why.strip() or rests
    return states(recorder.log)[str(card.sha256)]


def withdraw(name: str, settings: Settings, recorder: Recorder, reason: str) -> list[str]:
    """Take the approval of `name` back; returns the cases whose records name its weight bytes, sorted.

    Raises:
        GovernanceError: it is not approved, or nothing is logged.
        CommandError: no such card, or no reason.
    """
    card = card_of(name, model_cards(settings.registry, settings.own_cards))
    if not reason.strip():
        raise CommandError("models.no_reason", name=name)
    with _deciding(card, "custody.model_withdrawn", "models withdraw", recorder) as told:
        present = states(recorder.log).get(str(card.sha256))
        if present is None or present.state != APPROVED:
            raise GovernanceError("models.not_approved_yet", name=name)
        told["why"] = reason.strip()
    return cases_with(str(card.sha256), recorder.log)


def cases_with(sha256: str, log: CustodyLog) -> list[str]:
    """The cases whose records name these weight bytes in their `model` field, sorted."""
    found = {
        entry["case_id"]
        for entry in _lines(log, sha256.encode())
        if entry.get("case_id") and sha256 in json.dumps(entry.get("model"))
    }
    return sorted(found)


@contextmanager
def _deciding(card: ModelCard, event: str, step: str, recorder: Recorder) -> Iterator[dict[str, Any]]:
    """The operation of a decision; what the block tells stands in its `model.approval`."""
    if recorder.audit == "off":
        raise GovernanceError("models.no_log", name=card.name)
    model = {"name": card.name, "version": card.version, "weights_sha256": card.sha256,
             "card_sha256": card.facts_sha256, "licence": card.licence}  # fmt: skip
    told: dict[str, Any] = {"state": _EVENTS[event], "why": "", "evidence": [], "licence_accepted": None}
    inputs = [str(card.sha256)]
    with recorder.record(event, step=step, model=model, ai_class=card.ai_class.value, inputs=inputs) as work:
        yield told
        work.extra["model"] = {**model, "approval": told}


def _approval(card: ModelCard, state: State) -> State:
    accept = f' --accept-licence "{card.licence}"' if card.restricted else ""
    if state.state != APPROVED:
        changed = "models.candidate" if state.seq is None else "models.card_changed"
        code = "models.withdrawn" if state.state == WITHDRAWN else changed
        facts = {"by": state.by, "at": state.at, "why": state.why} if state.state == WITHDRAWN else {}
        raise GovernanceError(code, name=card.name, accept=accept, **facts)
    if card.restricted and state.licence_accepted != card.licence:
        raise GovernanceError("models.licence_changed", name=card.name, licence=card.licence, accept=accept,
                              accepted=state.licence_accepted or "-")  # fmt: skip
    return state


def _certificate(card: ModelCard, variant: Mapping[str, float], settings: Settings) -> str:
    from playe_assets.examination.models_engine import certificate_of, words_of

    found = certificate_of(ModelUse(card.name, dict(variant)), settings)
    if found is None:
        raise GovernanceError("models.not_certified", name=card.name, target=str(settings.target),
                              variant=words_of(variant))  # fmt: skip
    return str(found.sha256)


def _digest_of(item: str) -> str:
    if re.fullmatch("[0-9a-f]{64}", item):
        return item
    path = Path(item)
    if not path.is_file():
        raise CommandError("models.no_evidence", item=item)
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _lines(log: CustodyLog, mark: bytes, chained: bool = False) -> Iterator[dict[str, Any]]:
    """The entries whose bytes hold `mark`; the others are not parsed, so that a long log is read in no time.

    Raises:
        IntegrityError: `chained`, and such a line is not where its `seq` and `prev_hash` say: somebody wrote it by
            hand, or the log was altered before it.
    """
    before = b""
    for index, raw in log.lines():
        line, before = before, raw
        if mark not in raw:
            continue
        try:
            entry = json.loads(raw)
        except ValueError:
            continue  # a line that a crash tore
        if not isinstance(entry, dict):
            continue
        if chained:
            previous = hashlib.sha256(line).hexdigest() if index else GENESIS
            if (entry.get("seq"), entry.get("prev_hash")) != (index, previous):
                raise IntegrityError("models.decision_unchained", path=str(log.path), line=index + 1)
        yield entry
