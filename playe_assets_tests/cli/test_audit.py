"""`playe audit` as an auditor meets it: words in both languages, JSON, exit codes, and what it leaves in the log."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from playe_assets.cli import playe
from playe_assets.core.errors import CommandError, PlayeError
from playe_assets.core.texts import catalogue
from playe_assets.custody.fields import EVENTS, SINGLE, left_out
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.note import VerifierKey, fingerprint
from playe_assets.custody.record import Operator, Recorder
from playe_assets_tests.custody.attacks import Held, edited
from playe_assets_tests.laboratory import VARIABLES, TestLaboratory


@pytest.fixture
def lab(laboratory: TestLaboratory) -> TestLaboratory:
    """Two cases of four records each, a checkpoint, one more record."""
    for case in ("CASE-A", "CASE-B"):
        _work(laboratory, case, 4)
    laboratory.settings.checkpoints.make()
    _work(laboratory, "CASE-A", 1)
    return laboratory


def _work(laboratory: TestLaboratory, case: str, records: int) -> None:
    recorder = Recorder(
        laboratory.settings.log,
        request_id="test",
        case_id=case,
        operator=Operator("anna", "operator", "os-user"),
    )
    for number in range(records):
        with recorder.record(
            "processing.step", step=f"{number} denoise", exhibit="E001", inputs=["a" * 64]
        ) as work:
            work.outputs.append("b" * 64)


def _held(laboratory: TestLaboratory) -> Held:
    return Held(laboratory.settings.data_root)


def said(*words: str, language: str = "en", code: int = 0) -> str:
    """What the command prints, ending with `code`; a refusal goes on up."""
    done = CliRunner().invoke(playe, ["--language", language, *words])
    if isinstance(done.exception, PlayeError):
        raise done.exception
    assert done.exit_code == code, done.output
    return done.stdout


def test_verify_says_what_holds_what_was_not_held_against_anything_and_ends_with_0(lab):
    told = said("audit", "verify")
    assert told.startswith("The custody log holds: 19 lines and 1 checkpoints were read")
    for words in ("The first 16 lines are held", "(lines: 2)", "was taken from the log's own folder",
                  "Not held against anything from outside", "--checkpoint report.json"):  # fmt: skip
        assert words in told
    told = said("audit", "verify", language="ru")
    assert told.startswith("Журнал хранения подтверждён: прочитано строк — 19")
    assert "С внешними свидетельствами не сверялось" in told
    found = json.loads(said("audit", "verify", "--json"))
    assert (found["holds"], found["lines"], found["newest"]["size"], found["findings"]) == (True, 19, 16, [])


def test_verify_with_a_pinned_key_and_a_checkpoint_from_elsewhere_says_so(lab, tmp_path):
    key = said("audit", "key").strip()
    kept = tmp_path / "kept.note"
    kept.write_text(_held(lab).notes[0].read_text())
    told = said("audit", "verify", "--key", key, "--checkpoint", str(kept))
    assert "The first key is the pinned one." in told
    assert "Held against kept.note from outside: the first 16 lines" in told
    shown = fingerprint(kept.read_text())
    assert f"checkpoint in kept.note, as section 10 of a report prints it: {shown}\n" in told
    assert f"(newest: 0, fingerprint {shown})" in told
    found = json.loads(said("audit", "verify", "--checkpoint", str(kept), "--json"))
    assert found["witness_fingerprint"] == found["newest"]["fingerprint"] == shown
    other = str(VerifierKey("other", bytes(32)))
    told = said("audit", "verify", "--key", other, code=1)
    assert "does NOT hold: 1 finding(s)" in told
    assert f"not the expected {other}" in told
    (lab.settings.data_root / "laboratory.yaml").write_text(f"custody_key: {key}\n")
    assert "The first key is the pinned one." in said("audit", "verify")


def test_a_key_that_was_cut_short_while_copying_accuses_no_log(lab):
    made = CliRunner().invoke(playe, ["audit", "verify", "--key", said("audit", "key").strip()[:-1]])
    assert made.exit_code == 2 and "is no verifier key" in made.output and "NOT hold" not in made.output


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "  ! Line 4 does not fit line 3 before it"),
        ("ru", "  ! Строка 4 не соответствует предыдущей строке 3"),
    ],
)
def test_verify_of_an_altered_log_names_the_first_place_and_ends_with_1(lab, language, sentence):
    held = _held(lab)
    lines = held.raw()
    held.put([*lines[:3], edited(lines[3], exhibit="E009"), *lines[4:]])
    told = said("audit", "verify", language=language, code=1).splitlines()
    assert told[1].startswith(sentence)
    assert "checkpoint 0" in told[2] or "контрольная точка 0" in told[2]
    found = json.loads(said("audit", "verify", "--json", code=1))
    assert (found["holds"], found["findings"][0]["code"]) == (False, "line_changed")


def test_an_advisory_finding_is_told_and_does_not_break_the_audit(lab):
    held = _held(lab)
    lines = held.raw()
    held.put_chained([*lines[:17], *(edited(x, clock_utc="2020-01-01T00:00:00.000000Z") for x in lines[17:])])
    told = said("audit", "verify")
    assert "  ? Before line 17 the wall clock was set back by " in told


def test_a_copy_without_the_private_key_is_no_finding_where_it_is_said_to_be_one(lab, tmp_path):
    held = _held(lab).copy("copy")
    for path in (held.folder / "checkpoints" / "keys").iterdir():
        path.unlink()
    (held.folder / "checkpoints" / "keys").rmdir()
    given = {"PLAYE_DATA_ROOT": str(held.root)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLAYE_DATA_ROOT", given["PLAYE_DATA_ROOT"])
        assert "is gone" in said("audit", "verify", code=1)
        assert "holds" in said("audit", "verify", "--copy")


def test_what_is_not_there_is_refused_in_a_sentence(lab, tmp_path):
    (tmp_path / "no.note").write_text("nothing\n")
    for words, part in (
        (("audit", "verify", "--checkpoint", str(tmp_path / "no.note")), "no.note"),
        (("audit", "proof", "99"), "no line 99"),
        (("audit", "proof", "3", "--checkpoint-epoch", "7"), "no checkpoint 7"),
        (("audit", "export", "--case", "NONE", "--out", str(tmp_path / "bag")), "'NONE'"),
    ):
        with pytest.raises(CommandError) as told:
            said(*words)
        assert part in told.value.message("en")
        assert told.value.message("ru") != told.value.message("en")
    lab.settings.data_root.joinpath("laboratory.yaml").write_text("tsa_roots: /nowhere/roots.pem\n")
    with pytest.raises(CommandError, match=r"/nowhere/roots\.pem"):
        said("audit", "verify")
    assert len(lab.log()) == 19, "what is refused leaves nothing in the log"


def test_tail_prints_lines_that_people_read_of_all_cases_or_one(lab):
    told = said("audit", "tail", "-n", "3").splitlines()
    assert len(told) == 3
    assert told[0].split() == ["16", *told[0].split()[1:3], "signed", "checkpoint"]
    assert told[2].endswith("CASE-A · E001 · 0 denoise  (anna)")
    assert "done" in told[2]
    told = said("audit", "tail", "--case", "CASE-B", language="ru").splitlines()
    assert len(told) == 8
    assert all("этап обработки" in line and "CASE" not in line for line in told)
    raw = said("audit", "tail", "-n", "2", "--json").encode()
    assert [json.loads(line)["seq"] for line in raw.splitlines()] == [17, 18]
    assert [line.encode() for line in raw.decode().splitlines()] == _held(lab).raw()[-2:]


def test_tail_shows_a_failure_with_its_message_and_a_torn_line_as_such(lab):
    recorder = Recorder(
        lab.settings.log, request_id="t", case_id="CASE-C", operator=Operator("eve", "operator", "x")
    )
    with pytest.raises(CommandError), recorder.record("processing.step", step="1 denoise", exhibit="E001"):
        raise CommandError("audit.no_line", seq=1, epoch=2, size=3)
    told = said("audit", "tail", "-n", "1").splitlines()
    assert "FAILED" in told[0]
    assert told[1].strip().startswith("There is no line 1")
    path = lab.settings.log_path
    path.write_bytes(path.read_bytes()[:-20])
    _work(lab, "CASE-C", 1)
    assert "(a line that was cut short)" in said("audit", "tail", "-n", "5")


def test_no_line_can_repaint_the_terminal_or_stop_tail(lab):
    lab.settings.log.append([{"event": "\x1b[2J", "case_id": "\n     0  2026 done", "operator": 3, "error": "x",
                              "step": "\u202eabc", "t_start_utc": 5, "status": ["ok"]}])  # fmt: skip
    told = said("audit", "tail", "-n", "1")
    assert len(told.splitlines()) == 1
    assert "\\x1b[2J" in told
    assert not {"\x1b", "\u202e"} & set(told)


def test_an_empty_log_says_so_and_holds(laboratory):
    done = CliRunner().invoke(playe, ["audit", "tail"])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "No such line in" in done.stderr
    assert "There is no checkpoint yet" in said("audit", "verify")
    assert not laboratory.settings.log_path.exists(), "looking makes nothing"


def test_every_event_has_a_word_in_both_languages():
    assert [e for e in (*EVENTS, *SINGLE) if f"cli.event.{e}" not in catalogue()] == []


def test_follow_prints_each_line_once_over_rotated_files_until_it_is_interrupted(lab):
    plain = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    tool = Path(sys.executable).with_name("playe")
    with subprocess.Popen(
        [str(tool), "audit", "tail", "--follow", "-n", "1", "--json"], stdout=subprocess.PIPE, text=True,
        env={**plain, "PLAYE_DATA_ROOT": str(lab.settings.data_root), "PYTHONWARNINGS": "ignore"},
    ) as following:  # fmt: skip
        assert following.stdout is not None
        give_up = threading.Timer(60, following.kill)
        give_up.start()
        seen = [json.loads(following.stdout.readline())["seq"]]
        log = CustodyLog(lab.settings.log_path, rotate_bytes=3000)
        for number in range(40):
            log.append([{"event": "test", "number": number, "text": "x" * 200}])
        last = log.head().lines - 1
        while seen[-1] < last:
            seen.append(json.loads(following.stdout.readline())["seq"])
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 0
        give_up.cancel()
    assert len(log.files()) > 3
    assert seen == list(range(18, last + 1))


def test_a_proof_names_line_leaf_root_and_note(lab):
    found = json.loads(said("audit", "proof", "3"))
    assert set(found) == {"seq", "line", "leaf", "size", "root", "epoch", "proof", "note", "key0"}
    assert json.loads(found["line"])["seq"] == found["seq"] == 3


def test_checkpoint_and_export_leave_whole_records_in_the_log_and_say_what_to_do(lab, tmp_path):
    told = said("audit", "checkpoint")
    assert told.startswith("Checkpoint 1 of playe-log/")
    assert "Keep a copy outside the laboratory" in told
    assert f"\n  fingerprint {fingerprint(_held(lab).notes[1].read_text())}\n" in told
    bag = tmp_path / "bag"
    told = said("audit", "export", "--case", "CASE-A", "--out", str(bag), "--single", language="ru")
    assert f"python {bag}/verify_custody.py {bag} --language ru" in told
    done = subprocess.run([sys.executable, str(bag / "verify_custody.py"), str(bag)], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The export HOLDS.")
    ours = [e for e in lab.log() if e["event"] in ("custody.log_exported", "custody.checkpointed")]
    assert [(e["event"], e["status"]) for e in ours] == [
        ("custody.checkpointed", "started"), ("custody.checkpointed", "ok"),
        ("custody.log_exported", "started"), ("custody.log_exported", "ok"),
    ]  # fmt: skip
    assert [left_out(e) for e in ours] == [[]] * 4
    assert ours[3]["case_id"] == "CASE-A"
    assert "holds" in said("audit", "verify")


def test_looking_leaves_the_data_root_as_it_was(lab):
    root = lab.settings.data_root
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    said("audit", "verify")
    said("audit", "tail")
    assert {p: p.read_bytes() for p in root.rglob("*") if p.is_file()} == before


def test_an_auditor_who_may_only_read_the_log_verifies_watches_and_proves(lab):
    """Drops the right to override file modes where the tests run as root."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip(
            "root overrides file modes, and setpriv (util-linux), which drops that right, is not installed"
        )
    root = lab.settings.data_root
    for path in (root, *root.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (root / "audit" / "checkpoints" / "keys").chmod(0)
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    plain = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    told = []
    for words in (("verify",), ("tail", "-n", "1"), ("proof", "3"), ("checkpoint",)):
        done = subprocess.run(
            [*drop, str(Path(sys.executable).with_name("playe")), "audit", *words], capture_output=True, text=True,
            check=False, timeout=60, env={**plain, "PLAYE_DATA_ROOT": str(root), "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip
        told.append((done.returncode, done.stdout + done.stderr))
    (root / "audit" / "checkpoints" / "keys").chmod(0o700)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert [code for code, _ in told] == [0, 0, 0, 2], told
    assert "The private key was not checked" in told[0][1]
    assert "may not be written by this user" in told[3][1]


def test_the_commands_and_options_that_the_page_for_auditors_names_exist():
    page = (Path(__file__).resolve().parents[2] / "docs" / "custody.md").read_text(encoding="utf-8")
    named = set(re.findall(r"playe audit (\w+)((?: +(?:--?[\w-]+|\"[^\"]*\"|[\w./-]+))*)", page))
    assert {name for name, _ in named} == {"verify", "tail", "proof", "export", "checkpoint", "key"}
    group = playe.get_command(click.Context(playe), "audit")
    assert isinstance(group, click.Group)
    for name, rest in named:
        known = {option for parameter in group.commands[name].params for option in parameter.opts}
        assert set(re.findall(r"(?<!\S)--[\w-]+", rest)) <= known, (name, rest)


def test_the_page_for_auditors_names_tests_and_sources_that_are_there():
    root = Path(__file__).resolve().parents[2]
    for target in re.findall(
        r"\]\(((?:\.\.|adr)/[^)]+)\)", (root / "docs" / "custody.md").read_text(encoding="utf-8")
    ):
        assert (root / "docs" / target).is_file(), target
