"""A failed run as the laboratory keeps it: a line in the custody log and an entry in its case."""

from __future__ import annotations

import dagster as dg

from playe_assets.core.errors import PlayeError
from playe_assets.custody.log import utc_now
from playe_assets.custody.record import Activity, Recorder
from playe_assets.defs.partitions import TAG_REQUEST
from playe_assets.defs.resources import operator_of
from playe_assets.examination.cases import CaseFolder, Failure
from playe_assets.examination.settings import Settings

_LONGEST = 500


def note_failure(settings: Settings, run: dg.DagsterRun, step: str, code: str, message: str) -> None:
    """Write down that `run` failed at `step`. A case that was never opened has only the log's line."""
    case_id = run.tags.get("dagster/partition", "")
    message = message[:_LONGEST]
    recorder = Recorder(
        settings.log,
        request_id=run.tags.get(TAG_REQUEST, run.run_id),
        case_id=case_id or None,
        operator=operator_of(run.tags),
        activity=Activity(step or None, case_id or None, run.run_id, step or None),
        audit=settings.audit,
    )
    recorder.note(
        "processing.run_failed",
        step=step or "run",
        error={"type": "RunFailure", "code": code, "message": message},
    )
    try:
        CaseFolder(settings, case_id).add_failure(Failure(run.run_id, step, code, message, utc_now()))
    except PlayeError:
        return  # no such case id: the log has it
