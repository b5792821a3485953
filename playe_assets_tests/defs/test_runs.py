"""Runs that are refused, retried or must leave no trace of evidence in Dagster's storage."""

from __future__ import annotations

import dagster as dg
import pytest

from playe_assets_tests.laboratory import examine, failures, write_case


def test_no_event_of_a_run_holds_a_name_or_exif_of_the_evidence(examined):
    for event in examined.result.all_events:
        assert "secret" not in dg.serialize_value(event), event.event_type_value
        assert "MakerOfSecrets" not in dg.serialize_value(event)


def test_a_materialization_without_its_gates_verdict_is_not_used(laboratory, instance, small_case):
    assert examine(instance, "SMALL-1", small_case, select=["ingested_media"]).success
    forged = dg.AssetMaterialization(
        "ingested_media",
        partition="SMALL-1",
        metadata={"manifest_sha256": "f" * 64, "verdicts_sha256": "f" * 64},
    )
    instance.report_runless_asset_event(forged)
    result = examine(instance, "SMALL-1", None, select=["detections"])
    assert "judged an earlier materialization of ingested_media" in failures(result)["detections"]


def test_another_case_s_verdict_does_not_count(laboratory, instance, small_case, tmp_path):
    assert examine(instance, "SMALL-1", small_case, select=["ingested_media"]).success
    other = write_case(tmp_path / "OTHER-2", "OTHER-2")
    result = examine(instance, "OTHER-2", other, select=["detections"])
    assert "ingested_media of case OTHER-2 was never made" in failures(result)["detections"]


def test_an_unknown_preset_is_refused_before_any_work(laboratory, instance, small_case):
    result = examine(instance, "SMALL-1", small_case, tags={"playe/preset": "no_such"})
    assert (
        "There is no preset 'no_such'. Known: balanced, forensic_safe, presentation."
        in failures(result).values()
    )
    assert not laboratory.case("SMALL-1").exists()
    assert laboratory.log() == []


def test_a_defect_of_ours_is_not_retried_and_is_said(laboratory, instance, small_case, monkeypatch):
    from playe_assets.examination import ingest as module

    calls = []

    def broken(*_args, **_kwargs):
        calls.append(1)
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(module, "ingest", broken)
    result = examine(instance, "SMALL-1", small_case, select=["ingested_media"])
    assert failures(result) == {"ingested_media": "ZeroDivisionError: planted"}
    assert len(calls) == 1


def test_a_busy_case_is_tried_again(laboratory, instance, small_case, monkeypatch):
    from playe_assets.core.errors import CaseBusyError
    from playe_assets.examination import ingest as module

    real, calls = module.ingest, []

    def busy_once(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            raise CaseBusyError("case.busy", case="SMALL-1", seconds=20.0)
        return real(*args, **kwargs)

    monkeypatch.setattr(module, "ingest", busy_once)
    result = examine(instance, "SMALL-1", small_case, select=["ingested_media"])
    assert result.success
    assert len(calls) == 2


@pytest.mark.parametrize("previews", [False, True])
def test_dagsters_storage_holds_names_and_pixels_only_where_previews_are_switched_on(
    laboratory, small_case, tmp_path, previews
):
    storage = tmp_path / "dagster"
    storage.mkdir()
    with dg.DagsterInstance.local_temp(str(storage)) as instance:
        result = examine(
            instance, "SMALL-1", small_case, inline_previews=previews,
            select=["ingested_media", "detections", "enhanced_frames"],
        )  # fmt: skip
        assert result.success, failures(result)
    kept = b"".join(p.read_bytes() for p in storage.rglob("*") if p.is_file())
    assert b"E001" in kept
    assert b"secret_name" not in kept
    assert (b"data:image/" in kept) is previews
