"""What the report says of its custody: a fresh checkpoint, the case's lines under it, one proof, its time stamp."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import IntegrityError
from playe_assets.custody.chain import NOTES, follow, notes_file
from playe_assets.custody.checkpoints import Checkpoints, Kept
from playe_assets.custody.log_tail import of_case
from playe_assets.custody.merkle import leaf_hash, root_of_several
from playe_assets.custody.timestamps import verify_token
from playe_assets.examination.signing import tsa_roots
from playe_assets.examination.stage import Stage
from playe_assets.exporters.report_parts import CheckpointFacts, LogHead, NotesFile, TimeStamp


@dataclass(frozen=True)
class CustodyParts:
    """The log's share in a report."""

    lines: tuple[dict[str, Any], ...]
    """The case's, in order; those of other cases are never held."""
    head: LogHead
    checkpoint: CheckpointFacts
    proof: tuple[str, ...]
    time_stamps: tuple[TimeStamp, ...]
    files: Mapping[str, bytes]
    """What is issued beside the report: every note that leads from the first key to the checkpoint."""


def custody_parts(stage: Stage) -> CustodyParts:
    """Make a checkpoint, then read the case's lines and prove those that it covers.

    Raises:
        IntegrityError: log, checkpoints and keys do not go together, or a line of the case is not as PLAYE writes it.
    """
    checkpoints = stage.settings.checkpoints
    kept = checkpoints.make()
    lines = tuple(of_case(stage.recorder.log, stage.case_id))
    head = stage.recorder.log.head()
    size, root = kept.checkpoint.size, kept.checkpoint.root
    # The reader of the report has the entries, not the raw lines: what he will compute is what is held here.
    known = {line["seq"]: leaf_hash(canonical_json(line)) for line in lines if line["seq"] < size}
    proof = checkpoints.tree.several(known, size)
    if root_of_several(known, size, proof) != root:
        raise IntegrityError("report.proof", problem="root")
    key0 = checkpoints.key0()
    notes = _notes(checkpoints, kept, key0)
    named = NotesFile(NOTES, hashlib.sha256(notes).hexdigest()) if notes else None
    return CustodyParts(
        lines,
        LogHead(head.lines - 1, head.last_hash),
        CheckpointFacts(kept.note, size, root.hex(), kept.epoch, key0, named),
        tuple(h.hex() for h in proof),
        _stamps(stage, kept),
        {NOTES: notes} if notes else {},
    )


def _notes(checkpoints: Checkpoints, kept: Kept, key0: str) -> bytes:
    """The notes up to `kept` for a stranger; empty where they no longer lead there, which the report then states.

    A note that got lost is for `playe audit verify` to accuse; it must not keep every later report from its customer.
    """
    notes = [one.note for one in checkpoints.all() if one.epoch <= kept.epoch]
    try:
        led = follow(notes, key0)
    except IntegrityError:
        return b""
    return notes_file(notes) if len(led) == kept.epoch + 1 else b""


def _stamps(stage: Stage, kept: Kept) -> tuple[TimeStamp, ...]:
    """The checkpoint's token; held against the authority's roots where the laboratory has named them."""
    if kept.token is None:
        return ()
    roots, note = tsa_roots(stage.settings), kept.note.encode()
    if roots is None:
        time_utc, authority = _stated(kept.token)
    else:
        facts = verify_token(kept.token, note, roots)
        time_utc, authority = facts.time_utc, facts.authority
    return (TimeStamp("checkpoint", time_utc, authority, base64.b64encode(kept.token).decode("ascii")),)


def _stated(token: bytes) -> tuple[str, str]:
    """Time and authority as a response states them, judged by nobody."""
    from asn1crypto import tsp

    signed = tsp.TimeStampResp.load(token)["time_stamp_token"]["content"]
    moment = signed["encap_content_info"]["content"].parsed["gen_time"].native
    named = signed["signer_infos"][0]["sid"].chosen
    held = [c.chosen for c in signed["certificates"] or ()]
    own = [c for c in held if c.serial_number == named["serial_number"].native]
    authority = own[0].subject.human_friendly if own else named["issuer"].human_friendly
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ"), str(authority)
