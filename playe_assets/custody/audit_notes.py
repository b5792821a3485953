"""What an audit holds against the checkpoints: signatures from key 0 on, the lines, the private key, a witness."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise, takewhile
from pathlib import Path
from typing import Any

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.audit_lines import AuditFinding, Named
from playe_assets.custody.checkpoints import follow, set_back
from playe_assets.custody.keys import EpochKeys
from playe_assets.custody.note import Checkpoint, VerifierKey, digest, open_note


@dataclass(frozen=True)
class Witness:
    """What somebody outside kept: a checkpoint, or what an issued report states of the log."""

    note: str | None
    """A checkpoint's note."""
    head: tuple[int, str] | None = None
    """Number and sha256 of the log's last line when the report was built."""
    key0: str | None = None
    name: str = ""
    """What to call it, such as its file's name."""


@dataclass
class Chain:
    """The checkpoints of a folder, judged from the first key on."""

    key0: str | None = None
    notes: dict[int, str] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    """Epoch to the key that must sign it, as far as signed announcements lead."""
    findings: list[AuditFinding] = field(default_factory=list)

    @property
    def newest(self) -> int:
        """The last epoch; -1 where there is no checkpoint."""
        return max(self.checkpoints, default=-1)

    @property
    def origin(self) -> str | None:
        """The log's name."""
        return VerifierKey.parse(self.key0).name if self.key0 else None


def read_chain(folder: Path, pinned: str | None) -> Chain:
    """Every checkpoint in `folder`: signed by the key that the one before announced, in order, key 0 the pinned one."""
    chain = Chain()
    for path in sorted(folder.glob("*.note")):
        try:
            note = path.read_bytes().decode()
            found = text_of(note)
            epoch = found.epoch
        except (OSError, UnicodeDecodeError, IntegrityError) as problem:
            chain.findings.append(AuditFinding("note_unreadable", {"path": str(path), "problem": problem}))
            continue
        if path.name != f"{epoch:06d}.note":
            chain.findings.append(AuditFinding("note_misplaced", {"path": str(path), "epoch": epoch}))
            continue
        chain.notes[epoch], chain.checkpoints[epoch] = note, found
    try:
        chain.key0 = (folder / "key0.txt").read_text(encoding="utf-8").strip()
        VerifierKey.parse(chain.key0)
    except (OSError, UnicodeDecodeError):
        if chain.notes:
            chain.findings.append(AuditFinding("key0_absent", {"path": str(folder / "key0.txt")}))
    except IntegrityError as problem:
        chain.findings.append(AuditFinding(problem.code, problem.facts))
        chain.key0 = None
    if pinned and chain.key0 != pinned:
        chain.findings.append(AuditFinding("key0_other", {"found": chain.key0 or "-", "pinned": pinned}))
    _follow(chain)
    return chain


def _follow(chain: Chain) -> None:
    """The keys, as far as gapless checkpoints lead from key 0; what breaks the way is a finding."""
    if chain.key0 is None:
        return
    gapless = [chain.notes[epoch] for epoch in takewhile(chain.notes.__contains__, count())]
    held = len(gapless)
    try:
        follow(gapless, chain.key0)
    except IntegrityError as problem:
        chain.findings.append(AuditFinding(problem.code, _with_cause(problem)))
        held = int(problem.facts.get("epoch", 0))
    chain.keys = {0: chain.key0, **{n + 1: chain.checkpoints[n].next_key for n in range(held)}}
    if held == len(chain.notes):
        for epoch, seconds in set_back([chain.checkpoints[n] for n in range(held)]):
            facts = {"epoch": epoch, "seconds": f"{seconds:.0f}"}
            chain.findings.append(AuditFinding("checkpoint_clock", facts, advisory=True))


def against_lines(
    chain: Chain, named: Sequence[Named], lines: int, roots: Mapping[int, bytes]
) -> Iterator[AuditFinding]:
    """The notes against the lines that name them, and the roots that they sign against the lines as they are now."""
    seqs = {name.epoch: name.seq for name in named}
    for epoch in sorted(seqs.keys() - chain.notes.keys()):
        yield AuditFinding("checkpoint_deleted", {"epoch": epoch, "seq": seqs[epoch]})
    for before, epoch in pairwise((-1, *sorted(chain.notes))):
        if epoch > before + 1 and not any(before < missed < epoch for missed in seqs):
            yield AuditFinding("checkpoint_absent", {"first": before + 1, "last": epoch - 1})
    for name in named:
        note = chain.notes.get(name.epoch)
        if note is not None and digest(note) != name.note_sha256:
            yield AuditFinding("checkpoint_exchanged", {"epoch": name.epoch, "seq": name.seq})
    held, broken = 0, 0
    for epoch, found in sorted(chain.checkpoints.items()):
        if found.size > lines:
            yield AuditFinding("log_shorter", {"epoch": epoch, "size": found.size, "lines": lines})
            return  # the later ones say the same
        if roots[found.size] == found.root:
            held = max(held, found.size)
        elif not broken:
            broken = found.size
            facts = {"epoch": epoch, "first": held, "last": found.size - 1, "time": _time(found)}
            yield AuditFinding("log_changed", facts)
        if epoch not in seqs and epoch != chain.newest:
            yield AuditFinding("checkpoint_unnamed", {"epoch": epoch})


