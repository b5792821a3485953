"""What a rerun found, as values and as the JSON that `schemas/rerun-1.0.schema.json` describes."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playe_assets import __version__
from playe_assets.core.canonical import to_plain
from playe_assets.core.durable import sync_folder
from playe_assets.core.texts import LANGUAGES
from playe_assets.examination.rerun_compare import Verdict
from playe_assets.examination.rerun_evidence import TakenIn
from playe_assets.examination.rerun_level import L1_MOST, L2_FLOOR, L2_SHARE, Environments, Level
from playe_assets.examination.rerun_models import Lacking
from playe_assets.examination.stage import Words

SCHEMA_VERSION = "1.0"
SCHEMA = Path(__file__).resolve().parent.parent / "schemas" / f"rerun-{SCHEMA_VERSION}.schema.json"


@dataclass(frozen=True)
class Claim:
    """A fact of the report beside the derivatives that came out otherwise."""

    what: str
    """`step`, `measured`, `detections`, `metrics`, `exhibit`, `derivative`, `clip` or `verdict`."""
    about: str
    """Such as `E001 2 nlm` or `D003`."""
    name: str
    """Parameter, column or fact."""
    then: Any
    now: Any
    breaks: bool
    """Whether the report does not hold because of it; what another environment may legitimately change does not."""


@dataclass
class Rerun:
    """Everything that a rerun found."""

    report_id: str
    report_sha256: str
    case_id: str
    examination_then: str
    findings_sha256: str
    made_utc: str
    examination_now: str | None = None
    environments: Environments | None = None
    taken: TakenIn = field(default_factory=TakenIn)
    lacking: list[Lacking] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    stopped: Words | None = None
    """Why nothing could be compared."""
    stopped_at: str | None = None
    """The stage that could not be done."""
    work: str = ""
    """The scratch laboratory."""

    @property
    def asked(self) -> Level:
        """The level that the rerun as a whole was held to: the closest that any derivative was."""
        return min((v.asked for v in self.verdicts), key=lambda x: x.rank, default=Level.L0)

    @property
    def reached(self) -> Level:
        """The worst of all derivatives."""
        return max((v.reached for v in self.verdicts), key=lambda x: x.rank, default=Level.NOT_MADE)

    @property
    def holds(self) -> bool:
        """Whether every derivative reached what was asked for, and nothing else of the report came out otherwise."""
        return (
            self.stopped is None
            and not self.lacking
            and bool(self.verdicts)
            and all(v.holds for v in self.verdicts)
            and not any(c.breaks for c in self.claims)
        )


def plain(found: Rerun) -> dict[str, Any]:
    """The result as JSON types."""
    environments = found.environments
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "rerun",
        "playe": __version__,
        "report": {"id": found.report_id, "sha256": found.report_sha256, "case": found.case_id,
                   "examination_id": found.examination_then, "findings_sha256": found.findings_sha256},
        "made_utc": found.made_utc,
        "holds": found.holds,
        "asked": found.asked.value,
        "reached": found.reached.value,
        "examination_id": found.examination_now,
        "same_examination": found.examination_now == found.examination_then,
        "stopped": None if found.stopped is None else {"at": found.stopped_at, **_words(found.stopped)},
        "bounds": {"l1_most": L1_MOST, "l2_share": L2_SHARE, "l2_floor": L2_FLOOR},
        "exhibits": {"absent": to_plain(found.taken.absent)},
        "models": {"lacking": [{"name": m.name, "sha256": m.sha256, **_words(m.why)} for m in found.lacking]},
        "claims": to_plain(found.claims),
        "derivatives": [_verdict(v) for v in found.verdicts],
        "environment": None
        if environments is None
        else {
            "same_class": environments.same_class,
            "then": to_plain(environments.then),
            "now": to_plain(environments.now),
            "differences": to_plain(environments.others),
        },
    }  # fmt: skip


def _verdict(v: Verdict) -> dict[str, Any]:
    return {
        "exhibit": v.exhibit,
        "kind": v.kind,
        "order": v.order,
        "number": v.number_then,
        "number_now": v.number_now,
        "asked": v.asked.value,
        "reached": v.reached.value,
        "holds": v.holds,
        "file_equal": v.file_equal,
        "sha256": v.sha256_then,
        "sha256_now": v.sha256_now,
        "pixel_sha256": v.pixel_sha256_then,
        "pixel_sha256_now": v.pixel_sha256_now,
        "max_difference": v.max_difference,
        "mean_difference": v.mean_difference,
        "frames_differing": v.frames_differing,
        "first_frame": v.first_frame,
        "measured": v.measured,
        "why": None if v.why is None else _words(v.why)["why"],
    }


def _words(words: Words) -> dict[str, str]:
    return {"code": words.key, "why": words.said(LANGUAGES[0])}


@functools.cache
def rerun_schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12) of the result."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return found


def write_result(found: Mapping[str, Any], path: Path) -> None:
    """Write the result's JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8", errors="backslashreplace") as out:
            json.dump(found, out, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)
