"""Private keys on the disk: Go's format, whole or not there, unreadable for others, overwritten at the end."""

from __future__ import annotations

import os
import stat

import pytest

from playe_assets.core.durable import write_durably
from playe_assets.core.errors import IntegrityError
from playe_assets.custody.keys import EpochKeys
from playe_assets.custody.note import VerifierKey

GO = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz\n"
"""The private key in the documentation of golang.org/x/mod/sumdb/note."""


def test_a_key_in_the_format_of_go_is_read_with_its_verifier_key(tmp_path):
    keys = EpochKeys(tmp_path)
    write_durably(keys.path(7), GO.encode(), 0o600)
    key, private = keys.load(7)
    assert str(key) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert len(private) == 32


def test_a_key_that_is_made_is_the_one_that_is_read_and_never_the_same_twice(tmp_path):
    keys = EpochKeys(tmp_path / "keys")
    made = [keys.generate(epoch, "lab.example/custody") for epoch in range(3)]
    assert keys.present() == [0, 1, 2]
    assert [keys.load(epoch)[0] for epoch in range(3)] == made
    assert len({key.public for key in made}) == 3
    assert all(stat.S_IMODE(keys.path(epoch).stat().st_mode) == 0o600 for epoch in range(3))
    assert made[0].name == "lab.example/custody"
    assert isinstance(keys.generate(3, ""), VerifierKey)


@pytest.mark.parametrize(
    "text",
    ["", "x", GO.replace("PRIVATE", "PUBLIC"), GO.replace("c74f20a3", "c74f20a4"), GO.replace("+AYEK", "+AoEK"),
     GO[:-5], GO.replace("PeterNeumann", "PeterNewman"), "\0" * 93, "PRIVATE+KEY+a+00000000+!!"],
)  # fmt: skip
def test_a_file_that_is_no_whole_key_is_refused(tmp_path, text):
    keys = EpochKeys(tmp_path)
    write_durably(keys.path(0), text.encode(), 0o600)
    with pytest.raises(IntegrityError) as refused:
        keys.load(0)
    assert refused.value.code == "checkpoint.key_broken"
    assert "AYEK" not in str(refused.value)


def test_a_key_that_others_may_read_or_that_is_not_there_is_refused(tmp_path):
    keys = EpochKeys(tmp_path)
    with pytest.raises(IntegrityError) as refused:
        keys.load(0)
    assert refused.value.code == "checkpoint.key_absent"
    for mode in (0o640, 0o604, 0o660):
        write_durably(keys.path(0), GO.encode(), 0o600)
        keys.path(0).chmod(mode)
        with pytest.raises(IntegrityError) as refused:
            keys.load(0)
        assert refused.value.code == "checkpoint.key_open"


def test_erasing_overwrites_older_keys_and_what_a_crash_left_and_spares_the_rest(tmp_path):
    keys, seen = EpochKeys(tmp_path / "keys"), {}
    EpochKeys(tmp_path / "none").erase_below(5)
    for epoch in range(4):
        keys.generate(epoch, "lab.example/custody")
    left = tmp_path / "keys" / "000004.key.tmp"
    left.write_text(GO[:50], encoding="ascii")
    for path in (*map(keys.path, range(3)), left):
        seen[tmp_path / path.name] = path.read_bytes()
        os.link(path, tmp_path / path.name)  # another name, by which the bytes can be looked at afterwards
    keys.erase_below(3)
    assert keys.present() == [3]
    assert not left.exists()
    for other, secret in seen.items():
        now = other.read_bytes()
        assert len(now) == len(secret)
        assert not any(secret[at : at + 8] in now for at in range(len(secret) - 8))
