"""A case through the real asset graph, in this process: what goes well, what is refused, what is withheld."""

from __future__ import annotations

import json
import shutil

import dagster as dg
import pytest

from playe_assets.core.values import IngestManifest
from playe_assets.custody.fields import SINGLE
from playe_assets.defs.launch import STAGES
from playe_assets_tests.laboratory import examine, failures, materialized, write_case, write_photo


def _metadata(result, asset):
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == asset]
    return event.materialization.metadata, event.materialization.tags


def _checks(result):
    return {e.check_name: e for e in result.get_asset_check_evaluations()}


def _flip(path):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_mixed_case_goes_from_folder_to_report(examined):
    assert materialized(examined.result) == list(STAGES)
    assert all(c.passed for c in examined.result.get_asset_check_evaluations())
    (report,) = examined.laboratory.reports("MIXED-1")
    status = {e["number"]: e["status"] for e in report["findings"]["exhibits"]}
    assert status == {"E001": "accepted", "E002": "accepted", "E003": "duplicate", "E004": "quarantined"}
    assert {d["kind"] for d in report["findings"]["derivatives"]} >= {"photo", "master", "proxy", "ledger"}
    assert examined.laboratory.notices("MIXED-1") == []


def test_the_data_version_of_each_asset_is_the_sha256_of_its_manifest(examined):
    store = examined.laboratory.case("MIXED-1").store
    for asset in STAGES:
        metadata, tags = _metadata(examined.result, asset)
        assert tags["dagster/data_version"] == metadata["manifest_sha256"].value
        assert store.verify(metadata["manifest_sha256"].value)
        assert store.path(metadata["manifest_sha256"].value) == type(store.root)(metadata["manifest"].value)


def test_the_metadata_and_the_log_can_be_held_against_each_other(examined):
    log = examined.laboratory.log()
    for asset in STAGES:
        metadata, _ = _metadata(examined.result, asset)
        first, last = metadata["log_first_seq"].value, metadata["log_last_seq"].value
        assert 0 <= first < last
        between = [e for e in log[first : last + 1] if e["event"] not in SINGLE]
        assert {e["activity"]["asset_key"] for e in between} == {asset}
        assert metadata["examination_id"].value == log[last]["examination_id"]
        assert metadata["duration_s"].value > 0


def test_operator_and_request_of_the_run_tags_reach_log_metadata_and_report(examined):
    log = examined.laboratory.log("MIXED-1")
    assert {e["operator"]["id"] for e in log} == {"Anna Test"}
    assert {e["operator"]["auth"] for e in log} == {"dagster-tag"}
    assert {e["request_id"] for e in log} == {"request-42"}
    assert {e["activity"]["run_id"] for e in log} == {examined.result.run_id}
    metadata, _ = _metadata(examined.result, "forensic_report")
    assert (metadata["operator"].value, metadata["request_id"].value) == ("Anna Test", "request-42")
    (report,) = examined.laboratory.reports("MIXED-1")
    assert report["sections"]["administration"]["operator"]["id"] == "Anna Test"


def test_the_tables_name_exhibits_by_number_and_never_by_name(examined):
    metadata, _ = _metadata(examined.result, "ingested_media")
    assert [r.data["exhibit"] for r in metadata["table"].records] == ["E001", "E002", "E003", "E004"]
    for event in examined.result.all_events:
        assert "secret" not in dg.serialize_value(event), event.event_type_value
        assert "MakerOfSecrets" not in dg.serialize_value(event)


def test_the_long_digest_of_a_series_stands_behind_the_values_it_was_drawn_from(examined):
    table = _metadata(examined.result, "qa_metrics")[0]["table"]
    names = [column.name for column in table.schema.columns]
    assert names[:4] == ["exhibit", "derivative", "media", "frames_compared"]
    assert names[-1] == "series" and len(names) > 5
    assert any(len(record.data["series"]) == 64 for record in table.records), "there is a clip"


def test_a_launch_without_our_tags_is_said_to_be_of_an_unknown_operator(laboratory, instance, small_case):
    result = examine(instance, "SMALL-1", small_case, select=["ingested_media"])
    assert result.success
    assert {e["operator"]["id"] for e in laboratory.log()} == {"unknown"}
    assert {e["request_id"] for e in laboratory.log()} == {result.run_id}


