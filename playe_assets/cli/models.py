"""`playe models`: which model cards there are, which weights are installed, install a local file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from playe_assets.cli.screen import as_json, sayer, table


@click.group()
def models() -> None:
    """Model cards and weight files."""


@models.command("list")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def list_(ctx: click.Context, machine: bool) -> None:
    """List the model cards, with licence and whether the weights are installed."""
    from playe_assets.examination.settings import load_settings
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.weights import installed

    settings, said = load_settings(), sayer(ctx)
    cards = model_cards(settings.registry, settings.own_cards).values()
    rows = [{**asdict(c), "installed": bool(installed(c, settings.weights))} for c in cards]
    if machine:
        as_json(rows)
        return
    head = [said(f"head.{k}") for k in ("model", "task", "licence", "commercial", "installed")]
    yes, no = said("yes"), said("no")
    table(
        [
            [r["name"], r["task"], r["licence"], r["commercial_use"], yes if r["installed"] else no]
            for r in rows
        ],
        head,
    )


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def import_(ctx: click.Context, file: Path) -> None:
    """Install a local weight FILE whose sha256 a model card knows."""
    import getpass
    import secrets

    from playe_assets.custody.log import CustodyLog
    from playe_assets.custody.record import Operator, Recorder
    from playe_assets.examination.settings import load_settings
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.weights import import_weights

    settings, said = load_settings(), sayer(ctx)
    recorder = Recorder(
        CustodyLog(settings.log_path),
        request_id=f"cli-{secrets.token_hex(8)}",
        case_id=None,
        operator=Operator(getpass.getuser(), "administrator", "os-user"),
        audit=settings.audit,
    )
    with recorder.operation("custody.weights_imported", step="models import") as work:
        cards = model_cards(settings.registry, settings.own_cards)
        card = import_weights(file, cards, settings.weights, settings.registry.name)
        work.outputs.append(str(card.sha256))
        work.extra["model"] = {"name": card.name, "version": card.version, "weights_sha256": card.sha256,
                               "licence": card.licence, "approval": None}  # fmt: skip
    click.echo(
        said("imported", name=card.name, file=card.file, licence=card.licence, commercial=card.commercial_use)
    )
