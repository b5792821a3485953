"""The evidence store: named by content, read-only, whole or absent, hashed again on the way out."""

from __future__ import annotations

import hashlib
import multiprocessing
import stat
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.stores.case_store import CaseStore, hash_file

DATA = b"evidence" * 1000
NAME = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path / "case")


def test_an_object_lies_read_only_under_its_own_digest(store):
    assert store.put_bytes(DATA) == NAME
    path = store.path(NAME)
    assert path == store.root / "objects" / NAME[:2] / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert store.get_bytes(NAME) == DATA
    assert store.has(NAME)
    assert not store.has("0" * 64)


def test_storing_the_same_bytes_again_keeps_the_first_object(store):
    store.put_bytes(DATA)
    before = store.path(NAME).stat()
    assert store.put_bytes(DATA) == NAME
    after = store.path(NAME).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_json_has_one_byte_form(store):
    assert store.put_json({"b": 1, "a": [True, None]}) == store.put_json({"a": (True, None), "b": 1})
    name = store.put_json({"a": "Дело № 5"})
    assert store.get_json(name) == {"a": "Дело № 5"}


def test_an_object_changed_on_disk_is_never_returned(store):
    path = store.path(store.put_bytes(DATA))
    assert store.verify(NAME)
    path.chmod(0o644)
    path.write_bytes(DATA[:-1] + b"!")
    assert not store.verify(NAME)
    with pytest.raises(IntegrityError, match="was changed") as caught:
        store.get_bytes(NAME)
    assert caught.value.facts["sha256"] == NAME
    assert caught.value.facts["found"] == hashlib.sha256(DATA[:-1] + b"!").hexdigest()


def test_an_absent_object_is_an_integrity_error_that_names_it(store):
    with pytest.raises(IntegrityError, match=NAME):
        store.get_bytes(NAME)
    with pytest.raises(IntegrityError, match="missing"):
        store.verify(NAME)


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 63 + "/"])
def test_a_name_that_is_no_digest_leads_nowhere(store, name):
    with pytest.raises(IntegrityError):
        store.path(name)


def test_a_scratch_folder_is_private_and_goes_away_even_after_an_error(store):
    with pytest.raises(RuntimeError, match="on purpose"), store.scratch() as folder:
        (folder / "half").write_bytes(b"x")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        raise RuntimeError("on purpose")
    assert not folder.exists()


def test_a_finished_scratch_file_is_adopted_under_its_digest(store):
    with store.scratch() as folder:
        (folder / "a").write_bytes(DATA)
        assert store.adopt(folder / "a") == (NAME, len(DATA))
        inode = store.path(NAME).stat().st_ino
        (folder / "b").write_bytes(DATA)
        assert store.adopt(folder / "b") == (NAME, len(DATA))
        assert list(folder.iterdir()) == []
    assert store.path(NAME).stat().st_ino == inode


def _writer(root: str) -> None:
    store = CaseStore(Path(root))
    for number in range(40):
        store.put_bytes(b"%d" % number)


def test_two_processes_that_store_the_same_objects_do_not_disturb_each_other(store):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_writer, args=(str(store.root),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0]
    names = [p.name for p in store.root.glob("objects/*/*")]
    assert len(names) == 40
    assert all(store.verify(n) for n in names)
    assert list((store.root / "tmp").iterdir()) == []


def test_hash_file_agrees_with_hashlib_over_piece_borders(tmp_path):
    path = tmp_path / "big"
    data = bytes(range(256)) * ((4 << 20) // 256) + b"tail"
    path.write_bytes(data)
    assert hash_file(path) == (hashlib.sha256(data).hexdigest(), len(data))
