"""What verification finds: differences and what could not be compared, the cause before what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """Something that does not hold: a key under `verify.` in the catalogue, with its facts."""

    code: str
    facts: dict[str, Any]
    about: tuple[str, str] | None = None
    """Number and kind of the exhibit (`exhibit`) or derivative whose bytes they are, where a report names them."""


@dataclass(frozen=True)
class NotCompared:
    """Something that was not there to compare with: a key under `verify.skipped.`, with its facts. No difference."""

    code: str
    facts: dict[str, Any]


_ORDER = (
    # The bytes themselves: nothing else explains them.
    "object_unreadable", "object_changed", "exhibit_absent", "delivery_absent", "manifest_absent", "named_absent",
    "stray_file", "error",
    # What follows from the bytes of a clip's master.
    "frames_digest", "frame_changed", "frames_missing", "clip_unreadable",
    # The log, then the documents that are held against it.
    "log_broken", "log_rewritten", "checkpoint_of_another_log", "checkpoint_forged",
    "report_absent", "notice_absent", "report_not_in_log", "notice_not_in_log", "pdf_absent", "pdf_not_in_log",
    "report_unreadable", "notice_unreadable", "findings_changed", "extract_differs", "extract_lacks",
    "proof_wrong", "checkpoint_unlike", "checkpoint_absent", "checkpoint_key", "notes_absent", "notes_changed",
    "notes_wrong", "signature_absent",
    "signature_not_in_log", "signature_broken", "signature_other",
    # Dagster keeps a copy; it explains nothing else.
    "dagster_not_in_log", "dagster_lines", "dagster_fact", "dagster_version", "dagster_manifest_absent",
    "dagster_verdicts_absent", "dagster_manifest", "dagster_chain", "dagster_report", "dagster_time",
)  # fmt: skip
_RANK = {code: rank for rank, code in enumerate(_ORDER)}


def in_order(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """The cause before what follows from it; exhibits before derivatives; otherwise as they were found."""
    return tuple(sorted(differences, key=_place))


def _place(difference: Difference) -> tuple[int, int]:
    of_exhibit = difference.about is not None and difference.about[1] == "exhibit"
    rank = _RANK.get(difference.code, len(_RANK))
    bytes_differ = difference.code in ("object_unreadable", "object_changed")
    return (
        0 if bytes_differ or difference.code == "exhibit_absent" else 1 + rank,
        0 if of_exhibit else 1 + rank,
    )
