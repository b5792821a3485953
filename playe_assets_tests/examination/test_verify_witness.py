"""Reports, notices and their PDFs are held against the log, and the log against what reports state of it."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from playe_assets.core.canonical import canonical_json
from playe_assets.core.texts import LANGUAGES, text
from playe_assets.core.values import Verdict
from playe_assets.custody.log import GENESIS, CustodyLog
from playe_assets.examination.conclude import withhold
from playe_assets.examination.verify import verify_case

CASE, REPORT, NOTICE = "MIXED-1", "MIXED-1-R01", "MIXED-1-N01"


def _differences(laboratory):
    found = verify_case(laboratory.settings, CASE).differences
    for difference in found:
        for language in LANGUAGES:
            said = text(f"verify.{difference.code}", language, **difference.facts)
            assert not said.startswith("verify.")
            assert "{" not in said
    return [(d.code, d.facts) for d in found]


def _folder(laboratory, name=REPORT):
    return laboratory.settings.cases / CASE / "reports" / name


def _rewrite(laboratory, change):
    """The whole log again with `change` made to each entry, every hash of the chain made to fit."""
    path = laboratory.settings.log_path
    last, lines = GENESIS, []
    for entry in [e for _, e, _ in CustodyLog(path).read()]:
        raw = canonical_json({**change(entry), "prev_hash": last})
        last = hashlib.sha256(raw).hexdigest()
        lines.append(raw + b"\n")
    path.write_bytes(b"".join(lines))


@pytest.fixture
def withheld(examined_copy):
    """The examined case with a notice beside its report."""
    verdict = Verdict("exhibits_intact", "integrity", False, "E001", None, "SHA-256 equal", "other", "equal")
    withhold(examined_copy.stage(CASE), None, [verdict])
    assert _differences(examined_copy) == []
    return examined_copy


def test_a_log_that_was_rewritten_as_a_whole_is_found_by_the_report(examined_copy):
    _rewrite(examined_copy, lambda e: {**e, "operator": {**e.get("operator", {}), "id": "Somebody Else"}})
    assert CustodyLog(examined_copy.settings.log_path).verify()[1] is None, "the chain itself holds"
    head = json.loads((_folder(examined_copy) / "report.json").read_bytes())["sections"]["custody"][
        "log_head"
    ]
    facts = {"report": REPORT, "line": head["seq"], "sha256": head["sha256"]}
    found = _differences(examined_copy)
    assert found[0] == ("log_rewritten", facts)
    assert ("extract_differs", {"report": REPORT, "line": 0}) in found


def test_a_log_that_was_cut_before_the_line_that_a_report_states_is_found(examined_copy):
    path = examined_copy.settings.log_path
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))
    codes = [code for code, _ in _differences(examined_copy)]
    assert codes[0] == "log_rewritten"
    assert {"report_not_in_log", "extract_differs"} < set(codes)


def test_a_pdf_that_was_exchanged_or_removed_is_found(examined_copy):
    pdf = _folder(examined_copy) / "report.pdf"
    pdf.chmod(0o644)
    pdf.write_bytes(b"%PDF-1.7 another")
    assert _differences(examined_copy) == [("pdf_not_in_log", {"report": REPORT})]
    pdf.unlink()
    assert _differences(examined_copy) == [("pdf_absent", {"report": REPORT})]


def test_a_report_that_was_deleted_is_found(examined_copy):
    shutil.rmtree(_folder(examined_copy))
    assert _differences(examined_copy) == [("report_absent", {"report": REPORT})]


def test_a_notice_that_was_edited_is_found(withheld):
    path = _folder(withheld, NOTICE) / "notice.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"E001", b"E002"))
    assert _differences(withheld) == [("notice_not_in_log", {"report": NOTICE})]
    path.write_bytes(b"nothing")
    assert [code for code, _ in _differences(withheld)] == ["notice_not_in_log", "notice_unreadable"]


def test_a_notice_or_its_pdf_that_was_deleted_is_found(withheld):
    (_folder(withheld, NOTICE) / "notice.pdf").unlink()
    assert _differences(withheld) == [("pdf_absent", {"report": NOTICE})]
    shutil.rmtree(_folder(withheld, NOTICE))
    assert _differences(withheld) == [("notice_absent", {"report": NOTICE})]


def test_a_notice_is_a_witness_of_the_log_too(withheld):
    shutil.rmtree(_folder(withheld))
    _rewrite(withheld, lambda e: {**e, "request_id": "other"})
    assert [code for code, _ in _differences(withheld)][:2] == ["log_rewritten", "report_absent"]


@pytest.mark.parametrize("stage", ["metrics", "enhanced", "detections", "ingest"])
def test_a_stage_manifest_that_a_report_was_made_from_must_be_there(examined_copy, stage):
    store = examined_copy.case(CASE).store
    made = [e for e in examined_copy.log(CASE) if e["event"] == "processing.report" and e["status"] == "ok"]
    (metrics,) = made[-1]["input_sha256"]
    enhanced = store.get_json(metrics)["enhanced"]
    digests = {"metrics": metrics, "enhanced": enhanced, **store.get_json(enhanced)}
    store.path(digests[stage]).unlink()
    facts = {"report": REPORT, "stage": stage, "sha256": digests[stage]}
    assert _differences(examined_copy) == [("manifest_absent", facts)]


def test_a_stray_file_in_the_store_is_named_and_everything_else_is_still_read(examined_copy):
    store = examined_copy.case(CASE).store
    exhibit = examined_copy.reports(CASE)[0]["findings"]["exhibits"][0]["sha256"]
    folder = store.path(exhibit).parent
    (folder / "notes.txt").write_text("who left this here", encoding="ascii")
    (folder / ("0" * 64)).symlink_to("/etc/hostname")
    store.path(exhibit).chmod(0o644)
    store.path(exhibit).write_bytes(b"changed")
    assert sorted(_differences(examined_copy), key=str) == sorted(
        [
            ("stray_file", {"path": f"objects/{folder.name}/notes.txt"}),
            ("stray_file", {"path": f"objects/{folder.name}/{'0' * 64}"}),
            ("object_changed", {"sha256": exhibit}),
        ],
        key=str,
    )
