"""An export of one case's lines: with proofs, every checkpoint and a verifier, to be checked by a stranger offline."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.core.durable import write_durably
from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.core.texts import text
from playe_assets.custody.checkpoints import Checkpoints, Kept, follow
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.log_tail import last
from playe_assets.custody.merkle import included, leaf_hash, root_of_several

FORMAT = "playe-custody-export 1"
VERIFIER = "verify_custody.py"


@dataclass(frozen=True)
class Exported:
    """What an export holds."""

    folder: Path
    lines: int
    checkpoint: Kept
    files: dict[str, str]
    """Name to sha256."""


def verifier_source() -> bytes:
    """The verifier that every export carries: one file of standard-library Python plus `cryptography`."""
    return resources.files("playe_assets.custody").joinpath("standalone_verifier.py").read_bytes()


def prove(log: CustodyLog, checkpoints: Checkpoints, seq: int, epoch: int | None = None) -> dict[str, Any]:
    """The proof that line `seq` stands in the log under checkpoint `epoch` (the newest unless given), checked.

    Raises:
        CommandError: there is no such line under that checkpoint, or no checkpoint.
        IntegrityError: the line does not lead to the checkpoint's root: the log was altered.
    """
    kept = _chosen(checkpoints, epoch)
    size = kept.checkpoint.size
    if not 0 <= seq < size:
        raise CommandError("audit.no_line", seq=seq, epoch=kept.epoch, size=size)
    raw = next((raw for _, raw in log.lines(seq)), b"")
    proof = checkpoints.tree.inclusion(seq, size)
    if not included(leaf_hash(raw), seq, size, proof, kept.checkpoint.root):
        raise IntegrityError("audit.not_included", seq=seq, epoch=kept.epoch)
    return {"seq": seq, "line": raw.decode("utf-8", errors="backslashreplace"), "leaf": leaf_hash(raw).hex(),
            "size": size, "root": kept.checkpoint.root.hex(), "epoch": kept.epoch, "proof": [h.hex() for h in proof],
            "note": kept.note, "key0": checkpoints.key0()}  # fmt: skip


def export_case(
    log: CustodyLog, checkpoints: Checkpoints, case_id: str, folder: Path, *, single: bool = False
) -> Exported:
    """Write the lines of `case_id` under a new checkpoint, with all that is needed to check them, into `folder`.

    Args:
        log: the laboratory's.
        checkpoints: of that log; one is made if the log has grown since the last.
        case_id: whose lines.
        folder: is made; must not hold anything yet.
        single: a proof for each line as well, so that single lines can be passed on.

    Raises:
        CommandError: the folder is not empty, or the log has no line of the case.
        IntegrityError: lines, checkpoints and keys do not go together; nothing is written.
    """
    check_export(log, case_id, folder)
    kept = checkpoints.make()
    size, tree = kept.checkpoint.size, checkpoints.tree
    lines = list(_lines_of(log, case_id, size))
    # The rightmost place is that of a checkpoint made meanwhile by another process: it is not part of this export.
    every = [one for one in checkpoints.all() if one.epoch <= kept.epoch]
    key0 = checkpoints.key0()
    follow([one.note for one in every], key0)
    seqs = [seq for seq, _ in lines]
    hashes = tree.several(seqs, size)
    leaves = {seq: leaf_hash(raw) for seq, raw in lines}
    if root_of_several(leaves, size, hashes) != kept.checkpoint.root:
        raise IntegrityError("audit.export_differs", case=case_id, epoch=kept.epoch)
    proof: dict[str, Any] = {
        "format": FORMAT, "case_id": case_id, "origin": kept.checkpoint.origin, "epoch": kept.epoch, "size": size,
        "root": kept.checkpoint.root.hex(), "lines": len(lines), "hashes": _hex(hashes),
        "extends": [_hex(tree.consistency(a.checkpoint.size, b.checkpoint.size)) for a, b in pairwise(every)],
        "inclusion": {str(seq): _hex(tree.inclusion(seq, size)) for seq in seqs} if single else None,
    }  # fmt: skip
    files = {
        "lines.jsonl": b"".join(canonical_json({"seq": n, "line": raw.decode()}) + b"\n" for n, raw in lines),
        "proof.json": json.dumps(proof, indent=1, sort_keys=True).encode() + b"\n",
        "checkpoints/key0.txt": f"{key0}\n".encode(),
        VERIFIER: verifier_source(),
        "README.txt": _readme(case_id, kept, len(lines), every).encode(),
    }
    for one in every:
        files[f"checkpoints/{one.epoch:06d}.note"] = one.note.encode()
        if one.token is not None:
            files[f"checkpoints/{one.epoch:06d}.tsr"] = one.token
    _write(folder, files)
    return Exported(folder, len(lines), kept, {n: hashlib.sha256(c).hexdigest() for n, c in files.items()})


def check_export(log: CustodyLog, case_id: str, folder: Path) -> None:
    """Refuse what cannot be exported, before anything is recorded or signed.

    Raises:
        CommandError: the folder is not empty, or the log has no line of the case.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CommandError("audit.folder_in_use", path=str(folder))
    if not last(log, 1, case_id)[0]:
        raise CommandError("audit.no_case", case=case_id, path=str(log.path))


def _chosen(checkpoints: Checkpoints, epoch: int | None) -> Kept:
    every = checkpoints.all()
    if not every:
        raise CommandError("audit.no_checkpoint", path=str(checkpoints.folder))
    follow([one.note for one in every], checkpoints.key0())
    for kept in every:
        if kept.epoch == (every[-1].epoch if epoch is None else epoch):
            return kept
    raise CommandError("audit.no_epoch", epoch=epoch, newest=every[-1].epoch)


def _lines_of(log: CustodyLog, case_id: str, size: int) -> Iterable[tuple[int, bytes]]:
    for seq, entry, raw in log.read():
        if seq >= size:
            return
        if entry is not None and entry.get("case_id") == case_id:
            yield seq, raw


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [found.hex() for found in hashes]


def _readme(case_id: str, kept: Kept, lines: int, every: Sequence[Kept]) -> str:
    stamped = [one.epoch for one in every if one.token is not None]
    facts = {"case": case_id, "lines": lines, "size": kept.checkpoint.size, "epoch": kept.epoch,
             "origin": kept.checkpoint.origin, "verifier": VERIFIER, "tokens": len(stamped)}  # fmt: skip
    parts = []
    for language in ("en", "ru"):
        stamps = text("export.stamps", language, newest=f"{stamped[-1]:06d}") if stamped else text(
            "export.no_stamps", language)  # fmt: skip
        parts.append(text("export.readme", language, **facts, stamps=stamps).strip())
    return "\n\n\n".join(parts) + "\n"


def _write(folder: Path, files: dict[str, bytes]) -> None:
    """All or nothing: written beside the goal, then renamed to it."""
    passing = folder.with_name(f".{folder.name}.tmp")
    if passing.exists():
        shutil.rmtree(passing)
    (passing / "checkpoints").mkdir(parents=True)
    for name, content in files.items():
        write_durably(passing / name, content)
    if folder.exists():
        folder.rmdir()
    passing.rename(folder)
