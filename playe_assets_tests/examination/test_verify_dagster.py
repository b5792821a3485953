"""`playe case verify` holds Dagster's materialization metadata against the log, the store and the reports."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from playe_assets.cli import playe
from playe_assets.core.texts import LANGUAGES, text
from playe_assets.defs.launch import STAGES, dagster_side, materializations_of, open_instance
from playe_assets.examination.verify import verify_case
from playe_assets.examination.verify_dagster import DagsterSide
from playe_assets_tests.laboratory import TestLaboratory, examine, failures, opened, write_case

CASE = "SMALL-1"


@pytest.fixture(scope="module")
def examined_small(tmp_path_factory):
    """A case of one photograph, examined with Dagster's storage in SQLite files, as an installation has it."""
    root = tmp_path_factory.mktemp("sqlite")
    with opened(root) as laboratory, open_instance() as instance:
        folder = write_case(root / "evidence", CASE, operator="Small Operator")
        result = examine(
            instance, CASE, folder, tags={"playe/request_id": "request-7", "playe/operator": "Small Operator"}
        )
        assert result.success, failures(result)
    return laboratory


@pytest.fixture
def copied(examined_small, tmp_path, monkeypatch):
    """A copy of that laboratory with its Dagster home, that a test may spoil; the environment points at it."""
    root = tmp_path / "copy"
    shutil.copytree(examined_small.root, root)
    laboratory = TestLaboratory(root)
    config = laboratory.home / "dagster.yaml"
    config.write_text(config.read_text().replace(str(examined_small.root), str(root)))
    monkeypatch.setenv("PLAYE_DATA_ROOT", str(root / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(laboratory.home))
    return laboratory


def _verify(laboratory, side=None):
    found = verify_case(laboratory.settings, CASE, materialized=side or dagster_side(CASE))
    for language in LANGUAGES:
        for one in found.differences:
            said = text(f"verify.{one.code}", language, **one.facts)
            assert not said.startswith("verify.") and "{" not in said
        for one in found.not_compared:
            said = text(f"verify.skipped.{one.code}", language, **one.facts)
            assert not said.startswith("verify.") and "{" not in said
    return found


def _databases(laboratory):
    runs = laboratory.home / "storage" / "history" / "runs"
    return sorted(p for p in runs.glob("*.db"))


def _edit(path: Path, asset, old, new):
    """Replace `old` by `new` in the materializations of `asset` that this SQLite file holds; how many changed."""
    with sqlite3.connect(path) as database:
        rows = database.execute(
            "select id, event from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
            " and asset_key = ?", (json.dumps([asset]),)).fetchall()  # fmt: skip
        changed = 0
        for number, event in rows:
            if old in event:
                database.execute("update event_logs set event = ? where id = ?",
                                 (event.replace(old, new), number))  # fmt: skip
                changed += 1
    database.close()
    return changed


def test_an_untouched_case_agrees_with_dagster_in_all_five_assets(copied):
    found = _verify(copied)
    assert (found.differences, found.not_compared, found.materializations) == ((), (), 5)
    side = dagster_side(CASE)
    assert {m.asset for m in side.materializations} == set(STAGES)
    for made in side.materializations:
        assert made.data_version == made.manifest_sha256
        assert made.request_id == "request-7"
        assert made.log_first_seq < made.log_last_seq


def test_the_mixed_case_agrees_with_its_own_instance(examined):
    side = DagsterSide(materializations_of(examined.instance, examined.case_id))
    found = verify_case(examined.laboratory.settings, examined.case_id, materialized=side)
    assert (found.differences, found.not_compared, found.materializations) == ((), (), 5)


@pytest.mark.parametrize("where", ["index", "run"])
@pytest.mark.parametrize("asset", STAGES)
def test_a_digest_edited_in_either_of_dagster_s_two_databases_is_named(copied, asset, where):
    made = next(m for m in dagster_side(CASE).materializations if m.asset == asset)
    for path in _databases(copied):
        if (path.stem == "index") is (where == "index"):
            assert _edit(path, asset, made.manifest_sha256, "0" * 64) == 1
    found = _verify(copied)
    assert found.differences[0].facts["asset"] == asset
    assert {d.code for d in found.differences} >= {"dagster_manifest_absent"}
    assert all(d.facts["asset"] == asset for d in found.differences)


def test_another_manifest_of_the_same_store_is_named_with_what_the_log_says(copied):
    made = {m.asset: m for m in dagster_side(CASE).materializations}
    wrong, right = made["detections"].manifest_sha256, made["enhanced_frames"].manifest_sha256
    for path in _databases(copied):
        _edit(path, "enhanced_frames", right, wrong)
    (first, *_) = _verify(copied).differences
    assert first.code in ("dagster_manifest", "dagster_chain")
    assert (first.facts["stated"], first.facts["recorded"]) == (wrong, right)


def test_other_verdicts_of_the_same_store_are_named(copied):
    first, second, *rest = dagster_side(CASE).materializations
    wrong = replace(second, verdicts_sha256=first.verdicts_sha256)
    (found,) = _verify(copied, DagsterSide((first, wrong, *rest))).differences
    assert (found.code, found.facts["recorded"]) == ("dagster_manifest", second.verdicts_sha256)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"text": "Small Operator"', '"text": "Large Operator"', "dagster_fact"),
        ('"text": "request-7"', '"text": "request-8"', "dagster_fact"),
        ('"text": "X-', '"text": "Y-', "dagster_fact"),
        ('"dagster/data_version": "', '"dagster/data_version": "0', "dagster_version"),
    ],
)
def test_each_edited_fact_is_named(copied, old, new, code):
    assert sum(_edit(path, "qa_metrics", old, new) for path in _databases(copied)) == 2
    (difference,) = _verify(copied).differences
    assert (difference.code, difference.facts["asset"]) == (code, "qa_metrics")


