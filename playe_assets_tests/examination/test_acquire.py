"""A working copy is equal to the file that was received, or nothing pretends that it is."""

from __future__ import annotations

import hashlib
import os

import pytest

from playe_assets.core.errors import EvidenceChangedError, UnsafePathError
from playe_assets.examination import acquire as module
from playe_assets.examination.acquire import ReadError, acquire
from playe_assets.stores.case_store import CaseStore


@pytest.fixture
def store(tmp_path):
    return CaseStore(tmp_path / "case")


def _acquire(store, path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return acquire(store, descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("size", [0, 1, 5000, 1 << 20, (4 << 20) - 1, 4 << 20, (9 << 20) + 7])
def test_a_copy_of_any_size_has_the_digest_of_its_source(tmp_path, store, size):
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    found = _acquire(store, tmp_path / "f")
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), size)
    assert store.get_bytes(found.sha256) == data
    assert list((store.root / "tmp").iterdir()) == []


@pytest.mark.parametrize("size", [5000, 6 << 20])
def test_a_file_that_changes_between_the_readings_is_noticed_and_kept_as_first_read(
    tmp_path, store, size, monkeypatch
):
    path, data = tmp_path / "f", os.urandom(size)
    path.write_bytes(data)
    verify = module._verify

    def meddle(*args):
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"meddled")
        return verify(*args)

    monkeypatch.setattr(module, "_verify", meddle)
    with pytest.raises(EvidenceChangedError) as caught:
        _acquire(store, path)
    assert caught.value.facts["sha256"] == hashlib.sha256(data).hexdigest()
    assert store.get_bytes(caught.value.facts["sha256"]) == data


def test_a_file_that_grows_is_noticed(tmp_path, store, monkeypatch):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100)
    verify = module._verify

    def grow(*args):
        with path.open("ab") as file:
            file.write(b"more")
        return verify(*args)

    monkeypatch.setattr(module, "_verify", grow)
    with pytest.raises(EvidenceChangedError):
        _acquire(store, path)


def test_a_copy_that_differs_on_the_disk_is_noticed(tmp_path, store, monkeypatch):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100)
    write = module._write

    def flip(goal, piece, position, flush):
        write(goal, memoryview(bytes(piece).replace(b"x", b"y", 1)), position, flush)

    monkeypatch.setattr(module, "_write", flip)
    with pytest.raises(EvidenceChangedError):
        _acquire(store, path)


def test_a_device_is_no_evidence(store):
    with pytest.raises(UnsafePathError):
        _acquire(store, "/dev/zero")


@pytest.mark.parametrize("size", [5000, 6 << 20])
def test_a_source_that_fails_midway_is_a_reading_error_and_leaves_nothing(tmp_path, store, size, monkeypatch):
    path = tmp_path / "f"
    path.write_bytes(bytes(size))
    real = os.preadv

    def fail(descriptor, buffers, position):
        if position:
            raise OSError(5, "Input/output error")
        return real(descriptor, buffers, position)

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(ReadError) as caught:
        _acquire(store, path)
    assert caught.value.facts["problem"] == "Input/output error"
    assert not (store.root / "objects").exists()
