"""The last stage: gather manifests, verdicts, pictures and the log's lines, and issue the report or a notice."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from playe_assets.core.errors import CommandError, GateRefusedError, PlayeError
from playe_assets.core.values import (
    DetectionManifest,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MetricsManifest,
    Reason,
    Verdict,
)
from playe_assets.custody import environment
from playe_assets.custody.log import utc_now
from playe_assets.examination.clips.parts import parts_in
from playe_assets.examination.conclude_clips import clip_parts
from playe_assets.examination.conclude_custody import custody_parts
from playe_assets.examination.found import found_in
from playe_assets.examination.judge import Manifests, judge, passed
from playe_assets.examination.release import release_verdicts
from playe_assets.examination.report import Issued, issue_notice, issue_report
from playe_assets.examination.signed_files import report_bytes
from playe_assets.examination.signing import check_signer
from playe_assets.examination.stage import Stage
from playe_assets.examination.verify import same_examination
from playe_assets.exporters.pictures import picture_of
from playe_assets.exporters.report_parts import (
    Attempt,
    CaseFacts,
    Laboratory,
    LogHead,
    NoticeParts,
    ReportParts,
)
from playe_assets.exporters.signer import Signer
from playe_assets.stores.case_store import hash_file


@dataclass(frozen=True)
class Concluded:
    """What was issued, and the manifest that Dagster's data version is the digest of."""

    issued: Issued
    sha256: str
    """Of the stage's manifest: findings digest and examination id, so that staleness tells the truth."""


def conclude(
    stage: Stage,
    ingest_sha256: str,
    detections_sha256: str,
    enhanced_sha256: str,
    metrics_sha256: str,
    verdicts: Sequence[Verdict],
) -> Concluded:
    """Issue the report of this examination.

    Raises:
        CommandError: audit mode `off`.
        IntegrityError: the manifests do not belong together, or an integrity verdict failed.
    """
    if stage.settings.audit == "off":
        raise CommandError("report.audit_off", case=stage.case_id)
    ingest = stage.manifest(IngestManifest, ingest_sha256)
    detection = stage.manifest(DetectionManifest, detections_sha256)
    enhanced = stage.manifest(EnhancedManifest, enhanced_sha256)
    metrics = stage.manifest(MetricsManifest, metrics_sha256)
    same_examination(ingest, ingest_sha256, detection.ingest, detection.examination_id, "detections")
    same_examination(ingest, ingest_sha256, enhanced.ingest, enhanced.examination_id, "enhanced_frames")
    if metrics.enhanced != enhanced_sha256:
        same_examination(ingest, ingest_sha256, "", metrics.examination_id, "qa_metrics")
    stage.recorder.examination_id = ingest.examination_id
    pictures = {p.sha256: stage.store.get_bytes(p.sha256) for p in enhanced.pictures}
    signer = check_signer(stage.settings)
    custody = custody_parts(stage)
    lines = custody.lines
    case = stage.folder.read()
    now = utc_now()
    found = {e.exhibit: stage.manifest(ExhibitDetections, e.sha256) for e in detection.entries if e.sha256}
    parts = ReportParts(
        laboratory=_laboratory(stage),
        case=_case(stage),
        preset_text=(stage.settings.presets / f"{ingest.preset.name}.yaml").read_text(encoding="utf-8"),
        received_utc=_seconds(case.deliveries[0].received_utc if case.deliveries else case.created_utc),
        performed_utc=_seconds(_performed(lines, ingest.examination_id) or now),
        issued_utc=_seconds(now),
        ingest=ingest,
        detection=detection,
        detections=found,
        enhanced=enhanced,
        metrics=metrics,
        verdicts=tuple(verdicts),
        reread={e.number: hash_file(stage.store.path(e.sha256))[0] for e in ingest.exhibits},
        log=lines,
        log_head=custody.head,
        checkpoint=custody.checkpoint,
        proof=custody.proof,
        time_stamps=custody.time_stamps,
        environment={
            "packages": environment.packages(),
            "runtime": {k: v for k, v in _runtime().items() if v is not None},
            "device": {"code_version": environment.code_version(), **environment.env()},
        },
        audit_mode=stage.settings.audit,
        pictures=tuple(
            picture_of(p.exhibit, pictures[p.sha256], p.frame, p.track) for p in enhanced.pictures
        ),
        clips=clip_parts(stage, ingest, found, enhanced, metrics),
        attempts=_attempts(lines, stage.recorder.activity.run_id),
    )
    with stage.recorder.record("processing.report", step="report", inputs=[metrics_sha256]) as work:
        issued = issue_report(
            stage.folder.root,
            parts,
            pictures,
            approve=lambda report: _approve(stage, ingest, report),
            signer=signer,
            unstamped=lambda report_id, why: _signature_failed(stage, report_id, why),
            beside=custody.files,
        )
        work.outputs += issued.sha256s
    stage.recorder.note("custody.report_issued", step=issued.id, output_sha256=issued.sha256s)
    # The line that names the report comes under a checkpoint as well, so that it cannot be taken back unseen.
    stage.settings.checkpoints.make()
    # Until here a run that is killed and launched again would need them: it begins with the first stage.
    parts_in(stage.folder.root).discard()
    found_in(stage.folder.root, stage.store).discard()
    manifest = {"schema": "playe-report-stage/1", "examination_id": ingest.examination_id,
                "findings_sha256": issued.findings_sha256, "metrics": metrics_sha256}  # fmt: skip
    return Concluded(issued, stage.store.put_json(manifest))


