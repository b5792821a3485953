"""`playe models ready`: what a preset's models still lack, with the commands to paste."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from playe_assets.cli.models_engine import certified_and_recorded
from playe_assets.cli.recorded import cli_recorder
from playe_assets.cli.screen import Said, as_json, sayer

if TYPE_CHECKING:
    from playe_assets.examination.models_ready import Readiness


@click.command()
@click.argument("preset", metavar="PRESET")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def ready(ctx: click.Context, preset: str, machine: bool) -> None:
    """Build and certify what PRESET needs and is installed; say what is left to do, exit 1 if anything is."""
    from playe_assets.examination.models_ready import ABSENT, FAILED, READY, readiness
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    language = (ctx.obj or {}).get("language", "en")
    recorder = cli_recorder(settings)
    params = {"preset": preset, "target": str(settings.target)}
    with recorder.record("processing.models_readied", step="models ready", params=params) as work:
        found = []
        for item in readiness(preset, settings, lambda use: certified_and_recorded(use, settings, recorder)):
            found.append(item)
            work.checks.append(
                {"model": item.card.name, "variant": dict(item.use.variant), "lacks": item.lacks}
            )
            if not machine:
                _tell(item, said, language)
    left = [item for item in found if item.lacks != READY]
    if machine:
        as_json({"preset": preset, "target": str(settings.target), "ready": not left, "models": [
            {"name": i.card.name, "variant": dict(i.use.variant), "lacks": None if i.lacks == READY else i.lacks,
             "certificate": i.certificate, "licence": i.card.licence, "commercial_use": i.card.commercial_use,
             "problem": i.problem.message(language) if i.problem else "; ".join(i.reasons) or None,
             "withdrawn": i.withdrawn.plain if i.withdrawn else None, "next": i.next} for i in found]})  # fmt: skip
    elif not found:
        click.echo(said("models.ready_none", preset=preset))
    elif not left:
        click.echo(said("models.ready_all", preset=preset, n=len(found), target=settings.target))
    else:
        absent = [i for i in left if i.lacks == ABSENT]
        click.echo(said("models.ready_next"))
        if absent:
            click.echo("  playe models pull " + " ".join(dict.fromkeys(i.card.name for i in absent)))
        for item in left:
            if item.lacks not in (
                ABSENT,
                FAILED,
            ):  # what failed has its reason above; the last line repeats it
                click.echo(f"  {item.next}")
        if absent:
            click.echo(said("models.ready_offline"))
            for line in dict.fromkeys(f"    {i.card.file}  {i.card.url}" for i in absent):
                click.echo(line)
        if absent or any(i.lacks == FAILED for i in left):
            click.echo(f"  playe models ready {preset}")
    if left:
        sys.exit(1)


def _tell(item: Readiness, said: Said, language: str) -> None:
    """A line a model: what it lacks, and below it why."""
    from playe_assets.examination.models_engine import words_of

    name = f"{item.card.name}{words_of(item.use.variant)}"
    why = item.problem.message(language) if item.problem else "; ".join(item.reasons)
    click.echo(said("models.ready_line", name=name, state=said(f"models.ready.{item.lacks}"),
                    licence=item.card.licence,
                    commercial=said(f"models.commercial.{item.card.commercial_use}")))  # fmt: skip
    if item.withdrawn:
        why = said(
            "models.ready_withdrawn", by=item.withdrawn.by, at=item.withdrawn.at, why=item.withdrawn.why
        )
    if why:
        click.echo(f"    {why}")
