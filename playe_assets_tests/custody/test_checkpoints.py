"""Checkpoints are made once for each state of the log, by keys that are gone afterwards, and never tell two stories."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import stat
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError, LockTimeoutError
from playe_assets.custody import merkle, tree
from playe_assets.custody.checkpoints import EVENT, Checkpoints, Kept, follow
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.note import VerifierKey, digest
from playe_assets.examination.settings import Settings


def _log(folder: Path, lines: int = 3) -> CustodyLog:
    log = CustodyLog(folder / "events.jsonl")
    if lines:
        log.append([{"event": "test", "number": n} for n in range(lines)])
    return log


def _of(log: CustodyLog, **more: str) -> Checkpoints:
    return Checkpoints(log, log.path.parent / "checkpoints", **more)


def _made(folder: Path, count: int = 3) -> Checkpoints:
    found = _of(_log(folder, 0))
    for number in range(count):
        found.log.append([{"event": "test", "number": number}] * (number + 1))
        found.make()
    return found


def _root(log: CustodyLog, size: int) -> bytes:
    return merkle.root([merkle.leaf_hash(raw) for index, raw in log.lines() if index < size])


def _named(log: CustodyLog) -> list[tuple[int, int, str]]:
    return [(e["epoch"], e["size"], e["note_sha256"]) for _, e, _ in log.read() if e and e["event"] == EVENT]


def _whole(found: Checkpoints) -> list[Kept]:
    """All that must hold of a log with checkpoints, whatever happened to it before."""
    kept = found.all()
    chain = follow([one.note for one in kept], found.key0())
    for one, checkpoint in zip(kept, chain, strict=True):
        assert one.checkpoint == checkpoint
        assert checkpoint.root == _root(found.log, checkpoint.size)
    assert _named(found.log) == [(k.epoch, k.checkpoint.size, digest(k.note)) for k in kept]
    assert found.log.verify()[1] is None
    assert found.keys.present() == [len(kept)]
    assert str(found.keys.load(len(kept))[0]) == (chain[-1].next_key if chain else found.key0())
    assert not list(found.folder.rglob("*.tmp"))
    return kept


def _refuses(found: Checkpoints, code: str) -> str:
    """`make` refuses with `code` and signs nothing."""
    before = sorted(path.name for path in found.folder.glob("*.note"))
    lines = found.log.head().lines
    with pytest.raises(IntegrityError) as refused:
        found.make()
    assert refused.value.code == code
    assert sorted(path.name for path in found.folder.glob("*.note")) == before
    assert found.log.head().lines == lines
    return str(refused.value)


def test_each_checkpoint_covers_the_log_and_is_signed_by_the_key_that_the_last_announced(tmp_path):
    found = _made(tmp_path, 4)
    kept = _whole(found)
    assert [one.epoch for one in kept] == [0, 1, 2, 3]
    assert [one.checkpoint.size for one in kept] == [1, 4, 8, 13]
    assert found.newest() == kept[-1]
    assert kept[0].path == tmp_path / "checkpoints" / "000000.note"
    assert kept[1].checkpoint.previous == hashlib.sha256(kept[0].path.read_bytes()).hexdigest()
    assert (tmp_path / "checkpoints" / "key0.txt").read_text() == found.key0() + "\n"


def test_only_the_next_private_key_is_there_and_nobody_else_may_read_it(tmp_path):
    found = _made(tmp_path, 2)
    (key,) = (tmp_path / "checkpoints" / "keys").iterdir()
    assert key.name == "000002.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    key.chmod(0o640)
    found.log.append([{"event": "test"}])
    assert "chmod 600" in _refuses(found, "checkpoint.key_open")


def test_an_old_private_key_is_overwritten_before_its_name_goes(tmp_path):
    found = _of(_log(tmp_path))
    found.key0()
    other = tmp_path / "other name of the same bytes"
    os.link(found.keys.path(0), other)
    secret = other.read_bytes()
    found.make()
    assert not found.keys.path(0).exists()
    left = other.read_bytes()
    assert len(left) == len(secret)
    assert secret[20:40] not in left
    assert secret[-30:] not in left


def test_a_log_without_news_gets_no_new_checkpoint(tmp_path):
    found = _made(tmp_path, 1)
    first = found.newest()
    lines = found.log.head().lines
    assert [found.make() for _ in range(3)] == [first] * 3
    assert found.log.head().lines == lines
    found.log.append([{"event": "test"}])
    assert found.make().epoch == 1


def test_an_empty_log_has_nothing_to_sign_and_no_newest_checkpoint(tmp_path):
    found = _of(_log(tmp_path, 0))
    assert found.newest() is None
    assert found.all() == []
    _refuses(found, "checkpoint.empty_log")
    found.log.append([{"event": "test"}])
    assert found.make().epoch == 0


def test_the_log_is_named_by_its_first_key_unless_the_laboratory_names_it(tmp_path):
    key = VerifierKey.parse(_of(_log(tmp_path / "a")).key0())
    assert key.name == f"playe-log/{key.public[:8].hex()}"
    named = _of(_log(tmp_path / "b"), origin="lab.example/custody")
    assert named.make().checkpoint.origin == "lab.example/custody"
    _whole(named)
    _refuses(_of(named.log, origin="lab.example/other"), "checkpoint.origin")
    assert _of(named.log).make() == named.newest()
    _refuses(_of(_log(tmp_path / "c"), origin="not a name"), "note.name")


def test_a_pinned_first_key_lets_no_other_take_its_place(tmp_path):
    found, other = _made(tmp_path / "a"), _made(tmp_path / "b")
    pinned = _of(found.log, pinned=found.key0())
    assert pinned.make() == found.newest()
    shutil.rmtree(found.folder)
    shutil.copytree(other.folder, found.folder)
    for ask in (pinned.make, pinned.key0, pinned.newest):
        with pytest.raises(IntegrityError) as refused:
            ask()
        assert refused.value.code == "checkpoint.pinned"
    shutil.rmtree(found.folder)
    with pytest.raises(IntegrityError):
        pinned.key0()
    _refuses(_of(_log(tmp_path / "c"), pinned=other.key0()), "checkpoint.pinned")


def test_settings_give_the_checkpoints_of_the_laboratory(tmp_path):
    settings = Settings(
        data_root=tmp_path, inbox=tmp_path, log_origin="lab.example/x", tsa_url="http://127.0.0.1:9/"
    )
    found = settings.checkpoints
    assert (found.folder, found.origin, found.tsa_url) == (
        tmp_path / "audit" / "checkpoints", "lab.example/x", "http://127.0.0.1:9/")  # fmt: skip
    settings.log.append([{"event": "test"}])
    assert found.make().checkpoint.origin == "lab.example/x"


def test_a_log_that_was_changed_below_its_newest_checkpoint_is_not_signed(tmp_path):
    found = _made(tmp_path)
    good = found.log.path.read_bytes()
    lines = good.splitlines(keepends=True)
    news = b'{"event":"test"}\n'
    for changed in (
        [lines[0].replace(b"test", b"tast"), *lines[1:]],
        lines[1:],
        [lines[1], lines[0], *lines[2:]],
        [news, *lines],
    ):
        for cached in (True, False):
            found.log.path.write_bytes(b"".join(changed))
            if not cached:
                (tmp_path / "tree.bin").unlink(missing_ok=True)
            fresh = _of(CustodyLog(found.log.path))
            if (
                cached
                and len(changed) == len(lines)
                and fresh.log.head().lines == found.newest().checkpoint.size + 1
            ):
                continue  # the cache vouches for the old lines; the next reading of the log finds the change
            with pytest.raises(IntegrityError) as refused:
                fresh.log.append([{"event": "test"}])
                fresh.make()
            assert refused.value.code in ("checkpoint.history", "tree.log_short")
            assert len(fresh.all()) == 3
    found.log.path.write_bytes(b"".join(lines[:4]))
    _refuses(_of(CustodyLog(found.log.path)), "checkpoint.log_shorter")


def test_a_cache_of_the_tree_that_lies_never_reaches_a_signature(tmp_path):
    found = _made(tmp_path)
    other = _log(tmp_path / "other", 60)
    tree.LogTree(other).root(60)
    found.log.append([{"event": "test"}])
    shutil.copy(tmp_path / "other" / "tree.bin", tmp_path / "tree.bin")
    found.make()
    _whole(found)


def test_a_cache_that_was_forged_with_its_checksum_never_reaches_a_signature(tmp_path):
    found = _made(tmp_path / "true", 2)
    shutil.copytree(tmp_path / "true", tmp_path / "other")
    found.log.append([{"event": "test", "number": 7}] * 3)
    other = _log(tmp_path / "other", 0)
    other.append([{"event": "test", "number": 8}] * 3)
    false_root = tree.LogTree(other).root(other.head().lines)
    forged = bytearray(tree.LogTree(other).path.read_bytes())
    head = found.log.head()
    stated = tree._HEADER.pack(tree._MAGIC, head.lines, bytes.fromhex(head.last_hash), false_root, bytes(32))[
        :-32
    ]
    forged[: tree._HEADER.size] = stated + hashlib.sha256(stated).digest()
    found.tree.path.write_bytes(forged)
    assert found.tree.root(head.lines) == false_root  # the cache alone is believed
    kept = found.make()
    assert kept.checkpoint.root == _root(found.log, kept.checkpoint.size)
    _whole(found)


def test_deleted_checkpoints_are_missed_and_nothing_is_signed_in_their_place(tmp_path):
    found = _made(tmp_path)
    found.log.append([{"event": "test"}])
    kept = tmp_path / "kept"
    shutil.copytree(found.folder, kept)

    def put_back() -> None:
        shutil.rmtree(found.folder)
        shutil.copytree(kept, found.folder)

    (found.folder / "000002.note").unlink()
    assert "checkpoint 2" in _refuses(found, "checkpoint.rolled_back")
    put_back()
    for note in found.folder.glob("*.note"):
        note.unlink()
    _refuses(found, "checkpoint.rolled_back")
    put_back()
    (found.folder / "000001.note").unlink()
    _refuses(found, "checkpoint.absent")
    put_back()
    (found.folder / "key0.txt").unlink()
    _refuses(found, "checkpoint.key0_absent")
    shutil.rmtree(found.folder)
    _refuses(found, "checkpoint.key0_absent")
    with pytest.raises(IntegrityError):
        found.key0()
    found.folder.mkdir(exist_ok=True)
    put_back()
    found.make()
    _whole(found)


def test_an_older_copy_of_notes_and_keys_does_not_sign_an_epoch_twice(tmp_path):
    found = _made(tmp_path, 2)
    backup = tmp_path / "backup"
    shutil.copytree(found.folder, backup)
    found.log.append([{"event": "test"}])
    found.make()
    shutil.rmtree(found.folder)
    shutil.copytree(backup, found.folder)
    found.log.append([{"event": "test"}])
    _refuses(found, "checkpoint.rolled_back")


def test_a_key_that_was_not_announced_does_not_sign(tmp_path):
    found, other = _made(tmp_path / "a"), _made(tmp_path / "b")
    found.log.append([{"event": "test"}])
    shutil.copy(other.keys.path(3), found.keys.path(3))
    _refuses(found, "checkpoint.key_differs")
    found.keys.path(3).write_text("no key")
    _refuses(found, "checkpoint.key_broken")
    found.keys.path(3).unlink()
    _refuses(found, "checkpoint.key_absent")


def test_a_note_that_is_not_the_one_that_the_log_names_is_not_gone_on_from(tmp_path):
    found = _made(tmp_path)
    newest = found.newest()
    witness = "\u2014 witness.example AAAAAAAA\n"  # an unknown signer: the note opens, but it is another one
    newest.path.write_text(newest.note + witness, encoding="utf-8")
    _refuses(found, "checkpoint.other_note")
    newest.path.write_bytes(newest.path.read_bytes()[:-60])
    _refuses(found, "checkpoint.refused")
    newest.path.write_text(newest.note.replace("\nepoch 2", "\nepoch 3"), encoding="utf-8")
    _refuses(found, "checkpoint.refused")
    newest.path.write_bytes(b"\xff\n\n")
    _refuses(found, "checkpoint.broken")


def _write_and_sign(path: Path, who: int) -> None:
    found = _of(CustodyLog(path))
    for number in range(8):
        found.log.append([{"event": "test", "who": who, "number": number}])
        kept = found.make()
        assert kept.checkpoint.size <= found.log.head().lines


def test_processes_that_make_checkpoints_at_once_make_one_chain(tmp_path):
    path = tmp_path / "events.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_and_sign, args=(path, who)) for who in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    found = _of(CustodyLog(path))
    found.make()
    assert 8 <= len(_whole(found)) <= 25


def test_a_process_that_makes_checkpoints_too_long_is_a_transient_error(tmp_path):
    found = _made(tmp_path, 1)
    found.log.lock_timeout_s = 0.05
    path = found.folder / "checkpoints.lock"
    fd = os.open(path, os.O_RDWR)
    tree.lock(fd, path, 1)
    with pytest.raises(LockTimeoutError):
        found.make()
    os.close(fd)
    found.make()


def test_checkpoints_go_on_over_the_files_of_a_rotated_log(tmp_path):
    log = CustodyLog(tmp_path / "events.jsonl", rotate_bytes=600)
    found = _of(log)
    for number in range(6):
        log.append([{"event": "test", "number": number, "pad": "x" * 200}])
        found.make()
    assert len(log.files()) > 2
    assert len(_whole(found)) == 6
    assert found.make() == found.newest()
