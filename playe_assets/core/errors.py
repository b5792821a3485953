"""Every error that an operator may meet, as one tree.

    PlayeError                    permanent unless it says otherwise
    ├── InputError                what a person wrote is wrong: case.yaml, a preset, a command
    │   ├── CaseFileError
    │   ├── PresetError
    │   └── CommandError
    ├── EvidenceError             one file of evidence cannot be used; the others go on
    │   ├── UnsafePathError       it leads out of the drop folder, or is no regular file
    │   ├── UndecodableError      no accepted decoder reads it
    │   ├── EvidenceLimitError    it asks for more pixels, memory or time than is granted
    │   └── EvidenceChangedError  it changed while it was read
    ├── IntegrityError            a digest, derivation or time stamp does not hold: the report is withheld
    │   └── GateRefusedError      the gate upstream refused, or has not judged this materialization
    ├── GovernanceError           a model is not approved, not certified here, or its file is refused
    ├── MissingResourceError      weights, a font, a program that must be installed first
    ├── OutOfMemoryError          a device has too little memory; a smaller tile may fit
    └── TransientError            the same call may succeed later (retries make sense)
        ├── LockTimeoutError
        └── CaseBusyError

An error is a code and typed facts; its sentences stand in `texts/errors.yaml`, in every language.
"""

from __future__ import annotations

from typing import Any, ClassVar

from playe_assets.core.texts import text


class PlayeError(Exception):
    """`PlayeError("preset.unknown_key", file="x.yaml", line=3, key="strenght", allowed="h, h_color")`."""

    permanent: ClassVar[bool] = True

    def __init__(self, code: str, /, **facts: Any) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts

    def message(self, language: str = "en") -> str:
        """What went wrong, with which value, and what to do, in `language` (`en` or `ru`)."""
        return text(f"error.{self.code}", language, **self.facts)

    def __str__(self) -> str:
        return self.message("en")

    def anonymous(self) -> str:
        """The sentence without names and values of the evidence, for Dagster's event log, which outlives a case."""
        kept = {k: "..." if k in self.of_evidence else v for k, v in self.facts.items()}
        return type(self)(self.code, **kept).message("en")

    of_evidence: ClassVar[frozenset[str]] = frozenset()
    """Facts that may hold a name or a value out of the evidence."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.code, self.facts))


def _rebuild(cls: type[PlayeError], code: str, facts: dict[str, Any]) -> PlayeError:
    return cls(code, **facts)


class InputError(PlayeError):
    """What a person wrote is wrong; nothing was done."""


class CaseFileError(InputError):
    """A `case.yaml` that cannot be used."""

    of_evidence: ClassVar[frozenset[str]] = frozenset({"name", "value", "key"})


class PresetError(InputError):
    """A preset that cannot be used."""


class CommandError(InputError):
    """A command's arguments do not fit what is there."""


class EvidenceError(PlayeError):
    """One file of evidence cannot be used; the others go on."""

    of_evidence: ClassVar[frozenset[str]] = frozenset({"name", "file", "path", "value", "problem"})


class UnsafePathError(EvidenceError):
    """The path leads out of the drop folder or is not a regular file."""


class UndecodableError(EvidenceError):
    """No accepted decoder reads the file, or it lies about what it is."""


class EvidenceLimitError(EvidenceError):
    """The file asks for more pixels, memory or time than is granted."""


class EvidenceChangedError(EvidenceError):
    """The file changed while it was read."""


class IntegrityError(PlayeError):
    """A digest, a derivation or a time stamp does not hold."""


class GateRefusedError(IntegrityError):
    """The gate upstream refused, or has not judged this materialization."""


class GovernanceError(PlayeError):
    """A model is not approved, not certified on this device, or its file is of a kind that is never opened."""


class OutOfMemoryError(PlayeError):
    """A device has too little memory; a smaller tile may fit."""


class MissingResourceError(PlayeError):
    """Something must be installed first; the message names the command."""


class TransientError(PlayeError):
    """The same call may succeed later."""

    permanent: ClassVar[bool] = False


class LockTimeoutError(TransientError):
    """Another process held the lock for too long."""


class CaseBusyError(TransientError):
    """Another examination of this case is running."""
