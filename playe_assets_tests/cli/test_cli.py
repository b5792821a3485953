"""The command line as people and scripts meet it: words, JSON, exit codes; in processes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from playe_assets_tests.laboratory import VARIABLES, TestLaboratory, write_case, write_clip, write_mixed_case

CASE = "MIXED-CLI"


@dataclass(frozen=True)
class Told:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


def run(laboratory: TestLaboratory, *words: str, **variables: str) -> Told:
    """`playe WORDS` in `laboratory`, in a terminal 160 columns wide."""
    plain = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    given = {"PLAYE_DATA_ROOT": str(laboratory.root / "data"), "DAGSTER_HOME": str(laboratory.home),
             "COLUMNS": "160", "PYTHONWARNINGS": "ignore"}  # fmt: skip
    tool = Path(sys.executable).with_name("playe")
    done = subprocess.run(
        [str(tool), *words], capture_output=True, text=True, timeout=120, check=False,
        env={**plain, **given, **variables}, cwd=laboratory.root,
    )  # fmt: skip
    return Told(done.returncode, done.stdout, done.stderr)


def sentence(told: Told) -> str:
    """The one sentence of a refusal: exit code 2, nothing on standard output, no traceback."""
    assert told.code == 2, told
    assert told.out == ""
    assert "Traceback" not in told.err
    lines = told.err.strip().splitlines()
    assert len(lines) == 1, told.err
    assert lines[0].startswith("playe: ")
    return lines[0]


@dataclass(frozen=True)
class Submitted:
    """A case that was submitted by command and examined."""

    laboratory: TestLaboratory
    told: Told


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    """The mixed case, submitted with `--wait --json`. Tests must not change it."""
    root = tmp_path_factory.mktemp("cli")
    laboratory = TestLaboratory(root)
    folder = write_mixed_case(root / "evidence", CASE)
    told = run(laboratory, "case", "submit", str(folder), "--wait", "--json", "--operator", "Vera Command")
    assert told.code == 0, told
    return Submitted(laboratory, told)


@pytest.fixture
def empty(tmp_path):
    """A laboratory that has never seen a case."""
    return TestLaboratory(tmp_path)


def test_help_lists_every_command_and_what_it_is_for(empty):
    told = run(empty, "--help")
    assert (told.code, told.err) == (0, "")
    for word in ("demo", "up", "case", "models", "--language", "Examine a small evidence folder"):
        assert word in told.out
    assert not (empty.root / "data").exists(), "help makes nothing"


def test_the_version_is_that_of_the_package(empty):
    from importlib.metadata import version

    assert version("playe") in run(empty, "--version").out


@pytest.mark.parametrize("words", [("nonsense",), ("case", "show"), ("case", "list", "--nonsense")])
def test_a_mistyped_command_ends_with_usage_and_code_2(empty, words):
    told = run(empty, *words)
    assert (told.code, told.out) == (2, "")
    assert "Error: " in told.err
    assert "Traceback" not in told.err


def test_submit_and_wait_answers_with_the_report_the_request_and_the_time_of_each_stage(submitted):
    answer = submitted.told.json
    assert (answer["case"], answer["success"], answer["error"]) == (CASE, True, None)
    assert set(answer["stages_s"]) == {
        "ingested_media", "detections", "enhanced_frames", "qa_metrics", "forensic_report",
    }  # fmt: skip
    [report] = submitted.laboratory.reports(CASE)
    assert answer["report"]["findings_sha256"] == report["findings_sha256"]
    assert json.loads(Path(answer["report"]["json"]).read_bytes()) == report
    assert Path(answer["report"]["pdf"]).read_bytes().startswith(b"%PDF")
    lines = submitted.laboratory.log(CASE)
    assert {line["request_id"] for line in lines} == {answer["request_id"]}
    typed = [line for line in lines if line["event"] == "custody.submitted"]
    worked = [line for line in lines if line not in typed]
    # Who typed the command is known by the machine; whom the option names is only claimed.
    assert {line["operator"]["auth"] for line in typed} == {"os-user"}
    assert {line["operator"]["id"] for line in worked} == {"Vera Command"}
    assert {line["operator"]["auth"] for line in worked} == {"cli-option"}
    assert (submitted.laboratory.root / "evidence" / "a_secret_turned.jpg").exists(), "the folder stays"


def test_nothing_of_the_evidence_is_in_dagsters_home(submitted):
    words = [b"_secret_", b"MakerOfSecrets", b"data:image/"]
    shown = [e["name_shown"] for e in submitted.laboratory.reports(CASE)[0]["findings"]["exhibits"]]
    assert "a_secret_turned.jpg" in shown, "the names that are looked for are those of the evidence"
    files = [p for p in submitted.laboratory.home.rglob("*") if p.is_file()]
    assert any(p.suffix == ".db" and p.stat().st_size > 10_000 for p in files)
    found = [(p.name, w) for p in files for w in words if w in p.read_bytes()]
    assert found == []


def test_list_shows_the_case_in_words_and_in_json(submitted):
    [row] = run(submitted.laboratory, "case", "list", "--json").json
    assert (row["case_id"], row["exhibits"], row["reports"]) == (CASE, 4, 1)
    assert row["operator"] == "Mixed Operator"
    told = run(submitted.laboratory, "case", "list")
    assert told.code == 0
    assert CASE in told.out
    assert "Mixed evidence" in told.out


def test_an_empty_laboratory_says_that_there_are_no_cases(empty):
    assert run(empty, "case", "list").out == "No cases yet. Try: make demo\n"
    assert run(empty, "case", "list", "--json").json == []
    assert run(empty, "--language", "ru", "case", "list").out == "Дел ещё нет. Попробуйте: make demo\n"


def test_show_names_exhibits_reasons_reports_and_runs(submitted):
    found = run(submitted.laboratory, "case", "show", CASE, "--json").json
    status = {e["name"]: e["status"] for e in found["exhibits"]}
    assert status["a_secret_turned.jpg"] == status["b_secret_clip.mp4"] == "accepted"
    assert status["c_secret_again.jpg"] == "duplicate"
    why = next(e["why"] for e in found["exhibits"] if e["name"] == "d_secret_text.jpg")
    assert why.startswith("The content is none of the accepted picture and video formats")
    assert [r["status"] for r in found["runs"]] == ["SUCCESS"]
    assert [(r["report_id"], r["signer"], r["signature"]) for r in found["reports"]] == [
        (f"{CASE}-R01", None, None)
    ]
    told = run(submitted.laboratory, "case", "show", CASE)
    assert told.code == 0
    for word in (
        f"Case {CASE}: Mixed evidence",
        "d_secret_text.jpg",
        f"Report {CASE}-R01",
        "  unsigned",
        "SUCCESS",
    ):
        assert word in told.out


def test_show_speaks_russian_where_it_is_asked_to(submitted):
    told = run(submitted.laboratory, "--language", "ru", "case", "show", CASE)
    assert f"Дело {CASE}: Mixed evidence" in told.out
    assert "состояние" in told.out
    assert "Содержимое" in told.out, "the reason of the exhibit that nothing reads"
    by_variable = run(submitted.laboratory, "case", "show", CASE, PLAYE_LANGUAGE="ru")
    assert by_variable.out == told.out


def test_verify_holds_and_ends_with_0(submitted):
    answer = run(submitted.laboratory, "case", "verify", CASE, "--json")
    assert answer.code == 0
    assert (answer.json["holds"], answer.json["differences"], answer.json["reports"]) == (True, [], 1)
    lines = submitted.laboratory.log()
    assert answer.json["recorded"] is True
    assert [line["event"] for line in lines[answer.json["log_lines"] :]] == ["custody.case_verified"] * 2
    told = run(submitted.laboratory, "--language", "ru", "case", "verify", CASE)
    assert told.code == 0
    assert told.out.startswith(f"Дело {CASE} подтверждено: ")


@pytest.fixture(scope="module")
def tampered(submitted, tmp_path_factory):
    """A copy of the submitted case with a byte added to its first exhibit in the store."""
    copy = TestLaboratory(tmp_path_factory.mktemp("tampered"))
    shutil.copytree(submitted.laboratory.root / "data", copy.root / "data")
    spoilt = copy.reports(CASE)[0]["findings"]["exhibits"][0]["sha256"]
    path = copy.case(CASE).store.path(spoilt)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"\0")
    return copy, spoilt


def test_an_examination_that_stops_ends_with_1_and_says_where_and_why(submitted, tampered):
    copy, spoilt = tampered
    folder = str(submitted.laboratory.root / "evidence")
    told = run(copy, "--language", "ru", "case", "submit", folder, "--wait")
    assert told.code == 1
    why = f"exhibits_intact: E001: sha256 equal on re-read: another digest, allowed {spoilt}"
    assert told.err.endswith(f"Отчёт не выпущен. Остановка на этапе ingested_media: {why}\n")
    assert "Traceback" not in told.err
    assert "приём" in told.out


def test_verify_of_a_tampered_case_ends_with_1_and_names_what_differs(tampered):
    copy, spoilt = tampered
    told = run(copy, "case", "verify", CASE)
    assert told.code == 1
    assert f"Case {CASE} does NOT hold: 1 difference(s)" in told.out
    assert f"The stored object {spoilt} has other bytes than its name says." in told.out
    answer = run(copy, "case", "verify", CASE, "--json")
    assert answer.code == 1
    assert answer.json["holds"] is False
    [difference] = answer.json["differences"]
    assert (difference["code"], difference["sha256"]) == ("object_changed", spoilt)


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_case_is_one_sentence_that_says_where_to_look(empty, command):
    told = sentence(run(empty, "case", command, "NOBODY-1"))
    assert told == "playe: There is no case NOBODY-1. `playe case list` shows those that there are."


@pytest.mark.parametrize("words", [("--language", "ru"), ("--language=ru",)])
def test_a_refusal_is_in_the_language_that_was_asked_for(empty, words):
    told = sentence(run(empty, *words, "case", "verify", "NOBODY-1"))
    assert told == "playe: Дела NOBODY-1 нет. Список дел: playe case list."


def test_a_case_named_ru_does_not_change_the_language(empty):
    assert "There is no case ru." in sentence(run(empty, "case", "verify", "ru"))
    told = sentence(run(empty, "--language", "en", "case", "verify", "ru", PLAYE_LANGUAGE="ru"))
    assert "There is no case ru." in told, "the option wins over the environment"


def test_a_folder_that_cannot_be_a_case_is_refused_by_file_line_and_value(empty):
    folder = write_case(empty.root / "drop", "BAD-1", preset="magic")
    told = sentence(run(empty, "case", "submit", str(folder), "--wait"))
    assert "case.yaml, line 2: preset is 'magic'. Allowed: " in told
    assert not (empty.root / "data").exists(), "nothing was done"


def test_a_folder_without_evidence_and_a_bad_case_id_are_refused(empty):
    folder = empty.root / "EMPTY-1"
    folder.mkdir()
    assert "holds no evidence" in sentence(run(empty, "case", "submit", str(folder)))
    (folder / "a.jpg").write_bytes(b"1")
    assert "is no case id" in sentence(run(empty, "case", "submit", str(folder), "--case", "../etc"))
    assert "There is no preset 'x'" in sentence(run(empty, "case", "submit", str(folder), "--preset", "x"))


def test_a_preset_whose_weights_are_not_installed_is_refused_before_any_work(empty):
    folder = write_case(empty.root / "drop", "WEIGHTS-1")
    told = sentence(run(empty, "case", "submit", str(folder), "--preset", "balanced", "--wait"))
    assert "playe models import" in told
    assert "Nothing was done." in told


def test_a_folder_that_is_not_there_is_a_usage_error(empty):
    told = run(empty, "case", "submit", str(empty.root / "absent"))
    assert told.code == 2
    assert "does not exist" in told.err
    assert "Traceback" not in told.err


def test_marks_that_could_not_be_used_are_listed_with_their_lines_when_the_examination_ends(empty):
    folder = empty.root / "drop"
    write_clip(folder / "yard.mp4", frames=4)
    (folder / "case.yaml").write_text(
        "case: MARKS-1\nmarks:\n"
        "  - {file: yard.mp4, frame: 99, box: [0, 0, 9, 9], label: late}\n"
        "  - {file: yard.mp4, frame: 0, box: [9000, 0, 9, 9], label: wide}\n",
        encoding="utf-8",
    )
    told = run(empty, "--language", "ru", "case", "submit", str(folder), "--wait")
    assert told.code == 0, told
    lines = told.out.splitlines()
    after = lines[lines.index("Отметки, которые не удалось использовать:") + 1 :]
    assert [line.split(" (")[0] for line in after] == ["  E001: Отметка late", "  E001: Отметка wide"]
    assert "строка 3 в case.yaml" in after[0] and "строка 4 в case.yaml" in after[1]


def test_submit_without_wait_puts_a_whole_listed_copy_into_the_inbox(empty):
    folder = write_case(empty.root / "drop", "LATER-1")
    answer = run(empty, "case", "submit", str(folder), "--operator", "Late Operator", "--json").json
    inbox = Path(answer["inbox"])
    assert (answer["case"], inbox.parent) == ("LATER-1", empty.root / "data" / "inbox")
    assert {p.name for p in inbox.iterdir()} == {p.name for p in folder.iterdir()}
    assert [p.name for p in inbox.parent.iterdir()] == [inbox.name], "no scratch folder is left"
    from playe_assets.examination.case_file import read_case_file

    read = read_case_file(inbox)
    assert (read.operator, [e.name for e in read.exhibits]) == ("Late Operator", ["secret_name_1.jpg"])
    told = run(empty, "case", "submit", str(folder))
    assert told.code == 0
    assert told.out.startswith("Case LATER-1 lies in the inbox (")
    assert "LATER-1~2" in told.out, "an earlier submission that nobody took is not overwritten"


def test_a_wrong_setting_is_one_sentence(empty):
    told = sentence(run(empty, "case", "list", PLAYE_AUDIT="loud"))
    assert "audit" in told
    assert "off | basic | full" in told
