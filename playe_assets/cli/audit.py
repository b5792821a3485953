"""`playe audit`: verify, watch and prove the custody log; export a case's lines; sign a checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from playe_assets.cli.audit_screen import as_plain, line, print_result, whole_key
from playe_assets.cli.screen import as_json, sayer
from playe_assets.core.errors import CommandError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Verify, watch, prove and export the custody log."""


@audit.command()
@click.option("--checkpoint", "witness", type=_FILE, metavar="FILE",
              help="What was kept elsewhere: a checkpoint (.note), or any issued report.json.")  # fmt: skip
@click.option("--key", metavar="VKEY", callback=whole_key,
              help="The log's first key, from elsewhere; default: custody_key.")  # fmt: skip
@click.option("--tsa-roots", type=_FILE, metavar="PEM",
              help="Roots of the time-stamping authority; default: tsa_roots of the settings.")  # fmt: skip
@click.option(
    "--copy", "is_copy", is_flag=True, help="This is a copy without the private key; do not miss it."
)
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(
    ctx: click.Context, witness: Path | None, key: str | None, tsa_roots: Path | None, is_copy: bool, machine: bool
) -> None:  # fmt: skip
    """Hold the log against its checkpoints and keys.

    Reads every line; exit code 1 if anything is wrong. With --checkpoint, also against what was kept outside the
    laboratory: only that finds out a log that was exchanged as a whole for an older copy.
    """
    from playe_assets.cli.case_verify import counting
    from playe_assets.custody.audit import audit as run_audit
    from playe_assets.custody.audit import witness_from
    from playe_assets.examination.settings import load_settings

    said, settings = sayer(ctx), load_settings()
    kept = witness_from(witness) if witness else None
    roots = tsa_roots or (Path(settings.tsa_roots) if settings.tsa_roots else None)
    if roots is not None and not roots.is_file():
        raise CommandError("audit.no_roots", path=str(roots))
    with counting(said, machine) as count:
        found = run_audit(
            settings.log, settings.checkpoints, witness=kept, key0=key,
            tsa_roots=roots.read_bytes() if roots else None, is_copy=is_copy,
            progress=lambda done, total: count("", done, total),
        )  # fmt: skip
    if machine:
        as_json(as_plain(found, str(settings.log_path), ctx.obj["language"]))
    else:
        print_result(found, str(settings.log_path), said, ctx.obj["language"])
    if not found.holds:
        sys.exit(1)


@audit.command()
@click.option("--follow", is_flag=True, help="Wait for further lines; Ctrl-C ends it.")
@click.option("-n", "count", type=click.IntRange(0), default=20, show_default=True, help="How many lines.")
@click.option("--case", "case_id", metavar="ID", help="Only lines of this case.")
@click.option("--json", "machine", is_flag=True, help="Print the raw lines (JSONL).")
@click.pass_context
def tail(ctx: click.Context, follow: bool, count: int, case_id: str | None, machine: bool) -> None:
    """Print the log's last lines, readable.

    Number, UTC, status, operation, then case, exhibit and step, and who asked for it.
    """
    from playe_assets.custody.log_tail import followed, last
    from playe_assets.examination.settings import load_settings

    said, log = sayer(ctx), load_settings().log
    lines, after = last(log, count, case_id)
    for _, entry, raw in lines:
        click.echo(raw if machine else line(entry, said, case_id is None))
    if not lines and not follow and not machine:
        click.echo(said("audit_nothing", path=log.path), err=True)
    if follow:
        try:
            for _, entry, raw in followed(log, after, case_id):
                click.echo(raw if machine else line(entry, said, case_id is None))
                sys.stdout.flush()
        except KeyboardInterrupt:
            return


@audit.command()
@click.argument("seq", type=click.IntRange(0))
@click.option("--checkpoint-epoch", "epoch", type=click.IntRange(0), metavar="N",
              help="Under this checkpoint instead of the newest.")  # fmt: skip
