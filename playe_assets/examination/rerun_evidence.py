"""The report's exhibits taken in again: found by their sha256 whatever they are called, numbered as the report does.

What cannot be found leaves its number empty, so that all others keep theirs; what the laboratory had set aside is
set aside here too. Originals are only read: they are copied into the delivery folder that is built again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import digest, from_plain, to_plain
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import Exhibit, ExhibitStatus, Reason, Role
from playe_assets.custody.log import utc_now
from playe_assets.examination.cases import Case, DeliveryNote, DeliveryRecord, MarkedExhibit
from playe_assets.examination.intake import take_delivery
from playe_assets.examination.stage import Progress, Stage, Words, silent
from playe_assets.media.limits import Limits
from playe_assets.stores.case_store import hash_file

_EMPTY = hashlib.sha256(b"").hexdigest()
_OF_MARKS = ("mark_not_a_clip", "mark_outside", "mark_after_end")
"""Notes of an exhibit that came with the marks and not with the file."""
_FACTS_ASIDE = ("decoder",)
"""A library's version is told once, with the environment."""


@dataclass(frozen=True)
class Absent:
    """An exhibit of which no file was found."""

    exhibit: str
    name: str
    sha256: str


@dataclass(frozen=True)
class Unlike:
    """A fact of intake that came out otherwise than the report states it."""

    exhibit: str
    what: str
    then: Any
    now: Any


@dataclass
class TakenIn:
    """What became of the report's exhibits in the scratch laboratory."""

    absent: list[Absent] = field(default_factory=list)
    unlike: list[Unlike] = field(default_factory=list)


def exhibits_of(findings: Mapping[str, Any]) -> tuple[Exhibit, ...]:
    """The exhibits as the report states them, in order of their numbers.

    Raises:
        IntegrityError: they are not written as any version of the schema writes them, or a name leads out of its
            folder: this report was not made by PLAYE.
    """
    try:
        found = tuple(from_plain(Exhibit, e) for e in findings["exhibits"])
    except (KeyError, TypeError, ValueError) as problem:
        raise IntegrityError("rerun.exhibits_unreadable", problem=str(problem)) from None
    for exhibit in found:
        if not _inside(exhibit.name_hex):
            raise IntegrityError("rerun.name_leads_out", exhibit=exhibit.number, name=exhibit.name_shown)
    return tuple(sorted(found, key=lambda e: (e.delivery, int(e.number[1:]))))


def _inside(name_hex: str) -> bool:
    try:
        name = bytes.fromhex(name_hex)
    except ValueError:
        return False
    return bool(name) and b"\0" not in name and not any(p in (b"", b".", b"..") for p in name.split(b"/"))


def find_by_digest(
    folder: Path, wanted: Iterable[tuple[str, int | None]], progress: Progress = silent
) -> dict[str, Path]:
    """sha256 to a file below `folder` with these bytes, of every (sha256, size in bytes) that is there.

    Only files of a size that is wanted are read; links to folders are not followed.
    """
    sizes: dict[int | None, set[str]] = {}
    for sha256, size in wanted:
        sizes.setdefault(size, set()).add(sha256)
    left = set().union(*sizes.values())
    candidates = [p for p in _files(folder) if None in sizes or p.stat().st_size in sizes]
    found: dict[str, Path] = {}
    for number, path in enumerate(candidates):
        if not left:
            break
        progress(Words("rerun.looking", folder=folder.name), number, len(candidates))
        try:
            sha256 = hash_file(path)[0]
        except OSError:
            continue  # what cannot be read is as good as absent, and absent is said
        if sha256 in left:
            found[sha256] = path
            left.discard(sha256)
    progress(Words("rerun.looking", folder=folder.name), len(candidates), len(candidates))
    return found


def _files(folder: Path) -> list[Path]:
    found = []
    for above, folders, names in os.walk(folder):
        folders.sort()
        found += [p for p in (Path(above) / n for n in sorted(names)) if p.is_file()]
    return found


def limits_of(extract: Sequence[Mapping[str, Any]]) -> Limits:
    """What one file might cost at the original intake, as the extract states it, and never more than it may cost now.

    The report is the other side's: it does not decide how much of this machine its exhibits take.
    """
    own = to_plain(Limits())
    for line in extract:
        params = line.get("params")
        stated = params.get("limits") if isinstance(params, dict) else None
        if line.get("event") == "processing.identified" and isinstance(stated, dict):
            return Limits(**{name: _no_more(stated.get(name), most) for name, most in own.items()})
    return Limits()


def _no_more(stated: Any, most: float) -> Any:
    """`stated` where it is a number of the same kind that is above 0 and not above `most`."""
    kind = type(most)
    fits = isinstance(stated, int | float) and not isinstance(stated, bool) and 0 < stated <= most
    return kind(stated) if fits and kind(stated) == stated else most