def test_a_stored_exhibit_that_changed_stops_everything_behind_it(laboratory, instance, small_case):
    assert examine(instance, "SMALL-1", small_case, select=["ingested_media"]).success
    case = laboratory.case("SMALL-1")
    (exhibit,) = case.records(case.read())[0].exhibits
    _flip(case.store.path(exhibit.sha256))

    result = examine(instance, "SMALL-1", None)
    assert not result.success
    assert materialized(result) == ["ingested_media"]
    check = _checks(result)["exhibits_intact"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "E001" in check.description
    assert [r.data["exhibit"] for r in check.metadata["verdicts"].records] == ["E001"]
    (notice,) = laboratory.notices("SMALL-1")
    assert "E001" in json.dumps(notice)
    assert laboratory.reports("SMALL-1") == []
    assert "custody.report_withheld" in [e["event"] for e in laboratory.log()]

    # A second run that selects only what is downstream would pass in plain Dagster.
    for asset in ("detections", "forensic_report"):
        refused = examine(instance, "SMALL-1", None, select=[asset])
        assert not refused.success
        assert failures(refused)[asset].startswith(
            "The gate exhibits_intact refused ingested_media of case SMALL-1."
        )
        assert materialized(refused) == []
    assert laboratory.reports("SMALL-1") == []


def test_an_asset_whose_upstream_was_never_made_is_refused_in_words(laboratory, instance, small_case):
    result = examine(instance, "SMALL-1", small_case, select=["qa_metrics"])
    assert failures(result) == {
        "qa_metrics": "ingested_media of case SMALL-1 was never made. Materialize it first, or run the whole job "
        "examine_case."
    }
    assert [(e["event"], e["status"]) for e in laboratory.log()] == [
        ("processing.stage", "started"), ("processing.stage", "failed")]  # fmt: skip


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


def _strict(monkeypatch, exhibit_bound):
    """The shipped preset with one threshold more: a quality failure that a real preset could hold."""
    from dataclasses import replace

    from playe_assets.core.presets import Threshold
    from playe_assets.examination import plan as module

    shipped = module.load_preset

    def stricter(*given):
        preset = shipped(*given)
        bound = Threshold("consistency_mean_abs", exhibit_bound, None, 0.0001, "withhold")
        return replace(preset, thresholds=(*preset.thresholds, bound))

    monkeypatch.setattr(module, "load_preset", stricter)


def test_a_quality_failure_withholds_that_derivative_and_the_others_stay(
    laboratory, instance, tmp_path, monkeypatch
):
    from playe_assets.core.values import MediaKind
    from playe_assets_tests.laboratory import write_clip

    _strict(monkeypatch, MediaKind.PHOTO)
    folder = write_case(tmp_path / "QUALITY-1", "QUALITY-1")
    write_clip(folder / "z_clip.mp4", frames=4)
    result = examine(instance, "QUALITY-1", folder)
    assert result.success, failures(result)
    check = _checks(result)["metrics_in_bounds"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "E001: consistency_mean_abs" in check.description
    (report,) = laboratory.reports("QUALITY-1")
    withheld = report["sections"]["pictures"]["withheld"]
    made = {d["number"]: d for d in report["findings"]["derivatives"]}
    assert {made[w["derivative"]]["exhibit"] for w in withheld} == {"E001"}
    assert any(d["exhibit"] == "E002" for d in made.values())
    shown = {p["exhibit"] for p in report["sections"]["pictures"]["items"] if p["role"] == "after"}
    assert shown == {"E002"}


def test_the_same_delivery_again_gives_the_same_findings_and_supersedes(laboratory, instance, small_case):
    for _ in range(2):
        result = examine(instance, "SMALL-1", small_case)
        assert result.success, failures(result)
    first, second = laboratory.reports("SMALL-1")
    assert first["findings_sha256"] == second["findings_sha256"]
    assert first["report_id"] != second["report_id"]
    assert first["report_id"] in json.dumps(second["sections"])
    assert len(laboratory.case("SMALL-1").read().deliveries) == 2


def test_a_supplementary_delivery_adds_exhibits_and_a_changed_file_is_quarantined(
    laboratory, instance, small_case
):
    assert examine(instance, "SMALL-1", small_case, select=["ingested_media"]).success
    shutil.rmtree(small_case)
    write_photo(small_case / "secret_name_1.jpg", seed=99)
    write_photo(small_case / "new.jpg", seed=7)
    (small_case / "case.yaml").write_text("case: SMALL-1\n", encoding="utf-8")
    result = examine(instance, "SMALL-1", small_case, select=["ingested_media"])
    assert result.success, failures(result)
    metadata, _ = _metadata(result, "ingested_media")
    taken = laboratory.stage("SMALL-1").manifest(IngestManifest, metadata["manifest_sha256"].value)
    found = {
        e.number: (e.name_shown, e.delivery, e.status.value, e.reason and e.reason.code)
        for e in taken.exhibits
    }
    assert found == {
        "E001": ("secret_name_1.jpg", 1, "accepted", None),
        "E002": ("new.jpg", 2, "accepted", None),
        "E003": ("secret_name_1.jpg", 2, "quarantined", "conflict"),
    }
    assert laboratory.case("SMALL-1").read().operator == "Small Operator", (
        "what the first delivery said stands"
    )


def test_audit_off_examines_but_issues_no_report_and_writes_no_log(laboratory, instance, small_case):
    result = examine(instance, "SMALL-1", small_case, audit="off")
    assert materialized(result) == list(STAGES[:-1])
    assert "SMALL-1" in failures(result)["forensic_report"]
    assert "audit" in failures(result)["forensic_report"].lower()
    assert not laboratory.settings.log_path.exists()
    assert laboratory.reports("SMALL-1") == []


def test_a_preset_that_the_launchpad_names_is_used_and_one_without_weights_is_refused_before_any_work(
    laboratory, instance, small_case
):
    result = examine(instance, "SMALL-1", small_case, tags={"playe/preset": "no_such"})
    assert (
        "There is no preset 'no_such'. Known: balanced, forensic_safe, presentation."
        in failures(result).values()
    )
    assert not laboratory.case("SMALL-1").exists()
    assert {e["event"] for e in laboratory.log()} == {"processing.stage"}, "asked for, recorded, refused"
    assert [e["error"]["code"] for e in laboratory.log() if e["error"]] == ["preset.unknown"]


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
    tries = [
        (e["params"]["retry"], e["status"]) for e in laboratory.log() if e["event"] == "processing.stage"
    ]
    assert tries == [(0, "started"), (0, "failed"), (1, "started"), (1, "ok")]


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
