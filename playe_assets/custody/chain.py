"""Whether checkpoints form one chain from the log's first key on. Pure: needs no log and no secret.

Each epoch's note is signed by the key that the one before announced, and names that one's digest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import IntegrityError
from playe_assets.custody.note import FIRST, Checkpoint, VerifierKey, digest, open_note

NOTES = "checkpoints.json"
"""Name of the file beside a report that holds every note up to the one that the report carries."""


def notes_file(notes: Sequence[str]) -> bytes:
    """`notes` from epoch 0 on as one JSON array of strings, a line with its newline; `notes_in` is the inverse."""
    return canonical_json(list(notes)) + b"\n"


def notes_in(data: bytes) -> list[str]:
    """The notes that `notes_file` wrote.

    Raises:
        IntegrityError: it is no JSON array of strings.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as problem:
        raise IntegrityError("checkpoint.notes_file", problem=str(problem)[:200]) from None
    if not isinstance(found, list) or not all(isinstance(note, str) for note in found):
        raise IntegrityError("checkpoint.notes_file", problem=type(found).__name__)
    return found


def follow(notes: Sequence[str], key0: str) -> list[Checkpoint]:
    """The checkpoints in `notes`, from epoch 0 on without a gap, each signed by the key that the last announced.

    The wall clock may step back without any fraud; `set_back` tells where it did.

    Raises:
        IntegrityError: the first epoch that does not hold, and why: its signature, its number, its origin, a size
            that falls, a root that changes at the same size, `previous`, an old key again, CLOCK_BOOTTIME that
            falls within one boot.
    """
    found: list[Checkpoint] = []
    keys = [key0]
    name = VerifierKey.parse(key0).name
    for epoch, note in enumerate(notes):
        try:
            this = open_note(note, keys[-1:])
            stated, previous, following = this.epoch, this.previous, this.next_key
            (seconds, boot), _ = this.boottime, this.time
        except IntegrityError as problem:
            raise IntegrityError("checkpoint.refused", epoch=epoch, problem=str(problem)) from problem
        if stated != epoch:
            raise IntegrityError("checkpoint.epoch", epoch=epoch, found=stated)
        if this.origin != name or VerifierKey.parse(following).name != name:
            raise IntegrityError("checkpoint.other_origin", epoch=epoch, found=this.origin, expected=name)
        if following in keys:
            raise IntegrityError("checkpoint.key_again", epoch=epoch, key=following)
        expected = digest(notes[epoch - 1]) if epoch else FIRST
        if previous != expected:
            raise IntegrityError("checkpoint.previous", epoch=epoch, found=previous, expected=expected)
        if this.size < (found[-1].size if found else 1):
            raise IntegrityError("checkpoint.size_falls", epoch=epoch, size=this.size,
                                 before=found[-1].size if found else 1)  # fmt: skip
        if found:
            if this.size == found[-1].size and this.root != found[-1].root:
                raise IntegrityError("checkpoint.root_changes", epoch=epoch, size=this.size)
            before, same_boot = found[-1].boottime
            if boot == same_boot and boot != "-" and seconds < before:
                raise IntegrityError("checkpoint.boottime_falls", epoch=epoch, seconds=seconds, before=before)
        found.append(this)
        keys.append(following)
    return found


def follow_to(notes: Sequence[str], key0: str, note: str) -> list[Checkpoint]:
    """As `follow`, and the last of them is `note`.

    Raises:
        IntegrityError: as `follow`; or they end elsewhere.
    """
    found = follow(notes, key0)
    if not notes or notes[-1] != note:
        raise IntegrityError("checkpoint.notes_end", found=len(notes) - 1)
    return found


def set_back(checkpoints: Sequence[Checkpoint]) -> list[tuple[int, float]]:
    """(epoch, seconds) where the wall clock stood before that of the checkpoint before, by that many seconds."""
    steps: list[tuple[int, float]] = []
    for before, after in pairwise(checkpoints):
        seconds = (before.time - after.time).total_seconds()
        if seconds > 0:
            steps.append((after.epoch, seconds))
    return steps
