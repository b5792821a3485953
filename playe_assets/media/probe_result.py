"""What probing one file says; crosses the border between the child process and its caller as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from playe_assets.core.values import ExhibitStatus, MediaKind, Reason, StreamFacts


@dataclass(frozen=True)
class Probe:
    """`accepted`, `partial` (see `missing`) or `quarantined` (see `reason`)."""

    status: ExhibitStatus
    media: MediaKind | None = None
    facts: StreamFacts | None = None
    reason: Reason | None = None
    missing: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()
    """Observations that change no pixel: data after the picture's end, assumed timing."""
    ledger: bytes | None = None
    """Of a clip: the time ledger (`media.ledger`)."""


def quarantined(code: str, **facts: object) -> Probe:
    """A probe that quarantines, with a reason of the catalogue."""
    return Probe(ExhibitStatus.QUARANTINED, reason=Reason(code, facts))
