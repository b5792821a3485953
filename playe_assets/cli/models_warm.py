"""`playe models warm`: one tile through every model that a preset asks for, with what loading and warming took."""

from __future__ import annotations

import click

from playe_assets.cli.screen import as_json, sayer, table


@click.command()
@click.argument("preset", metavar="PRESET")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def warm(ctx: click.Context, preset: str, machine: bool) -> None:
    """Run one tile of each model that PRESET needs, as a case run would; seconds to load and to run."""
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.examination.models_engine import warmed
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    with cli_recorder(settings).record(
        "processing.models_warmed",
        step="models warm",
        params={"preset": preset, "target": str(settings.target)},
    ) as work:
        found = warmed(preset, settings)
        work.metrics.update(found)
    if machine:
        as_json({"preset": preset, "target": str(settings.target), "models": found})
        return
    if not found:
        click.echo(said("models.warm_none", preset=preset))
        return
    head = [said(f"head.{key}") for key in ("model", "load_s", "run_s")]
    table([[name, f"{t['load_seconds']:.3f}", f"{t['run_seconds']:.3f}"] for name, t in found.items()], head)
