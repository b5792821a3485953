"""`playe models pull` and `playe models import`: weight files come to this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from playe_assets.cli.models_record import model_field
from playe_assets.cli.recorded import cli_recorder
from playe_assets.cli.screen import Said, as_json, sayer


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def pull(ctx: click.Context, names: tuple[str, ...], machine: bool) -> None:
    """Fetch weight files from the pinned addresses of their cards."""
    from playe_assets.examination.engine import cards_of
    from playe_assets.examination.settings import load_settings
    from playe_assets.inference import fetch
    from playe_assets.inference.weights import card_of

    settings, said = load_settings(), sayer(ctx)
    cards = cards_of(settings)
    wanted = [card_of(name, cards) for name in names]
    recorder, rows = cli_recorder(settings), []
    for card in wanted:
        with recorder.record(
            "custody.weights_pulled",
            step="models pull",
            model=model_field(card),
            ai_class=card.ai_class.value,
        ) as work:
            with _bar(said, card.name, quiet=machine) as progress:
                path = fetch.pull(card, settings.weights, progress)
            work.outputs.append(str(card.sha256))
        rows.append({"name": card.name, "file": str(path), "sha256": card.sha256, "licence": card.licence,
                     "commercial_use": card.commercial_use})  # fmt: skip
        if not machine:
            click.echo(said("imported", name=card.name, file=card.file, licence=card.licence,
                            commercial=said(f"models.commercial.{card.commercial_use}")))  # fmt: skip
    if machine:
        as_json(rows)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--card", type=click.Path(path_type=Path), metavar="CARD.yaml",
              help="Card of a model that the registry does not know.")  # fmt: skip
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def import_(ctx: click.Context, file: Path, card: Path | None, machine: bool) -> None:
    """Install a local weight FILE whose sha256 a model card knows, or a new model with its card."""
    from playe_assets.examination.models_import import import_known, import_with_card
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    with cli_recorder(settings).record("custody.weights_imported", step="models import") as work:
        made = import_with_card(file, card, settings) if card else import_known(file, settings)
        work.outputs.append(str(made.sha256))
        work.extra.update(model=model_field(made), ai_class=made.ai_class.value)
    if machine:
        as_json({"name": made.name, "file": made.file, "sha256": made.sha256, "licence": made.licence,
                 "commercial_use": made.commercial_use})  # fmt: skip
        return
    click.echo(said("imported", name=made.name, file=made.file, licence=made.licence,
                    commercial=said(f"models.commercial.{made.commercial_use}")))  # fmt: skip


@contextmanager
def _bar(said: Said, name: str, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A progress bar with size and speed on a terminal, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(said("models.pulling", name=name), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
