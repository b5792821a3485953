"""Every gate passes the good case and refuses a fault that was planted for it, naming where it lies."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import replace
from fractions import Fraction

import pytest

from playe_assets.core.canonical import digest
from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.presets import Threshold
from playe_assets.core.values import (
    AiClass,
    Derivative,
    Detection,
    Enhanced,
    EnhancedManifest,
    Exhibit,
    ExhibitDetections,
    ExhibitStatus,
    FrameDetections,
    IngestManifest,
    MediaKind,
    MetricsManifest,
    PresetRef,
    Role,
)
from playe_assets.defs.launch import STAGES
from playe_assets.examination.judge import SUITES, passed
from playe_assets.gates import GATES
from playe_assets.media.ledger import LedgerRow, write_ledger
from playe_assets.media.pixel_digest import frames_sha256
from playe_assets.media.survey import SurveyRow, write_survey
from playe_assets.media.time_ledger import LedgerFrame, write_time_ledger
from playe_assets.stores.case_store import CaseStore

FRAMES = 5
BASE = Fraction(1, 25)
COLUMNS = ("consistency_psnr", "psnr_reference")


def _rows(count=FRAMES, step=2):
    return [LedgerRow(i, i * step, written_pts=i * step) for i in range(count)]


def sha(word):
    """A digest to tell frames apart by."""
    return hashlib.sha256(word.encode()).hexdigest()


def ledger_rows(count=FRAMES, step=2):
    """The derivative's side: each frame kept, at the source's time."""
    return [
        LedgerFrame(i, i * step, i * step * 40000, i * step, sha(f"in {i}"), sha(f"out {i}"))
        for i in range(count)
    ]


def survey_rows(count=FRAMES, step=2):
    """The same frames as another decode saw them."""
    return [SurveyRow(i, i * step, sha(f"in {i}"), 100.0, 2.0, 0.0, 0.0) for i in range(count)]


def _exhibit(store, number, content, media, ledger=None):
    sha256 = store.put_bytes(content)
    return Exhibit(
        number, "00", "shown", sha256, len(content), 1, Role.EXHIBIT, ExhibitStatus.ACCEPTED, media,
        ledger_sha256=ledger,
    )  # fmt: skip


def _derivative(store, number, exhibit, kind, content, parents, **more):
    sha256 = store.put_bytes(content)
    return Derivative(number, exhibit, kind, sha256, len(content), "x/y", parents, AiClass.NONE, **more)


@pytest.fixture
def good(tmp_path):
    """A photograph and a clip, enhanced and measured, nothing wrong with them. Made by hand, no decoder."""
    store = CaseStore(tmp_path / "case")
    source = store.put_bytes(write_ledger(_rows(), BASE))
    photo = _exhibit(store, "E001", b"photograph", MediaKind.PHOTO)
    clip = _exhibit(store, "E002", b"clip", MediaKind.CLIP, source)
    ingest = IngestManifest(
        "C1", "X-1", PresetRef("p", "1", "0" * 64), (photo, clip), (), (), {}
    )  # fmt: skip
    first = _derivative(store, "D001", "E001", "photo", b"better", (photo.sha256,))
    master = _derivative(store, "D002", "E002", "master", b"master", (clip.sha256,), frame_count=FRAMES,
                         pixel_sha256=frames_sha256(r.output_sha256 for r in ledger_rows()))  # fmt: skip
    ledger = _derivative(
        store, "D003", "E002", "ledger", write_time_ledger(ledger_rows(), BASE), (clip.sha256, master.sha256)
    )
    entries = (
        Enhanced("E001", (), ("D001",), 1, 1, 0, 1),
        Enhanced("E002", (), ("D002", "D003"), FRAMES, FRAMES, 0, FRAMES),
    )
    enhanced = EnhancedManifest("C1", "X-1", "i", "d", entries, (first, master, ledger))
    rows = (
        {"exhibit": "E001", "derivative": "D001", "media": "photo", "frames_compared": 1,
         "consistency_psnr": 40.0, "psnr_reference": None},
        {"exhibit": "E002", "derivative": "D002", "media": "clip", "frames_compared": 3,
         "consistency_psnr": 35.0, "psnr_reference": 30.0},
    )  # fmt: skip
    metrics = MetricsManifest("C1", "X-1", "e", "t", tuple({"name": n} for n in COLUMNS), rows, ())
    found = Detection("face", 2.0, 3.0, 10.0, 10.0, 0.9)
    seen = ExhibitDetections(
        "E001", photo.sha256, 96, 64, 1, (FrameDetections("h", 0, None, (found,)),), (), ()
    )
    survey = store.put_bytes(write_survey(survey_rows(), BASE))
    watched = ExhibitDetections("E002", clip.sha256, 96, 64, FRAMES, (), (), (), survey=survey)
    findings = {"exhibits": [{"number": "E001"}, {"number": "E002"}], "verdicts": []}
    return Evidence(
        objects=store,
        ingest=ingest,
        suites=SUITES,
        detections={"E001": seen, "E002": watched},
        enhanced=enhanced,
        metrics=metrics,
        thresholds=(Threshold("consistency_psnr", None, 24.0, None, "withhold"),),
        report={"findings": findings, "findings_sha256": digest(findings)},
    )


def _judge(gate, evidence):
    return GATES.get(gate)().judge(evidence)


def _refused(gate, evidence):
    return [v for v in _judge(gate, evidence) if not v.passed]


def _change(evidence, sha256):
    path = evidence.objects.path(sha256)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!")


def _with(evidence, number, **changes):
    derivatives = tuple(
        replace(d, **changes) if d.number == number else d for d in evidence.enhanced.derivatives
    )
    return replace(evidence, enhanced=replace(evidence.enhanced, derivatives=derivatives))


@pytest.mark.parametrize("name", GATES.names())
def test_every_gate_keeps_the_contract(name, good):
    cls = GATES.get(name)
    assert issubclass(cls, Gate)
    assert not inspect.isabstract(cls)
    assert cls.name == name
    assert cls.stage in STAGES
    assert cls.kind in ("integrity", "quality")
    assert cls.description.endswith(".")
    verdicts = cls().judge(good)
    assert passed(verdicts), [v for v in verdicts if not v.passed]
    assert {(v.gate, v.kind) for v in verdicts} == {(name, cls.kind)}
    assert cls().judge(good) == verdicts, "the same evidence gives the same verdicts"


@pytest.mark.parametrize("name", GATES.names())
def test_a_gate_says_something_even_where_there_is_nothing_to_judge(name, good):
    nothing = Evidence(
        objects=good.objects,
        ingest=replace(good.ingest, exhibits=()),
        suites=SUITES,
        enhanced=replace(good.enhanced, entries=(), derivatives=()),
        metrics=replace(good.metrics, rows=()),
        report={"kind": "notice"},
    )
    verdicts = _judge(name, nothing)
    assert passed(verdicts)
    assert all(v.expectation for v in verdicts)


@pytest.mark.parametrize(
    "name", ["derivation", "timing", "metrics_present", "metrics_in_bounds", "identity", "report_consistent"]
)
def test_a_gate_that_is_given_no_manifest_refuses(name, good):
    blind = replace(good, enhanced=None, metrics=None, report=None)
    assert not passed(_judge(name, blind))


def test_no_verdict_at_all_is_no_permission():
    assert not passed([])


def test_a_changed_byte_of_an_exhibit_is_refused_by_its_number(good):
    _change(good, good.ingest.exhibits[1].sha256)
    (verdict,) = _refused("exhibits_intact", good)
    assert (verdict.exhibit, verdict.observed) == ("E002", "another digest")
    assert verdict.allowed == good.ingest.exhibits[1].sha256


def test_an_exhibit_that_is_gone_is_refused_and_the_others_are_still_judged(good):
    good.objects.path(good.ingest.exhibits[0].sha256).unlink()
    verdicts = _judge("exhibits_intact", good)
    assert [(v.exhibit, v.passed, v.observed) for v in verdicts] == [
        ("E001", False, "store.absent"),
        ("E002", True, "equal"),
    ]


def test_a_quarantined_exhibit_is_evidence_too_and_is_read_again(good):
    aside = replace(good.ingest.exhibits[0], status=ExhibitStatus.QUARANTINED)
    evidence = replace(good, ingest=replace(good.ingest, exhibits=(aside, good.ingest.exhibits[1])))
    _change(evidence, aside.sha256)
    assert [v.exhibit for v in _refused("exhibits_intact", evidence)] == ["E001"]


@pytest.mark.parametrize(
    ("box", "count"),
    [
        ((-1, 3, 10, 10), 1),
        ((2, -0.5, 10, 10), 1),
        ((90, 3, 10, 10), 1),
        ((2, 60, 10, 10), 1),
        ((86, 54, 10, 10), 0),
    ],
)
def test_a_box_outside_the_frame_is_refused(good, box, count):
    seen = good.detections["E001"]
    frame = replace(seen.frames[0], found=(Detection("face", *box, 0.9),))
    refused = _refused(
        "detections_in_frame", replace(good, detections={"E001": replace(seen, frames=(frame,))})
    )
    assert [(v.exhibit, v.observed) for v in refused] == [("E001", "1 boxes outside 96x64 px")] * count


def test_findings_made_on_other_bytes_or_on_no_listed_exhibit_are_refused(good):
    seen = good.detections["E001"]
    other = {"E001": replace(seen, source_sha256="f" * 64), "E009": seen}
    refused = _refused("detections_in_frame", replace(good, detections=other))
    assert [(v.exhibit, v.observed) for v in refused] == [
        ("E001", "not made on a listed exhibit"),
        ("E009", "not made on a listed exhibit"),
    ]


def test_a_foreign_parent_is_refused(good):
    exhibit = good.ingest.exhibits[0].sha256
    (verdict,) = _refused("derivation", _with(good, "D001", was_derived_from=(exhibit, "f" * 64)))
    assert (verdict.exhibit, verdict.derivative) == ("E001", "D001")
    assert "f" * 64 in verdict.observed


def test_a_derivative_that_does_not_name_its_exhibit_is_refused(good):
    other = good.ingest.exhibits[1].sha256
    (verdict,) = _refused("derivation", _with(good, "D001", was_derived_from=(other,)))
    assert verdict.observed == "its exhibit is not among what it was derived from"


def test_a_derivative_of_a_quarantined_exhibit_is_refused(good):
    aside = replace(good.ingest.exhibits[0], status=ExhibitStatus.QUARANTINED)
    evidence = replace(good, ingest=replace(good.ingest, exhibits=(aside, good.ingest.exhibits[1])))
    assert [v.derivative for v in _refused("derivation", evidence)] == ["D001"]


def test_a_changed_and_an_absent_derivative_are_refused(good):
    _change(good, good.enhanced.derivatives[0].sha256)
    good.objects.path(good.enhanced.derivatives[1].sha256).unlink()
    found = {v.derivative: v.observed for v in _refused("derivation", good)}
    assert found == {"D001": "its bytes have another digest", "D002": "store.absent"}


def test_a_missing_row_and_a_missing_column_are_refused_by_derivative(good):
    rows = [dict(good.metrics.rows[0])]
    del rows[0]["consistency_psnr"]
    evidence = replace(good, metrics=replace(good.metrics, rows=tuple(rows)))
    found = {v.derivative: v.observed for v in _refused("metrics_present", evidence)}
    assert found == {"D001": "consistency_psnr", "D002": "not measured"}


@pytest.mark.parametrize("on_fail", ["withhold", "warn"])
def test_a_metric_below_its_threshold_names_exhibit_column_value_range_and_consequence(good, on_fail):
    evidence = replace(good, thresholds=(Threshold("consistency_psnr", None, 36.0, 90.0, on_fail),))
    (verdict,) = _refused("metrics_in_bounds", evidence)
    assert (verdict.exhibit, verdict.derivative, verdict.expectation) == ("E002", "D002", "consistency_psnr")
    assert (verdict.observed, verdict.allowed, verdict.on_fail) == ("35", "36 .. 90", on_fail)


def test_a_threshold_for_one_kind_of_media_judges_only_that_kind(good):
    evidence = replace(good, thresholds=(Threshold("consistency_psnr", MediaKind.PHOTO, 99.0, None, "warn"),))
    assert [v.exhibit for v in _refused("metrics_in_bounds", evidence)] == ["E001"]


def test_a_metric_that_cannot_apply_is_not_judged(good):
    evidence = replace(good, thresholds=(Threshold("psnr_reference", None, 29.0, None, "withhold"),))
    judged = [v.exhibit for v in _judge("metrics_in_bounds", evidence) if v.expectation == "psnr_reference"]
    assert judged == ["E002"]


def test_a_table_of_the_wrong_form_is_refused_by_the_suite(good):
    rows = ({**good.metrics.rows[0], "exhibit": "photo one"}, {**good.metrics.rows[1], "frames_compared": 0})
    (verdict,) = _refused("metrics_in_bounds", replace(good, metrics=replace(good.metrics, rows=rows)))
    assert verdict.expectation == "metrics_table"
    assert "match_regex" in verdict.observed
    assert "frames_compared" in verdict.observed


def test_a_report_whose_findings_were_changed_is_refused(good):
    findings = {**good.report["findings"], "verdicts": ["all passed"]}
    (verdict,) = _refused("report_consistent", replace(good, report={**good.report, "findings": findings}))
    assert (verdict.expectation, verdict.observed) == ("findings digest", digest(findings))


def test_a_report_that_leaves_out_an_exhibit_is_refused(good):
    findings = {"exhibits": [{"number": "E001"}]}
    report = {"findings": findings, "findings_sha256": digest(findings)}
    (verdict,) = _refused("report_consistent", replace(good, report=report))
    assert "missing: E002" in verdict.observed
