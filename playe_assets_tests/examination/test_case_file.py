"""`case.yaml`: what is wrong in it is refused with file, line, value and what is allowed."""

from __future__ import annotations

import os

import pytest

from playe_assets.core.errors import CaseFileError
from playe_assets.examination.case_file import Listed, parse_case_file, read_case_file, valid_case_id

FULL = """\
case: 2026-0042
title: Кража на складе
operator: Анна Петрова
customer: Court
request: No. 17
received_from: Police
preset: balanced
language: ru
references:
  a.mp4: truth/a.mkv
exhibits:
  - a.mp4
  - {name: sub/b.jpg, size: 12}
"""


def _refused(content):
    with pytest.raises(CaseFileError) as caught:
        parse_case_file(content)
    for language in ("en", "ru"):
        assert "case.yaml" in caught.value.message(language)
    return caught.value


def test_a_full_file_is_read_whole():
    found = parse_case_file(FULL)
    assert (found.case_id, found.title, found.operator) == ("2026-0042", "Кража на складе", "Анна Петрова")
    assert (found.customer, found.request, found.received_from) == ("Court", "No. 17", "Police")
    assert (found.preset, found.language) == ("balanced", "ru")
    assert found.references == {"a.mp4": "truth/a.mkv"}
    assert found.exhibits == (Listed("a.mp4", None), Listed("sub/b.jpg", 12))


def test_the_least_file_names_the_case_and_leaves_the_rest_to_the_laboratory():
    found = parse_case_file("case: A\n")
    assert (found.preset, found.language, found.exhibits, found.references) == (None, None, None, {})


@pytest.mark.parametrize(
    ("content", "code", "line", "words"),
    [
        ("title: x\n", "case.missing_key", 1, "case: 2026-0042"),
        ("case: A\nprset: balanced\n", "case.unknown_key", 2, "preset"),
        ("case: A\ncase: B\n", "yaml.key_twice", 2, "case"),
        ("case: A\ntitle: [a\n", "yaml.broken", 3, "YAML"),
        ("- case\n", "yaml.no_mapping", 1, "mapping"),
        ("case: 2026\n", "case.value", 1, "1 to 64 letters"),
        ("case: ../evil\n", "case.value", 1, "'../evil'"),
        ("case: a..b\n", "case.value", 1, "'a..b'"),
        ("case: .hidden\n", "case.value", 1, "beginning with a letter or digit"),
        (f"case: {'a' * 65}\n", "case.value", 1, "1 to 64"),
        ("case: ''\n", "case.value", 1, "''"),
        ("case: A\npreset: best\n", "case.value", 2, "balanced | forensic_safe | presentation"),
        ("case: A\nlanguage: de\n", "case.value", 2, "en | ru"),
        ("case: A\ntitle: 5\n", "case.value", 2, "a printable line"),
        ('case: A\ntitle: "a\\nb"\n', "case.value", 2, "a printable line"),
        ('case: A\noperator: "x\\u202Ey"\n', "case.value", 2, "a printable line"),
        (f"case: A\ntitle: {'x' * 2001}\n", "case.value", 2, "2000"),
        ("case: A\nreferences: [a]\n", "case.value", 2, "a mapping of exhibit"),
        ("case: A\nreferences: {a: 1}\n", "case.value", 2, "a mapping of exhibit"),
        ("case: A\nexhibits: a.jpg\n", "case.value", 2, "a list of names"),
        ("case: A\nexhibits:\n  - /etc/passwd\n", "case.value", 2, "'/etc/passwd'"),
        ("case: A\nexhibits:\n  - ../up.jpg\n", "case.value", 2, "'../up.jpg'"),
        ("case: A\nexhibits:\n  - a.jpg\n  - {name: b.jpg, size: -1}\n", "case.value", 4, "'size': -1"),
        ("case: A\nexhibits:\n  - {name: b.jpg, bytes: 1}\n", "case.value", 3, "'bytes': 1"),
        ("case: A\nexhibits:\n  - {size: 1}\n", "case.value", 3, "a list of names"),
    ],
)
def test_a_wrong_file_is_refused_with_line_and_what_is_allowed(content, code, line, words):
    problem = _refused(content)
    assert problem.code == code
    assert f"case.yaml, line {line}:" in str(problem)
    assert f"case.yaml, строка {line}:" in problem.message("ru")
    assert words in str(problem)


def test_without_a_file_the_folder_s_name_is_the_case_or_is_refused(tmp_path):
    good, bad = tmp_path / "2026-0042", tmp_path / "дело №5"
    good.mkdir()
    bad.mkdir()
    assert read_case_file(good).case_id == "2026-0042"
    assert read_case_file(bad, "GIVEN-1").case_id == "GIVEN-1"
    with pytest.raises(CaseFileError) as caught:
        read_case_file(bad)
    assert "дело №5" in str(caught.value)
    assert "case.yaml" in str(caught.value)


def _link(file):
    file.symlink_to("/etc/passwd")


def _fifo(file):
    os.mkfifo(file)


def _folder(file):
    file.mkdir()


@pytest.mark.parametrize("make", [_link, _fifo, _folder])
def test_a_case_file_that_is_no_regular_file_is_refused_and_never_opened(tmp_path, make):
    make(tmp_path / "case.yaml")
    with pytest.raises(CaseFileError) as caught:
        read_case_file(tmp_path)
    assert caught.value.code == "case.not_a_file"


def test_a_case_file_that_is_too_large_or_not_utf8_is_refused(tmp_path):
    (tmp_path / "case.yaml").write_bytes(b"case: A\n# " + b"x" * (1 << 20))
    with pytest.raises(CaseFileError) as caught:
        read_case_file(tmp_path)
    assert caught.value.code == "case.too_large"
    (tmp_path / "case.yaml").write_bytes("case: A\ntitle: Кража\n".encode("cp1251"))
    with pytest.raises(CaseFileError) as caught:
        read_case_file(tmp_path)
    assert (caught.value.code, caught.value.facts["offset"]) == ("case.not_utf8", 15)


@pytest.mark.parametrize(
    ("case_id", "good"),
    [("A", True), ("2026-0042", True), ("a.b_c-d", True), ("a" * 64, True), ("", False), ("-a", False),
     ("a/b", False), ("a..b", False), ("a b", False), ("а", False), ("a\n", False), ("a" * 65, False)],
)  # fmt: skip
def test_a_case_id_can_be_a_folder_a_partition_and_a_part_of_a_report_s_id(case_id, good):
    assert valid_case_id(case_id) is good
