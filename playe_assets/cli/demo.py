"""`playe demo`: the main job on a small rendered case, through the real inbox, sensor, daemon and asset graph."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import click

from playe_assets.cli.screen import sayer, stages

_PATIENCE_S = 600.0


@click.command()
@click.option(
    "--language", "report_language", type=click.Choice(["en", "ru"]), help="Language of the report."
)
@click.pass_context
def demo(ctx: click.Context, report_language: str | None) -> None:
    """Write a small evidence folder, drop it into the inbox, wait for the report. Exit 0 only if it was issued."""
    from playe_assets.cli.case import report
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.cli.serve import code_server, daemon, running
    from playe_assets.defs.launch import STAGES, dagster_home, follow, open_instance
    from playe_assets.examination.demo_evidence import CASE_ID, write_demo
    from playe_assets.examination.inbox import look
    from playe_assets.examination.settings import load_settings
    from playe_assets.examination.submission import submitted

    said = sayer(ctx)
    began = time.monotonic()
    settings = load_settings()
    source = settings.data_root / "demo" / CASE_ID
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    write_demo(source)
    if report_language:
        file = source / "case.yaml"
        written = file.read_text(encoding="utf-8")
        file.write_text(written.replace("language: en", f"language: {report_language}"), encoding="utf-8")
    click.echo(said("demo_written", folder=source, seconds=f"{time.monotonic() - began:.1f}"))
    with ExitStack() as stack:
        instance = stack.enter_context(open_instance())
        logs = dagster_home() / "service_logs"
        if not running(dagster_home()):
            os.environ["PLAYE_INLINE_PREVIEWS"] = "true"  # rendered evidence: nothing to protect
            workspace = stack.enter_context(code_server(logs))
            stack.enter_context(daemon(logs, workspace))
        with cli_recorder(settings, CASE_ID).record("custody.submitted", step="demo") as work:
            dropped = _drop(source, settings.inbox, CASE_ID)
            work.metrics.update(submitted(settings, dropped))
        request = look(dropped, settings, time.time()).request_id
        click.echo(said("demo_dropped", folder=dropped))
        with stages(STAGES, said, False) as watch:
            outcome = follow(instance, request, watch.stage, _PATIENCE_S)
        if outcome is None:
            click.echo(said("demo_no_run", logs=logs), err=True)
            sys.exit(1)
    report(ctx, settings, CASE_ID, outcome, request, False)
    click.echo(said("demo_done", seconds=f"{time.monotonic() - began:.1f}", case=CASE_ID))


def _drop(source: Path, inbox: Path, name: str) -> Path:
    """A copy that appears whole, as a well-behaved program would drop it."""
    inbox.mkdir(parents=True, exist_ok=True)
    scratch, goal = inbox / f".{name}", inbox / name
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(source, scratch)
    shutil.rmtree(goal, ignore_errors=True)  # an earlier demo that nobody took
    scratch.rename(goal)
    return goal