def take_in(
    stage: Stage, exhibits: Sequence[Exhibit], found: Mapping[str, Path], preset: str, limits: Limits
) -> TakenIn:
    """Take the exhibits in, delivery by delivery, and open the case in the scratch laboratory.

    Raises:
        IntegrityError: intake numbered them otherwise, so that nothing could be compared.
        OSError: the scratch folder cannot be written.
    """
    taken = TakenIn()
    known: list[Exhibit] = []
    notes: list[DeliveryNote] = []
    numbers = sorted({e.delivery for e in exhibits})
    for number in numbers:
        stated = [e for e in exhibits if e.delivery == number]
        made = _delivery(stage, stated, found, known, limits, taken)
        marked = _marked(exhibits) if number == numbers[-1] else ()
        record = stage.store.put_json(DeliveryRecord(number, tuple(made), (), marked))
        notes.append(DeliveryNote(number, "rebuilt", digest([e.sha256 for e in made]), utc_now(),
                                  stage.recorder.request_id, record, "-"))  # fmt: skip
        known += made
    stage.folder.write(
        Case(stage.case_id, "", stage.recorder.operator.id, "", "", "", preset, stage.settings.language,
             utc_now(), tuple(notes))
    )  # fmt: skip
    return taken


def _delivery(
    stage: Stage, stated: Sequence[Exhibit], found: Mapping[str, Path], known: Sequence[Exhibit],
    limits: Limits, taken: TakenIn,
) -> list[Exhibit]:  # fmt: skip
    number = stated[0].delivery
    folder = stage.settings.data_root / "rebuilt" / f"delivery-{number}"
    absent = {e.number for e in stated if not _write(folder, e, found)}
    # Which of them are references decides what counts as a duplicate; which one each is compared with is the report's.
    references = [os.fsdecode(bytes.fromhex(e.name_hex)) for e in stated if e.role is Role.REFERENCE]
    count = 0

    def on_exhibit(exhibit: Exhibit, _facts: Mapping[str, Any]) -> None:
        nonlocal count
        count += 1
        stage.progress(exhibit.number, count, len(stated))

    try:
        done = take_delivery(
            stage.store, folder, delivery=number, known=known, references={r: r for r in references},
            limits=limits, on_exhibit=on_exhibit, recorder=stage.recorder,
        )  # fmt: skip
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the working copies lie in the store
    if [(e.number, e.name_hex) for e in done.exhibits] != [(e.number, e.name_hex) for e in stated]:
        raise IntegrityError("rerun.numbering", delivery=number,
                             then=", ".join(e.number for e in stated),
                             now=", ".join(e.number for e in done.exhibits) or "-")  # fmt: skip
    return [_settled(s, e, absent, taken) for s, e in zip(stated, done.exhibits, strict=True)]


def _write(folder: Path, exhibit: Exhibit, found: Mapping[str, Path]) -> bool:
    """Put the exhibit's bytes under its own name; an empty file where there are none keeps the number."""
    path = folder / os.fsdecode(bytes.fromhex(exhibit.name_hex))
    path.parent.mkdir(parents=True, exist_ok=True)
    original = found.get(exhibit.sha256)
    if original is None:
        path.touch()
        return exhibit.sha256 == _EMPTY
    shutil.copyfile(original, path)
    return True


def _settled(stated: Exhibit, made: Exhibit, absent: set[str], taken: TakenIn) -> Exhibit:
    """The exhibit as this rerun works on it; what differs from the report is noted."""
    kept = replace(made, reference=stated.reference)
    if stated.number in absent or made.sha256 != stated.sha256:  # the latter: it changed while it was copied
        taken.absent.append(Absent(stated.number, stated.name_shown, stated.sha256))
        reason = Reason("rerun_absent", {"sha256": stated.sha256})
        return replace(kept, status=ExhibitStatus.QUARANTINED, media=None, facts=None, reason=reason)
    set_aside = (ExhibitStatus.QUARANTINED, ExhibitStatus.DUPLICATE)
    if stated.status in set_aside and made.status is not stated.status:
        # It changed while it was read, or the machine had no time for it: circumstances that do not come again.
        return replace(kept, status=stated.status, reason=stated.reason, duplicate_of=stated.duplicate_of)
    if made.status is not stated.status:
        taken.unlike.append(Unlike(stated.number, "status", stated.status.value, made.status.value))
    then, now = to_plain(stated.facts) or {}, to_plain(made.facts) or {}
    for key in sorted({*then, *now} - set(_FACTS_ASIDE)):
        if then.get(key) != now.get(key):
            taken.unlike.append(Unlike(stated.number, key, then.get(key), now.get(key)))
    return kept


def _marked(exhibits: Sequence[Exhibit]) -> tuple[MarkedExhibit, ...]:
    found = []
    for exhibit in exhibits:
        unusable = tuple(n for n in exhibit.notes if n.code in _OF_MARKS)
        if exhibit.marks or unusable:
            found.append(MarkedExhibit(exhibit.number, exhibit.marks, unusable))
    return tuple(found)
