"""The inbox: a folder is taken when it is complete and quiet, and never before."""

from __future__ import annotations

import os
import shutil
import time

import pytest

from playe_assets.examination.inbox import keep, place_for, reject, scan
from playe_assets.examination.settings import load_settings

QUIET, SETTLE = 2.0, 30.0


@pytest.fixture
def settings(tmp_path):
    found = load_settings({"data_root": tmp_path / "data", "quiet_s": QUIET, "settle_s": SETTLE})
    found.inbox.mkdir(parents=True)
    return found


def _drop(settings, name="A-1", case="case: A-1\n", **files):
    folder = settings.inbox / name
    folder.mkdir()
    for file, content in files.items():
        (folder / file.replace("_", ".")).write_bytes(content)
    if case is not None:
        (folder / "case.yaml").write_text(case, encoding="utf-8")
    return folder


def _after(settings, seconds):
    """What a tick sees `seconds` from now, if nothing changes until then."""
    return scan(settings, time.time() + seconds)


def _only(settings, seconds):
    (found,) = _after(settings, seconds)
    return found


def test_a_folder_with_a_complete_list_is_ready_after_the_quiet_time(settings):
    _drop(settings, case="case: A-1\nexhibits: [{name: a.jpg, size: 3}]\n", a_jpg=b"123")
    growing = _only(settings, QUIET / 2)
    assert growing.state == "growing"
    assert 0 < growing.wait_s <= QUIET
    ready = _only(settings, QUIET + 0.1)
    assert (ready.state, ready.files, ready.total_bytes) == ("ready", 1, 3)
    assert ready.case is not None
    assert ready.case.case_id == "A-1"


def test_a_folder_without_a_list_waits_the_settle_time(settings):
    _drop(settings, a_jpg=b"123")
    growing = _only(settings, QUIET + 1)
    assert growing.state == "growing"
    assert SETTLE - QUIET - 3 < growing.wait_s < SETTLE
    assert _only(settings, SETTLE + 0.1).state == "ready"


def test_a_case_file_alone_is_not_ready_because_cp_may_write_it_first(settings):
    _drop(settings)
    assert _only(settings, QUIET + 1).state == "growing"


def test_a_listed_file_that_is_not_there_is_waited_for_as_long_as_it_takes(settings):
    folder = _drop(settings, case="case: A-1\nexhibits: [a.jpg, b.jpg]\n", a_jpg=b"123")
    waiting = _only(settings, 1000 * SETTLE)
    assert (waiting.state, waiting.reason) == ("growing", "waiting for b.jpg: absent")
    (folder / "b.jpg").write_bytes(b"4")
    assert _only(settings, QUIET + 0.1).state == "ready"


@pytest.mark.parametrize(
    ("size", "words"), [(5, "a.jpg: has 3 bytes, listed are 5"), (2, "a.jpg: has 3 bytes, listed are 2")]
)
def test_a_listed_file_of_another_size_is_waited_for_and_the_tick_says_both_sizes(settings, size, words):
    _drop(settings, case=f"case: A-1\nexhibits: [{{name: a.jpg, size: {size}}}]\n", a_jpg=b"123")
    assert _only(settings, 1000.0).reason == f"waiting for {words}"


def test_a_file_copied_with_its_old_times_is_not_quiet(settings, tmp_path):
    folder = _drop(settings, case="case: A-1\nexhibits: [a.jpg]\n")
    source = tmp_path / "old.jpg"
    source.write_bytes(b"1")
    os.utime(source, (1_000_000_000, 1_000_000_000))
    shutil.copy2(source, folder / "a.jpg")
    assert (folder / "a.jpg").stat().st_mtime == 1_000_000_000
    assert _only(settings, 0.5).state == "growing"
    assert _only(settings, QUIET + 0.5).state == "ready"


def test_a_folder_that_grows_again_is_growing_again_with_another_fingerprint(settings):
    folder = _drop(settings, case="case: A-1\nexhibits: [a.jpg]\n", a_jpg=b"123")
    before = _only(settings, QUIET + 0.1)
    time.sleep(0.3)
    (folder / "more.jpg").write_bytes(b"4")
    again = _only(settings, QUIET - 0.1)
    assert (before.state, again.state) == ("ready", "growing")
    assert before.fingerprint != again.fingerprint


def test_the_fingerprint_is_of_names_sizes_and_times_and_survives_a_move(settings):
    folder = _drop(settings, a_jpg=b"123")
    first = _only(settings, 100).fingerprint
    folder.rename(settings.inbox / "B-1")
    assert _only(settings, 100).fingerprint == first
    (settings.inbox / "B-1" / "a.jpg").rename(settings.inbox / "B-1" / "b.jpg")
    renamed = _only(settings, 100).fingerprint
    assert renamed != first
    os.utime(settings.inbox / "B-1" / "b.jpg", (1, 1))
    assert _only(settings, 100).fingerprint != renamed


