"""The tree's cache: the same roots and proofs as from the lines themselves, whatever befalls the file."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.errors import IntegrityError, LockTimeoutError
from playe_assets.custody import merkle, tree
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.tree import LogTree


def _filled(path: Path, lines: int, rotate_bytes: int = 0) -> CustodyLog:
    log = CustodyLog(path, rotate_bytes=rotate_bytes)
    while lines:
        some = min(lines, 64)
        log.append([{"event": "test", "number": n} for n in range(some)])
        lines -= some
    return log


def _leaves(log: CustodyLog) -> list[bytes]:
    return [merkle.leaf_hash(raw) for _, raw in log.lines()]


def _agrees(log: CustodyLog, seed: int = 0) -> None:
    """Every kind of answer equals that from the lines themselves."""
    chance, leaves, found = random.Random(seed), _leaves(log), LogTree(log)
    assert found.size() == len(leaves)
    for size in {0, 1, len(leaves), *(chance.randint(1, len(leaves)) for _ in range(6))}:
        assert found.root(size) == merkle.root(leaves[:size])
    for _ in range(6):
        size = chance.randint(1, len(leaves))
        seq, first = chance.randrange(size), chance.randint(1, size)
        some = chance.sample(range(size), chance.randint(0, size))
        assert found.leaf(seq) == leaves[seq]
        assert found.inclusion(seq, size) == merkle.inclusion(leaves[:size], seq)
        assert found.consistency(first, size) == merkle.consistency(leaves[:size], first)
        assert found.several(some, size) == merkle.several(leaves[:size], some)


@settings(deadline=None, derandomize=True, max_examples=12)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from([0, 700]))
def test_the_cache_grows_with_the_log_and_over_its_files(tmp_path_factory, steps, rotate_bytes):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    log = CustodyLog(path, rotate_bytes=rotate_bytes)
    for seed, lines in enumerate(steps):
        for number in range(lines):
            log.append([{"event": "test", "number": number}])
        _agrees(log, seed)
    assert len(log.files()) > 1 or not rotate_bytes or sum(steps) < 4


def test_a_cache_takes_less_than_64_bytes_a_line_and_is_read_not_made_for_a_proof(tmp_path):
    log = _filled(tmp_path / "events.jsonl", 500)
    found = LogTree(log)
    found.root(500)
    before = found.path.stat()
    assert before.st_size <= 128 + 64 * 500
    found.inclusion(7, 400)
    LogTree(log).several(range(50, 90), 500)
    assert found.path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_wrong_cache_is_made_anew_wherever_a_byte_of_it_is_wrong(tmp_path):
    log = _filled(tmp_path / "events.jsonl", 21)
    found, leaves = LogTree(log), _leaves(log)
    found.root(21)
    good = found.path.read_bytes()
    roots = [merkle.root(leaves[:n]) for n in range(22)]
    for place in range(0, len(good), 5):
        for wrong in (good[:place], good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :]):
            found.path.write_bytes(wrong)
            size = 1 + place % 21
            assert found.root(size) == roots[size]
            assert found.inclusion(place % size, size) == merkle.inclusion(leaves[:size], place % size)
            assert found.several([place % size], size) == merkle.several(leaves[:size], [place % size])
    for wrong in (b"", b"x" * 3000, bytes(5000)):
        found.path.write_bytes(wrong)
        assert found.root(21) == roots[21]
        assert found.path.read_bytes()[: len(good)] == good[: len(good)]


def test_the_cache_of_another_or_an_older_log_is_not_taken_for_this_one_s(tmp_path):
    ours, other = _filled(tmp_path / "a" / "events.jsonl", 40), _filled(tmp_path / "b" / "events.jsonl", 30)
    LogTree(ours).root(40)
    shutil.copy(tmp_path / "a" / "tree.bin", tmp_path / "b" / "tree.bin")  # longer than the log
    _agrees(other)
    other.append([{"event": "test"}] * 30)
    LogTree(other).root(60)
    shutil.copy(tmp_path / "a" / "tree.bin", tmp_path / "b" / "tree.bin")  # shorter than the log
    _agrees(other)
    shutil.copy(tmp_path / "b" / "tree.bin", tmp_path / "a" / "tree.bin")
    ours.append([{"event": "test"}] * 20)  # of equal length
    _agrees(ours)


def test_torn_lines_are_leaves_like_any_other(tmp_path):
    path = tmp_path / "events.jsonl"
    for seed, torn in enumerate((b'{"event":"to', b"\xff\n", b"x\ny\nz")):
        log = _filled(path, 3)
        _agrees(log, seed)
        with path.open("ab") as handle:
            handle.write(torn)
        _agrees(CustodyLog(path), seed)
    _filled(path, 2)
    _agrees(CustodyLog(path))


def test_what_the_log_does_not_have_has_no_root_and_no_proof(tmp_path):
    found = LogTree(_filled(tmp_path / "events.jsonl", 5))
    assert found.root(0) == merkle.EMPTY
    for ask in (lambda: found.root(6), lambda: found.root(-1), lambda: found.inclusion(5, 5),
                lambda: found.inclusion(2, 2), lambda: found.inclusion(-1, 5), lambda: found.consistency(0, 5),
                lambda: found.consistency(5, 4), lambda: found.several([5], 5), lambda: found.leaf(5)):  # fmt: skip
        with pytest.raises(ValueError, match=r"no |not "):
            ask()
    empty = LogTree(CustodyLog(tmp_path / "none" / "events.jsonl"))
    assert (empty.size(), empty.root(0)) == (0, merkle.EMPTY)


def _ask(path: Path, seed: int) -> None:
    chance, found = random.Random(seed), LogTree(CustodyLog(path))
    for _ in range(15):
        found.log.append([{"event": "test", "who": seed}] * chance.randint(1, 20))
        size = found.size()
        seq = chance.randrange(size)
        assert merkle.included(found.leaf(seq), seq, size, found.inclusion(seq, size), found.root(size))


def test_processes_that_append_and_prove_at_once_share_one_cache(tmp_path):
    path = tmp_path / "events.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_ask, args=(path, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    _agrees(CustodyLog(path))


def test_a_process_killed_while_it_makes_the_cache_costs_nothing(tmp_path):
    log = _filled(tmp_path / "events.jsonl", 3000)
    program = f"""
