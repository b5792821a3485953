"""`playe report verify`: a report checked offline and, with --rerun, run again from the original exhibits."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playe_assets.cli.audit_screen import shown, whole_key
from playe_assets.cli.screen import Said, as_json, sayer, stages, table

if TYPE_CHECKING:
    from playe_assets.custody.record import Operation
    from playe_assets.examination.rerun_result import Rerun
    from playe_assets.examination.settings import Settings
    from playe_assets.examination.verify_report import Verified
    from playe_assets.examination.verify_signed import Given

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_LARGEST_NOTE = 1 << 20
"""Bytes; a checkpoint has some hundreds. The folder is the other side's."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def report() -> None:
    """Verify a report offline, and run it again from the originals."""


@report.command()
@click.argument("file", metavar="REPORT.json", type=_FILE)
@click.option(
    "--rerun", "again", is_flag=True, help="Run the report's steps again and compare every derivative."
)
@click.option(
    "--exhibits", type=_FOLDER, metavar="DIR", help="The originals, found by sha256, whatever their names."
)
@click.option(
    "--derivatives", type=_FOLDER, metavar="DIR", help="The original derivatives, to bound differences."
)
@click.option(
    "--weights", type=_FOLDER, metavar="DIR", help="Weight files of the models that the report names."
)
@click.option(
    "--trust-roots", type=_FILE, metavar="PEM", help="Roots that signatures and time stamps are held to."
)
@click.option("--key", metavar="VKEY", callback=whole_key,
              help="The custody log's verifier key, known from elsewhere.")  # fmt: skip
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="The rerun's result."
)
@click.option("--threads", type=click.IntRange(0, 1024), metavar="N", help="Threads of the rerun; 0: all.")
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Where the rerun works; default: a temporary folder.")  # fmt: skip
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
@click.pass_context
def verify(
    ctx: click.Context, file: Path, again: bool, exhibits: Path | None, derivatives: Path | None,
    weights: Path | None, trust_roots: Path | None, key: str | None, out: Path | None, threads: int | None,
    work: Path | None, machine: bool,
) -> None:  # fmt: skip
    """Check REPORT.json: form, digests, derivation, records, proof, signatures; exit 1 if anything does not hold."""
    from playe_assets.examination import signing
    from playe_assets.examination.settings import load_settings
    from playe_assets.examination.verify_report import read_report, verify_report
    from playe_assets.examination.verify_signed import With

    settings, said, language = load_settings(), _safe(sayer(ctx)), str(ctx.obj["language"])
    given = read_report(file)
    asked = {"rerun": again, "exhibits": str(exhibits or "-"), "derivatives": str(derivatives or "-")}
    with _recorded(settings, given, asked) as work_done:
        given_roots = trust_roots.read_bytes() if trust_roots else None
        beside = With(exhibits, derivatives, given_roots or signing.trust_roots(settings),
                      given_roots or signing.tsa_roots(settings), key or settings.custody_key or None,
                      _notes(file, settings))  # fmt: skip
        found = verify_report(given, beside)
        if not machine:
            _show_checks(found, said, language)
        made = None
        if again and found.readable:
            made = _rerun(given, settings, said, language, machine, (exhibits, derivatives, weights),
                          (out, work, threads))  # fmt: skip
        if work_done is not None:
            _state(work_done, found, made)
    holds = found.holds and (made is None or made[0].holds) and not (again and made is None)
    if machine:
        as_json({**plain_checks(found, language), "holds": holds, "vouched": found.vouched,
                 "rerun": made[1] if made else None, "result": str(made[2]) if made else None})  # fmt: skip
    else:
        click.echo(said("report.holds" if holds else "report.fails", report=found.report_id))
        if holds and not found.vouched:
            click.echo(said("report.nobody"))
    if not holds:
        sys.exit(1)


def _safe(said: Said) -> Said:
    """Facts of the report as one printable line each: it is the other side's, and repaints nobody's screen."""
    return lambda key, **facts: said(key, **{
        name: value if isinstance(value, int | float | Path) else shown(value) for name, value in facts.items()
    })  # fmt: skip


def plain_checks(found: Verified, language: str) -> dict[str, Any]:
    """The checks as JSON types."""
    return {
        "report": found.report_id,
        "sha256": found.sha256,
        "schema_version": found.schema_version,
        "checks": [{"check": c.code, "state": c.state, "said": [w.said(language) for w in c.said]}
                   for c in found.checks],
    }  # fmt: skip


def _show_checks(found: Verified, said: Said, language: str) -> None:
    from playe_assets.core.texts import text

    click.echo(said("report.head", report=found.report_id, version=found.schema_version, sha256=found.sha256))
    for check in found.checks:
        head = said(f"report.state.{check.state}")
        click.echo(f"  {head:<18} {text(f'check.{check.code}', language)}")
        for words in check.said:
            click.echo(f"  {'':<18}   {shown(words.said(language))}")


