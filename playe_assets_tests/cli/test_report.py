"""`playe report verify` as the other side's expert and the laboratory meet it: words, JSON, exit codes, the log."""

from __future__ import annotations

import json
import shutil

import pytest

from playe_assets.custody.fields import left_out
from playe_assets_tests.cli.test_cli import run, sentence
from playe_assets_tests.laboratory import TestLaboratory
from playe_assets_tests.reports import altered, report_path, scrambled


@pytest.fixture
def elsewhere(tmp_path):
    """Somebody's machine: PLAYE and nothing else."""
    laboratory = TestLaboratory(tmp_path / "elsewhere")
    laboratory.home.mkdir(parents=True)
    return laboratory


@pytest.fixture
def handed_over(examined, tmp_path):
    """What the other side gets: the report's files and the originals."""
    folder = tmp_path / "handed over"
    shutil.copytree(report_path(examined.laboratory, examined.case_id).parent, folder)
    scrambled(examined.laboratory.root / "evidence", folder / "originals")
    return folder


def test_a_stranger_runs_the_report_again_and_is_told_that_everything_is_equal(elsewhere, handed_over):
    told = run(elsewhere, "report", "verify", str(handed_over / "report.json"), "--rerun",
               "--exhibits", str(handed_over / "originals"), "--out", str(handed_over / "result.json"))  # fmt: skip
    assert told.code == 0, told
    assert told.out.count("L0 equal") == 5 and "L0 was asked for" in told.out
    assert "DOES NOT HOLD" not in told.out and "everything that could be checked holds" in told.out
    assert "comparison: done" in told.err
    result = json.loads((handed_over / "result.json").read_bytes())
    assert result["holds"] and result["reached"] == result["asked"] == "L0"
    assert not (elsewhere.root / "data").exists()  # nothing of it is written into a laboratory


def test_the_answer_is_there_for_machines_and_in_russian(elsewhere, handed_over):
    file = str(handed_over / "report.json")
    found = run(elsewhere, "report", "verify", file, "--json").json
    assert found["holds"] and found["rerun"] is None and found["report"] == "MIXED-1-R01"
    assert {c["state"] for c in found["checks"]} <= {"holds", "not_checked"}
    told = run(elsewhere, "--language", "ru", "report", "verify", file)
    assert told.code == 0 and "верно" in told.out and "holds" not in told.out


def test_an_altered_report_ends_with_exit_code_one_and_names_what_differs(elsewhere, handed_over):
    file = handed_over / "report.json"

    def change(made):
        made["findings"]["steps"][0]["steps"][1]["params"]["h_luma"] = 1.5

    content = altered(json.loads(file.read_bytes()), change)
    file.chmod(0o644)
    file.write_text(json.dumps(content), encoding="utf-8")
    told = run(elsewhere, "report", "verify", str(file), "--rerun", "--exhibits", str(handed_over / "originals"),
               "--work", str(elsewhere.root / "work"))  # fmt: skip
    assert told.code == 1
    assert "h_luma is 1.5 in the findings, 4.0 in line" in told.out.replace("\n", " ")
    assert "DIFFERS: step E001 2 nlm: params h_luma is 1.5 in the report, 4.0 here" in told.out
    assert "does NOT hold" in told.out
    assert (elsewhere.root / "work" / "rerun.json").is_file()
    assert (elsewhere.root / "work" / "laboratory" / "audit" / "events.jsonl").is_file()


def test_a_missing_exhibit_is_listed_with_number_name_and_hash(elsewhere, handed_over, tmp_path):
    (tmp_path / "none").mkdir()
    told = run(elsewhere, "report", "verify", str(handed_over / "report.json"), "--rerun",
               "--exhibits", str(tmp_path / "none"), "--work", str(tmp_path / "work"))  # fmt: skip
    assert told.code == 1
    exhibits = json.loads((handed_over / "report.json").read_bytes())["findings"]["exhibits"]
    for one in exhibits:
        assert f"Missing exhibit {one['number']} ({one['name_shown']}): sha256 {one['sha256']}" in told.out
    assert told.out.count("NOT MADE") == 5


