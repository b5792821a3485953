"""The CLI's door to Dagster: the instance, a run in this process, the state of a case's runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import yaml
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from playe_assets.core.errors import CaseBusyError, PlayeError
from playe_assets.defs.failures import note_failure
from playe_assets.defs.partitions import CASES, TAG_CASE, TAG_PROCESS
from playe_assets.defs.resources import WATCHERS
from playe_assets.examination.settings import PROJECT_ROOT, load_settings
from playe_assets.examination.stage import Words, in_language
from playe_assets.examination.verify_dagster import DagsterSide, Materialization

STAGES = ("ingested_media", "detections", "enhanced_frames", "qa_metrics", "forensic_report")
_STATED = (
    "manifest_sha256", "verdicts_sha256", "examination_id", "request_id", "operator", "log_first_seq",
    "log_last_seq", "report_json_sha256", "report_pdf_sha256",
)  # fmt: skip
_ALIVE = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


@dataclass
class Outcome:
    """What became of a run."""

    run_id: str
    success: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time of each stage that ran."""
    error: str = ""
    failed_stage: str = ""


def dagster_home() -> Path:
    """`DAGSTER_HOME`, or `.dagster_home` in the project: a folder that stays."""
    return Path(os.environ.get("DAGSTER_HOME") or PROJECT_ROOT / ".dagster_home").absolute()