def proof(seq: int, epoch: int | None) -> None:
    """Print the proof that line SEQ is in the log.

    JSON: the line, its leaf hash, the path to the root (RFC 6962), the signed checkpoint, the first key.
    """
    from playe_assets.custody.export import prove
    from playe_assets.examination.settings import load_settings

    settings = load_settings()
    as_json(prove(settings.log, settings.checkpoints, seq, epoch))


@audit.command()
@click.option("--case", "case_id", required=True, metavar="ID", help="Whose lines.")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER",
              help="A folder that does not exist yet.")  # fmt: skip
@click.option("--single", is_flag=True, help="A proof for each line besides, to pass single lines on.")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def export(ctx: click.Context, case_id: str, out: Path, single: bool, machine: bool) -> None:
    """Write a case's lines with proofs and a verifier.

    A stranger checks the folder offline, with Python and its package cryptography alone; its README.txt says how.
    """
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.custody.export import check_export, export_case
    from playe_assets.examination.settings import load_settings

    said, settings = sayer(ctx), load_settings()
    check_export(settings.log, case_id, out.absolute())
    with (
        _writing(),
        cli_recorder(settings, case_id).record(
            "custody.log_exported", step="audit export", params={"single": single}
        ) as work,
    ):
        made = export_case(settings.log, settings.checkpoints, case_id, out.absolute(), single=single)
        work.outputs += [made.files["lines.jsonl"], made.files["proof.json"]]
        work.metrics |= {"lines": made.lines, "checkpoint": made.checkpoint.epoch}
    facts = {"folder": str(made.folder), "lines": made.lines, "case": case_id, "epoch": made.checkpoint.epoch,
             "size": made.checkpoint.checkpoint.size}  # fmt: skip
    if machine:
        as_json({**facts, "files": made.files})
    else:
        click.echo(said("audit_exported", **facts))


@audit.command()
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def checkpoint(ctx: click.Context, machine: bool) -> None:
    """Sign a checkpoint over the log as it is now.

    It is time-stamped where tsa_url is set. Keep a copy of the .note file outside the laboratory.
    """
    from playe_assets.cli.recorded import cli_recorder
    from playe_assets.custody.note import digest, fingerprint
    from playe_assets.examination.settings import load_settings

    said, settings = sayer(ctx), load_settings()
    with _writing(), cli_recorder(settings).record("custody.checkpointed", step="audit checkpoint") as work:
        kept = settings.checkpoints.make()
        work.outputs.append(digest(kept.note))
    facts = {"epoch": kept.epoch, "size": kept.checkpoint.size, "root": kept.checkpoint.root.hex(),
             "path": str(kept.path), "origin": kept.checkpoint.origin,
             "fingerprint": fingerprint(kept.note)}  # fmt: skip
    if machine:
        as_json(
            {
                **facts,
                "note": kept.note,
                "time_stamped": kept.token is not None,
                "key0": settings.checkpoints.key0(),
            }
        )
        return
    click.echo(said("audit_checkpoint", **facts))
    if settings.tsa_url:
        key = "audit_stamped" if kept.token is not None else "audit_not_stamped"
        click.echo(said(key, url=settings.tsa_url))


@audit.command()
@click.pass_context
def key(ctx: click.Context) -> None:
    """Print the log's first key, to publish and pin.

    Whoever knows it can check every checkpoint; pin it as custody_key in laboratory.yaml.
    """
    from playe_assets.examination.settings import load_settings

    click.echo(load_settings().checkpoints.key0())
    if sys.stdout.isatty():
        click.echo(sayer(ctx)("audit_key"), err=True)


@contextmanager
def _writing() -> Iterator[None]:
    """An auditor who may only read is told so in a sentence."""
    try:
        yield
    except PermissionError as problem:
        raise CommandError("audit.read_only", path=str(problem.filename)) from None