import os, signal
from pathlib import Path
from playe_assets.custody import tree
from playe_assets.custody.log import CustodyLog
tree._BATCH = 4096
writes, real = 0, os.pwrite
def pwrite(fd, data, offset):
    global writes
    writes += 1
    if writes == int(os.environ["AT"]):
        real(fd, bytes(data)[: len(data) // 2], offset)
        os.kill(os.getpid(), signal.SIGKILL)
    return real(fd, data, offset)
os.pwrite = pwrite
tree.LogTree(CustodyLog(Path({str(log.path)!r}))).root(3000)
"""
    for at in (1, 2, 3, 8, 9):
        done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "AT": str(at)}, check=False)
        assert done.returncode == -signal.SIGKILL
        _agrees(log, at)
        (tmp_path / "tree.bin").unlink()


def test_a_log_on_a_medium_that_takes_no_file_is_proved_all_the_same(tmp_path, monkeypatch):
    log = _filled(tmp_path / "events.jsonl", 20)
    real = os.open

    def read_only(path, flags, *rest, **more):
        if str(path).endswith("tree.bin"):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", read_only)
    found, leaves = LogTree(log), _leaves(log)
    assert found.root(20) == merkle.root(leaves)
    assert found.inclusion(3, 17) == merkle.inclusion(leaves[:17], 3)
    assert not found.path.exists()


def test_a_cache_that_another_process_holds_too_long_is_a_transient_error(tmp_path):
    log = CustodyLog(_filled(tmp_path / "events.jsonl", 3).path, lock_timeout_s=0.05)
    found = LogTree(log)
    fd = os.open(found.path, os.O_RDWR | os.O_CREAT)
    tree.lock(fd, found.path, 1)
    with pytest.raises(LockTimeoutError):
        found.root(3)
    os.close(fd)
    assert found.root(3) == merkle.root(_leaves(log))


def test_lines_that_vanish_under_the_reader_are_told(tmp_path, monkeypatch):
    log = _filled(tmp_path / "events.jsonl", 9)
    monkeypatch.setattr(log, "lines", lambda start=0: iter([]))
    with pytest.raises(IntegrityError) as told:
        LogTree(log).root(9)
    assert told.value.code == "tree.log_short"
