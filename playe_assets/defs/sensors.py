"""Sensors: `evidence_drop` makes a ready folder a partition and a run; `failed_examination` notes failures."""

import json
import os
import time

import dagster as dg

from playe_assets.custody.record import Activity, Operator, Recorder
from playe_assets.defs.failures import note_failure
from playe_assets.defs.jobs import examine_case
from playe_assets.defs.partitions import (
    CASES,
    TAG_CASE,
    TAG_DELIVERY,
    TAG_FINGERPRINT,
    TAG_OPERATOR,
    TAG_OPERATOR_AUTH,
    TAG_PRESET,
    TAG_REQUEST,
)
from playe_assets.defs.resources import NOBODY, Laboratory
from playe_assets.examination.case_file import CaseFile
from playe_assets.examination.inbox import Dropped, reject, scan
from playe_assets.examination.settings import Settings

_MOST_REQUESTS = 10
"""Requests a tick; what is beyond waits five seconds in the inbox."""
_WAIT_S = 3.0
"""A tick stays this long for a folder that lacks nothing but its seconds of quiet, instead of a whole tick later."""


_STUCK = "stuck "
"""Before the key of a rejected folder that could not be moved aside."""
_TRY_AGAIN_S = 3600.0


@dg.sensor(
    job=examine_case,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Watches the inbox: a folder that is complete and quiet becomes a case and a run.",
)
def evidence_drop(
    context: dg.SensorEvaluationContext, laboratory: Laboratory
) -> dg.SensorResult | dg.SkipReason:
    """One look at the inbox."""
    settings = laboratory.settings()
    asked: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    dropped = scan(settings)
    soon = [d.wait_s for d in dropped if d.state == "growing" and 0 < d.wait_s <= _WAIT_S]
    if soon:
        time.sleep(max(soon) + 0.05)
        dropped = scan(settings)
    said: list[str] = []
    requests: list[dg.RunRequest] = []
    kept: dict[str, str] = {}
    for item in dropped:
        name = item.folder.name
        # Without the arrival Dagster would take the same folder, dropped a second time, for a run it has had.
        key = f"{item.case.case_id if item.case else ''}:{item.fingerprint}:{item.arrived_ns}"
        if asked.get(name) == key:
            kept[name] = key  # its run is queued or at work; intake moves the folder out
            if failed := _failed(context.instance, item.request_id):
                said.append(f"{name}: its run {failed[:8]} failed; mend the cause and re-execute it")
        elif item.state == "rejected":
            stuck = f"{_STUCK}{key} {_may_move(item, settings)} {int(time.time() // _TRY_AGAIN_S)}"
            said.append(_reject(item, settings, tried=asked.get(name) == stuck))
            if item.folder.exists():
                kept[name] = stuck
        elif item.state == "growing":
            told = item.told or f"quiet in {item.wait_s:.0f} s"
            said.append(f"{ascii(name)[1:-1]}: {item.files} files, {told}")
        elif item.case is not None and len(requests) < _MOST_REQUESTS:
            requests.append(_request(item, item.case, key, settings))
            kept[name] = key
    if said:
        context.log.info("; ".join(said))
    if not requests:
        if kept != asked:
            context.update_cursor(json.dumps(kept))
        return dg.SkipReason("; ".join(said) or "nothing new in the inbox")
    new = [r.partition_key for r in requests if r.partition_key]
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[CASES.build_add_request(list(dict.fromkeys(new)))],
        cursor=json.dumps(kept),
    )


def _recorder(item: Dropped, settings: Settings) -> Recorder:
    """Of what this sensor does with a folder, for whoever the folder names."""
    case = item.case
    operator = Operator(case.operator, "operator", "case-file") if case and case.operator else NOBODY
    return Recorder(settings.log, request_id=item.request_id, case_id=case.case_id if case else None,
                    operator=operator, activity=Activity(step_key="evidence_drop"), audit=settings.audit)  # fmt: skip


def _reject(item: Dropped, settings: Settings, tried: bool) -> str:
    """Move the folder aside. One that cannot be moved is tried again when its rights change or an hour has passed:
    each attempt is a record, and a tick comes every five seconds."""
    name = ascii(item.folder.name)[1:-1]
    if tried:
        return f"{name}: cannot be moved to rejected/: {item.told}"
    params = {"files": item.files, "bytes": item.total_bytes, "fingerprint": item.fingerprint}
    record = _recorder(item, settings).record("custody.drop_rejected", step="evidence_drop", params=params)
    try:
        with record as work:
            work.checks.append({"reason": item.reason})
            goal = reject(item, settings)
    except OSError as problem:  # a read-only folder: say so, and go on with the others
        return f"{name}: cannot be moved to rejected/ ({problem.strerror}): {item.told}"
    return f"{name}: rejected, see rejected/{ascii(goal.name)[1:-1]}/REASON.txt: {item.told}"


def _may_move(item: Dropped, settings: Settings) -> bool:
    """Whether its rights allow it; the system may refuse all the same."""
    return os.access(item.folder, os.W_OK) and os.access(settings.inbox, os.W_OK)


def _failed(instance: dg.DagsterInstance, request_id: str) -> str | None:
    """The run of this request, if it has failed and nobody has run it again."""
    runs = instance.get_runs(dg.RunsFilter(tags={TAG_REQUEST: request_id}), limit=1)
    return runs[0].run_id if runs and runs[0].status == dg.DagsterRunStatus.FAILURE else None


def _request(item: Dropped, case: CaseFile, key: str, settings: Settings) -> dg.RunRequest:
    tags = {
        TAG_CASE: case.case_id,
        TAG_REQUEST: item.request_id,
        TAG_FINGERPRINT: item.fingerprint,
        TAG_DELIVERY: str(item.folder),
        TAG_OPERATOR: case.operator or "unknown",
        TAG_OPERATOR_AUTH: "case-file",
    }
    if case.preset:
        tags[TAG_PRESET] = case.preset
    params = {"preset": case.preset, "fingerprint": item.fingerprint, "run_key": key}
    _recorder(item, settings).note("processing.run_requested", step="evidence_drop", params=params,
                                   metrics={"files": item.files, "bytes": item.total_bytes})  # fmt: skip
    return dg.RunRequest(run_key=key, partition_key=case.case_id, tags=tags)


@dg.run_failure_sensor(
    name="failed_examination",
    monitored_jobs=[examine_case],
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Writes a failed run into the custody log and into its case.",
)
def failed_examination(context: dg.RunFailureSensorContext, laboratory: Laboratory) -> None:
    """One failed run."""
    settings = laboratory.settings()
    run = context.dagster_run
    events = context.get_step_failure_events()
    step = events[0].step_key or "" if events else ""
    cause = events[0].step_failure_data.user_failure_data if events else None
    message = (cause.description if cause and cause.description else context.failure_event.message) or ""
    code = "run_failed"
    if cause and cause.metadata and "code" in cause.metadata:
        code = str(cause.metadata["code"].value)
    note_failure(settings, run, step, code, message)
