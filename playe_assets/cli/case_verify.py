"""`playe case verify`: everything read again, the first difference named, what was not compared said, recorded."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from playe_assets.cli.screen import as_json, sayer

if TYPE_CHECKING:
    from playe_assets.examination.settings import Settings
    from playe_assets.examination.verify import Verification

_NAMED = 20
"""Differences that the log's line names; all are counted."""


@click.command("verify")
@click.argument("case_id", metavar="ID")
@click.option("--record/--no-record", default=True, show_default=True,
              help="Write the outcome into the custody log; never into one that does not hold.")  # fmt: skip
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(ctx: click.Context, case_id: str, record: bool, machine: bool) -> None:
    """Read a case again: store, log, reports, Dagster's metadata; exit 1 and name the first difference."""
    from playe_assets.core.texts import text
    from playe_assets.defs.launch import dagster_side
    from playe_assets.examination.settings import load_settings
    from playe_assets.examination.verify import verify_case

    said = sayer(ctx)
    language = ctx.obj["language"]
    settings = load_settings()
    with counting(said, machine) as progress:
        found = verify_case(settings, case_id, progress, materialized=dagster_side(case_id))
    told = [
        text(f"verify.{d.code}", language, **d.facts) + _about(d.about, said, language)
        for d in found.differences
    ]
    skipped = [text(f"verify.skipped.{n.code}", language, **n.facts) for n in found.not_compared]
    why = _recorded(settings, found) if record else "asked"
    if machine:
        as_json({"case": case_id, "holds": found.holds, "objects": found.objects, "reports": found.reports,
                 "log_lines": found.log_lines, "materializations": found.materializations,
                 "first": told[0] if told else None,
                 "differences": [{"code": d.code, **d.facts, "said": t}
                                 for d, t in zip(found.differences, told, strict=True)],
                 "not_compared": [{"code": n.code, **n.facts, "said": t}
                                  for n, t in zip(found.not_compared, skipped, strict=True)],
                 "recorded": not why})  # fmt: skip
    else:
        key = "verified" if found.holds else "not_verified"
        click.echo(said(key, case=case_id, objects=found.objects, reports=found.reports, lines=found.log_lines,
                        differences=len(told)))  # fmt: skip
        click.echo(said("verify_dagster", count=found.materializations))
        for line in skipped:
            click.echo(said("verify_skipped", said=line))
        if told:
            click.echo(said("verify_first", said=told[0]))
        if told[1:]:
            click.echo(said("verify_further"))
        for line in told[1:]:
            click.echo(f"  {line}")
        if why:
            click.echo(said("verify_unrecorded", why=said(f"verify_unrecorded.{why}")))
    if not found.holds:
        sys.exit(1)


def _recorded(settings: Settings, found: Verification) -> str:
    """Write the outcome into the log; why that could not be done, as a key under `cli.verify_unrecorded.`, or empty."""
    from playe_assets.cli.recorded import cli_recorder

    if settings.audit == "off":
        return "off"
    if not found.log_holds:
        return "broken"
    if not os.access(settings.log_path, os.W_OK) or not os.access(settings.log_path.parent, os.W_OK):
        return "read_only"
    checks = [{"check": "case", "state": "holds" if found.holds else "fails"}]
    checks += [{"check": d.code, "state": "fails"} for d in found.differences[:_NAMED]]
    checks += [{"check": n.code, "state": "not_checked"} for n in found.not_compared[:_NAMED]]
    cli_recorder(settings, found.case_id).note(
        "custody.case_verified",
        step="verify",
        input_sha256=found.read,
        checks=checks,
        metrics={"objects": found.objects, "reports": found.reports, "log_lines": found.log_lines,
                 "materializations": found.materializations, "differences": len(found.differences)},
        params={"named": _NAMED},
    )  # fmt: skip
    return ""


def _about(about: tuple[str, str] | None, said: Any, language: str) -> str:
    """Such as ` It is D002, viewing copy.`"""
    from playe_assets.core.texts import catalogue, text

    if about is None:
        return ""
    key = f"report.word.kind.{about[1]}"
    kind = text(key, language) if key in catalogue() else about[1]
    return " " + str(said("it_is", number=about[0], kind=kind))


def counting(said: Any, quiet: bool) -> Any:
    """A progress bar over objects on a terminal."""
    from contextlib import contextmanager

    @contextmanager
    def bar() -> Any:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        if quiet or not console.is_terminal:
            yield lambda _what, _done, _total: None
            return
        with Progress(console=console) as progress:
            task = progress.add_task(said("reading"), total=None)
            yield lambda _what, done, total: progress.update(task, completed=done, total=total)

    return bar()
