"""Nothing leads out of the drop folder, whichever way the kernel lets us open files."""

from __future__ import annotations

import errno
import os
import socket
import stat

import pytest

from playe_assets.core.errors import UnsafePathError
from playe_assets.examination import safe_open


@pytest.fixture(params=["openat2", "walk"])
def way(request, monkeypatch):
    """Both ways of opening, the second as on a kernel without openat2."""
    if request.param == "walk":
        monkeypatch.setattr(safe_open, "_openat2", lambda *_: None)
    return request.param


@pytest.fixture
def drop(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret", encoding="ascii")
    folder = tmp_path / "drop"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a").write_text("a", encoding="ascii")
    return folder


def _read(folder, name):
    with safe_open.drop_folder(folder) as root:
        descriptor = safe_open.open_beneath(root, name)
        try:
            return os.read(descriptor, 100)
        finally:
            os.close(descriptor)


def test_a_file_below_is_opened(drop, way):
    assert _read(drop, b"sub/a") == b"a"


@pytest.mark.parametrize("name", [b"../outside/secret", b"sub/../../outside/secret", b"/etc/hostname"])
def test_a_path_that_leads_out_is_refused(drop, way, name):
    with pytest.raises(OSError) as caught:
        _read(drop, name)
    assert caught.value.errno == errno.EXDEV


@pytest.mark.parametrize("target", ["../outside/secret", "a"])
def test_a_symbolic_link_is_refused_even_to_a_file_inside(drop, way, target):
    (drop / "sub" / "link").symlink_to(target)
    with pytest.raises(OSError) as caught:
        _read(drop, b"sub/link")
    assert caught.value.errno == errno.ELOOP


def test_a_linked_folder_is_not_entered(drop, way):
    (drop / "way").symlink_to("../outside", target_is_directory=True)
    with pytest.raises(OSError) as caught:
        _read(drop, b"way/secret")
    assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)


def test_a_fifo_does_not_block(drop, way):
    os.mkfifo(drop / "pipe")
    with safe_open.drop_folder(drop) as root:
        descriptor = safe_open.open_beneath(root, b"pipe")
        assert stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        os.close(descriptor)


def test_the_walk_lists_everything_by_raw_name_and_refuses_what_is_no_file(drop):
    (drop / ".hidden").write_bytes(b"x")
    (drop / "link").symlink_to("/etc/passwd")
    os.mkfifo(drop / "pipe")
    os.mkdir(os.fsencode(drop) + b"/\xff")  # noqa: PTH102
    (drop / "empty folder").mkdir()
    with open(os.fsencode(drop) + b"/\xff/\x01", "wb") as file:  # noqa: PTH123  (pathlib takes no bytes)
        file.write(b"x")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(drop / "sock"))
        with safe_open.drop_folder(drop) as root:
            found = safe_open.walk(root)
    assert [(e.name, e.refused and e.refused.code) for e in found] == [
        (b".hidden", None), (b"link", "symlink"), (b"pipe", "fifo"), (b"sock", "socket"), (b"sub/a", None),
        (b"\xff/\x01", None),
    ]  # fmt: skip
    assert found[1].refused.facts == {"target": "/etc/passwd"}


def test_endless_nesting_is_refused_at_a_depth(drop):
    deep = drop.joinpath(*["d"] * 70)
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(b"x")
    with safe_open.drop_folder(drop) as root:
        found = safe_open.walk(root)
    assert [e.refused.code for e in found if e.refused] == ["too_deep"]


def test_a_link_instead_of_the_drop_folder_is_refused(tmp_path, drop):
    (tmp_path / "alias").symlink_to(drop)
    with pytest.raises(UnsafePathError), safe_open.drop_folder(tmp_path / "alias"):
        pass