def _rerun(
    given: Given, settings: Settings, said: Said, language: str, quiet: bool,
    folders: tuple[Path | None, Path | None, Path | None], how: tuple[Path | None, Path | None, int | None],
) -> tuple[Rerun, dict[str, Any], Path]:  # fmt: skip
    """Run again, write the result, show it; what was made is removed again where all of it was as it should be."""
    import getpass
    import shutil
    import tempfile

    from playe_assets.custody.record import Operator
    from playe_assets.examination.rerun import STAGES, Places, Watched, rerun
    from playe_assets.examination.rerun_result import plain, write_result
    from playe_assets.examination.stage import in_language

    exhibits, derivatives, weights = folders
    out, work, threads = how
    originals = exhibits or _own_store(settings, given)
    above = work.absolute() if work else Path(tempfile.mkdtemp(prefix="playe-rerun-"))
    places = Places(originals, above / "laboratory", derivatives, weights)
    with stages(STAGES, said, quiet) as watch:
        watched = Watched(watch.stage, lambda stage, what, done, total: watch.progress(
            stage, shown(in_language(what, language)), done, total))  # fmt: skip
        found = rerun(given.content, given.sha256, settings, places, Operator(getpass.getuser(), "verifier", "os-user"),
                      threads=threads, watched=watched)  # fmt: skip
    result = plain(found)
    goal = out.absolute() if out else above / "rerun.json"
    write_result(result, goal)
    if not quiet:
        show_rerun(found, said, language)
        click.echo(said("report.result", file=goal))
    if work is None and found.holds:
        shutil.rmtree(places.work)
    elif not quiet:
        click.echo(said("report.work", folder=places.work))
    return found, result, goal


def show_rerun(found: Rerun, said: Said, language: str) -> None:
    """A row a derivative, then all that is to be said beside them."""
    from playe_assets.examination.rerun_level import Level

    if found.stopped is not None:
        click.echo(said("report.stopped", stage=said(f"stage.{found.stopped_at}"),
                        why=found.stopped.said(language)))  # fmt: skip
    rows = [[shown(v.number_then or "-"), shown(v.exhibit), shown(v.kind), v.asked.value,
             said(f"report.level.{v.reached.value}"), said("yes" if v.file_equal else "no"),
             shown(v.why.said(language)) if v.why else ""]
            for v in found.verdicts]  # fmt: skip
    if rows:
        table(rows, [said(f"head.{k}") for k in ("derivative", "exhibit", "kind", "asked", "reached",
                                                 "file_equal", "why")])  # fmt: skip
    unseen = sum(v.reached is Level.L2 for v in found.verdicts)
    if unseen:
        click.echo(said("report.unseen", count=unseen))
    for absent in found.taken.absent:
        click.echo(said("report.absent", exhibit=absent.exhibit, name=absent.name, sha256=absent.sha256))
    for model in found.lacking:
        click.echo(said("report.lacking", name=model.name, sha256=model.sha256, why=model.why.said(language)))
    for claim in found.claims:
        key = "report.claim" if claim.breaks else "report.claim_allowed"
        click.echo(said(key, what=said(f"report.what.{claim.what}"), about=claim.about, name=claim.name,
                        then=claim.then, now=claim.now))  # fmt: skip
    if found.environments is not None:
        for other in found.environments.others:
            click.echo(said("report.other", what=other.what, then=other.then, now=other.now))
        key = "report.same_class" if found.environments.same_class else "report.other_class"
        click.echo(said(key))


def _own_store(settings: Settings, given: Given) -> Path:
    """The case's own evidence store, where this laboratory holds the case.

    Raises:
        CommandError: it does not, so that the exhibits have to be named.
    """
    from playe_assets.core.errors import CommandError

    folder = _case_here(settings, given)
    if folder is None:
        raise CommandError("rerun.no_exhibits")
    return folder / "objects"


def _case_here(settings: Settings, given: Given) -> Path | None:
    from playe_assets.core.errors import CommandError
    from playe_assets.examination.cases import CaseFolder

    try:
        folder = CaseFolder(settings, _case_id(given.content))
    except CommandError:
        return None
    return folder.root if folder.exists() else None


def _case_id(content: Mapping[str, Any]) -> str:
    found: Any = content
    for key in ("sections", "administration", "case", "id"):
        found = found.get(key) if isinstance(found, dict) else None
    return str(found)


@contextmanager
def _recorded(settings: Settings, given: Given, asked: Mapping[str, Any]) -> Iterator[Operation | None]:
    """The pair of lines in the laboratory's log, where the case is this laboratory's; elsewhere nothing is written."""
    if _case_here(settings, given) is None:
        yield None
        return
    from playe_assets.cli.recorded import cli_recorder

    recorder = cli_recorder(settings, _case_id(given.content))
    step = str(given.content.get("report_id"))[:200]
    with recorder.record(
        "custody.report_verified", step=step, inputs=[given.sha256], params=dict(asked)
    ) as work:
        yield work


def _state(work: Operation, found: Verified, made: tuple[Rerun, dict[str, Any], Path] | None) -> None:
    from playe_assets.stores.case_store import hash_file

    work.checks += [{"check": c.code, "state": c.state} for c in found.checks]
    if made is not None:
        again, result, file = made
        work.checks.append({"check": "rerun", "state": "holds" if again.holds else "fails",
                            "asked": result["asked"], "reached": result["reached"],
                            "derivatives": {d["number"] or f"+{d['number_now']}": d["reached"]
                                            for d in result["derivatives"]}})  # fmt: skip
        work.outputs.append(hash_file(file)[0])


def _notes(file: Path, settings: Settings) -> tuple[str, ...]:
    """Checkpoints from epoch 0 on, out of a folder beside the report or this laboratory's own."""
    for folder in (file.parent / "checkpoints", settings.log_path.parent / "checkpoints"):
        found = [
            p for p in sorted(folder.glob("*.note")) if p.is_file() and p.stat().st_size <= _LARGEST_NOTE
        ]
        if found:
            return tuple(p.read_text(encoding="utf-8", errors="replace") for p in found)
    return ()
