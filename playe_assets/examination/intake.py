"""Takes a delivery in: every entry of the drop folder becomes an exhibit, or a refusal with its reason.

Nothing that a file contains stops the others. The result holds no clock times, so the same folder gives the
same result. Only a store that cannot be written raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import CaseFileError, EvidenceChangedError, UnsafePathError
from playe_assets.core.values import Exhibit, ExhibitStatus, Reason, Refusal, Role
from playe_assets.examination.acquire import Acquired, ReadError, acquire
from playe_assets.examination.marks import Marked
from playe_assets.examination.names import shown
from playe_assets.examination.safe_open import Entry, drop_folder, open_beneath, reason_of, walk
from playe_assets.media.limits import Limits
from playe_assets.media.probe import Probe, Prober
from playe_assets.media.sniff import wrong_extension
from playe_assets.stores.case_store import CaseStore

if TYPE_CHECKING:
    from playe_assets.custody.record import Operation, Recorder

OURS: Final = frozenset({b"case.yaml", b"REASON.txt"})
"""Names at the top of a drop folder that describe the case and are no evidence."""

CIRCUMSTANCES: Final = frozenset({"changed", "empty", "media.time", "media.memory", "decoder_crashed"})
"""Reasons that lie in how an item came or what the machine could do, not in what it is: it may be sent again."""

OnExhibit = Callable[[Exhibit, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Delivery:
    """What one delivery added."""

    exhibits: tuple[Exhibit, ...]
    """New exhibits only; what was there already under the same name with the same bytes is not repeated."""
    refused: tuple[Refusal, ...]


@dataclass
class _Intake:
    store: CaseStore
    delivery: int
    prober: Prober
    recorder: Recorder | None
    references: frozenset[bytes]
    known: list[Exhibit]
    made: list[Exhibit] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def next_number(self) -> str:
        used = [int(e.number[1:]) for e in (*self.known, *self.made)]
        return f"E{max(used, default=0) + 1:03d}"


def take_delivery(
    store: CaseStore,
    folder: Path | bytes,
    *,
    delivery: int,
    known: Sequence[Exhibit],
    references: Mapping[str, str],
    limits: Limits,
    marked: Sequence[Marked] = (),
    on_exhibit: OnExhibit | None = None,
    recorder: Recorder | None = None,
) -> Delivery:
    """Acquires and identifies everything below `folder`.

    Args:
        delivery: 1 for the first delivery of the case, 2 for the next.
        known: exhibits of earlier deliveries; numbers go on after theirs and are never used again.
        references: relative name of an exhibit to that of the reference it is compared with (`case.yaml`).
        marked: regions of clips (`marks` of `case.yaml`), each with the relative name of its clip.
        on_exhibit: called after each new exhibit, with its numbers for a progress display.
        recorder: writes `custody.acquired`, `custody.refused` and `processing.identified` to the log.

    Raises:
        UnsafePathError: `folder` is no folder.
        CaseFileError: `references` or `marked` name a file that is not there; nothing was taken then.
        OSError: the store cannot be written.
    """
    with drop_folder(folder) as root, Prober(limits) as prober:
        entries = [e for e in walk(root) if e.name not in OURS]
        pairs = _pairs(references, entries, known)
        _marked_are_there(marked, entries, known)
        work = _Intake(store, delivery, prober, recorder, frozenset(pairs.values()), list(known))
        for entry in entries:
            exhibit = _take(work, root, entry)
            if exhibit is not None:
                work.made.append(exhibit)
                if on_exhibit is not None:
                    on_exhibit(exhibit, {"bytes": exhibit.size, "entries": len(entries)})
    return Delivery(_with_references(work, pairs), tuple(work.refused))


def _pairs(
    references: Mapping[str, str], entries: Sequence[Entry], known: Sequence[Exhibit]
) -> dict[bytes, bytes]:
    there = _there(entries, known)
    pairs = {os.fsencode(a): os.fsencode(b) for a, b in references.items()}
    for name in (*pairs, *pairs.values()):
        if name not in there:
            raise CaseFileError("intake.reference_absent", name=shown(name))
    return pairs


def _there(entries: Sequence[Entry], known: Sequence[Exhibit]) -> set[bytes]:
    return {e.name for e in entries if e.refused is None} | {bytes.fromhex(e.name_hex) for e in known}


def _marked_are_there(marked: Sequence[Marked], entries: Sequence[Entry], known: Sequence[Exhibit]) -> None:
    there = _there(entries, known)
    for one in marked:
        if os.fsencode(one.file) not in there:
            raise one.absent("case.yaml")


def _take(work: _Intake, root: int, entry: Entry) -> Exhibit | None:
    if entry.refused is not None:
        _refuse(work, entry.name, entry.refused)
        return None
    try:
        source = open_beneath(root, entry.name)
    except OSError as problem:
        _refuse(work, entry.name, reason_of(problem))
        return None
    number = work.next_number()
    try:
        with _recorded(work, "custody.acquired", number, (), {"delivery": work.delivery}) as operation:
            exhibit = _acquired(work, entry.name, number, source)
            if operation is not None:
                operation.outputs.append(exhibit.sha256)
                operation.metrics["bytes"] = exhibit.size
                operation.extra["exhibit"] = exhibit.number
    except UnsafePathError:
        _refuse(work, entry.name, Reason("no_file", {}))
        return None
    except ReadError as problem:
        _refuse(work, entry.name, Reason("read_error", dict(problem.facts)))
        return None
    finally:
        os.close(source)
    if exhibit.number != number:
        return None  # there since an earlier delivery
    if exhibit.status is not ExhibitStatus.ACCEPTED:
        return exhibit
    return _identified(work, exhibit)


def _refuse(work: _Intake, name: bytes, reason: Reason) -> None:
    work.refused.append(Refusal(name.hex(), shown(name), work.delivery, reason))
    if work.recorder is not None:
        work.recorder.note("custody.refused", step="intake", params={"delivery": work.delivery, "reason": reason.code},
                           checks=[{"reason": reason.code}])  # fmt: skip


def _acquired(work: _Intake, name: bytes, number: str, source: int) -> Exhibit:
    reason = None
    try:
        copy = acquire(work.store, source)
    except EvidenceChangedError as problem:
        copy = Acquired(problem.facts["sha256"], problem.facts["size"])
        reason = Reason("changed", {"first": problem.facts["first"], "second": problem.facts["second"]})
    exhibit = Exhibit(
        number=number,
        name_hex=name.hex(),
        name_shown=shown(name),
        sha256=copy.sha256,
        size=copy.size,
        delivery=work.delivery,
        role=Role.REFERENCE if name in work.references else Role.EXHIBIT,
        status=ExhibitStatus.ACCEPTED,
    )
    earlier = [e for e in work.known if e.name_hex == exhibit.name_hex and not _may_come_again(work, e, copy)]
    if reason is None and any(e.sha256 == copy.sha256 for e in earlier):
        return next(e for e in earlier if e.sha256 == copy.sha256)
    if reason is None and earlier:
        reason = Reason("conflict", {"earlier": earlier[0].number, "earlier_sha256": earlier[0].sha256})
    if reason is None and copy.size == 0:
        reason = Reason("empty", {})
    if reason is not None:
        return replace(exhibit, status=ExhibitStatus.QUARANTINED, reason=reason)
    return _or_duplicate(work, exhibit)


def _or_duplicate(work: _Intake, exhibit: Exhibit) -> Exhibit:
    for other in (*work.known, *work.made):
        same = other.sha256 == exhibit.sha256 and other.role is exhibit.role
        if same and other.status is not ExhibitStatus.DUPLICATE and not _set_aside(other, exhibit.delivery):
            return replace(exhibit, status=ExhibitStatus.DUPLICATE, duplicate_of=other.number,
                           media=other.media, facts=other.facts, ledger_sha256=other.ledger_sha256,
                           missing=other.missing,
                           notes=tuple(n for n in other.notes if n.code != "wrong_extension"))  # fmt: skip
    return exhibit


def _may_come_again(work: _Intake, earlier: Exhibit, copy: Acquired) -> bool:
    """Whether `earlier` was quarantined for a circumstance, so that its name is free for a new exhibit.

    The reason of a duplicate stands at its original. Zero bytes sent again are no new attempt.
    """
    original = next((e for e in work.known if e.number == earlier.duplicate_of), earlier)
    code = original.reason.code if original.reason is not None else ""
    return code in CIRCUMSTANCES and not (code == "empty" and copy.size == 0)


def _set_aside(exhibit: Exhibit, delivery: int) -> bool:
    """Quarantined for its circumstances, not for its content: the same bytes elsewhere may be examined.

    What the decoder could not finish is tried again with another delivery, not for each copy within one.
    """
    code = exhibit.reason.code if exhibit.reason is not None else ""
    return code in ("conflict", "changed") or (code in CIRCUMSTANCES and exhibit.delivery != delivery)


def _identified(work: _Intake, exhibit: Exhibit) -> Exhibit:
    params = {"limits": to_plain(work.prober.limits)}
    with _recorded(work, "processing.identified", exhibit.number, [exhibit.sha256], params) as operation:
        found = work.prober.probe(work.store.path(exhibit.sha256))
        ledger = work.store.put_bytes(found.ledger) if found.ledger is not None else None
        if operation is not None:
            operation.outputs += [ledger] if ledger else []
            operation.checks.append(
                {"status": found.status.value, "reason": found.reason.code if found.reason else None}
            )
    return replace(
        exhibit,
        status=found.status,
        media=found.media,
        facts=found.facts,
        reason=found.reason,
        missing=found.missing,
        notes=(*_name_note(exhibit, found), *found.notes),
        ledger_sha256=ledger,
    )


def _name_note(exhibit: Exhibit, found: Probe) -> tuple[Reason, ...]:
    if found.facts is None:
        return ()
    note = wrong_extension(bytes.fromhex(exhibit.name_hex), found.facts.container)
    return (note,) if note is not None else ()


def _with_references(work: _Intake, pairs: Mapping[bytes, bytes]) -> tuple[Exhibit, ...]:
    numbers = {bytes.fromhex(e.name_hex): e.number for e in (*work.known, *work.made)}
    return tuple(
        replace(e, reference=numbers.get(pairs.get(bytes.fromhex(e.name_hex), b""))) for e in work.made
    )


@contextmanager
def _recorded(
    work: _Intake,
    event: str,
    exhibit: str,
    inputs: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
) -> Iterator[Operation | None]:
    if work.recorder is None:
        yield None
        return
    with work.recorder.record(
        event, exhibit=exhibit, step="intake", inputs=inputs, params=params
    ) as operation:
        yield operation
