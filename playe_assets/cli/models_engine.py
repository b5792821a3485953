"""`playe models build` and `playe models certify`: the engine that case runs use, on this machine."""

from __future__ import annotations

import hashlib
import sys
import time
from typing import TYPE_CHECKING

import click

from playe_assets.cli.models_record import VARIANT, variant_of
from playe_assets.cli.recorded import cli_recorder
from playe_assets.cli.screen import as_json, sayer

if TYPE_CHECKING:
    from playe_assets.core.contracts import ModelUse
    from playe_assets.custody.record import Recorder
    from playe_assets.examination.settings import Settings
    from playe_assets.inference.certificate import Certificate


@click.command(context_settings=VARIANT)
@click.argument("name")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def build(ctx: click.Context, name: str, machine: bool) -> None:
    """Export a model to ONNX, once; case runs then need no torch. Its own parameters: --denoise 0.5."""
    from playe_assets.core.contracts import ModelUse
    from playe_assets.core.errors import CommandError
    from playe_assets.examination.engine import model_field
    from playe_assets.examination.models_engine import built, cards_for
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    use = ModelUse(name, variant_of(ctx.args))
    cards = cards_for(use, settings)
    if cards[0].format == "data":
        raise CommandError("models.no_network", name=name)
    fields = {c.name: model_field(c, None) for c in cards}
    began = time.monotonic()
    with cli_recorder(settings).record(
        "processing.model_built", step="models build", model=fields, params=dict(use.variant),
        inputs=[str(f["weights_sha256"]) for f in fields.values()], ai_class=cards[0].ai_class.value,
    ) as work:  # fmt: skip
        network = built(use, settings)
        graph = hashlib.sha256(network.onnx).hexdigest() if network.onnx else None
        work.outputs += [graph] if graph else []
    seconds = round(time.monotonic() - began, 2)
    if machine:
        as_json({"name": name, "variant": dict(use.variant), "target": str(settings.target),
                 "graph_sha256": graph, "seconds": seconds})  # fmt: skip
    elif graph is None:
        click.echo(said("models.no_graph", name=name, target=settings.target))
    else:
        click.echo(said("models.built", name=name, graph=graph, seconds=f"{seconds:.2f}"))


@click.command(context_settings=VARIANT)
@click.argument("name")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def certify(ctx: click.Context, name: str, machine: bool) -> None:
    """Compare a model's engine with fp32 torch on this device; exit 1 where it fails. --denoise 0.5 as for build."""
    from playe_assets.core.contracts import ModelUse
    from playe_assets.core.errors import CommandError
    from playe_assets.examination.models_engine import cards_for
    from playe_assets.examination.overview_models import plain_certificate
    from playe_assets.examination.settings import load_settings

    settings, said = load_settings(), sayer(ctx)
    use = ModelUse(name, variant_of(ctx.args))
    cards = cards_for(use, settings)
    if cards[0].format == "data":
        raise CommandError("models.no_network", name=name)
    made = certified_and_recorded(use, settings, cli_recorder(settings))
    told = plain_certificate(made)
    if machine:
        as_json(told)
    else:
        click.echo(said("models.certificate", sha256=told["sha256"], target=told["target"], device=told["device"],
                        verdict=said(f"models.verdict.{made.verdict}"), at=told["made_utc"],
                        difference=told["max_difference"],
                        reasons="; ".join(told["reasons"]) or "-"))  # fmt: skip
    if not made.passed:
        sys.exit(1)


def certified_and_recorded(use: ModelUse, settings: Settings, recorder: Recorder) -> Certificate:
    """A new certificate for `use`, whatever its verdict; who made it for which bytes stands in the log.

    Raises:
        PlayeError: weights, torch or the engine are not there, or the variant is unknown.
    """
    from playe_assets.examination.engine import model_field
    from playe_assets.examination.models_engine import cards_for, certified
    from playe_assets.inference.golden import SEEDS

    cards = cards_for(use, settings)
    fields = {c.name: model_field(c, None) for c in cards}
    with recorder.record(
        "processing.model_certified", step="models certify", model=fields, params=dict(use.variant),
        inputs=[str(f["weights_sha256"]) for f in fields.values()], ai_class=cards[0].ai_class.value,
        precision=settings.target.precision, seed={"golden": list(SEEDS)},
    ) as work:  # fmt: skip
        made = certified(use, settings)
        work.outputs.append(made.sha256)
        work.checks.append({"check": "certificate", "model": use.name, "sha256": made.sha256,
                            "verdict": made.verdict, "reasons": list(made.reasons)})  # fmt: skip
        work.extra["runtime"] = dict(made.place)
    return made