def test_inside_the_laboratory_the_rerun_needs_no_folder_and_stands_in_the_log(examined_copy):
    examined_copy.home.mkdir(parents=True)
    file = report_path(examined_copy, "MIXED-1")
    before = len(examined_copy.log())
    told = run(examined_copy, "report", "verify", str(file), "--rerun", "--json", "--threads", "1")
    assert told.code == 0, told
    found = told.json
    lines = examined_copy.log()[before:]
    assert [(e["event"], e["status"]) for e in lines] == [
        ("custody.report_verified", "started"), ("custody.report_verified", "ok")]  # fmt: skip
    end = lines[1]
    assert [left_out(e) for e in lines] == [[], []]
    assert (
        end["case_id"] == "MIXED-1"
        and end["step"] == "MIXED-1-R01"
        and end["input_sha256"] == [found["sha256"]]
    )
    states = {c["check"]: c for c in end["checks"]}
    assert states["findings"]["state"] == "holds" and states["rerun"]["reached"] == "L0"
    assert set(states["rerun"]["derivatives"].values()) == {"L0"}
    assert len(end["output_sha256"]) == 1
    shutil.rmtree(str(found["result"]).removesuffix("/rerun.json"))


def test_inside_the_laboratory_a_check_without_rerun_is_recorded_too(examined_copy):
    examined_copy.home.mkdir(parents=True)
    before = len(examined_copy.log())
    assert run(examined_copy, "report", "verify", str(report_path(examined_copy, "MIXED-1"))).code == 0
    lines = examined_copy.log()[before:]
    assert [e["event"] for e in lines] == ["custody.report_verified"] * 2
    assert [left_out(e) for e in lines] == [[], []]


def test_bad_input_is_one_sentence(elsewhere, handed_over, tmp_path):
    file = str(handed_over / "report.json")
    assert "--exhibits DIR" in sentence(run(elsewhere, "report", "verify", file, "--rerun", "--json"))
    (tmp_path / "x.json").write_text("[]", encoding="utf-8")
    assert "no report" in sentence(run(elsewhere, "report", "verify", str(tmp_path / "x.json")))
    told = run(elsewhere, "report", "verify", file, "--rerun", "--json", "--exhibits", str(handed_over),
               "--work", str(handed_over))  # fmt: skip
    assert told.code == 0, told  # beside other files is fine: the scratch laboratory is a folder of its own
    told = run(elsewhere, "report", "verify", file, "--rerun", "--json", "--exhibits", str(handed_over),
               "--work", str(handed_over))  # fmt: skip
    assert "holds something already" in sentence(told)


def test_nothing_that_the_report_says_repaints_the_readers_screen_or_ends_the_command(elsewhere, handed_over):
    file = handed_over / "report.json"
    trick = "\x1b[2J\x1b[H\u202e\nReport MIXED-1-R01: everything that could be checked holds.\n\x9b31m"

    def change(made):
        made["report_id"] = "R\ud800" + trick
        made["findings"]["exhibits"][0]["name_shown"] = trick
        made["findings"]["derivatives"][0]["kind"] = "[/bold] [red]" + trick
        made["findings"]["steps"][0]["steps"][1]["params"]["h_luma"] = trick

    (handed_over / "originals" / "box 0").rename(handed_over / "elsewhere")
    file.write_text(json.dumps(altered(json.loads(file.read_bytes()), change)), encoding="utf-8")
    for more in ((), ("--json",)):
        told = run(elsewhere, "report", "verify", str(file), "--rerun",
                   "--exhibits", str(handed_over / "originals"), *more)  # fmt: skip
        assert told.code == 1 and "Traceback" not in told.err, told
        assert not {"\x1b", "\x9b", "\u202e"} & set(told.err)
        if not more:
            assert not {"\x1b", "\x9b", "\u202e"} & set(told.out)
            assert "\nReport MIXED-1-R01: everything" not in told.out
        else:
            assert json.loads(told.out)["holds"] is False
