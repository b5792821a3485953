"""The audit: the whole log read once and held against its checkpoints, its keys and what was kept elsewhere.

It reads only, needs no lock and no secret, and goes on after the first finding. What one copy of a log can not
show by itself (that the whole of it was exchanged for an older one) needs a witness; docs/custody.md has the table.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.custody.audit_lines import MANY, AuditFinding, LinePass
from playe_assets.custody.audit_notes import (
    Chain,
    Witness,
    against_lines,
    against_tokens,
    against_witness,
    private_key,
    read_chain,
    still_held,
    text_of,
)
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_read import parse, rotated
from playe_assets.custody.note import Checkpoint, fingerprint
from playe_assets.custody.timestamps import verify_token

Progress = Callable[[int, int], None]
"""Told how many bytes of how many were read."""
_STEP = 4096
_WRITING_S = 0.5
"""How long a line is given to become whole that may be just being written."""


@dataclass(frozen=True)
class AuditResult:
    """What was read and what was found; `holds` where nothing is wrong."""

    lines: int
    checkpoints: int
    findings: tuple[AuditFinding, ...]
    """The first is what to look at first; advisory ones come last."""
    newest: Checkpoint | None
    """The last checkpoint; lines beyond its size are held by their chain alone."""
    fingerprint: str | None
    """Of the newest checkpoint's note, as reports print it."""
    held: Checkpoint | None
    """The last one with which the lines agree: the same where nothing is wrong."""
    unsigned: int
    """How many lines that is, the log's own about its checkpoints left out."""
    key0: str | None
    pinned: bool
    """Whether key 0 was held against one that was given."""
    witness: str | None
    """What the log was held against from outside."""
    witness_fingerprint: str | None
    """Of the checkpoint that the witness is or carries."""
    witnessed: int
    """How many lines that vouches for."""
    tokens: int
    """Time stamps that are there."""
    tokens_checked: int

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong; advisory findings do not count."""
        return all(finding.advisory for finding in self.findings)


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def audit(
    log: CustodyLog,
    checkpoints: Checkpoints,
    *,
    witness: Witness | str | None = None,
    key0: str | None = None,
    tsa_roots: bytes | None = None,
    is_copy: bool = False,
    progress: Progress = silent,
) -> AuditResult:
    """Hold every line, every checkpoint and the private key against each other, and against `witness`.

    Args:
        log: of any length; memory does not grow with it.
        checkpoints: theirs; only read.
        witness: a checkpoint's note, or what an issued report states (`witness_from`), kept outside the laboratory.
        key0: the log's first verifier key, from elsewhere; that of the settings unless given.
        tsa_roots: PEM of the roots against which time stamps are checked; without them they are counted only.
        is_copy: the private key is not here, for this is a copy; otherwise its absence is a finding.
        progress: told every some thousand lines.

    Raises:
        IntegrityError: `witness` is no checkpoint.
    """
    kept = Witness(witness) if isinstance(witness, str) else witness
    pinned = key0 or checkpoints.pinned or None
    chain = read_chain(checkpoints.folder, pinned)  # before the log, which only grows meanwhile
    sizes = {found.size for found in chain.checkpoints.values()}
    if kept is not None and kept.note is not None:
        sizes.add(text_of(kept.note).size)
    newest = chain.checkpoints.get(chain.newest)
    seqs = [kept.head[0]] if kept and kept.head else []
    seen = _read(log, lambda: LinePass(sizes, seqs, newest.size if newest else 0), progress)
    # A checkpoint that was made while the log was read is named in it, and judged by the next audit.
    named = [n for n in seen.named if n.epoch <= chain.newest or not _exists(checkpoints, n.epoch)]
    findings = seen.findings + chain.findings
    findings += _names(log)
    findings += against_lines(chain, named, seen.lines, seen.roots)
    if kept is not None:
        findings += against_witness(kept, chain, seen.lines, seen.roots, seen.hashes)
    told = [] if is_copy else list(private_key(chain, checkpoints.folder))
    if not _exists(
        checkpoints, chain.newest + 1
    ):  # else the key has changed with a checkpoint made meanwhile
        findings += told
    tokens = [epoch for epoch in chain.notes if _token(checkpoints, epoch).is_file()]
    gone = list(against_tokens(chain, seen.tokens, {e: _token(checkpoints, e) for e in tokens}))
    findings += gone
    told_of = {finding.facts["epoch"] for finding in gone}
    absent = [str(epoch) for epoch in sorted(chain.notes) if epoch not in tokens and epoch not in told_of]
    if checkpoints.tsa_url and absent:
        facts = {"count": len(absent), "first": absent[0], "last": absent[-1], "url": checkpoints.tsa_url}
        findings.append(AuditFinding("token_absent", facts, advisory=True))
    if tsa_roots is not None:
        findings += _stamps(checkpoints, chain, tokens, tsa_roots)
    return AuditResult(
        lines=seen.lines,
        checkpoints=len(chain.notes),
        findings=_first(findings, seen.more),
        newest=newest,
        fingerprint=fingerprint(chain.notes[chain.newest]) if newest else None,
        held=still_held(chain, seen.roots),
        unsigned=seen.uncovered,
        key0=chain.key0,
        pinned=pinned is not None,
        witness=kept.name or "-" if kept else None,
        witness_fingerprint=fingerprint(kept.note) if kept and kept.note is not None else None,
        witnessed=_vouched(kept) if kept else 0,
        tokens=len(tokens),
        tokens_checked=len(tokens) if tsa_roots is not None else 0,
    )


def _names(log: CustodyLog) -> Iterator[AuditFinding]:
    """Full files whose names state another first line than they hold: a line is looked up by those names."""
    for path, stated in rotated(log.path):
        with path.open("rb") as handle:
            raw = handle.readline()
        entry = parse(raw)
        if not raw or (entry is not None and entry["seq"] != stated):
            yield AuditFinding("file_name", {"path": str(path), "line": entry["seq"] if entry else "-"})


def _vouched(witness: Witness) -> int:
    signed = text_of(witness.note).size if witness.note is not None else 0
    return max(signed, witness.head[0] + 1 if witness.head else 0)


def _read(log: CustodyLog, fresh: Callable[[], LinePass], progress: Progress) -> LinePass:
    """The fast reading, which ends at the first break of the chain; then a thorough one that goes on behind it."""
    seen, total = fresh(), sum(_size(path) for path, _ in log.files())
    locked = True
    try:
        checked = log.check(lambda _: progress(seen.bytes, max(total, seen.bytes)), seen.add_held)
    except PermissionError:  # an auditor who may read the log, not lock it
        seen, locked = fresh(), False
        checked = log.check(
            lambda _: progress(seen.bytes, max(total, seen.bytes)), seen.add_held, locked=False
        )
    if checked.finding is None:
        seen.tell_clocks(checked.clocks, checked.clock_count)
        progress(seen.bytes, seen.bytes)
        return seen
    seen = fresh()
    for _, entry, raw in log.read():
        seen.add(entry, raw)
        if seen.lines % _STEP == 0:
            progress(seen.bytes, max(total, seen.bytes))

    def still_torn(line: int) -> bool:
        time.sleep(0 if locked else _WRITING_S)
        return next((entry for _, entry, _ in log.read(line)), None) is None

    seen.end(still_torn)
    # The strict reading knows problems that the thorough one does not, such as a key that stands twice in a line. It
    # is asked twice: between the readings a writer may have acknowledged or ended the line.
    if all(f.advisory for f in seen.findings) and log.check(locked=locked).finding == checked.finding:
        seen.findings.append(AuditFinding("line_malformed", {"line": checked.finding.line}))
    progress(seen.bytes, seen.bytes)
    return seen


def _first(findings: list[AuditFinding], more: int) -> tuple[AuditFinding, ...]:
    """What is wrong before what is advisory, of each kind the first `MANY`."""
    kept: list[AuditFinding] = []
    kinds: Counter[str] = Counter()
    for finding in sorted(findings, key=lambda found: found.advisory):
        kinds[finding.code] += 1
        if kinds[finding.code] <= MANY:
            kept.append(finding)
    more += len(findings) - len(kept)
    if more:
        kept.append(AuditFinding("and_more", {"count": more}, all(found.advisory for found in kept)))
    return tuple(kept)


def witness_from(path: Path) -> Witness:
    """What a file that was kept outside says of the log: a checkpoint's note, a report.json or a notice.json.

    Raises:
        CommandError: it is none of these.
    """
    try:
        content = path.read_bytes().decode()
        if not content.lstrip().startswith("{"):
            text_of(content)
            return Witness(content, name=path.name)
        document = json.loads(content)
        custody = document["sections"]["custody"] if "sections" in document else document
        checkpoint, head = custody.get("checkpoint"), custody["log_head"]
        note = str(checkpoint["note"]) if checkpoint else None
        if note is not None:
            text_of(note)
        stated = (int(head["seq"]), str(head["sha256"]))
        return Witness(note, stated, str(checkpoint["key0"]) if checkpoint else None, path.name)
    except (
        OSError,
        UnicodeDecodeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IntegrityError,
    ) as problem:
        raise CommandError("audit.no_witness", path=str(path), problem=str(problem)) from None


def _stamps(
    checkpoints: Checkpoints, chain: Chain, epochs: list[int], roots: bytes
) -> Iterator[AuditFinding]:
    for epoch in epochs:
        try:
            facts = verify_token(_token(checkpoints, epoch).read_bytes(), chain.notes[epoch].encode(), roots)
        except (IntegrityError, OSError) as problem:
            yield AuditFinding("token_refused", {"epoch": epoch, "problem": problem})
            continue
        stated = next((e[5:] for e in chain.checkpoints[epoch].extensions if e.startswith("time ")), "")
        if stated > facts.time_utc:
            yield AuditFinding(
                "token_before", {"epoch": epoch, "stated": stated, "stamped": facts.time_utc}, advisory=True
            )


def _exists(checkpoints: Checkpoints, epoch: int) -> bool:
    try:
        return (checkpoints.folder / f"{epoch:06d}.note").exists()
    except OSError:  # a line may name any number, also one that is too long for a file's name
        return False


def _token(checkpoints: Checkpoints, epoch: int) -> Path:
    return checkpoints.folder / f"{epoch:06d}.tsr"


def _size(path: Path) -> int:
    """Bytes of a file of the log for the progress bar; none where the log is rotated that moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
