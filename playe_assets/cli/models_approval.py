"""`playe models approve` and `playe models withdraw`: who answers for a model, and why."""

from __future__ import annotations

import click

from playe_assets.cli.models_record import VARIANT, variant_of
from playe_assets.cli.recorded import cli_recorder
from playe_assets.cli.screen import as_json, sayer


@click.command(context_settings=VARIANT)
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Why; default: what the approval rests on.")
@click.option(
    "--accept-licence", metavar="TEXT", help="The licence, word for word, where it restricts the use."
)
@click.option("--evidence", multiple=True, metavar="FILE|SHA256",
              help="Further evidence beside the certificate; may be given more than once.")  # fmt: skip
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def approve(
    ctx: click.Context, name: str, reason: str, accept_licence: str | None, evidence: tuple[str, ...],
    machine: bool,
) -> None:  # fmt: skip
    """Approve a model for case runs. It must be installed and certified here; recorded in the log."""
    from playe_assets.examination import governance
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    state = governance.approve(
        name, settings, cli_recorder(settings), why=reason, accept_licence=accept_licence, evidence=evidence,
        variant=variant_of(ctx.args),
    )  # fmt: skip
    if machine:
        as_json({"name": name, "weights_sha256": state.weights_sha256, **state.plain})
        return
    click.echo(said("models.approved", name=name, by=state.by, at=state.at, why=state.why,
                    evidence=", ".join(state.evidence) or "-", accepted=state.licence_accepted or "-"))  # fmt: skip


@click.command()
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is withdrawn.")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def withdraw(ctx: click.Context, name: str, reason: str, machine: bool) -> None:
    """Take an approval back, and list the cases whose records name these weights."""
    from playe_assets.examination import governance
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    cases = governance.withdraw(name, settings, cli_recorder(settings), reason)
    if machine:
        as_json({"name": name, "state": governance.WITHDRAWN, "why": reason.strip(), "cases": cases})
        return
    click.echo(said("models.withdrawn", name=name, why=reason.strip()))
    for case_id in cases:
        click.echo(f"  {case_id}")
    if not cases:
        click.echo(said("models.no_cases"))
