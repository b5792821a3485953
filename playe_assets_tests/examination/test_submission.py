"""Submitting a folder by command: refused before anything happens, or in the inbox whole."""

from __future__ import annotations

import os

import pytest

from playe_assets.core.errors import CommandError, PresetError
from playe_assets.examination.case_file import read_case_file
from playe_assets.examination.inbox import scan
from playe_assets.examination.submission import check_submission, drop
from playe_assets_tests.laboratory import write_photo


@pytest.fixture
def folder(tmp_path):
    write_photo(tmp_path / "given" / "sub" / "a.jpg")
    return tmp_path / "given"


def test_the_case_id_of_the_command_comes_before_that_of_the_file_and_the_folder_s_name(laboratory, folder):
    assert check_submission(laboratory.settings, folder, None, None).case_id == "given"
    (folder / "case.yaml").write_text("case: FILE-1\npreset: forensic_safe\n", encoding="utf-8")
    assert check_submission(laboratory.settings, folder, None, None).case_id == "FILE-1"
    assert check_submission(laboratory.settings, folder, "TYPED-1", None).case_id == "TYPED-1"


@pytest.mark.parametrize("case_id", ["../x", "", "a b", "дело"])
def test_what_is_no_case_id_is_refused(laboratory, folder, case_id):
    with pytest.raises(CommandError) as caught:
        check_submission(laboratory.settings, folder, case_id, None)
    assert caught.value.code == "case.bad_id"


def test_an_unknown_preset_and_an_empty_folder_are_refused_and_nothing_is_made(laboratory, folder, tmp_path):
    with pytest.raises(PresetError):
        check_submission(laboratory.settings, folder, None, "best")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "case.yaml").write_text("case: E-1\n", encoding="utf-8")
    with pytest.raises(CommandError) as caught:
        check_submission(laboratory.settings, tmp_path / "empty", None, None)
    assert caught.value.code == "inbox.empty"
    assert not laboratory.settings.inbox.exists()


def test_a_dropped_copy_is_complete_listed_and_ready_after_the_quiet_time(laboratory, folder):
    settings = laboratory.settings
    (folder / "case.yaml").write_text("case: FILE-1\ntitle: Кража\n", encoding="utf-8")
    goal = drop(
        settings, check_submission(settings, folder, "TYPED-1", None), "olga", "cli-1", explicit=False
    )
    found = read_case_file(goal)
    assert (found.case_id, found.title, found.operator) == ("TYPED-1", "Кража", "olga")
    assert found.exhibits is not None
    assert [(e.name, e.size) for e in found.exhibits] == [
        ("sub/a.jpg", (folder / "sub" / "a.jpg").stat().st_size)
    ]
    assert (folder / "case.yaml").read_text(encoding="utf-8") == "case: FILE-1\ntitle: Кража\n"
    newest = max(p.stat().st_ctime for p in [goal, *goal.rglob("*")])
    assert [d.state for d in scan(settings, newest + settings.quiet_s + 0.1)] == ["ready"]


def test_the_same_case_twice_lies_side_by_side(laboratory, folder):
    settings = laboratory.settings
    given = check_submission(settings, folder, "A-1", None)
    assert [drop(settings, given, "x", "cli-1", explicit=False).name for _ in range(2)] == ["A-1", "A-1~2"]


def test_links_stay_links_pipes_are_left_out_and_odd_names_wait_the_settle_time(laboratory, folder):
    settings = laboratory.settings
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(b"1")
    goal = drop(settings, check_submission(settings, folder, "A-1", None), "x", "cli-1", explicit=False)
    assert (goal / "link").is_symlink()
    assert not (goal / "pipe").exists()
    assert (goal / os.fsdecode(b"\xff.jpg")).read_bytes() == b"1"
    assert read_case_file(goal).exhibits is None


@pytest.mark.parametrize(("explicit", "operator"), [(False, "Olga"), (True, "typed")])
def test_an_operator_typed_on_the_command_line_comes_before_that_of_the_file(
    laboratory, folder, explicit, operator
):
    settings = laboratory.settings
    (folder / "case.yaml").write_text("case: A-1\noperator: Olga\n", encoding="utf-8")
    goal = drop(settings, check_submission(settings, folder, None, None), "typed", "cli-1", explicit=explicit)
    found = read_case_file(goal)
    assert (found.operator, found.request_id) == (operator, "cli-1")
