"""Verification reads everything again and names what does not hold."""

from __future__ import annotations

import json
import shutil

import av
import pytest

from playe_assets.core.errors import CommandError
from playe_assets.core.texts import LANGUAGES, text
from playe_assets.examination.verify import verify_case


def _differences(laboratory):
    found = verify_case(laboratory.settings, "MIXED-1")
    for difference in found.differences:
        for language in LANGUAGES:
            said = text(f"verify.{difference.code}", language, **difference.facts)
            assert not said.startswith("verify.")
            assert "{" not in said
    assert found.holds is (not found.differences)
    return [(d.code, d.facts) for d in found.differences]


def _edit(path, old, new):
    path.chmod(0o644)
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def test_an_altered_exhibit_is_named_before_all_that_follows_from_it_and_before_everything_else(
    examined_copy,
):
    master = _numbered(examined_copy, "derivatives", kind="master")
    exhibit = _numbered(examined_copy, "exhibits", number="E002")
    for sha256 in (master["sha256"], exhibit["sha256"]):
        path = examined_copy.case("MIXED-1").store.path(sha256)
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
    _edit(examined_copy.settings.log_path, b"Anna Test", b"Anna Pest")
    _edit(_report(examined_copy), b'"status": "quarantined"', b'"status": "accepted"')
    found = verify_case(examined_copy.settings, "MIXED-1").differences
    assert (found[0].code, found[0].about) == ("object_changed", ("E002", "exhibit"))
    assert (found[1].code, found[1].about) == ("object_changed", (master["number"], "master"))
    codes = [d.code for d in found]
    assert codes.index("log_broken") < codes.index("report_not_in_log") < codes.index("findings_changed")


def test_a_report_whose_extract_tells_the_log_otherwise_is_named_with_the_line(examined_copy):
    path = _report(examined_copy)
    report = json.loads(path.read_bytes())
    extract = report["sections"]["custody"]["extract"]
    gone = extract.pop(3)
    extract[5]["operator"]["id"] = "Somebody Else"
    path.chmod(0o644)
    path.write_text(json.dumps(report), encoding="utf-8")
    found = _differences(examined_copy)
    assert found[0] == ("report_not_in_log", {"report": "MIXED-1-R01"})
    assert ("extract_differs", {"report": "MIXED-1-R01", "line": extract[5]["seq"]}) in found
    assert ("extract_lacks", {"report": "MIXED-1-R01", "line": gone["seq"]}) in found


def _report(laboratory):
    (path,) = (laboratory.settings.cases / "MIXED-1" / "reports").glob("*/report.json")
    return path


def _numbered(laboratory, key, **wanted):
    items = json.loads(_report(laboratory).read_bytes())["findings"][key]
    return next(i for i in items if all(i[k] == v for k, v in wanted.items()))


def test_an_untouched_case_holds_and_says_how_much_was_read(examined):
    found = verify_case(examined.laboratory.settings, "MIXED-1")
    assert (found.holds, found.reports) == (True, 1)
    assert found.log_lines == len(examined.laboratory.log())
    objects = [p for p in (examined.laboratory.case("MIXED-1").root / "objects").rglob("*") if p.is_file()]
    assert found.objects == len(objects) > 10


def test_an_unknown_case_is_refused(examined):
    with pytest.raises(CommandError) as caught:
        verify_case(examined.laboratory.settings, "NO-SUCH")
    assert "NO-SUCH" in str(caught.value)


def test_a_changed_exhibit_is_named_by_its_digest(examined_copy):
    exhibit = _numbered(examined_copy, "exhibits", number="E001")
    path = examined_copy.case("MIXED-1").store.path(exhibit["sha256"])
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!")
    assert _differences(examined_copy) == [("object_changed", {"sha256": exhibit["sha256"]})]


def test_a_deleted_derivative_is_named_with_the_report_that_names_it(examined_copy):
    master = _numbered(examined_copy, "derivatives", kind="master")
    examined_copy.case("MIXED-1").store.path(master["sha256"]).unlink()
    facts = {"report": "MIXED-1-R01", "item": master["number"], "sha256": master["sha256"]}
    assert _differences(examined_copy) == [("named_absent", facts)]


