"""A gate that refuses stops the run, and every later run that would go round it."""

from __future__ import annotations

import dagster as dg
import pytest

from playe_assets_tests.laboratory import (
    examine,
    failures,
    materialized,
    opened,
    write_case,
    write_photo,
)


def flip_last_byte(path):
    """One byte of a stored object changed, as a faulty disk or a hand would."""
    path.chmod(0o600)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 0xFF
    path.write_bytes(raw)


def failed_checks(result):
    return {e.check_name: e for e in result.get_asset_check_evaluations() if not e.passed}


@pytest.mark.parametrize("asset", ["detections", "qa_metrics", "forensic_report"])
def test_an_asset_whose_upstream_was_never_made_says_so(laboratory, instance, asset):
    result = examine(instance, "NEVER-1", None, select=[asset])
    assert not result.success
    assert materialized(result) == []
    said = failures(result)
    assert list(said) == [asset], "refused at once, not retried"
    assert "ingested_media of case NEVER-1 was never made. Materialize it first" in said[asset]


@pytest.fixture(scope="module")
def tampered(tmp_path_factory):
    """A case with a report, then a byte of its exhibit flipped, then examined again without new evidence."""
    root = tmp_path_factory.mktemp("tampered")
    with dg.DagsterInstance.ephemeral() as instance, opened(root) as laboratory:
        first = examine(instance, "TAMPER-1", write_case(root / "drop", "TAMPER-1"))
        assert first.success, failures(first)
        exhibit = laboratory.reports("TAMPER-1")[0]["findings"]["exhibits"][0]["sha256"]
        flip_last_byte(laboratory.case("TAMPER-1").store.path(exhibit))
        again = examine(instance, "TAMPER-1", None)
        yield laboratory, instance, exhibit, again


def test_a_flipped_byte_fails_the_integrity_check_and_nothing_downstream_runs(tampered):
    _, _, exhibit, again = tampered
    assert not again.success
    assert materialized(again) == ["ingested_media"]
    assert "detections" not in {e.step_key for e in again.all_events if e.is_step_start}
    failed = failed_checks(again)
    assert list(failed) == ["exhibits_intact"]
    check = failed["exhibits_intact"]
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert check.description == f"E001: sha256 equal on re-read: another digest, allowed {exhibit}"
    assert check.metadata["refused"].value == 1


def test_what_is_withheld_is_said_by_a_notice_that_names_the_exhibit(tampered):
    laboratory, _, exhibit, _ = tampered
    assert len(laboratory.reports("TAMPER-1")) == 1, "the earlier report stays, none is added"
    [notice] = laboratory.notices("TAMPER-1")
    assert "exhibits_intact" in str(notice)
    assert exhibit in str(notice)
    folder = laboratory.settings.cases / "TAMPER-1" / "reports" / "TAMPER-1-N01"
    assert (folder / "notice.pdf").read_bytes().startswith(b"%PDF")
    [_, line] = [e for e in laboratory.log("TAMPER-1") if e["event"] == "custody.report_withheld"]
    assert line["step"] == "TAMPER-1-N01"


@pytest.mark.parametrize("asset", ["detections", "enhanced_frames", "qa_metrics", "forensic_report"])
def test_a_run_that_selects_only_what_lies_behind_the_gate_is_refused_too(tampered, asset):
    laboratory, instance, _, _ = tampered
    alone = examine(instance, "TAMPER-1", None, select=[asset])
    assert not alone.success
    assert materialized(alone) == []
    said = failures(alone)
    assert list(said) == [asset], "refused at once, not retried"
    assert "The gate exhibits_intact refused ingested_media of case TAMPER-1." in said[asset]
    assert len(laboratory.reports("TAMPER-1")) == 1


def test_a_byte_flipped_behind_the_gate_is_found_by_the_next_stage_that_reads_it(
    laboratory, instance, small_case
):
    assert examine(instance, "SMALL-1", small_case, select=["ingested_media"]).success
    record = laboratory.case("SMALL-1").read().deliveries[0].record
    [exhibit] = laboratory.case("SMALL-1").store.get_json(record)["exhibits"]
    flip_last_byte(laboratory.case("SMALL-1").store.path(exhibit["sha256"]))
    rest = ["detections", "enhanced_frames", "qa_metrics", "forensic_report"]
    result = examine(instance, "SMALL-1", None, select=rest)
    assert not result.success
    assert "forensic_report" not in materialized(result)
    assert exhibit["sha256"] in " ".join(failures(result).values())
    assert laboratory.reports("SMALL-1") == []


def test_half_a_photograph_goes_on_as_partial_and_the_report_names_the_missing_rows(
    laboratory, instance, tmp_path
):
    folder = write_case(tmp_path / "HALF-1", "HALF-1")
    whole = write_photo(tmp_path / "whole.jpg", seed=9).read_bytes()
    (folder / "z_half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "case.yaml").write_text("case: HALF-1\n", encoding="utf-8")
    result = examine(instance, "HALF-1", folder)
    assert result.success, failures(result)
    [report] = laboratory.reports("HALF-1")
    whole_one, half = report["findings"]["exhibits"]
    assert (whole_one["status"], whole_one["missing"]) == ("accepted", [])
    assert half["status"] == "partial"
    [missing] = half["missing"]
    assert missing["code"] == "rows_missing"
    assert 0 < missing["facts"]["rows"] < missing["facts"]["rows_total"] == 64
