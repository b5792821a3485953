"""`playe case`: submit, list, show, verify."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from playe_assets.cli.case_export import export_
from playe_assets.cli.case_verify import verify
from playe_assets.cli.screen import as_json, sayer, stages, table


@click.group()
def case() -> None:
    """Submit, list, show and verify cases."""


case.add_command(export_)
case.add_command(verify)


@case.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--case", "case_id", metavar="ID", help="Case id; default: from case.yaml, else the folder's name."
)
@click.option("--preset", metavar="NAME", help="forensic_safe (default), balanced or presentation.")
@click.option("--operator", metavar="NAME", help="Who submits; default: case.yaml's operator, else the user.")
@click.option("--wait", is_flag=True, help="Examine here and now instead of leaving it to the daemon.")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def submit(
    ctx: click.Context, folder: Path, case_id: str | None, preset: str | None, operator: str | None,
    wait: bool, machine: bool,
) -> None:  # fmt: skip
    """Submit FOLDER as a case. With --wait the folder stays where it is."""
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.examination.settings import load_settings
    from playe_assets.examination.submission import check_submission, drop, submitted

    said = sayer(ctx)
    settings = load_settings()
    submission = check_submission(settings, folder, case_id, preset)
    named = submission.given.operator
    who, auth = (operator, "cli-option") if operator else (named, "case-file") if wait and named else (
        getpass.getuser(), "os-user")  # fmt: skip
    recorder = cli_recorder(settings, submission.case_id)
    request_id = recorder.request_id
    with recorder.record("custody.submitted", step="case submit", params={
        "for": who, "auth": auth, "preset": submission.preset, "in_place": wait}) as work:  # fmt: skip
        goal = folder if wait else drop(settings, submission, who, request_id, explicit=operator is not None)
        work.metrics.update(submitted(settings, goal))
    if not wait:
        if machine:
            as_json({"case": submission.case_id, "inbox": str(goal), "request_id": request_id})
        else:
            click.echo(said("submitted", case=submission.case_id, folder=goal))
        return
    from playe_assets.defs.launch import STAGES, examine_here, open_instance
    from playe_assets.defs.partitions import (
        TAG_DELIVERY,
        TAG_IN_PLACE,
        TAG_OPERATOR,
        TAG_OPERATOR_AUTH,
        TAG_PRESET,
        TAG_REQUEST,
    )

    tags = {TAG_REQUEST: request_id, TAG_OPERATOR: who, TAG_OPERATOR_AUTH: auth,
            TAG_DELIVERY: str(folder.absolute()), TAG_IN_PLACE: "true"}  # fmt: skip
    if submission.preset:
        tags[TAG_PRESET] = submission.preset
    with open_instance() as instance, stages(STAGES, said, machine) as watch:
        outcome = examine_here(instance, submission.case_id, tags, watch.stage, watch.progress,
                               ctx.obj["language"])  # fmt: skip
    report(ctx, settings, submission.case_id, outcome, request_id, machine)


def report(
    ctx: click.Context, settings: Any, case_id: str, outcome: Any, request_id: str, machine: bool
) -> None:
    """Print where the report lies and which marks could not be used, or why there is none (exit code 1)."""
    from playe_assets.examination.overview import latest_report, notes_on_marks

    said = sayer(ctx)
    issued = latest_report(settings, case_id) if outcome.success else None
    notes = notes_on_marks(issued["json"], ctx.obj["language"]) if issued else []
    if machine:
        as_json({"case": case_id, "run_id": outcome.run_id, "request_id": request_id, "success": outcome.success,
                 "stages_s": outcome.seconds, "error": outcome.error or None, "report": issued,
                 "notes": notes})  # fmt: skip
    else:
        for stage, seconds in outcome.seconds.items():
            click.echo(said("stage_time", stage=said(f"stage.{stage}"), seconds=f"{seconds:.2f}"))
        if issued is None:
            click.echo(said("not_issued", stage=outcome.failed_stage, error=outcome.error), err=True)
        else:
            click.echo(said("issued", report=issued["report_id"], pdf=issued["pdf"], json=issued["json"]))
            click.echo(_signed(issued, said))
        if notes:
            click.echo(said("notes"))
        for note in notes:
            click.echo(f"  {note}")
    if issued is None:
        sys.exit(1)


def _signed(item: Mapping[str, Any], said: Any) -> str:
    """Whom a report names as its signer, or that it is unsigned."""
    if item["signer"] is None:
        return str(said("report_unsigned"))
    return str(said("report_signed", signer=item["signer"], file=item["signature"] or "-"))


@case.command("list")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def list_(ctx: click.Context, machine: bool) -> None:
    """List the cases of this laboratory."""
    from playe_assets.examination.overview import overview
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    rows = overview(load_settings())
    if machine:
        as_json(rows)
    elif not rows:
        click.echo(said("no_cases"))
    else:
        head = [said(f"head.{k}") for k in ("case", "title", "exhibits", "preset", "reports", "created")]
        table([[r["case_id"], r["title"], str(r["exhibits"]), r["preset"], str(r["reports"]), r["created_utc"][:19]]
               for r in rows], head)  # fmt: skip


@case.command()
@click.argument("case_id", metavar="ID")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def show(ctx: click.Context, case_id: str, machine: bool) -> None:
    """Show a case: deliveries, exhibits, reports, runs."""
    from playe_assets.defs.launch import open_instance, runs_of
    from playe_assets.examination.overview import details
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    found = details(load_settings(), case_id, ctx.obj["language"])
    with open_instance() as instance:
        found["runs"] = runs_of(instance, case_id)
    if machine:
        as_json(found)
        return
    click.echo(said("case_head", case=case_id, title=found["title"] or "—", operator=found["operator"],
                    preset=found["preset"], created=found["created_utc"][:19]))  # fmt: skip
    table([[e["number"], e["name"], e["status"], e["media"], e["why"]] for e in found["exhibits"]],
          [said(f"head.{k}") for k in ("exhibit", "name", "status", "media", "why")])  # fmt: skip
    for item in found["reports"]:
        click.echo(said("report_line", report=item["report_id"], issued=item["issued_utc"], pdf=item["pdf"]))
        click.echo(_signed(item, said))
    for run in found["runs"]:
        click.echo(said("run_line", run=run["run_id"][:8], status=run["status"]))
    for failure in found["failures"]:
        click.echo(said("failure_line", at=failure["at_utc"][:19], stage=failure["asset"],
                        message=failure["message"]))  # fmt: skip
