"""Who vouches for a report: the log's checkpoint, time stamps of an authority, signatures on its two files.

Judged offline, against the keys and roots that the caller gives and nobody else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import IntegrityError, PlayeError
from playe_assets.examination.rerun_compare import Said
from playe_assets.examination.stage import Words

if TYPE_CHECKING:
    from playe_assets.exporters.signatures import SignatureFacts

HOLDS, FAILS, NOT_CHECKED = "holds", "fails", "not_checked"
LARGEST = 1 << 30
"""Bytes of a report, its PDF or its signature; a larger file is not read."""


@dataclass(frozen=True)
class Check:
    """One line of the answer: what was checked, whether it holds, and what there is to say."""

    code: str
    """Its words stand in the catalogue under `check.<code>`."""
    state: str
    """`holds`, `fails` or `not_checked`."""
    said: tuple[Words, ...] = ()


@dataclass(frozen=True)
class Given:
    """A report as it lies on the disk."""

    path: Path
    raw: bytes
    content: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Of the file's bytes."""
        return hashlib.sha256(self.raw).hexdigest()


@dataclass(frozen=True)
class With:
    """What the caller gives beside the report."""

    exhibits: Path | None = None
    derivatives: Path | None = None
    roots: bytes | None = None
    """PEM: whom signatures and time stamps are trusted from."""
    tsa_roots: bytes | None = None
    """PEM, for time stamps alone; `roots` where it is not given."""
    key: str | None = None
    """The log's verifier key, known from elsewhere: key 0, or that of the checkpoint's own epoch."""
    notes: tuple[str, ...] = ()
    """Earlier checkpoints of the log from epoch 0 on, where they are at hand."""


def not_checked(code: str, why: str, /, **facts: Any) -> Check:
    """A check that could not be made, and why."""
    return Check(code, NOT_CHECKED, (Words(why, **facts),))


LARGEST_NOTES = 1 << 28
"""Bytes of `checkpoints.json`, some 400,000 epochs; a larger file is refused unread."""


def checkpoint(given: Given, custody: Mapping[str, Any], beside: With) -> Check:
    """The note's signature: by the key that was given, by key 0, or by the chain of notes that leads from key 0.

    The notes are those of `checkpoints.json` beside the report, which is held against the digest that the report
    states and followed from its key 0 on; where it is not there, those that the caller has.
    """
    from playe_assets.custody.chain import follow, follow_to
    from playe_assets.custody.note import open_note

    stated = custody.get("checkpoint")
    if not stated:
        return not_checked("checkpoint", "check.checkpoint.none")
    note, epoch, key0 = str(stated["note"]), int(stated["epoch"]), str(stated["key0"])
    anchor = beside.key or key0
    try:
        issued = _issued_notes(given, stated)
        if issued is not None:
            follow_to(issued, key0, note)
        earlier = list(beside.notes if issued is None else issued)[:epoch]
        if _signed(note, anchor):
            known = open_note(note, [anchor])
        elif len(earlier) == epoch and epoch:
            known = follow([*earlier, note], anchor)[-1]
        elif epoch and beside.key is None:
            return not_checked("checkpoint", "check.checkpoint.no_chain", epoch=epoch)
        else:
            known = open_note(note, [anchor])
    except IntegrityError as problem:
        return Check("checkpoint", FAILS, (Said(problem),))
    if (known.size, known.root.hex(), known.epoch) != (stated["size"], stated["root"], epoch):
        return Check(
            "checkpoint", FAILS, (Words("check.checkpoint.other", size=known.size, epoch=known.epoch),)
        )
    key = "check.checkpoint.pinned" if beside.key else "check.checkpoint.own_key"
    return Check("checkpoint", HOLDS, (Words(key, key=anchor, origin=known.origin, epoch=epoch),))


def _issued_notes(given: Given, stated: Mapping[str, Any]) -> list[str] | None:
    """The notes that were issued with the report; None where the report states none, or the file is not beside it.

    Raises:
        IntegrityError: the file is not the one that the report states.
    """
    from playe_assets.custody.chain import notes_in

    named = stated.get("notes")
    if not named:
        return None
    path = given.path.with_name(str(named["file"]))
    if not path.is_file():
        return None
    if path.stat().st_size > LARGEST_NOTES:
        raise IntegrityError("checkpoint.notes_file", problem=f"> {LARGEST_NOTES} bytes")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != named["sha256"]:
        raise IntegrityError("checkpoint.notes_changed", file=path.name, found=found, stated=named["sha256"])
    return notes_in(data)


def _signed(note: str, vkey: str) -> bool:
    from playe_assets.custody.note import open_note

    try:
        open_note(note, [vkey])
    except IntegrityError:
        return False
    return True