def _approve(stage: Stage, ingest: IngestManifest, report: Mapping[str, Any]) -> None:
    """Ask the report's own gates before anything is issued; what lies on the disk is judged again afterwards."""
    judged = judge(stage, "forensic_report", Manifests(ingest, report=report))
    judged |= release_verdicts(stage, report, report_bytes(report))
    for gate, verdicts in judged.items():
        if not passed(verdicts):
            withhold(stage, ingest, verdicts)
            raise GateRefusedError("gate.refused", gate=gate, asset="forensic_report", case=stage.case_id)


def withhold(stage: Stage, ingest: IngestManifest | None, verdicts: Sequence[Verdict]) -> Issued:
    """Issue a notice that the report is withheld, naming every verdict that failed."""
    head = stage.recorder.log.head()
    signer, why = _signer_of_notice(stage)
    parts = NoticeParts(
        laboratory=_laboratory(stage),
        case=_case(stage),
        examination_id=ingest.examination_id if ingest else "",
        at_utc=_seconds(utc_now()),
        verdicts=tuple(v for v in verdicts if not v.passed),
        log_head=LogHead(head.lines - 1, head.last_hash) if head.lines else None,
        unsigned_because=why,
    )
    issued = issue_notice(
        stage.folder.root,
        parts,
        signer=signer,
        unstamped=lambda notice_id, problem: _signature_failed(stage, notice_id, problem),
    )
    stage.recorder.note("custody.report_withheld", step=issued.id, output_sha256=issued.sha256s)
    return issued


def _signer_of_notice(stage: Stage) -> tuple[Signer | None, Reason | None]:
    """A notice appears whatever is the matter with the key: unsigned, and saying why, in itself and in the log."""
    try:
        return check_signer(stage.settings), None
    except PlayeError as problem:
        _signature_failed(stage, None, problem)
        return None, Reason(problem.code, {k: str(v) for k, v in problem.facts.items()})


def _signature_failed(stage: Stage, document: str | None, problem: PlayeError) -> None:
    error = {"type": type(problem).__name__, "code": problem.code, "message": str(problem)}
    stage.recorder.note("custody.signature_failed", step=document or "notice", error=error,
                        params={"tsa_url": stage.settings.tsa_url})  # fmt: skip


def _laboratory(stage: Stage) -> Laboratory:
    s = stage.settings
    return Laboratory(s.laboratory, s.address, s.accreditation, s.authorised_by)


def _runtime() -> dict[str, Any]:
    """With the kernel for certain: whether this process has computed yet says nothing of those that did."""
    return {**environment.runtime(), "blas_kernel": environment.blas_kernel()}


def _case(stage: Stage) -> CaseFacts:
    case = stage.folder.read()
    operator = stage.recorder.operator
    return CaseFacts(case.case_id, case.title, case.customer, case.request, operator, case.language)


def _performed(lines: Sequence[dict[str, Any]], examination_id: str) -> str | None:
    """When the last operation of this examination ended, as the log says."""
    ends = [
        str(e["t_end_utc"]) for e in lines if e.get("examination_id") == examination_id and e.get("t_end_utc")
    ]
    return max(ends, default=None)


def _attempts(lines: Sequence[dict[str, Any]], run_id: str | None) -> tuple[Attempt, ...]:
    """Operations of this case that failed, or that began and never ended (a killed process), from the log.

    What this run has under way is not over yet, so it is left out; so is a whole stage, where an operation of it
    tells already what became of it.
    """
    ended = {line.get("op_id"): line.get("status") for line in lines if line.get("status") != "started"}
    told = {_place(e) for e in lines if e.get("event") != _STAGE and ended.get(e.get("op_id")) != "ok"}
    found = []
    for line in lines:
        if line.get("event") == _STAGE and _place(line) in told:
            continue
        activity, error = line.get("activity") or {}, line.get("error") or {}
        if line.get("status") == "failed":
            outcome = "failed"
        elif line.get("op_id") not in ended and activity.get("run_id") != run_id:
            outcome = "interrupted"
        else:
            continue
        found.append(
            Attempt(
                what=f"{activity.get('asset_key') or 'cli'}: {line.get('step') or line['event']}",
                outcome=outcome,
                started_utc=_seconds(str(line["t_start_utc"])),
                run_id=str(activity.get("run_id") or ""),
                exhibit=line.get("exhibit"),
                error=_reason(error) if outcome == "failed" else None,
                seq=line.get("seq"),
            )
        )
    return tuple(found)


_STAGE = "processing.stage"


def _place(line: Mapping[str, Any]) -> tuple[Any, Any]:
    """The run and the asset of which the line tells."""
    activity = line.get("activity") or {}
    return activity.get("run_id"), activity.get("asset_key")


def _reason(error: dict[str, Any]) -> Reason:
    return Reason(error.get("code") or "unexpected", {"message": error.get("message") or ""})


def _seconds(utc: str) -> str:
    moment = datetime.fromisoformat(utc.replace("Z", "+00:00")).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def read_report(issued: Issued) -> dict[str, Any]:
    """The report as it lies on the disk."""
    found: dict[str, Any] = json.loads(issued.json_path.read_bytes())
    return found