def test_lines_of_the_log_that_belong_to_another_asset_are_named(copied):
    side = dagster_side(CASE)
    first, *rest = side.materializations
    other = rest[0].log_last_seq
    (found,) = _verify(copied, DagsterSide((replace(first, log_last_seq=other), *rest))).differences
    assert (found.code, found.facts["asset"], found.facts["last"]) == ("dagster_lines", first.asset, other)


def test_a_report_that_dagster_names_otherwise_than_the_log_is_named(copied):
    *rest, last = dagster_side(CASE).materializations
    for wrong in (replace(last, report_json_sha256="1" * 64), replace(last, report_pdf_sha256="1" * 64)):
        (found,) = _verify(copied, DagsterSide((*rest, wrong))).differences
        assert (found.code, found.facts["asset"]) == ("dagster_report", "forensic_report")


def test_a_materialization_of_a_run_that_the_log_does_not_know_is_named(copied):
    side = dagster_side(CASE)
    invented = replace(side.materializations[1], run_id="11111111-0000-0000-0000-000000000000")
    (found,) = _verify(copied, DagsterSide((*side.materializations, invented))).differences
    assert (found.code, found.facts["run"]) == ("dagster_not_in_log", invented.run_id)


def test_a_materialization_long_before_the_asset_s_last_line_is_named(copied):
    *rest, last = dagster_side(CASE).materializations
    (found,) = _verify(
        copied, DagsterSide((*rest, replace(last, at_utc="2001-01-01T00:00:00+00:00")))
    ).differences
    assert found.code == "dagster_time"


def test_what_dagster_has_pruned_is_said_and_is_no_difference(copied):
    for path in _databases(copied):
        with sqlite3.connect(path) as database:
            database.execute("delete from event_logs")
        database.close()
    found = _verify(copied)
    assert (found.holds, found.materializations) == (True, 0)
    assert [n.code for n in found.not_compared] == ["dagster_pruned"]
    assert "forensic_report" in found.not_compared[0].facts["assets"]


def test_a_storage_that_is_gone_or_broken_is_said_and_is_no_difference_and_none_is_made(copied):
    for path in _databases(copied):
        path.write_bytes(b"this is no database, and never was one" * 100)
    found = _verify(copied)
    assert (found.holds, [n.code for n in found.not_compared]) == (True, ["dagster_unreadable"])
    shutil.rmtree(copied.home)
    found = _verify(copied)
    assert (found.holds, [n.code for n in found.not_compared]) == (True, ["dagster_absent"])
    assert not copied.home.exists()


def test_the_command_names_the_first_difference_and_exits_with_1(copied):
    made = next(m for m in dagster_side(CASE).materializations if m.asset == "detections")
    for path in _databases(copied):
        _edit(path, "detections", made.manifest_sha256, "0" * 64)
    result = CliRunner().invoke(playe, ["case", "verify", CASE, "--json"])
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["first"] == said["differences"][0]["said"]
    assert "detections" in said["first"]
    assert said["not_compared"] == []
    for language, word in (("en", "The first difference"), ("ru", "Первое расхождение")):
        result = CliRunner().invoke(playe, ["--language", language, "case", "verify", CASE])
        assert result.exit_code == 1
        assert word in result.stdout


def test_the_command_says_that_dagster_was_not_compared(copied):
    shutil.rmtree(copied.home)
    result = CliRunner().invoke(playe, ["case", "verify", CASE])
    assert result.exit_code == 0
    assert "Not compared: Dagster's metadata: there is no storage" in result.stdout


def test_the_outcome_is_recorded_in_the_log_with_what_differs(copied):
    assert CliRunner().invoke(playe, ["case", "verify", CASE]).exit_code == 0
    last = copied.log(CASE)[-1]
    assert (last["event"], last["status"], last["checks"]) == (
        "custody.case_verified", "ok", [{"check": "case", "state": "holds"}])  # fmt: skip
    copied.case(CASE).store.path(copied.reports(CASE)[0]["findings"]["exhibits"][0]["sha256"]).unlink()
    assert CliRunner().invoke(playe, ["case", "verify", CASE]).exit_code == 1
    checks = copied.log(CASE)[-1]["checks"]
    assert {"check": "case", "state": "fails"} in checks
    assert {"check": "exhibit_absent", "state": "fails"} in checks
    assert CliRunner().invoke(playe, ["case", "verify", CASE, "--no-record"]).exit_code == 1
    assert copied.log(CASE)[-1]["checks"] == checks
    assert [d.code for d in _verify(copied).differences] == ["exhibit_absent"], "the records alter nothing"


def test_a_log_that_does_not_hold_is_left_as_it_is_found(copied):
    path = copied.settings.log_path
    path.write_bytes(path.read_bytes().replace(b"Small Operator", b"Large Operator", 1))
    before = path.read_bytes()
    result = CliRunner().invoke(playe, ["case", "verify", CASE])
    assert result.exit_code == 1
    assert "not recorded" in result.stdout
    assert path.read_bytes() == before
