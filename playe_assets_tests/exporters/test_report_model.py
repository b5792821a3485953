"""The report's JSON: what it says, what its findings digest holds still under, and what stops it."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import pytest

from playe_assets.core import values
from playe_assets.core.canonical import digest
from playe_assets.core.errors import CommandError, IntegrityError
from playe_assets.core.values import AiClass, Verdict
from playe_assets.exporters.report_model import SECTIONS, build_notice, build_report
from playe_assets.exporters.report_parts import Attempt, Override, ReportParts
from playe_assets.exporters.report_schema import report_schema, validate_report
from playe_assets_tests.exporters.report_sample import sample_notice, sample_parts, sha


def parts_of(**changes: Any) -> ReportParts:
    return dataclasses.replace(sample_parts()[0], report_id="CASE-7-R01", **changes)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_report_has_the_ten_sections_and_fits_its_schema(language: str) -> None:
    report = build_report(dataclasses.replace(sample_parts(language)[0], report_id="CASE-7-R01"))
    assert tuple(report["sections"]) == SECTIONS
    assert len(SECTIONS) == 10
    validate_report(report)


def test_the_findings_digest_is_recomputed_from_the_findings_alone() -> None:
    report = build_report(parts_of())
    assert report["findings_sha256"] == digest(json.loads(json.dumps(report["findings"])))


def test_the_same_examination_has_the_same_findings_whenever_whoever_and_wherever() -> None:
    first = build_report(parts_of())
    parts = sample_parts("ru", audit_mode="basic")[0]
    again = build_report(
        dataclasses.replace(
            parts,
            report_id="CASE-7-R09",
            issued_utc="2031-01-01T00:00:00Z",
            log=parts.log[:3],
            environment={"device": {"cpu": "another"}},
            attempts=(Attempt("enhanced_frames", "failed", "2026-01-05T09:00:00Z", "run-2"),),
        )
    )
    assert again["findings_sha256"] == first["findings_sha256"]
    assert again["findings"] == first["findings"]


def test_the_findings_change_with_a_metric() -> None:
    parts = parts_of()
    rows = ({**parts.metrics.rows[0], "ssim_exhibit": 0.5}, *parts.metrics.rows[1:])
    changed = dataclasses.replace(parts, metrics=dataclasses.replace(parts.metrics, rows=rows))
    assert build_report(changed)["findings_sha256"] != build_report(parts)["findings_sha256"]


def test_the_findings_hold_no_clock_time_and_no_run_id() -> None:
    text = json.dumps(build_report(parts_of())["findings"])
    assert not re.search(r"\d{4}-\d{2}-\d{2}T\d{2}:", text)
    assert "r-1" not in text
    assert "CASE-7-R01" not in text


def test_a_derivative_that_failed_its_gate_is_withheld_with_all_that_shows_it() -> None:
    section = build_report(parts_of())["sections"]["pictures"]
    assert [w["derivative"] for w in section["withheld"]] == [
        "D002",
        "D003",
        "D004",
    ]  # not the ledger, fused track
    assert all(w["verdict"]["expectation"] == "consistency_psnr" for w in section["withheld"])
    ours = [p for p in section["items"] if p["exhibit"] == "E002"]
    assert [p["role"] for p in ours if p["track"] is None] == ["before"]
    assert {p["role"] for p in ours if p["track"] == 1} == {"best_1", "best_2", "best_3", "single", "fused",
                                                            "uncertainty"}  # fmt: skip
    assert [p["role"] for p in section["items"] if p["exhibit"] == "E001"] == [
        "before",
        "after",
        "difference",
    ]


def test_what_is_withheld_may_be_used_for_nothing() -> None:
    items = build_report(parts_of())["sections"]["ai_statement"]["items"]
    assert {s["derivative"]: s["permitted_use"] for s in items} == {
        "D001": "interpretation",
        "D002": "none",
        "D003": "none",
        "D004": "none",
        "D005": "interpretation",
        "D006": "interpretation",
        "D007": "interpretation",
        "D008": "interpretation",
    }


@pytest.mark.parametrize(("expectation", "lifted"), [("consistency_psnr", True), (None, False)])
def test_an_override_lifts_only_the_verdict_that_it_names(expectation: str | None, lifted: bool) -> None:
    override = Override(
        "metrics_in_bounds", "compared by eye", "ivanova", "petrov", "2026-01-05T10:00:00Z",
        "E002", "D002", expectation,
    )  # fmt: skip
    report = build_report(parts_of(overrides=(override,)))
    validate_report(report)
    assert (report["sections"]["pictures"]["withheld"] == []) is lifted
    assert report["sections"]["attempts"]["overrides"][0]["reason"] == "compared by eye"


def test_a_failure_of_the_whole_table_withholds_every_derivative() -> None:
    bad = Verdict("metrics_in_bounds", "quality", False, expectation="metrics_table")
    report = build_report(parts_of(verdicts=(bad,)))
    assert len(report["sections"]["pictures"]["withheld"]) == len(report["findings"]["derivatives"])


def test_a_remark_withholds_nothing() -> None:
    remark = Verdict(
        "metrics_in_bounds", "quality", False, "E001", "D001", "sharpness_ratio", "0.1", "0.2 .. -", "warn"
    )
    report = build_report(dataclasses.replace(sample_parts(withhold=None)[0], verdicts=(remark,)))
    assert report["sections"]["pictures"]["withheld"] == []
    assert sum(not v["passed"] for v in report["findings"]["verdicts"]) == 1


def test_the_derivatives_of_a_failed_exhibit_are_withheld_with_the_failure() -> None:
    parts = sample_parts(withhold=None)[0]
    why = values.Reason("test.failed", {"step": "nlm"})
    entries = (dataclasses.replace(parts.enhanced.entries[0], failure=why), *parts.enhanced.entries[1:])
    enhanced = dataclasses.replace(parts.enhanced, entries=entries)
    metrics = dataclasses.replace(parts.metrics, enhanced=digest(enhanced))
    sections = build_report(dataclasses.replace(parts, enhanced=enhanced, metrics=metrics))["sections"]
    assert sections["pictures"]["withheld"] == [
        {
            "derivative": "D001",
            "exhibit": "E001",
            "verdict": None,
            "reason": {"code": "test.failed", "facts": {"step": "nlm"}},
        }
    ]
    assert sections["attempts"]["failures"][0]["exhibit"] == "E001"
    assert [p["role"] for p in sections["pictures"]["items"] if p["exhibit"] == "E001"] == ["before"]


def test_an_integrity_failure_stops_the_report_and_names_gate_exhibit_and_expectation() -> None:
    bad = Verdict("exhibits_intact", "integrity", False, "E002", None, "sha256 equal on re-read", "a", "b")
    with pytest.raises(IntegrityError) as caught:
        build_report(parts_of(verdicts=(bad,)))
    for word in ("exhibits_intact", "E002", "sha256 equal on re-read", "playe case verify CASE-7"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("part", "field"),
    [("detection", "ingest"), ("enhanced", "ingest"), ("enhanced", "detections"), ("metrics", "enhanced"),
     ("metrics", "examination_id"), ("ingest", "case_id")],
)  # fmt: skip
def test_manifests_that_do_not_belong_together_stop_the_report(part: str, field: str) -> None:
    parts = parts_of()
    broken = dataclasses.replace(getattr(parts, part), **{field: sha("another")})
    with pytest.raises(IntegrityError) as caught:
        build_report(dataclasses.replace(parts, **{part: broken}))
    assert caught.value.code == "report.chain"


def test_findings_of_another_exhibit_stop_the_report() -> None:
    parts = parts_of()
    swapped = {**parts.detections, "E001": parts.detections["E002"]}
    with pytest.raises(IntegrityError, match=r"detections\.E001"):
        build_report(dataclasses.replace(parts, detections=swapped))


def test_a_working_copy_that_changed_stops_the_report() -> None:
    parts = parts_of()
    with pytest.raises(IntegrityError, match=r"working_copy\.E001"):
        build_report(dataclasses.replace(parts, reread={**parts.reread, "E001": sha("changed")}))


def test_a_preset_file_that_changed_since_stops_the_report() -> None:
    with pytest.raises(IntegrityError, match=r"preset\.sha256"):
        build_report(parts_of(preset_text=sample_parts()[0].preset_text + "\n"))


def test_audit_mode_off_cannot_issue_a_report() -> None:
    with pytest.raises(CommandError) as caught:
        build_report(parts_of(audit_mode="off"))
    assert caught.value.code == "report.audit_off"


def test_what_was_quarantined_or_refused_is_listed_with_its_reason() -> None:
    report = build_report(parts_of())
    bomb = report["findings"]["exhibits"][-1]
    assert (bomb["status"], bomb["reason"]["code"]) == ("quarantined", "test.bomb")
    assert report["findings"]["refused"][0]["reason"] == {"code": "test.link", "facts": {"target": "outside"}}
    assert report["sections"]["exhibits"]["counts"] == {
        "received": 5,
        "accepted": 2,
        "partial": 1,
        "quarantined": 1,
        "duplicate": 0,
        "references": 0,
        "refused": 1,
    }


def test_start_and_end_of_an_operation_become_one_record() -> None:
    records = build_report(parts_of())["sections"]["steps"]["records"]
    first = records[0]
    assert (first["exhibit"], first["step"], first["seqs"]) == ("E001", "1 orient", [4002, 4003])
    assert (first["status"], first["duration_ms"], first["output_sha256"]) == (
        "ok",
        1000.5,
        [sha("1 orient")],
    )


def test_operations_of_an_earlier_examination_stand_in_the_extract_only() -> None:
    parts = parts_of()
    line = {**parts.log[3], "examination_id": sha("earlier"), "op_id": "old", "seq": 17}
    report = build_report(dataclasses.replace(parts, log=(line, *parts.log)))
    assert all(17 not in r["seqs"] for r in report["sections"]["steps"]["records"])
    assert report["sections"]["custody"]["extract"][0]["seq"] == 17


def test_frames_that_were_promised_but_not_decoded_are_counted() -> None:
    frames = {f["exhibit"]: f for f in build_report(parts_of())["sections"]["pictures"]["frames"]}
    assert frames["E002"]["not_decoded"] == 2
    assert (frames["E002"]["dropped"], frames["E002"]["added"], frames["E002"]["interpolated"]) == (0, 0, 0)


def test_a_generative_derivative_is_never_for_identification() -> None:
    parts = parts_of()
    made = [dataclasses.replace(d, ai_class=AiClass.GENERATIVE) for d in parts.enhanced.derivatives]
    enhanced = dataclasses.replace(parts.enhanced, derivatives=tuple(made))
    metrics = dataclasses.replace(parts.metrics, enhanced=digest(enhanced))
    items = build_report(dataclasses.replace(parts, enhanced=enhanced, metrics=metrics))["sections"][
        "ai_statement"
    ]["items"]
    assert items[0]["permitted_use"] == "presentation_only"
    assert items[0]["may_add_detail"] is True


def test_the_limits_follow_from_what_was_done() -> None:
    codes = {i["code"] for i in build_report(parts_of())["sections"]["limitations"]["items"]}
    assert {"fusion", "proxy", "partial", "corrupt_frames", "no_golden_set", "no_accreditation"} <= codes
    photo = {i["code"] for i in build_report(sample_parts(count=1)[0])["sections"]["limitations"]["items"]}
    assert not {"fusion", "proxy", "partial", "corrupt_frames", "audit_basic"} & photo


def test_a_notice_fits_the_schema_and_holds_only_what_failed() -> None:
    parts = sample_notice()
    passed = Verdict("timing", "integrity", True, "E001")
    notice = build_notice(
        dataclasses.replace(parts, verdicts=(*parts.verdicts, passed), notice_id="CASE-7-N01")
    )
    validate_report(notice)
    assert [v["gate"] for v in notice["verdicts"]] == ["exhibits_intact"]


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("findings_sha256", "A" * 64),
        ("report_id", "R1"),
        ("language", "de"),
        ("surprise", 1),
        ("schema_version", "2"),
    ],
)
def test_the_schema_refuses_what_does_not_fit(where: str, value: object) -> None:
    with pytest.raises(IntegrityError) as caught:
        validate_report({**build_report(parts_of()), where: value})
    assert caught.value.code == "report.schema"


@pytest.mark.parametrize(
    ("definition", "cls"),
    [
        ("exhibit", values.Exhibit),
        ("facts", values.StreamFacts),
        ("step", values.Step),
        ("enhanced", values.Enhanced),
        ("derivative", values.Derivative),
        ("verdict", values.Verdict),
        ("refusal", values.Refusal),
    ],
)
def test_the_schema_knows_every_field_of_the_values(definition: str, cls: type) -> None:
    known = set(report_schema()["$defs"][definition]["properties"])
    assert known == {f.name for f in dataclasses.fields(cls)}
