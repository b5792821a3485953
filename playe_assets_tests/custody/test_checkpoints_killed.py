"""A process killed with -9 at every call by which a checkpoint reaches the disk; the next `make()` goes on."""

from __future__ import annotations

import errno
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from playe_assets.custody.checkpoints import EVENT, Checkpoints, follow
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.note import digest

CALLS = ("open", "write", "pwrite", "fsync", "fdatasync", "rename", "unlink", "mkdir", "ftruncate")
"""What changes the disk, or asks that it last."""


def _of(folder: Path) -> Checkpoints:
    return Checkpoints(CustodyLog(folder / "events.jsonl"), folder / "checkpoints")


def _in_child(work: Callable[[], object], kill_at: int) -> bool:
    """Run `work` in a child that kills itself at the `kill_at`th call, in the midst of it where it writes.

    Whether the child came to that call. Nothing but the parent's own objects is shared: the child forgets them.
    """
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"the child failed at {kill_at}"
        return os.WIFSIGNALED(status)
    done = 0

    def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*given: object, **more: object) -> object:
            nonlocal done
            done += 1
            if done == kill_at:
                if name in ("write", "pwrite"):
                    fd, data, *rest = given
                    real(fd, bytes(data)[: len(data) // 2], *rest)  # type: ignore[call-overload]
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **more)

        return call

    status = 1
    try:
        for name in CALLS:
            setattr(os, name, counted(name, getattr(os, name)))
        work()
        status = 0
    finally:
        os._exit(status)


def _whole(folder: Path, epochs: int) -> None:
    """The checkpoints make one chain over the log, each is named once, one key is left and it is the right one."""
    found = _of(folder)
    kept = found.all()
    chain = follow([one.note for one in kept], found.key0())
    assert len(kept) == epochs
    named = [(e["epoch"], e["note_sha256"]) for _, e, _ in found.log.read() if e and e["event"] == EVENT]
    assert named == [(one.epoch, digest(one.note)) for one in kept]
    assert found.keys.present() == [epochs]
    assert str(found.keys.load(epochs)[0]) == chain[-1].next_key
    assert not list(found.folder.rglob("*.tmp"))
    for checkpoint in chain:
        assert found.tree.root(checkpoint.size) == checkpoint.root
    assert found.log.verify()[1] is None


def _torn(folder: Path) -> bool:
    return any(entry and entry["event"] == "log.torn" for _, entry, _ in _of(folder).log.read())


def _copied(source: Path, target: Path) -> Path:
    return shutil.copytree(source, target)


def _start(tmp_path: Path, epochs: int) -> Path:
    folder = tmp_path / "start"
    found = _of(folder)
    for _ in range(epochs):
        found.log.append([{"event": "test"}])
        found.make()
    found.log.append([{"event": "test"}])
    return folder


@pytest.mark.parametrize(("epochs", "every"), [(1, 1), (0, 3), pytest.param(0, 1, marks=pytest.mark.slow)])
def test_a_process_killed_at_any_step_of_making_a_checkpoint_leaves_a_state_to_go_on_from(
    tmp_path, epochs, every
):
    start, reached = _start(tmp_path, epochs), 0
    for kill_at in range(1, 400, every):
        folder = _copied(start, tmp_path / f"killed at {kill_at}")
        killed = _in_child(lambda folder=folder: _of(folder).make(), kill_at)
        before = len(_of(folder).all())
        kept = _of(folder).make()
        assert before in (epochs, epochs + 1)
        # The log's own line cut short is news: that it was acknowledged must be covered as well.
        assert kept.epoch == epochs + _torn(folder)
        _whole(folder, kept.epoch + 1)
        if not killed:
            break
        reached += 1
    assert 30 < reached * every < 399


def test_a_process_killed_again_while_it_goes_on_after_a_crash_loses_nothing_either(tmp_path):
    chance, start, twice = random.Random(9), _start(tmp_path, 1), 0
    for number in range(10):
        folder = _copied(start, tmp_path / f"{number}")
        for _ in range(4):
            twice += _in_child(lambda folder=folder: _of(folder).make(), chance.randint(1, 60))
        epoch = _of(folder).make().epoch
        assert epoch <= 1 + 4 * _torn(folder)
        _whole(folder, epoch + 1)
        _of(folder).log.append([{"event": "test"}])
        _of(folder).make()
        _whole(folder, epoch + 2)
    assert twice > 12


def test_no_step_leaves_two_signatures_of_one_key_that_both_last(tmp_path):
    """The key of an epoch may sign again only where its first note never got its name."""
    start = _start(tmp_path, 1)
    for kill_at in range(20, 80, 6):
        folder = _copied(start, tmp_path / f"killed at {kill_at}")
        _in_child(lambda folder=folder: _of(folder).make(), kill_at)
        there = {one.epoch: one.note for one in _of(folder).all()}
        _of(folder).log.append([{"event": "test"}])
        _of(folder).make()
        after = {one.epoch: one.note for one in _of(folder).all()}
        assert there.items() <= after.items()
        _whole(folder, len(after))


def test_a_disk_that_takes_only_half_of_a_note_leaves_a_state_to_go_on_from(tmp_path):
    """A real limit: no file of the child may grow beyond 440 bytes. A key is shorter, a note is longer."""
    folder = _start(tmp_path, 1)
    child = os.fork()
    if not child:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (440, 440))
            _of(folder).make()
        except OSError as problem:
            status = 0 if problem.errno == errno.EFBIG else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(_of(folder).all()) == 1
    assert (folder / "checkpoints" / "000001.note.tmp").exists()
    assert _of(folder).make().epoch == 1
    _whole(folder, 2)
