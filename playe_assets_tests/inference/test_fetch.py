"""Fetching weights from a real web server: cut, lied to, given the wrong bytes; never half a file under its name."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys

import pytest

from playe_assets.core.errors import CommandError, GovernanceError, IntegrityError, MissingResourceError
from playe_assets.inference import fetch
from playe_assets.inference.fetch import pull
from playe_assets_tests.inference.file_server import Behaviour, serving
from playe_assets_tests.inference.sample_cards import made_card

DATA = os.urandom(1_500_000)
PART = hashlib.sha256(DATA).hexdigest() + ".part"
OTHER = bytes(len(DATA))


@pytest.fixture
def there():
    """A server of the right file, and its behaviour."""
    behaviour = Behaviour(DATA)
    with serving(behaviour) as address:
        yield behaviour, address


def card(address, *mirrors, **changed):
    return made_card(DATA, url=address, mirrors=list(mirrors), **changed)


def names(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def closed_port():
    """An address of this machine where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/file"


def test_a_file_comes_whole_under_its_name_and_progress_is_told(there, tmp_path):
    told = []
    path = pull(card(there[1]), tmp_path / "weights", lambda done, total: told.append((done, total)))
    assert path.read_bytes() == DATA
    assert names(tmp_path / "weights") == ["made_up.onnx"]
    assert told[-1] == (len(DATA), len(DATA))
    assert [d for d, _ in told] == sorted({d for d, _ in told})


def test_a_file_that_is_there_is_not_fetched_again_and_a_spoilt_one_is(there, tmp_path):
    behaviour, address = there
    path = pull(card(address), tmp_path)
    pull(card(address), tmp_path)
    assert len(behaviour.seen) == 1
    path.write_bytes(OTHER)
    assert pull(card(address), tmp_path).read_bytes() == DATA


def test_a_connection_that_is_cut_again_and_again_is_taken_up_where_it_ended(there, tmp_path):
    behaviour, address = there
    behaviour.cut_after = [400_000, 300_000, 1]
    assert pull(card(address), tmp_path).read_bytes() == DATA
    assert behaviour.seen == [None, "bytes=400000-", "bytes=700000-", "bytes=700001-"]


def test_a_later_command_goes_on_where_an_earlier_one_stopped(there, tmp_path):
    behaviour, address = there
    behaviour.cut_after = [500_000, 0, 0, 0]
    with pytest.raises(MissingResourceError):
        pull(card(address), tmp_path)
    assert names(tmp_path) == [PART]
    assert (tmp_path / PART).stat().st_size == 500_000
    assert pull(card(address), tmp_path).read_bytes() == DATA
    assert behaviour.seen[-1] == "bytes=500000-"
    assert names(tmp_path) == ["made_up.onnx"]


def test_a_server_without_ranges_sends_all_of_it_again(there, tmp_path):
    behaviour, address = there
    behaviour.ranges = False
    behaviour.cut_after = [500_000]
    assert pull(card(address), tmp_path).read_bytes() == DATA


def test_a_range_that_begins_elsewhere_is_not_sewn_on(there, tmp_path):
    behaviour, address = there
    behaviour.cut_after, behaviour.shift = [500_000], 7
    assert pull(card(address), tmp_path).read_bytes() == DATA


def test_a_spoilt_beginning_from_before_is_thrown_away_and_the_file_fetched_anew(there, tmp_path):
    (tmp_path / PART).write_bytes(b"x" * 1000)
    assert pull(card(there[1]), tmp_path).read_bytes() == DATA
    assert there[0].seen == ["bytes=1000-", None]


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 5])
def test_a_part_as_long_as_the_file_or_longer_is_checked_and_replaced(there, tmp_path, size):
    (tmp_path / PART).write_bytes(b"x" * size)
    assert pull(card(there[1]), tmp_path).read_bytes() == DATA


def test_a_part_that_is_complete_is_published_without_a_connection(tmp_path):
    (tmp_path / PART).write_bytes(DATA)
    assert pull(card(closed_port()), tmp_path).read_bytes() == DATA


def test_wrong_bytes_are_refused_and_nothing_of_them_is_kept(there, tmp_path):
    behaviour, address = there
    behaviour.data = OTHER
    with pytest.raises(IntegrityError) as caught:
        pull(card(address), tmp_path)
    assert caught.value.code == "models.pull_wrong"
    assert hashlib.sha256(OTHER).hexdigest() in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"!", b""], ids=["shorter", "longer", "empty"])
def test_a_file_of_another_size_is_refused_by_what_the_server_says_of_it(there, tmp_path, data):
    behaviour, address = there
    behaviour.data = data
    with pytest.raises(IntegrityError, match=f"{len(data)} bytes, expected {len(DATA)}"):
        pull(card(address), tmp_path)
    assert names(tmp_path) == []


def test_a_server_that_promises_more_than_it_sends_leaves_no_file_under_the_name(there, tmp_path):
    behaviour, address = there
    behaviour.data, behaviour.length = DATA[:1000], len(DATA)
    behaviour.ranges = False
    with pytest.raises(MissingResourceError, match=f"1000 of {len(DATA)} bytes"):
        pull(card(address), tmp_path)
    assert names(tmp_path) == [PART]


