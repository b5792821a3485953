"""The notes issued beside a report: with them, a stranger needs the first key and nothing else."""

from __future__ import annotations

import hashlib
import json

import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.chain import NOTES, follow, notes_file, notes_in
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.log import CustodyLog
from playe_assets.examination.verify import verify_case
from playe_assets.examination.verify_signed import FAILS, HOLDS, NOT_CHECKED, Given, With, checkpoint
from playe_assets_tests.reports import report_path


@pytest.fixture
def stranger(tmp_path):
    """A report of epoch 3 in a folder of its own: its custody section, its notes, the first key."""
    log = CustodyLog(tmp_path / "log" / "events.jsonl")
    checkpoints = Checkpoints(log, tmp_path / "log" / "checkpoints")
    for n in range(4):
        log.append([{"event": "processing.step", "n": n}])
        kept = checkpoints.make()
    notes = [one.note for one in checkpoints.all()]
    folder = tmp_path / "issued"
    folder.mkdir()
    data = notes_file(notes)
    (folder / NOTES).write_bytes(data)
    stated = {"note": kept.note, "size": kept.checkpoint.size, "root": kept.checkpoint.root.hex(),
              "epoch": kept.epoch, "key0": checkpoints.key0(),
              "notes": {"file": NOTES, "sha256": hashlib.sha256(data).hexdigest()}}  # fmt: skip
    return Given(folder / "report.json", b"", {}), {"checkpoint": stated}, notes


def _rewrite(given, custody, notes):
    data = notes_file(notes)
    given.path.with_name(NOTES).write_bytes(data)
    custody["checkpoint"]["notes"]["sha256"] = hashlib.sha256(data).hexdigest()


def test_the_issued_folder_and_the_first_key_are_enough(stranger):
    given, custody, notes = stranger
    assert custody["checkpoint"]["epoch"] == 3
    assert checkpoint(given, custody, With()).state == HOLDS
    assert checkpoint(given, custody, With(key=custody["checkpoint"]["key0"])).state == HOLDS
    per_epoch = given.path.with_name(NOTES).stat().st_size / len(notes)
    assert 400 < per_epoch < 700  # what docs/rerun.md says


def test_without_the_file_it_is_said_that_the_checkpoint_could_not_be_checked(stranger):
    given, custody, notes = stranger
    given.path.with_name(NOTES).unlink()
    assert checkpoint(given, custody, With()).state == NOT_CHECKED
    assert checkpoint(given, custody, With(notes=tuple(notes))).state == HOLDS


def test_a_changed_file_fails_whatever_else_is_at_hand(stranger):
    given, custody, notes = stranger
    given.path.with_name(NOTES).write_bytes(notes_file(notes) + b" ")
    found = checkpoint(given, custody, With(notes=tuple(notes)))
    assert found.state == FAILS
    assert NOTES in found.said[0].said("en")


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n[:-1],
        lambda n: n[1:],
        lambda n: [n[0], n[2], n[1], n[3]],
        lambda n: [*n, n[-1]],
        lambda n: [n[0].replace("\nepoch 0", "\nepoch 00"), *n[1:]],
        lambda n: [],
    ],
)
def test_notes_that_do_not_lead_to_the_report_s_own_fail_even_under_a_digest_made_good(stranger, change):
    given, custody, notes = stranger
    _rewrite(given, custody, change(notes))
    assert checkpoint(given, custody, With()).state == FAILS


@pytest.mark.parametrize("data", [b"", b"{}", b'["a",1]', b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_array_of_notes_is_refused(data):
    with pytest.raises(IntegrityError) as caught:
        notes_in(data)
    assert caught.value.code == "checkpoint.notes_file"


def test_a_case_s_report_is_issued_with_the_notes_and_the_log_names_them(examined):
    path = report_path(examined.laboratory, examined.case_id)
    stated = json.loads(path.read_bytes())["sections"]["custody"]["checkpoint"]
    data = path.with_name(NOTES).read_bytes()
    assert stated["notes"] == {"file": NOTES, "sha256": hashlib.sha256(data).hexdigest()}
    assert follow(notes_in(data), stated["key0"])[-1].epoch == stated["epoch"]
    assert notes_in(data)[-1] == stated["note"]
    issued = [e for e in examined.laboratory.log(examined.case_id) if e["event"] == "custody.report_issued"]
    assert stated["notes"]["sha256"] in issued[-1]["output_sha256"]


@pytest.mark.parametrize("what", ["notes_absent", "notes_changed"])
def test_case_verify_names_notes_that_are_gone_or_not_those_that_were_issued(examined_copy, what):
    path = report_path(examined_copy, "MIXED-1").with_name(NOTES)
    path.chmod(0o644)
    if what == "notes_absent":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    assert [d.code for d in verify_case(examined_copy.settings, "MIXED-1").differences] == [what]


def test_a_laboratory_that_lost_a_note_reports_all_the_same_and_says_that_it_has_them_no_more(tmp_path):
    from playe_assets.examination.conclude_custody import _notes

    log = CustodyLog(tmp_path / "events.jsonl")
    checkpoints = Checkpoints(log, tmp_path / "checkpoints")
    for n in range(4):
        log.append([{"event": "processing.step", "n": n}])
        kept = checkpoints.make()
    assert _notes(checkpoints, kept, checkpoints.key0())
    (tmp_path / "checkpoints" / "000001.note").unlink()
    assert _notes(checkpoints, kept, checkpoints.key0()) == b""
