"""The chain of checkpoints: what one of them, forged, dropped, exchanged or signed by a thief, is found out by."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.chain import follow, set_back
from playe_assets.custody.note import FIRST, Checkpoint, VerifierKey, digest, sign_note

NAME = "lab.example/custody"
BOOT, OTHER_BOOT = "7a9d2b3c-334d-45bc-ad5d-9a068bec99b2", "00000000-334d-45bc-ad5d-9a068bec99b2"
COUNT = 5


def _private(epoch: int, log: str = "ours") -> bytes:
    return hashlib.sha256(f"{log} {epoch}".encode()).digest()


def _key(epoch: int, log: str = "ours", name: str = NAME) -> str:
    private = Ed25519PrivateKey.from_private_bytes(_private(epoch, log))
    return str(VerifierKey(name, private.public_key().public_bytes_raw()))


def _checkpoint(epoch: int, before: str | None, log: str = "ours", /, **other: object) -> Checkpoint:
    lines = {
        "epoch": epoch,
        "next": _key(epoch + 1, log),
        "previous": digest(before) if before else FIRST,
        "time": f"2026-01-02T03:04:{10 + epoch:02d}.000000Z",
        "boottime": f"{100 + epoch}.000000 {BOOT}",
    }
    lines |= {name: value for name, value in other.items() if name in lines}
    root = hashlib.sha256(f"{log} root {epoch}".encode()).digest()
    made = Checkpoint(NAME, 10 * (epoch + 1), root, tuple(f"{n} {v}" for n, v in lines.items()))
    return replace(made, **{n: v for n, v in other.items() if n in ("origin", "size", "root")})  # type: ignore[arg-type]


def _signed(checkpoint: Checkpoint, epoch: int, log: str = "ours", name: str = NAME) -> str:
    return sign_note(checkpoint.text(), name, _private(epoch, log))


def _chain(log: str = "ours", count: int = COUNT) -> list[str]:
    notes: list[str] = []
    for epoch in range(count):
        notes.append(_signed(_checkpoint(epoch, notes[-1] if notes else None, log), epoch, log))
    return notes


def _refused(notes: list[str], code: str, epoch: int, key0: str | None = None) -> str:
    with pytest.raises(IntegrityError) as refused:
        follow(notes, key0 or _key(0))
    assert (refused.value.code, refused.value.facts["epoch"]) == (code, epoch)
    for language in ("en", "ru"):
        assert str(epoch) in refused.value.message(language)
    return str(refused.value)


def test_a_chain_is_followed_from_key_0_to_its_end():
    found = follow(_chain(), _key(0))
    assert [one.epoch for one in found] == list(range(COUNT))
    assert [one.size for one in found] == [10, 20, 30, 40, 50]
    assert found[-1].next_key == _key(COUNT)
    assert follow([], _key(0)) == []
    for count in range(COUNT):
        assert follow(_chain()[:count], _key(0)) == found[:count]


def test_a_checkpoint_dropped_doubled_or_exchanged_with_another_is_named():
    notes = _chain()
    for place in range(COUNT - 1):
        _refused(notes[:place] + notes[place + 1 :], "checkpoint.refused", place)
        _refused([*notes[: place + 1], *notes[place:]], "checkpoint.refused", place + 1)
        exchanged = [*notes[:place], notes[place + 1], notes[place], *notes[place + 2 :]]
        _refused(exchanged, "checkpoint.refused", place)


def test_a_checkpoint_of_another_log_and_another_key_0_are_refused():
    notes, other = _chain(), _chain("theirs")
    for place in range(COUNT):
        _refused([*notes[:place], other[place], *notes[place + 1 :]], "checkpoint.refused", place)
    _refused(other, "checkpoint.refused", 0)
    _refused(notes, "checkpoint.refused", 0, _key(0, "theirs"))
    _refused(notes, "checkpoint.refused", 0, _key(0, name="other.example"))


def test_a_changed_byte_of_any_note_is_found_at_its_epoch():
    chance, notes = random.Random(3), _chain()
    for place in range(COUNT):
        for _ in range(60):
            raw = bytearray(notes[place].encode())
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(7)
            changed = raw.decode(errors="replace")
            _refused([*notes[:place], changed, *notes[place + 1 :]], "checkpoint.refused", place)


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        ({"epoch": 3}, "checkpoint.epoch"),
        ({"previous": FIRST}, "checkpoint.previous"),
        ({"previous": "0" * 64}, "checkpoint.previous"),
        ({"size": 19}, "checkpoint.size_falls"),
        ({"size": 20}, "checkpoint.root_changes"),
        ({"size": 0}, "checkpoint.size_falls"),
        ({"next": _key(2)}, "checkpoint.key_again"),
        ({"next": _key(0)}, "checkpoint.key_again"),
        ({"next": _key(3, name="other.example")}, "checkpoint.other_origin"),
        ({"origin": "other.example"}, "checkpoint.other_origin"),
        ({"boottime": f"100.999999 {BOOT}"}, "checkpoint.boottime_falls"),
        ({"boottime": "soon"}, "checkpoint.refused"),
        ({"time": "soon"}, "checkpoint.refused"),
        ({"next": "no key"}, "checkpoint.refused"),
    ],
)
def test_a_thief_of_the_current_key_can_sign_but_not_every_lie(lie, code):
    notes = _chain()[:2]
    _refused([*notes, _signed(_checkpoint(2, notes[-1], **lie), 2)], code, 2)


def test_what_an_honest_machine_may_do_is_no_lie():
    notes = _chain()[:2]
    for honest in ({"boottime": f"1.000000 {OTHER_BOOT}"}, {"boottime": "1.000000 -"},
                   {"time": "2025-01-01T00:00:00.000000Z"}, {"size": 10**12}):  # fmt: skip
        note = _signed(_checkpoint(2, notes[-1], **honest), 2)
        assert len(follow([*notes, note], _key(0))) == 3


def test_the_first_checkpoint_must_be_over_lines_and_name_no_other():
    _refused([_signed(_checkpoint(0, None, size=0), 0)], "checkpoint.size_falls", 0)
    _refused([_signed(_checkpoint(0, "another"), 0)], "checkpoint.previous", 0)


def test_an_old_key_cannot_sign_another_story_of_its_epoch_unnoticed():
    """A fork with the erased key of epoch 2, had it been kept: the notes after it name another digest."""
    notes = _chain()
    forked = _signed(_checkpoint(2, notes[1], root=hashlib.sha256(b"another story").digest()), 2)
    _refused([*notes[:2], forked, *notes[3:]], "checkpoint.previous", 3)


def test_a_wall_clock_that_was_set_back_is_told_with_epoch_and_seconds():
    assert set_back(follow(_chain(), _key(0))) == []
    notes = _chain()[:2]
    notes.append(_signed(_checkpoint(2, notes[-1], time="2026-01-02T03:04:01.500000Z"), 2))
    notes.append(_signed(_checkpoint(3, notes[-1]), 3))
    assert set_back(follow(notes, _key(0))) == [(2, 9.5)]