def test_a_card_without_a_size_is_held_to_its_digest(there, tmp_path, monkeypatch):
    behaviour, address = there
    assert pull(card(address, bytes=None), tmp_path / "a").read_bytes() == DATA
    monkeypatch.setattr(fetch, "_MOST_BYTES", 1000)
    behaviour.length = 0  # a length of nothing tells nothing
    behaviour.data = OTHER
    with pytest.raises(IntegrityError):
        pull(card(address, bytes=None), tmp_path / "b")
    assert names(tmp_path / "b") == []


def test_answers_that_may_pass_are_asked_again(there, tmp_path):
    behaviour, address = there
    behaviour.statuses = [503, 429]
    assert pull(card(address), tmp_path).read_bytes() == DATA


def test_a_file_that_is_gone_is_said_and_the_mirror_is_tried(there, tmp_path):
    behaviour, address = there
    gone = Behaviour(DATA, statuses=[404])
    with serving(gone) as first:
        assert pull(card(first, address), tmp_path).read_bytes() == DATA
    assert (len(gone.seen), len(behaviour.seen)) == (1, 1)


def test_a_mirror_goes_on_with_what_the_first_address_gave(there, tmp_path):
    with serving(Behaviour(DATA, cut_after=[600_000, 0, 0, 0])) as first:
        assert pull(card(first, there[1]), tmp_path).read_bytes() == DATA
    assert there[0].seen == ["bytes=600000-"]


def test_after_wrong_bytes_the_mirror_is_tried_from_the_start(there, tmp_path):
    with serving(Behaviour(OTHER)) as first:
        assert pull(card(first, there[1]), tmp_path).read_bytes() == DATA
    assert there[0].seen == [None]


def test_without_network_it_says_so_and_how_to_import(tmp_path):
    address = closed_port()
    with pytest.raises(MissingResourceError) as caught:
        pull(card(address), tmp_path)
    assert "Connection refused" in str(caught.value)
    assert address in str(caught.value)
    assert "playe models import made_up.onnx" in str(caught.value)
    assert "playe models import made_up.onnx" in caught.value.message("ru")
    assert names(tmp_path) == []


def test_a_name_that_nobody_resolves_says_how_to_import(tmp_path):
    with pytest.raises(MissingResourceError, match="playe models import"):
        pull(card("https://weights.invalid/file"), tmp_path)


@pytest.mark.parametrize(
    "address", ["http://example.org/f", "ftp://example.org/f", "file:///etc/passwd", "nowhere"]
)
def test_only_https_and_this_machine_are_asked(tmp_path, address):
    with pytest.raises(CommandError) as caught:
        pull(card(address), tmp_path)
    assert address in str(caught.value)
    with pytest.raises(CommandError):
        pull(card("https://example.org/f", address), tmp_path)


@pytest.mark.parametrize("location", ["http://example.org/f", "ftp://127.0.0.1/f"])
def test_a_redirect_to_where_no_card_may_point_is_not_followed(there, tmp_path, location):
    behaviour, address = there
    behaviour.location = location
    with pytest.raises(IntegrityError, match=location):
        pull(card(address), tmp_path)


def test_a_redirect_within_bounds_is_followed_with_the_range(there, tmp_path):
    behaviour, address = there
    behaviour.location = address.replace("/file", "/elsewhere")
    (tmp_path / PART).write_bytes(DATA[:9000])
    assert pull(card(address), tmp_path).read_bytes() == DATA
    assert behaviour.seen == ["bytes=9000-", "bytes=9000-"]


def test_a_packed_answer_is_refused(there, tmp_path):
    behaviour, address = there
    behaviour.encoding = "gzip"
    with pytest.raises(IntegrityError, match="Content-Encoding gzip"):
        pull(card(address), tmp_path)


def test_a_card_without_a_digest_is_not_fetched(there, tmp_path):
    with pytest.raises(GovernanceError):
        pull(card(there[1], sha256=None, sha256_status="unknown"), tmp_path)
    assert there[0].seen == []


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(there, tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")  # a fake: the disk has 1000 bytes left
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage(10, 10, 1000))
    with pytest.raises(MissingResourceError, match="only 1000 left"):
        pull(card(there[1]), tmp_path)
    assert there[0].seen == []


def test_two_processes_do_not_fetch_one_file_at_a_time(there, tmp_path):
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'ab+'); fcntl.flock(f, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / PART)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "held\n"
        with pytest.raises(CommandError, match="by another process"):
            pull(card(there[1]), tmp_path)
        other.stdin.close()
    assert pull(card(there[1]), tmp_path).read_bytes() == DATA


def test_a_process_that_is_killed_leaves_only_the_part_and_the_next_goes_on(there, tmp_path):
    script = (
        "import os, sys; from pathlib import Path\n"
        "from playe_assets.inference.fetch import pull\n"
        "from playe_assets_tests.inference.sample_cards import made_card\n"
        "card = made_card(url=sys.argv[1], bytes=int(sys.argv[2]), sha256=sys.argv[3])\n"
        "pull(card, Path(sys.argv[4]), lambda done, total: os.kill(os.getpid(), 9) if done > 500_000 else None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, there[1], str(len(DATA)), PART.removesuffix(".part"), str(tmp_path)],
        check=False,
    )  # fmt: skip
    assert done.returncode == -9
    assert names(tmp_path) == [PART]
    assert 500_000 < (tmp_path / PART).stat().st_size < len(DATA)
    assert pull(card(there[1]), tmp_path).read_bytes() == DATA
    assert there[0].seen[-1].startswith("bytes=5")
