"""What `playe audit` prints: the outcome of an audit, and lines of the log as people read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from playe_assets.cli.screen import Said
from playe_assets.core.errors import IntegrityError

if TYPE_CHECKING:
    from playe_assets.custody.audit import AuditResult

_STATUS = ("started", "ok", "failed")


def whole_key(ctx: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """A verifier key as it was given; one that was cut short while copying accuses no log, it is asked for again."""
    from playe_assets.custody.note import VerifierKey

    if given is not None:
        try:
            VerifierKey.parse(given)
        except IntegrityError as problem:
            raise click.BadParameter(problem.message((ctx.obj or {}).get("language", "en"))) from None
    return given


def print_result(found: AuditResult, path: str, said: Said, language: str) -> None:
    """What is wrong, what to ask about, what was held against what; and what to do."""
    wrong = [f for f in found.findings if not f.advisory]
    facts = {"path": path, "lines": found.lines, "checkpoints": found.checkpoints, "findings": len(wrong)}
    click.echo(said("audit_holds" if found.holds else "audit_broken", **facts))
    for finding in wrong:
        click.echo(f"  ! {shown(finding.said(language))}")
    for finding in found.findings:
        if finding.advisory:
            click.echo(f"  ? {shown(finding.said(language))}")
    for code, told in _scope(found):
        click.echo(f"  - {shown(said(f'audit_scope.{code}', **told))}")
    if not found.holds:
        click.echo(said("audit_what_now", folder=Path(path).parent))


def _scope(found: AuditResult) -> list[tuple[str, dict[str, Any]]]:
    """What was held against what, and what was not: keys below `cli.audit_scope.` with their facts."""
    told: list[tuple[str, dict[str, Any]]] = []
    if not found.holds:
        told.append(
            ("still", {"lines": found.held.size, "epoch": found.held.epoch}) if found.held else ("none", {})
        )
    elif found.newest is None:
        told.append(("no_checkpoint", {}))
    else:
        told.append(("covered", {"covered": found.newest.size, "epoch": found.newest.epoch,
                                 "fingerprint": found.fingerprint}))  # fmt: skip
        if found.unsigned:
            told.append(("uncovered", {"lines": found.unsigned}))
    if found.pinned and found.holds:
        told.append(("key_pinned", {}))
    elif found.key0 and not found.pinned:
        told.append(("key_not_pinned", {"vkey": found.key0}))
    if found.witness is None:
        told.append(("no_witness", {}))
    elif found.holds:
        told.append(("witness", {"name": found.witness, "lines": found.witnessed}))
    if found.witness_fingerprint is not None:
        told.append(("fingerprint", {"name": found.witness, "fingerprint": found.witness_fingerprint}))
    if found.tokens:
        told.append(("tokens" if found.tokens_checked else "tokens_unchecked", {"tokens": found.tokens}))
    return told


def as_plain(found: AuditResult, path: str, language: str) -> dict[str, Any]:
    """The same for machines."""
    from playe_assets.core.errors import PlayeError

    findings = [
        {"code": f.code, "advisory": f.advisory, "said": f.said(language),
         "facts": {k: str(v) if isinstance(v, (PlayeError, OSError, ValueError)) else v for k, v in f.facts.items()}}
        for f in found.findings
    ]  # fmt: skip
    newest = found.newest
    return {
        "log": path, "holds": found.holds, "lines": found.lines, "checkpoints": found.checkpoints,
        "newest": {"epoch": newest.epoch, "size": newest.size, "root": newest.root.hex(),
                   "fingerprint": found.fingerprint} if newest else None,
        "held_lines": found.held.size if found.held else 0,
        "key0": found.key0, "key_pinned": found.pinned, "witness": found.witness,
        "witness_fingerprint": found.witness_fingerprint, "findings": findings,
        "time_stamps": found.tokens, "time_stamps_checked": found.tokens_checked,
    }  # fmt: skip


def line(entry: dict[str, Any] | None, said: Said, with_case: bool) -> str:
    """One line of the log as people read it."""
    from playe_assets.core.texts import catalogue

    if entry is None:
        return str(said("audit_torn_line"))
    event, status = str(entry.get("event")), entry.get("status")
    word = said(f"event.{event}") if f"cli.event.{event}" in catalogue() else event
    place = [entry.get("case_id") if with_case else None, entry.get("exhibit"), entry.get("step")]
    who = _within(entry, "operator", "id")
    parts = [
        f"{entry['seq']:>6}",
        str(entry.get("t_end_utc") or entry.get("t_start_utc") or "")[:19].replace("T", " ") + "Z",
        f"{said(f'status.{status}') if status in _STATUS else '':<9}",
        f"{word:<34}",
        " · ".join(str(p) for p in place if p),
        f"({who})" if who else "",
    ]
    told = shown("  ".join(part for part in parts if part).rstrip())
    error = _within(entry, "error", "message")
    return f"{told}\n{'':>8}{shown(error)}" if error else told


def shown(text: object) -> str:
    """`text` without what moves a terminal's cursor or rewrites its screen: a name may come from evidence."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def _within(entry: dict[str, Any], outer: str, inner: str) -> Any:
    found = entry.get(outer)
    return found.get(inner) if isinstance(found, dict) else None
