"""`playe case export`: an issued report in the formats that other systems read."""

from __future__ import annotations

from pathlib import Path

import click

from playe_assets.cli.screen import as_json, sayer
from playe_assets.exporters.exchange import EXCHANGES


@click.command("export")
@click.argument("case_id", metavar="ID")
@click.option("--report", "report_id", metavar="ID", default="", help="Which report; default: the newest.")
@click.option("--format", "formats", multiple=True, required=True, type=click.Choice(EXCHANGES.names()),
              help="What to write; may be given several times.")  # fmt: skip
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="Folder to write into; made if it is not there.")  # fmt: skip
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def export_(
    ctx: click.Context, case_id: str, report_id: str, formats: tuple[str, ...], out: Path, machine: bool
) -> None:  # fmt: skip
    """Write a report of the case ID in exchange formats: CASE/UCO, W3C PROV, C2PA."""
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.examination.exchange import export, plain
    from playe_assets.examination.settings import load_settings

    said = sayer(ctx)
    settings = load_settings()
    exported = export(settings, cli_recorder(settings, case_id), case_id, formats, out, report_id=report_id)
    if machine:
        as_json(plain(exported))
        return
    click.echo(said("exported", report=exported.report_id, folder=out))
    for file in exported.files:
        click.echo(f"  {file.path.relative_to(out)}  {file.sha256}")