@pytest.mark.parametrize("frame", [0, 5])
def test_the_first_frame_of_a_master_that_differs_is_named(examined_copy, frame):
    master = _numbered(examined_copy, "derivatives", kind="master")
    path = examined_copy.case("MIXED-1").store.path(master["sha256"])
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    position, size = packets[frame]
    data[position + size - size // 4] ^= 0x55
    path.chmod(0o644)
    path.write_bytes(data)
    assert _differences(examined_copy) == [
        ("object_changed", {"sha256": master["sha256"]}),
        ("frame_changed", {"derivative": master["number"], "exhibit": "E002", "frame": frame}),
    ]


def test_a_master_that_lost_its_end_is_said_to_have_fewer_frames(examined_copy):
    master = _numbered(examined_copy, "derivatives", kind="master")
    path = examined_copy.case("MIXED-1").store.path(master["sha256"])
    with av.open(str(path)) as container:
        packets = [p.pos for p in container.demux(video=0) if p.size]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[: packets[6]])
    found = dict(_differences(examined_copy))
    assert found["frames_missing"]["expected"] == 8
    assert found["frames_missing"]["found"] < 8


def test_a_deleted_exhibit_is_named_by_its_number(examined_copy):
    exhibit = _numbered(examined_copy, "exhibits", number="E002")
    examined_copy.case("MIXED-1").store.path(exhibit["sha256"]).unlink()
    assert ("exhibit_absent", {"exhibit": "E002", "sha256": exhibit["sha256"]}) in _differences(examined_copy)


def test_a_deleted_delivery_record_is_found(examined_copy):
    record = examined_copy.case("MIXED-1").read().deliveries[0].record
    examined_copy.case("MIXED-1").store.path(record).unlink()
    assert ("delivery_absent", {"delivery": 1, "sha256": record}) in _differences(examined_copy)


def test_an_edited_finding_is_found_twice_by_the_log_and_by_its_digest(examined_copy):
    _edit(_report(examined_copy), b'"status": "quarantined"', b'"status": "accepted"')
    name = {"report": "MIXED-1-R01"}
    assert _differences(examined_copy) == [("report_not_in_log", name), ("findings_changed", name)]


def test_an_edited_word_outside_the_findings_is_found_by_the_log(examined_copy):
    _edit(_report(examined_copy), b"Anna Test", b"Anna Pest")
    assert _differences(examined_copy) == [("report_not_in_log", {"report": "MIXED-1-R01"})]


def test_an_edited_pdf_is_found(examined_copy):
    path = _report(examined_copy).with_name("report.pdf")
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"% added\n")
    assert [code for code, _ in _differences(examined_copy)] == ["pdf_not_in_log"]


def test_a_deleted_report_is_found_by_the_log(examined_copy):
    path = _report(examined_copy)
    path.parent.chmod(0o755)
    shutil.rmtree(path.parent)
    assert [code for code, _ in _differences(examined_copy)] == ["report_absent"]


def test_a_report_that_is_no_json_is_said_to_be_unreadable(examined_copy):
    path = _report(examined_copy)
    path.chmod(0o644)
    path.write_bytes(b"not json")
    assert [code for code, _ in _differences(examined_copy)] == ["report_not_in_log", "report_unreadable"]


def test_an_edited_log_line_is_named(examined_copy):
    lines = examined_copy.settings.log_path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b"Anna Test", b"Anna Pest")
    examined_copy.settings.log_path.write_bytes(b"".join(lines))
    found = _differences(examined_copy)
    assert found[0] == ("log_broken", {"line": 5, "problem": "prev_hash"})
    assert ("extract_differs", {"report": "MIXED-1-R01", "line": 4}) in found, (
        "the report knows which line it was"
    )


def test_a_log_that_is_gone_is_found(examined_copy):
    examined_copy.settings.log_path.unlink()
    assert "report_not_in_log" in [code for code, _ in _differences(examined_copy)]