def against_tokens(
    chain: Chain, stated: Mapping[str, Mapping[str, int]], kept: Mapping[int, Path]
) -> Iterator[AuditFinding]:
    """Time stamps that the log says were had (note's sha256 to token's to line) against those that are kept."""
    for epoch, note in sorted(chain.notes.items()):
        had = stated.get(digest(note))
        if not had:
            continue
        last = max(had.values())
        if epoch not in kept:
            yield AuditFinding("token_removed", {"epoch": epoch, "seq": last})
        elif hashlib.sha256(kept[epoch].read_bytes()).hexdigest() not in had:
            yield AuditFinding("token_exchanged", {"epoch": epoch, "seq": last})


def still_held(chain: Chain, roots: Mapping[int, bytes]) -> Checkpoint | None:
    """The newest checkpoint, signed by a key that key 0 leads to, under which the lines are what they were."""
    for epoch, found in sorted(chain.checkpoints.items(), reverse=True):
        if epoch + 1 in chain.keys and roots.get(found.size) == found.root:
            return found
    return None


def private_key(chain: Chain, folder: Path) -> Iterator[AuditFinding]:
    """The private key that is there must be the one that the newest checkpoint announced: a rollback breaks that."""
    due, keys = chain.newest + 1, EpochKeys(folder / "keys")
    if not keys.folder.is_dir():
        if chain.notes:
            yield AuditFinding("keys_absent", {"path": str(keys.folder)})
        return
    if not os.access(keys.folder, os.R_OK | os.X_OK):
        yield AuditFinding("keys_elsewhere", {"path": str(keys.folder)}, advisory=True)
        return
    present = keys.present()
    # A crash may leave the next key beside the one that is due; the one that is due is erased only with its note.
    if due not in present and any(epoch > due for epoch in present):
        newest = str(chain.newest) if chain.notes else "-"
        yield AuditFinding("key_later", {"epoch": max(present) - 1, "newest": newest})
    elif due in chain.keys and (chain.notes or present):
        try:
            found = str(keys.load(due)[0])
        except IntegrityError as problem:
            yield AuditFinding(problem.code, problem.facts)
        except PermissionError:
            yield AuditFinding("keys_elsewhere", {"path": str(keys.path(due))}, advisory=True)
        else:
            if found != chain.keys[due]:
                yield AuditFinding("key_other", {"path": str(keys.path(due)), "newest": chain.newest})


def against_witness(
    witness: Witness, chain: Chain, lines: int, roots: Mapping[int, bytes], hashes: Mapping[int, str]
) -> Iterator[AuditFinding]:
    """What was kept outside against what is here: the only thing that finds out a log that was exchanged as a whole."""
    name = witness.name
    if witness.key0 and chain.key0 and witness.key0 != chain.key0:
        yield AuditFinding("witness_key0", {"name": name, "found": chain.key0, "stated": witness.key0})
    if witness.note is not None:
        yield from _note_of_witness(witness.note, name, chain, lines, roots)
    if witness.head is not None and witness.head[0] >= 0:
        seq, sha256 = witness.head
        if seq >= lines:
            yield AuditFinding("witness_head_ahead", {"name": name, "line": seq, "lines": lines})
        elif hashes.get(seq) != sha256:
            yield AuditFinding("witness_head", {"name": name, "line": seq, "sha256": sha256})


def _note_of_witness(
    note: str, name: str, chain: Chain, lines: int, roots: Mapping[int, bytes]
) -> Iterator[AuditFinding]:
    kept = text_of(note)
    epoch = kept.epoch
    facts = {"name": name, "epoch": epoch, "size": kept.size, "lines": lines, "time": _time(kept)}
    own = chain.checkpoints.get(epoch)
    if own == kept:
        return  # the checkpoint itself is held against the lines
    key = chain.keys.get(epoch)
    if chain.origin not in (None, kept.origin):
        yield AuditFinding("witness_foreign", {**facts, "origin": kept.origin, "here": chain.origin})
    elif key is not None and not _signed(note, key):
        yield AuditFinding("witness_unsigned", facts)
    elif own is not None:
        yield AuditFinding("witness_forked", facts)
    elif kept.size > lines:
        yield AuditFinding("witness_ahead", {**facts, "newest": chain.newest})
    elif roots[kept.size] != kept.root:
        yield AuditFinding("witness_changed", facts)
    elif epoch > chain.newest:
        yield AuditFinding("witness_checkpoint_gone", {**facts, "newest": chain.newest})


def _with_cause(problem: IntegrityError) -> dict[str, Any]:
    """Its facts, the problem that caused it as an error that speaks both languages."""
    cause = problem.__cause__
    return {**problem.facts, "problem": cause} if isinstance(cause, IntegrityError) else problem.facts


def _signed(note: str, key: str) -> bool:
    try:
        open_note(note, [key])
    except IntegrityError:
        return False
    return True


def text_of(note: str) -> Checkpoint:
    """What a note says, whoever signed it.

    Raises:
        IntegrityError: it is no checkpoint.
    """
    text, parted, _ = note.rpartition("\n\n")
    if not parted:
        raise IntegrityError("note.malformed", part="end")
    found = Checkpoint.parse(text + "\n")
    _ = found.epoch, found.next_key, found.previous
    return found


def _time(found: Checkpoint) -> str:
    return next((line[5:] for line in found.extensions if line.startswith("time ")), "-")
