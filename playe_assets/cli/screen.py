"""What the commands print: progress of a run, a case's page, JSON for machines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from playe_assets.core.texts import text

Said = Callable[..., str]


def sayer(ctx: click.Context) -> Said:
    """The catalogue in the language that the user chose."""
    language = (ctx.obj or {}).get("language", "en")

    def said(key: str, **facts: Any) -> str:
        return text(f"cli.{key}", language, **facts)

    return said


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    made = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    click.echo(
        made.encode("utf-8", "backslashreplace").decode("utf-8")
    )  # half a character stays JSON's escape


class Watch:
    """What a command is told while a run works; this one prints nothing."""

    def stage(self, stage: str, state: str) -> None:
        """`start`, `done` or `failed`."""

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        """How far a stage is."""


class _Lines(Watch):
    """A plain line a finished stage, where the output is no terminal."""

    def __init__(self, said: Said, screen: IO[str]) -> None:
        self.said, self.screen = said, screen

    def stage(self, stage: str, state: str) -> None:
        if state != "start":
            print(
                self.said(f"stage_{state}", stage=self.said(f"stage.{stage}")), file=self.screen, flush=True
            )


class _Bars(Watch):
    """A bar a stage on a terminal."""

    def __init__(self, bars: Any, said: Said, names: tuple[str, ...]) -> None:
        self.bars, self.said = bars, said
        self.tasks = {n: bars.add_task(said(f"stage.{n}"), total=None, start=False, what="", count="")
                      for n in names}  # fmt: skip

    def stage(self, stage: str, state: str) -> None:
        if stage not in self.tasks:
            return
        if state == "start":
            self.bars.start_task(self.tasks[stage])
        else:
            done = 1 if state == "done" else 0
            self.bars.update(self.tasks[stage], total=1, completed=done, what="", count="")
            self.bars.stop_task(self.tasks[stage])

    def progress(self, stage: str, what: str, done: int, total: int) -> None:
        if stage in self.tasks and total:
            # Short of its end: one clip that is done is no finished stage, with a tick and its clock stopped.
            self.bars.update(self.tasks[stage], total=total, completed=min(done, total - 0.001), what=what,
                             count=f"{done}/{total}")  # fmt: skip


@contextmanager
def stages(names: tuple[str, ...], said: Said, quiet: bool) -> Iterator[Watch]:
    """Progress of a run: bars on a terminal, plain lines elsewhere, nothing if `quiet`."""
    if quiet:
        yield Watch()
        return
    from rich.console import Console

    # Dagster turns the descriptors 1 and 2 into the run's compute log while a step works: keep one of our own.
    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8") as screen:
        console = Console(file=screen)
        if not console.is_terminal:
            yield _Lines(said, screen)
            return
        with _bars(console) as bars:
            yield _Bars(bars, said, names)


def _bars(console: Any) -> Any:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="[green]✓"),
        TextColumn("{task.description:<14}"),
        BarColumn(bar_width=28),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[what]}"),
    )
    return Progress(*columns, console=console)


def table(rows: list[list[str]], head: list[str]) -> None:
    """A table as wide as the terminal."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    made = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*map(escape, row))  # brackets are a name's own, no style
    Console().print(made)