def test_a_file_deep_below_counts_too(settings):
    folder = _drop(settings, case="case: A-1\nexhibits: [sub/deep/a.jpg]\n")
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "deep" / "a.jpg").write_bytes(b"1")
    assert (_only(settings, QUIET + 0.1).state, _only(settings, QUIET + 0.1).files) == ("ready", 1)


def test_hidden_folders_files_and_the_rejected_ones_are_nobodys(settings):
    _drop(settings, name=".aside", a_jpg=b"1")
    _drop(settings, name="rejected", a_jpg=b"1")
    (settings.inbox / "loose.jpg").write_bytes(b"1")
    (settings.inbox / "link").symlink_to("/etc")
    assert _after(settings, 1000) == []


def test_folders_come_by_name(settings):
    for name in ("C", "A", "B"):
        _drop(settings, name=name, case=None, a_jpg=b"1")
    assert [d.folder.name for d in _after(settings, SETTLE + 1)] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("case", "words"),
    [("case: A-1\nprset: x\n", "line 2"), (None, "no case.yaml"), ("case: A-1\n", "holds no evidence")],
)
def test_what_can_never_become_a_case_is_rejected_with_the_reason_once_it_has_settled(settings, case, words):
    name = "A-1" if case else "not a case id"
    _drop(settings, name=name, case=case, **({} if words.endswith("evidence") else {"a_jpg": b"1"}))
    assert _only(settings, SETTLE - 1).state == "growing", "a slow copy may still be at work on case.yaml"
    found = _only(settings, SETTLE + 0.1)
    assert found.state == "rejected"
    assert words in found.reason


def test_a_rejected_folder_is_moved_whole_and_says_why_and_a_second_one_stands_beside_it(settings):
    for _ in range(2):
        _drop(settings, case="case: [1]\n", a_jpg=b"123")
        (found,) = _after(settings, SETTLE + 1)
        reject(found, settings)
    assert sorted(p.name for p in settings.rejected.iterdir()) == ["A-1", "A-1~2"]
    for folder in settings.rejected.iterdir():
        assert (folder / "a.jpg").read_bytes() == b"123"
        assert "case.yaml, line 1" in (folder / "REASON.txt").read_text(encoding="utf-8")
    assert _after(settings, SETTLE + 1) == []


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "folder"])
def test_the_reason_is_never_written_through_what_was_delivered_under_its_name(settings, tmp_path, kind):
    target = tmp_path / "elsewhere.txt"
    if kind != "dangling":
        target.write_text("untouched", encoding="utf-8")
    folder = _drop(settings, case="case: [1]\n", a_jpg=b"123")
    trap = folder / "REASON.txt"
    {"link": lambda: trap.symlink_to(target), "dangling": lambda: trap.symlink_to(target),
     "fifo": lambda: os.mkfifo(trap), "folder": trap.mkdir}[kind]()  # fmt: skip
    (found,) = _after(settings, SETTLE + 1)
    goal = reject(found, settings)
    assert target.exists() is (kind != "dangling")
    assert kind == "dangling" or target.read_text(encoding="utf-8") == "untouched"
    assert "case.yaml, line 1" in (goal / "REASON.txt").read_text(encoding="utf-8")
    assert os.path.lexists(goal / "REASON.txt.delivered"), "nothing that was delivered is lost"


def test_a_corrected_folder_that_still_holds_its_reason_is_taken(settings):
    _drop(settings, case="case: [1]\n", a_jpg=b"123")
    goal = reject(_only(settings, SETTLE + 1), settings)
    (goal / "case.yaml").write_text("case: A-1\nexhibits: [a.jpg]\n", encoding="utf-8")
    goal.rename(settings.inbox / "A-1")
    found = _only(settings, QUIET + 0.5)
    assert (found.state, found.files) == ("ready", 1)


def test_a_delivered_folder_is_kept_as_it_came_and_names_never_collide(settings):
    for number in (1, 1):
        folder = _drop(settings, a_jpg=b"123")
        goal = place_for(folder, settings, "A-1", number)
        keep(folder, goal)
    assert sorted(p.name for p in (settings.accepted / "A-1").iterdir()) == ["001-A-1", "001-A-1~2"]
    assert not (settings.inbox / "A-1").exists()


def test_names_that_are_not_utf8_and_links_are_looked_at_without_being_followed(settings):
    folder = _drop(settings, case=None, a_jpg=b"1")
    (folder / os.fsdecode(b"\xff\xfe.jpg")).write_bytes(b"2")
    (folder / "loop").symlink_to(folder)
    found = _only(settings, SETTLE + 1)
    assert (found.state, found.files) == ("ready", 3)
