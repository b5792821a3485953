"""`playe models`: cards, licences and states; fetching, importing, building, certifying, approving."""

from __future__ import annotations

import importlib
from typing import Any

import click

from playe_assets.cli.screen import Said, as_json, sayer

_COMMANDS = {
    "list": "playe_assets.cli.models:list_",
    "show": "playe_assets.cli.models:show",
    "pull": "playe_assets.cli.models_files:pull",
    "import": "playe_assets.cli.models_files:import_",
    "build": "playe_assets.cli.models_engine:build",
    "certify": "playe_assets.cli.models_engine:certify",
    "ready": "playe_assets.cli.models_ready:ready",
    "approve": "playe_assets.cli.models_approval:approve",
    "warm": "playe_assets.cli.models_warm:warm",
    "withdraw": "playe_assets.cli.models_approval:withdraw",
}


class _Lazy(click.Group):
    """Commands by name, in the order in which a model goes through them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found


@click.group(cls=_Lazy)
def models() -> None:
    """Model cards: fetch, build, certify, approve, withdraw."""


@click.command("list")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def list_(ctx: click.Context, machine: bool) -> None:
    """List the model cards: licence, commercial use, AI class, state, installed."""
    from playe_assets.examination.overview_models import models_overview
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    rows = models_overview(load_settings())
    if machine:
        as_json(rows)
        return
    _print_by_task(said, rows)


def _print_by_task(said: Said, rows: list[dict[str, Any]]) -> None:
    """A line a task and its models below it, so that licences have room on a terminal of 80 columns."""
    from rich.console import Console
    from rich.table import Table

    keys = ("model", "ai_class", "state", "installed", "licence")
    head = [said(f"head.{key}") for key in keys[:-1]] + [f"{said('head.licence')}; {said('head.commercial')}"]
    cells: dict[str, list[list[str]]] = {"": [head]}
    for r in rows:
        cells.setdefault(r["task"], []).append(
            [r["name"], r["ai_class"], _state(said, r), said("yes") if r["installed"] else said("no"),
             f"{r['licence']}; {_commercial(said, r)}"]
        )  # fmt: skip
    widths = [max(len(row[i]) for group in cells.values() for row in group) for i in range(len(keys) - 1)]
    console = Console()
    for task, group in cells.items():
        if task:
            console.print(task, style="italic", markup=False, highlight=False)
        made = Table(box=None, show_header=False, pad_edge=False, style="none" if task else "bold")
        for width in widths:
            made.add_column(width=width, no_wrap=True)
        made.add_column(overflow="fold")
        for row in group:
            made.add_row(*row)
        console.print(made, markup=False)


@click.command()
@click.argument("name")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def show(ctx: click.Context, name: str, machine: bool) -> None:
    """Show all facts of a model, who decided what about it, and its certificates."""
    from playe_assets.examination.overview_models import model_details
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    found = model_details(load_settings(), name)
    if machine:
        as_json(found)
        return
    size = said("models.unknown") if found["bytes"] is None else str(found["bytes"])
    known = f"{found['sha256'] or said('models.unknown')} ({found['sha256_status']})"
    facts = {
        "model": f"{found['name']}: {found['title']}", "task": found["task"],
        "architecture": f"{found['architecture']}, {found['version']}", "file": found["file"], "bytes": size,
        "sha256": known, "url": found["url"], "licence": found["licence"], "commercial": _commercial(said, found),
        "ai_class": found["ai_class"], "reference": found["reference"], "notes": found["notes"] or "-",
        "installed": said("yes") if found["installed"] else said("no"), "state": _state(said, found),
    }  # fmt: skip
    width = max(len(said(f"head.{key}")) for key in facts)
    for key, value in facts.items():
        click.echo(f"{said(f'head.{key}'):<{width}}  {value}")
    for d in found["history"]:
        click.echo(said("models.decision", state=said(f"models.state.{d['state']}"), at=d["at"], by=d["by"],
                        why=d["why"], evidence=", ".join(d["evidence"]) or "-",
                        accepted=d["licence_accepted"] or "-"))  # fmt: skip
    for c in found["certificates"]:
        click.echo(said("models.certificate", sha256=c["sha256"], verdict=said(f"models.verdict.{c['verdict']}"),
                        target=c["target"], device=c["device"], at=c["made_utc"],
                        difference=c["max_difference"], reasons="; ".join(c["reasons"]) or "-"))  # fmt: skip


def _state(said: Said, row: dict[str, Any]) -> str:
    return said(f"models.state.{row['state']}")


def _commercial(said: Said, row: dict[str, Any]) -> str:
    return said(f"models.commercial.{row['commercial_use']}")
