"""The proof that a report's extract stands in the log under its checkpoint, held with nothing but the report.

RFC 6962 tree over the raw lines; the raw line of an entry is its canonical JSON, which survives the way through
report.json (keys sorted anew, floats in their shortest form).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import IntegrityError
from playe_assets.custody.merkle import leaf_hash, root_of_several
from playe_assets.custody.note import Checkpoint


@dataclass(frozen=True)
class ProofFacts:
    """What was proven."""

    checkpoint: Checkpoint
    proven: int
    """Lines of the extract that stand in the tree of the checkpoint."""
    beyond: int
    """Lines that were written after the checkpoint: for these the report speaks alone."""


def lines_of(report: Mapping[str, Any]) -> list[bytes]:
    """The raw lines of the log that the report's extract shows, in its order, without newlines."""
    return [canonical_json(line) for line in report["sections"]["custody"]["extract"]]


def check_proof(report: Mapping[str, Any]) -> ProofFacts | None:
    """Hold extract, proof and checkpoint against one another; None for a report that carries no checkpoint.

    Whose key signed the checkpoint is not judged here: that takes the notes before it or key 0.

    Raises:
        IntegrityError: `report.proof`, with what does not hold.
    """
    custody = report["sections"]["custody"]
    stated, proof = custody.get("checkpoint"), custody.get("proof")
    if stated is None:
        return None
    checkpoint = parse_checkpoint(stated["note"])
    said = (checkpoint.size, checkpoint.root.hex(), checkpoint.epoch)
    if said != (stated["size"], stated["root"], stated["epoch"]) or proof is None:
        raise IntegrityError("report.proof", problem="checkpoint")
    if proof["size"] != checkpoint.size:
        raise IntegrityError("report.proof", problem="size")
    known: dict[int, bytes] = {}
    lines = lines_of(report)
    for line, raw in zip(custody["extract"], lines, strict=True):
        if line["seq"] in known:
            raise IntegrityError("report.proof", problem=f"line {line['seq']} twice")
        known[line["seq"]] = leaf_hash(raw)
    inside = {seq: leaf for seq, leaf in known.items() if seq < checkpoint.size}
    try:
        found = root_of_several(inside, checkpoint.size, [bytes.fromhex(h) for h in proof["hashes"]])
    except ValueError as problem:
        raise IntegrityError("report.proof", problem=str(problem)) from None
    if found != checkpoint.root:
        raise IntegrityError("report.proof", problem="root")
    return ProofFacts(checkpoint, len(inside), len(lines) - len(inside))


def parse_checkpoint(note: str) -> Checkpoint:
    """The checkpoint in a signed note, its signature not judged.

    Raises:
        IntegrityError: the note is none.
    """
    return Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
