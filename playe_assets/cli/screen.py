"""What the commands print: progress of a run, a case's page, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from playe_assets.core.texts import text

Said = Callable[..., None]


def sayer(ctx: click.Context) -> Callable[..., str]:
    """The catalogue in the language that the user chose."""
    language = (ctx.obj or {}).get("language", "en")

    def said(key: str, **facts: Any) -> str:
        return text(f"cli.{key}", language, **facts)

    return said


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))


@contextmanager
def stages(
    names: tuple[str, ...], said: Callable[..., str], quiet: bool
) -> Iterator[Callable[[str, str], None]]:
    """A line with a spinner a stage on a terminal, a plain line where the output is none; nothing if `quiet`."""
    if quiet:
        yield lambda _stage, _state: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:

        def plain(stage: str, state: str) -> None:
            if state != "start":
                click.echo(said(f"stage_{state}", stage=said(f"stage.{stage}")), err=True)

        yield plain
        return
    with Progress(
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        tasks = {n: progress.add_task(said(f"stage.{n}"), total=1, start=False) for n in names}

        def moved(stage: str, state: str) -> None:
            if stage not in tasks:
                return
            if state == "start":
                progress.start_task(tasks[stage])
            else:
                progress.update(tasks[stage], completed=1 if state == "done" else 0)
                progress.stop_task(tasks[stage])

        yield moved


def table(rows: list[list[str]], head: list[str]) -> None:
    """A table as wide as the terminal."""
    from rich.console import Console
    from rich.table import Table

    made = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*row)
    Console().print(made)