def prepare_home(home: Path) -> None:
    """Make `home` and its dagster.yaml: the project's, with storage inside `home`. An operator's own file stays."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "dagster.yaml"
    os.environ["DAGSTER_HOME"] = str(home)
    if file.exists():
        return
    config = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    config["storage"]["sqlite"]["base_dir"] = str(home / "storage")
    config["local_artifact_storage"]["config"]["base_dir"] = str(home)
    config["compute_logs"]["config"]["base_dir"] = str(home / "compute_logs")
    file.write_text(
        "# Written by PLAYE from the project's dagster.yaml; yours to change.\n" + yaml.safe_dump(config),
        encoding="utf-8",
    )


def open_instance() -> dg.DagsterInstance:
    """The persistent instance; limits of runs and pools stand in its dagster.yaml."""
    prepare_home(dagster_home())
    return dg.DagsterInstance.get()


def examine_here(
    instance: dg.DagsterInstance,
    case_id: str,
    tags: Mapping[str, str],
    on_stage: Callable[[str, str], None],
    on_progress: Callable[[str, str, int, int], None],
    language: str = "en",
) -> Outcome:
    """Run the whole job for `case_id` in this process.

    `on_stage(stage, "start" | "done" | "failed")`; `on_progress(stage, what, done, total)` while it works,
    `what` in `language`.

    Raises:
        CaseBusyError: another run of this case is queued or at work.
    """
    from playe_assets.defs.location import defs

    for other in instance.get_runs(dg.RunsFilter(tags={"dagster/partition": case_id}, statuses=list(_ALIVE))):
        if not _abandoned(other):
            raise CaseBusyError("case.busy_run", case=case_id, run=other.run_id)
        instance.report_run_failed(other, "The process that worked on this run is gone.")
    instance.add_dynamic_partitions(str(CASES.name), [case_id])
    job = defs.resolve_job_def("examine_case")
    run = instance.create_run_for_job(
        job_def=job,
        run_config={
            "execution": {"config": {"in_process": True}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},  # the run's own log keeps all
        },
        tags={**tags, TAG_CASE: case_id, TAG_PROCESS: _process(os.getpid()), "dagster/partition": case_id},
    )
    outcome = Outcome(run.run_id)
    started: dict[str, float] = {}

    def watcher(stage: str, what: str | Words, done: int, total: int) -> None:
        on_progress(stage, in_language(what, language), done, total)

    WATCHERS.append(watcher)
    try:
        for event in execute_run_iterator(InMemoryJob(job), run, instance):
            stage = event.step_key or ""
            if event.is_step_start:
                started[stage] = time.monotonic()
                on_stage(stage, "start")
            elif event.is_step_success or event.is_step_failure:
                outcome.seconds[stage] = round(time.monotonic() - started.get(stage, time.monotonic()), 3)
                on_stage(stage, "done" if event.is_step_success else "failed")
            if event.is_step_failure and not outcome.error:
                outcome.failed_stage, outcome.error = stage, _said(event, instance, run.run_id)
    finally:
        WATCHERS.remove(watcher)
    finished = instance.get_run_by_id(run.run_id)
    outcome.success = finished is not None and finished.status == dg.DagsterRunStatus.SUCCESS
    if not outcome.success:  # no daemon need be there to see it
        try:
            note_failure(load_settings(), run, outcome.failed_stage, "run_failed", outcome.error)
        except (PlayeError, OSError) as problem:  # why the run failed must be said all the same
            outcome.error = f"{outcome.error} ({problem})".strip()
    return outcome


def _process(pid: int) -> str:
    """A process by number and start, so that a number used again is not mistaken for it; empty if gone."""
    try:
        return f"{pid}@{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""


def _abandoned(run: dg.DagsterRun) -> bool:
    """Whether `run` was started by a command of this machine whose process has ended (killed, power cut)."""
    owner = run.tags.get(TAG_PROCESS)
    return owner is not None and _process(int(owner.partition("@")[0])) != owner


def follow(
    instance: dg.DagsterInstance, request_id: str, on_stage: Callable[[str, str], None], timeout_s: float
) -> Outcome | None:
    """Wait for the run of `request_id` that the daemon launches; None where none appeared or ended in time."""
    deadline = time.monotonic() + timeout_s
    seen: set[tuple[str, str]] = set()
    while time.monotonic() < deadline:
        runs = instance.get_runs(dg.RunsFilter(tags={"playe/request_id": request_id}), limit=1)
        if runs:
            for stat in instance.get_run_step_stats(runs[0].run_id):
                for state, there in (("start", stat.start_time), ("done", stat.end_time)):
                    if there and (stat.step_key, state) not in seen:
                        seen.add((stat.step_key, state))
                        on_stage(stat.step_key, state)
            if runs[0].is_finished:
                return finished_outcome(instance, runs[0].run_id)
        time.sleep(0.3)
    return None


def finished_outcome(instance: dg.DagsterInstance, run_id: str) -> Outcome:
    """The outcome of a finished run, from the event log."""
    run = instance.get_run_by_id(run_id)
    outcome = Outcome(run_id, success=run is not None and run.status == dg.DagsterRunStatus.SUCCESS)
    for stat in instance.get_run_step_stats(run_id):
        if stat.start_time and stat.end_time:
            outcome.seconds[stat.step_key] = round(stat.end_time - stat.start_time, 3)
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        if event is not None and not outcome.error:
            outcome.failed_stage, outcome.error = event.step_key or "", _said(event, instance, run_id)
    return outcome


def runs_of(instance: dg.DagsterInstance, case_id: str, limit: int = 10) -> list[dict[str, Any]]:
    """The latest runs of a case, newest first."""
    found = instance.get_run_records(dg.RunsFilter(tags={"dagster/partition": case_id}), limit=limit)
    return [
        {
            "run_id": r.dagster_run.run_id,
            "status": r.dagster_run.status.value,
            "started": r.start_time,
            "ended": r.end_time,
        }
        for r in found
    ]


def dagster_side(case_id: str) -> DagsterSide:
    """What Dagster's storage states of the case's assets, as plain values; nothing is made where there is none."""
    if not (dagster_home() / "dagster.yaml").is_file():
        return DagsterSide(problem="absent")
    try:
        with open_instance() as instance:
            return DagsterSide(materializations_of(instance, case_id))
    except Exception as problem:  # noqa: BLE001  Any storage's error is said, with what was not compared.
        return DagsterSide(problem=f"{type(problem).__name__}: {str(problem).partition(chr(10))[0]}")


def materializations_of(instance: dg.DagsterInstance, case_id: str) -> tuple[Materialization, ...]:
    """Every materialization of the case's five assets, oldest first.

    Dagster keeps each twice, in an index for the asset's page and beside the run for the run's page; where the two
    differ, both are given.
    """
    found: dict[Materialization, None] = {}
    runs = {r.run_id for r in instance.get_runs(dg.RunsFilter(tags={"dagster/partition": case_id}))}
    for stage in STAGES:
        wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(stage), asset_partitions=[case_id])
        cursor, more = None, True
        while more:
            page = instance.fetch_materializations(wanted, limit=200, cursor=cursor, ascending=True)
            found |= dict.fromkeys(_materialization(r.event_log_entry) for r in page.records)
            runs |= {r.run_id for r in page.records}
            cursor, more = page.cursor, page.has_more
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    for run_id in sorted(runs):
        for record in instance.get_records_for_run(run_id, of_type=kind).records:
            made = _materialization(record.event_log_entry)
            if made.asset in STAGES and record.partition_key == case_id:
                found[made] = None
    return tuple(sorted(found, key=lambda made: made.at_utc))


def _materialization(entry: Any) -> Materialization:
    made = entry.asset_materialization
    stated = {key: value.value for key, value in made.metadata.items()}
    return Materialization(
        asset=made.asset_key.to_user_string(),
        run_id=entry.run_id,
        at_utc=datetime.fromtimestamp(entry.timestamp, UTC).isoformat(timespec="milliseconds"),
        data_version=(made.tags or {}).get("dagster/data_version"),
        **{name: stated.get(name) for name in _STATED},
    )


def _said(event: Any, instance: dg.DagsterInstance, run_id: str) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:  # "Exceeded max_retries" says nothing of the cause
        error = error.cause
    if error is not None and error.cls_name == "DagsterAssetCheckFailedError":
        return _refusal(instance, run_id, event.step_key) or str(error.message).strip()
    return str(error.message).strip() if error else str(event.message)


def _refusal(instance: dg.DagsterInstance, run_id: str, asset: str) -> str:
    """The gates that stopped `asset`, each with the exhibit and the expectation that its check names."""
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    said = []
    for record in instance.get_records_for_run(run_id, of_type=kind).records:
        event = record.event_log_entry.dagster_event
        check = event.asset_check_evaluation_data if event is not None else None
        if check is None or check.passed or check.asset_key.to_user_string() != asset:
            continue
        if check.severity == dg.AssetCheckSeverity.ERROR:
            said.append(f"{check.check_name}: {check.description}")
    return "; ".join(said)
