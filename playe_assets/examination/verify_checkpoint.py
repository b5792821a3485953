"""The checkpoint and the proof that a report carries, held against the log and the checkpoints kept beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.audit_notes import Chain, read_chain
from playe_assets.custody.chain import NOTES, follow_to, notes_in
from playe_assets.custody.note import open_note
from playe_assets.examination.settings import Settings
from playe_assets.examination.verify_documents import Document
from playe_assets.examination.verify_found import Difference, NotCompared
from playe_assets.examination.verify_log import Logged
from playe_assets.exporters.report_proof import check_proof, parse_checkpoint


def kept_notes(settings: Settings) -> Chain:
    """The checkpoints that the laboratory keeps, as far as they form a chain from the pinned first key."""
    return read_chain(settings.log_path.parent / "checkpoints", settings.custody_key or None)


def sizes(held: Mapping[str, Document]) -> set[int]:
    """Numbers of lines of which the reports state the tree's root."""
    found = set()
    for document in held.values():
        stated = _stated(document)
        if stated is not None:
            try:
                found.add(parse_checkpoint(str(stated["note"])).size)
            except (IntegrityError, KeyError):
                continue  # `against_checkpoints` names it
    return found


def against_checkpoints(
    document: Document, logged: Logged, chain: Chain
) -> Iterator[Difference | NotCompared]:
    """The report's proof holds, the log still begins as its checkpoint says, and the laboratory keeps that note."""
    if document.kind != "report":
        return
    facts = {"report": document.name}
    stated = _stated(document)
    if stated is None:
        yield NotCompared("no_checkpoint", facts)
        return
    try:
        check_proof(document.content)
        note = str(stated["note"])
        found = parse_checkpoint(note)
        epoch = found.epoch
    except (IntegrityError, KeyError, TypeError, ValueError) as problem:
        yield Difference("proof_wrong", {**facts, "problem": str(problem)})
        return
    if logged.roots.get(found.size) != found.root.hex():
        yield Difference("checkpoint_of_another_log", {**facts, "epoch": epoch, "size": found.size,
                                                       "lines": logged.total})  # fmt: skip
    yield from _issued_notes(document, stated, note, logged)
    kept = chain.notes.get(epoch)
    if kept is None:
        yield Difference("checkpoint_absent", {**facts, "epoch": epoch})
    elif kept != note:
        yield Difference("checkpoint_unlike", {**facts, "epoch": epoch})
    key0 = str(stated.get("key0") or "")
    if chain.key0 is not None and key0 != chain.key0:
        yield Difference("checkpoint_key", {**facts, "found": chain.key0, "stated": key0 or "-"})
    key = chain.keys.get(epoch)
    if key is None:
        yield NotCompared("checkpoint_unsigned", {**facts, "epoch": epoch})
        return
    try:
        open_note(note, [key])
    except IntegrityError:
        yield Difference("checkpoint_forged", {**facts, "epoch": epoch, "key": key})


def _issued_notes(
    document: Document, stated: Mapping[str, object], note: str, logged: Logged
) -> Iterator[Difference]:
    """`checkpoints.json` beside the report: the one that was issued, and a chain from key 0 to the report's note."""
    named = stated.get("notes")
    if not isinstance(named, dict):
        return
    facts = {"report": document.name, "file": NOTES}
    try:
        data = (document.folder / NOTES).read_bytes()
    except OSError:
        yield Difference("notes_absent", facts)
        return
    found = hashlib.sha256(data).hexdigest()
    if found != named.get("sha256") or found not in logged.issued_files.get(document.name, ()):
        yield Difference("notes_changed", {**facts, "found": found, "stated": named.get("sha256") or "-"})
        return
    try:
        follow_to(notes_in(data), str(stated.get("key0")), note)
    except IntegrityError as problem:
        yield Difference("notes_wrong", {**facts, "problem": str(problem)})


def _stated(document: Document) -> Mapping[str, object] | None:
    found = document.custody.get("checkpoint") if document.kind == "report" else None
    return found if isinstance(found, dict) else None
