"""What a report is made of: plain frozen values that its caller gathers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playe_assets.core.values import (
    DetectionManifest,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MetricsManifest,
    Reason,
    Verdict,
)
from playe_assets.custody.record import Operator
from playe_assets.exporters.report_video import ClipParts


@dataclass(frozen=True)
class Laboratory:
    """Who answers for the report (ISO/IEC 17025, 7.8.2.1 a, b, o)."""

    name: str
    address: str
    accreditation: str | None = None
    """Number and body, as it may be printed; null where there is none, and the report says so."""
    authorised_by: str | None = None
    """Name and position of the person who authorises the report; null leaves a line to sign on."""


@dataclass(frozen=True)
class CaseFacts:
    """The case as its `case.yaml` states it."""

    id: str
    title: str
    customer: str
    request: str
    operator: Operator
    language: str
    """`en` or `ru`: the language that the PDF is written in."""


@dataclass(frozen=True)
class EarlierReport:
    """An issued report, and the sha256 of its `report.json`."""

    report_id: str
    sha256: str
    examination_id: str
    findings_sha256: str


@dataclass(frozen=True)
class LogHead:
    """The last line of the log when the report was made."""

    seq: int
    sha256: str
    """sha256 of the raw line."""


@dataclass(frozen=True)
class NotesFile:
    """The file beside the report with every note from epoch 0 to the report's own."""

    file: str
    sha256: str


@dataclass(frozen=True)
class CheckpointFacts:
    """The log's newest signed checkpoint when the report was made."""

    note: str
    """The signed note as it is kept, newlines included."""
    size: int
    """Lines of the log that it covers."""
    root: str
    """Hexadecimal."""
    epoch: int
    key0: str
    """Verifier key of epoch 0."""
    notes: NotesFile | None = None
    """None where the laboratory's notes no longer lead from `key0` to this one."""


@dataclass(frozen=True)
class TimeStamp:
    """An RFC 3161 token."""

    of: str
    """`checkpoint`."""
    time_utc: str
    authority: str
    token: str
    """Base64 of the DER."""


@dataclass(frozen=True)
class Picture:
    """A picture shown in the report; its bytes travel beside the report under `sha256`."""

    exhibit: str
    role: str
    """`before`, `after`, `difference`, `contributors`, `consistency`, `uncertainty` or `faces`; of a track
    `best_1` upward, `fused`, `single`, `uncertainty`."""
    sha256: str
    width: int
    height: int
    frame: int | None = None
    """Index of the clip's frame; null for photographs."""
    scale: Mapping[str, float] = field(default_factory=dict)
    """`gain` of a difference, `high` of a contributors map, `unit_max` (largest difference, 8-bit units)."""
    track: int | None = None
    """Of a picture of one track: its number; 0, -1 ... for the operator's marks in order."""


@dataclass(frozen=True)
class Attempt:
    """An attempt that failed or was made again."""

    what: str
    """Asset and step, such as `enhanced_frames`."""
    outcome: str
    """`failed`, `retried`, `cancelled` or `interrupted`."""
    started_utc: str
    run_id: str
    exhibit: str | None = None
    error: Reason | None = None
    """Code under `error.` in the catalogue, with its facts."""
    seq: int | None = None
    """Line of the log."""


@dataclass(frozen=True)
class Override:
    """A verdict set aside by a second person, with a reason."""

    gate: str
    reason: str
    operator: str
    approver: str
    at_utc: str
    exhibit: str | None = None
    derivative: str | None = None
    expectation: str | None = None
    seq: int | None = None

    def binds(self, verdict: Verdict) -> bool:
        """Whether this override is about `verdict` and nothing wider."""
        mine = (self.gate, self.exhibit, self.derivative, self.expectation)
        return mine == (verdict.gate, verdict.exhibit, verdict.derivative, verdict.expectation)


@dataclass(frozen=True)
class ReportParts:
    """Everything that `build_report` needs. Times are UTC in ISO 8601 with `Z`."""

    laboratory: Laboratory
    case: CaseFacts
    preset_text: str
    """The preset's file as it was used; its sha256 must be the one in the manifest."""
    received_utc: str
    performed_utc: str
    """When the examination ended."""
    issued_utc: str
    ingest: IngestManifest
    detection: DetectionManifest
    detections: Mapping[str, ExhibitDetections]
    """Exhibit number to its findings."""
    enhanced: EnhancedManifest
    metrics: MetricsManifest
    verdicts: tuple[Verdict, ...]
    """Of every stage; those of the metrics manifest may stand here too and are not doubled."""
    reread: Mapping[str, str]
    """Exhibit number to the sha256 of its working copy, read again when the report is made."""
    log: tuple[Mapping[str, Any], ...]
    """The case's lines of the log, each with its `seq`."""
    log_head: LogHead
    environment: Mapping[str, Any]
    """`packages` (name to version), `runtime` and `device` (flat mappings)."""
    audit_mode: str = "full"
    checkpoint: CheckpointFacts | None = None
    proof: tuple[str, ...] = ()
    """Of the lines in `log` below the checkpoint's size (`merkle.several`), hexadecimal."""
    time_stamps: tuple[TimeStamp, ...] = ()
    signatures: tuple[Mapping[str, Any], ...] = ()
    """What the report is about to be signed with (`Signer.facts`); filled in where it is issued."""
    pictures: tuple[Picture, ...] = ()
    clips: Mapping[str, ClipParts] = field(default_factory=dict)
    """Exhibit number to what is known of a clip over time."""
    attempts: tuple[Attempt, ...] = ()
    overrides: tuple[Override, ...] = ()
    golden_set: str | None = None
    """Version of the golden set that the preset was validated on; null where there is none."""
    report_id: str = ""
    supersedes: EarlierReport | None = None
    repeats: tuple[EarlierReport, ...] = ()
    """Earlier reports of the same examination."""


@dataclass(frozen=True)
class NoticeParts:
    """What a notice of a withheld report is made of."""

    laboratory: Laboratory
    case: CaseFacts
    examination_id: str
    at_utc: str
    verdicts: tuple[Verdict, ...]
    """The verdicts that failed; at least one."""
    log_head: LogHead | None = None
    notice_id: str = ""
    signatures: tuple[Mapping[str, Any], ...] = ()
    unsigned_because: Reason | None = None
    """Why it is not signed although a key is configured: a notice appears all the same."""