def time_stamps(custody: Mapping[str, Any], beside: With) -> Check:
    from playe_assets.custody.timestamps import verify_token

    checkpoint = custody.get("checkpoint")
    stamps = [s for s in custody["time_stamps"] if s.get("of") == "checkpoint" and s.get("token")]
    if not stamps or not checkpoint:
        return not_checked("time_stamp", "check.time_stamp.none")
    roots = beside.tsa_roots or beside.roots
    if roots is None:
        return not_checked("time_stamp", "check.time_stamp.no_roots", authority=stamps[0].get("authority") or "-",
                    when=stamps[0].get("time_utc") or "-")  # fmt: skip
    said = []
    for stamp in stamps:
        try:
            token = base64.b64decode(stamp["token"], validate=True)
            facts = verify_token(token, str(checkpoint["note"]).encode(), roots)
        except IntegrityError as problem:
            return Check("time_stamp", FAILS, (Said(problem),))
        except (binascii.Error, ValueError) as problem:
            return Check("time_stamp", FAILS, (Words("check.time_stamp.broken", problem=str(problem)),))
        said.append(Words("check.time_stamp.says", when=facts.time_utc, authority=facts.authority))
    return Check("time_stamp", HOLDS, tuple(said))


def detached(given: Given, custody: Mapping[str, Any], beside: With) -> Check:
    from playe_assets.exporters.signatures import verify_detached

    path = given.path.with_name(f"{given.path.name}.p7s")
    declared = _declared(custody, ".p7s")
    if not path.is_file():
        why = "check.signature.lost" if declared else "check.signature.none"
        return not_checked(
            "signature_json", why, file=path.name, signer=(declared or {}).get("signer") or "-"
        )
    if path.stat().st_size > LARGEST:
        return not_checked("signature_json", "check.signature.too_large", file=path.name, allowed=LARGEST)
    try:
        facts = verify_detached(given.raw, path.read_bytes(), beside.roots, beside.tsa_roots or beside.roots,
                                name=given.path.name)  # fmt: skip
    except PlayeError as problem:
        return Check("signature_json", FAILS, (Said(problem),))
    return _signature("signature_json", facts, declared, beside)


def pdf(given: Given, custody: Mapping[str, Any], beside: With) -> Check:
    from playe_assets.exporters.signatures import face_of, verify_pdf

    path = given.path.with_suffix(".pdf")
    declared = _declared(custody, ".pdf")
    if not path.is_file():
        return not_checked("signature_pdf", "check.signature.no_pdf", file=path.name)
    if path.stat().st_size > LARGEST:
        return not_checked("signature_pdf", "check.signature.too_large", file=path.name, allowed=LARGEST)
    try:
        facts = verify_pdf(path, beside.roots, beside.tsa_roots or beside.roots)
    except PlayeError as problem:
        return Check("signature_pdf", FAILS, (Said(problem),))
    if facts.state == "unsigned" and declared is None:
        return not_checked("signature_pdf", "check.signature.none", file=path.name, signer="-")
    judged = _signature("signature_pdf", facts, declared, beside)
    return _of_this(judged, face_of(path), given) if judged.state != FAILS else judged


def _of_this(judged: Check, named: str | None, given: Given) -> Check:
    """A good signature on another report's PDF says nothing of this JSON."""
    if named == given.sha256:
        return Check(judged.code, judged.state, (*judged.said, Words("check.signature.face")))
    if named is None:
        return Check(
            judged.code, NOT_CHECKED, (*judged.said, Words("check.signature.faceless", sha256=given.sha256))
        )
    return Check(judged.code, FAILS, (*judged.said, Words("check.signature.other_face", stated=named,
                                                          found=given.sha256)))  # fmt: skip


def _declared(custody: Mapping[str, Any], suffix: str) -> Mapping[str, Any] | None:
    """What the report says of the signature in its file of that suffix."""
    found: Mapping[str, Any] | None = next(
        (s for s in custody["signatures"] if str(s.get("file", "")).endswith(suffix)), None
    )
    return found


def _signature(code: str, facts: SignatureFacts, declared: Mapping[str, Any] | None, beside: With) -> Check:
    said = Sentence(facts)
    stated = (declared or {}).get("certificate_sha256")
    if stated and facts.certificate_sha256 and stated != facts.certificate_sha256:
        return Check(code, FAILS, (said, Words("check.signature.other_signer", stated=stated,
                                               found=facts.certificate_sha256)))  # fmt: skip
    if facts.trusted:
        return Check(code, HOLDS, (said,))
    if facts.intact and beside.roots is None:
        return Check(code, NOT_CHECKED, (said, Words("check.signature.no_roots")))
    return Check(code, FAILS, (said,))


class Sentence(Words):
    """What the signatures' judge says."""

    def __init__(self, facts: SignatureFacts) -> None:
        super().__init__(f"signature.state.{facts.state}")
        self._judged = facts

    def said(self, language: str) -> str:
        """The judge's own sentence."""
        return self._judged.said(language)
