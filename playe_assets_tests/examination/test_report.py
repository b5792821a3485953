"""Issuing: both files appear at once, earlier reports stay, and each report says what it supersedes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError, TransientError
from playe_assets.examination import report as issuing
from playe_assets.examination.report import earlier_reports, issue_notice, issue_report
from playe_assets.exporters.report_schema import validate_report
from playe_assets_tests.exporters.report_sample import sample_notice, sample_parts, sha


def test_a_report_lies_under_its_number_with_the_digests_that_were_returned(tmp_path: Path) -> None:
    issued = issue_report(tmp_path, *sample_parts(count=1))
    assert issued.id == "CASE-7-R01"
    assert issued.folder == tmp_path / "reports" / "CASE-7-R01"
    assert sorted(p.name for p in issued.folder.iterdir()) == ["report.json", "report.pdf"]
    assert hashlib.sha256(issued.json_path.read_bytes()).hexdigest() == issued.json_sha256
    assert hashlib.sha256(issued.pdf_path.read_bytes()).hexdigest() == issued.pdf_sha256
    report = json.loads(issued.json_path.read_bytes())
    validate_report(report)
    assert report["findings_sha256"] == issued.findings_sha256
    assert issued.pdf_path.read_bytes().startswith(b"%PDF")
    assert (issued.supersedes, issued.same_findings) == (None, None)


def test_a_second_report_supersedes_the_first_by_digest_and_leaves_it_untouched(tmp_path: Path) -> None:
    first = issue_report(tmp_path, *sample_parts(count=1))
    before = first.json_path.read_bytes()
    second = issue_report(tmp_path, *sample_parts(count=1))
    report = json.loads(second.json_path.read_bytes())
    assert second.id == "CASE-7-R02"
    assert report["sections"]["administration"]["supersedes"]["sha256"] == first.json_sha256
    assert report["sections"]["administration"]["repeats"][0]["report_id"] == "CASE-7-R01"
    assert (second.same_findings, second.findings_sha256) == (True, first.findings_sha256)
    assert first.json_path.read_bytes() == before


def test_other_findings_of_the_same_examination_are_noticed(tmp_path: Path) -> None:
    issue_report(tmp_path, *sample_parts(count=2))
    assert issue_report(tmp_path, *sample_parts(count=2, withhold=None)).same_findings is False


def test_reports_are_counted_past_ninety_nine(tmp_path: Path) -> None:
    old = issue_report(tmp_path, *sample_parts(count=1))
    old.folder.rename(tmp_path / "reports" / "CASE-7-R99")
    assert issue_report(tmp_path, *sample_parts(count=1)).id == "CASE-7-R100"


def test_a_notice_has_its_own_numbers_and_is_no_report(tmp_path: Path) -> None:
    notice = issue_notice(tmp_path, sample_notice())
    assert (notice.id, notice.findings_sha256) == ("CASE-7-N01", None)
    assert sorted(p.name for p in notice.folder.iterdir()) == ["notice.json", "notice.pdf"]
    assert issue_report(tmp_path, *sample_parts(count=1)).id == "CASE-7-R01"
    assert [r.report_id for r in earlier_reports(tmp_path)] == ["CASE-7-R01"]


def test_a_notice_can_be_issued_before_anything_was_taken_in(tmp_path: Path) -> None:
    parts = dataclasses.replace(sample_notice("ru"), examination_id="", log_head=None)
    assert issue_notice(tmp_path, parts).pdf_path.stat().st_size > 1000


@pytest.mark.parametrize("change", ["missing", "altered"])
def test_a_picture_without_its_digest_stops_the_report(tmp_path: Path, change: str) -> None:
    parts, pictures = sample_parts(count=1)
    first = parts.pictures[0].sha256
    given = (
        {k: v for k, v in pictures.items() if k != first}
        if change == "missing"
        else {**pictures, first: b"x"}
    )
    with pytest.raises(IntegrityError, match="before"):
        issue_report(tmp_path, parts, given)
    assert not (tmp_path / "reports").exists()


def test_a_crash_while_writing_leaves_nothing_that_looks_like_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(issuing.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        issue_report(tmp_path, *sample_parts(count=1))
    assert list((tmp_path / "reports").iterdir()) == []
    assert earlier_reports(tmp_path) == ()


def test_a_number_that_another_process_took_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = issuing.render_pdf
    taken = tmp_path / "reports" / "CASE-7-R01"

    def slow(*arguments: object) -> bytes:
        if not taken.exists():
            taken.mkdir(parents=True)
            (taken / "other").write_text("another process")
        return real(*arguments)

    monkeypatch.setattr(issuing, "render_pdf", slow)
    assert issue_report(tmp_path, *sample_parts(count=1)).id == "CASE-7-R02"
    assert (taken / "other").read_text() == "another process"


def test_a_number_that_is_always_taken_gives_up_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuing, "_next_id", lambda *_: "CASE-7-R01")
    issue_report(tmp_path, *sample_parts(count=1))
    monkeypatch.setattr(issuing, "_TRIES", 2)
    with pytest.raises(TransientError, match="2 attempts"):
        issue_report(tmp_path, *sample_parts(count=1))


def test_the_files_have_one_byte_form(tmp_path: Path) -> None:
    first = issue_report(tmp_path / "a", *sample_parts(count=2))
    again = issue_report(tmp_path / "b", *sample_parts(count=2))
    assert (first.json_sha256, first.pdf_sha256) == (again.json_sha256, again.pdf_sha256)
    assert first.json_sha256 != sha("")
