"""Who vouches for a report: real signatures, a real time-stamping authority, and each way in which they do not hold."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from playe_assets.examination.verify_report import read_report, verify_report
from playe_assets.examination.verify_signed import FAILS, HOLDS, NOT_CHECKED, Given, With
from playe_assets_tests.exporters.authority import authority, signer
from playe_assets_tests.laboratory import examine, failures, opened, write_case
from playe_assets_tests.reports import report_path
from playe_assets_tests.time_stamping import authority as time_authority


@dataclass(frozen=True)
class Issued:
    """A signed report of a laboratory with a time-stamping authority, and the roots of both."""

    folder: Path
    roots: bytes
    only_signer: bytes


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    """One photograph, from the drop folder to the signed and stamped report."""
    root = tmp_path_factory.mktemp("signed")
    above = authority()
    files = signer(above).write(root / "keys")
    (root / "root.pem").write_bytes(above.pem)
    folder = write_case(root / "evidence", "SIGNED-1")
    with (
        time_authority(root / "tsa") as tsa, opened(root / "lab") as laboratory,
        dg.DagsterInstance.ephemeral() as instance,
    ):  # fmt: skip
        data = laboratory.root / "data"
        data.mkdir(parents=True)
        (data / "laboratory.yaml").write_text(
            f"signing_key: {files.key}\nsigning_certificates: {files.certificates}\ntsa_url: {tsa.url}\n"
            f"tsa_roots: {tsa.roots}\ntrust_roots: {root / 'root.pem'}\n", encoding="utf-8",
        )  # fmt: skip
        result = examine(instance, "SIGNED-1", folder)
        assert result.success, failures(result)
        reports = report_path(laboratory, "SIGNED-1").parent
        return Issued(reports, above.pem + tsa.roots.read_bytes(), above.pem)


@pytest.fixture
def copy(issued, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(issued.folder, tmp_path / "copy")
    for path in (tmp_path / "copy").iterdir():
        path.chmod(0o644)
    return tmp_path / "copy"


def states(folder, roots=None, content=None):
    """Check to state."""
    given = read_report(folder / "report.json")
    if content is not None:
        given = Given(given.path, given.raw, content)
    found = verify_report(given, With(roots=roots))
    return {c.code: c.state for c in found.checks}


def test_both_signatures_the_checkpoint_and_its_time_stamp_hold_with_the_right_roots(issued):
    found = states(issued.folder, issued.roots)
    names = ("signature_json", "signature_pdf", "time_stamp", "checkpoint", "proof", "extract", "records")
    assert {name: found[name] for name in names} == dict.fromkeys(names, HOLDS)
    assert FAILS not in found.values()


def test_without_roots_nobody_vouches_and_that_is_said(issued):
    found = states(issued.folder)
    assert [found[k] for k in ("signature_json", "signature_pdf", "time_stamp")] == [NOT_CHECKED] * 3
    assert FAILS not in found.values()


def test_with_the_roots_of_others_no_signature_and_no_time_stamp_holds(issued):
    found = states(issued.folder, authority("Another Root").pem)
    assert [found[k] for k in ("signature_json", "signature_pdf", "time_stamp")] == [FAILS] * 3


@pytest.mark.parametrize("roots", [True, False])
def test_an_altered_json_and_an_altered_pdf_are_found_with_and_without_roots(issued, copy, roots):
    raw = (copy / "report.json").read_bytes()
    (copy / "report.json").write_bytes(raw.replace(b'"language": "en"', b'"language": "ru"'))
    pdf = bytearray((copy / "report.pdf").read_bytes())
    pdf[len(pdf) // 3] ^= 1
    (copy / "report.pdf").write_bytes(pdf)
    found = states(copy, issued.roots if roots else None)
    assert found["signature_json"] == found["signature_pdf"] == FAILS


def test_a_signature_that_was_taken_away_is_missed(issued, copy):
    from playe_assets_tests.exporters.test_signatures import plain_pdf

    (copy / "report.json.p7s").unlink()
    (copy / "report.pdf").write_bytes(plain_pdf())
    given = read_report(copy / "report.json")
    found = {c.code: c for c in verify_report(given, With(roots=issued.roots)).checks}
    assert found["signature_json"].state == NOT_CHECKED
    assert "Olga Examiner" in found["signature_json"].said[0].said("en")
    assert found["signature_pdf"].state == FAILS


def test_a_report_signed_again_by_somebody_else_names_another_certificate(issued, copy, tmp_path):
    from playe_assets.exporters.signer import load_signer

    other = load_signer(signer(authority(), "Mallory").write(tmp_path / "other"))
    assert other is not None
    (copy / "report.json.p7s").write_bytes(other.sign_detached((copy / "report.json").read_bytes()))
    assert states(copy)["signature_json"] == FAILS


def test_another_time_stamp_or_another_note_does_not_hold(issued):
    content = json.loads((issued.folder / "report.json").read_bytes())
    custody = content["sections"]["custody"]
    token = custody["time_stamps"][0]["token"]
    custody["time_stamps"][0]["token"] = token[:-24] + "A" * 20 + token[-4:]
    assert states(issued.folder, issued.roots, content)["time_stamp"] == FAILS
    custody["time_stamps"][0]["token"] = "no base64"
    assert states(issued.folder, issued.roots, content)["time_stamp"] == FAILS
    custody["time_stamps"][0]["token"] = token
    custody["checkpoint"]["note"] = custody["checkpoint"]["note"].replace("time 20", "time 19")
    found = states(issued.folder, issued.roots, content)
    assert found["time_stamp"] == found["checkpoint"] == FAILS


def test_a_signed_pdf_beside_an_altered_json_is_that_of_another_report(issued, copy):
    found = verify_report(read_report(copy / "report.json"), With(roots=issued.roots))
    assert found.vouched and {c.code: c.state for c in found.checks}["signature_pdf"] == HOLDS
    content = json.loads((copy / "report.json").read_bytes())
    content["sections"]["administration"]["case"]["title"] = "Another"
    content["sections"]["custody"]["signatures"] = []
    (copy / "report.json").write_text(json.dumps(content), encoding="utf-8")
    (copy / "report.json.p7s").unlink()
    found = verify_report(read_report(copy / "report.json"), With(roots=issued.roots))
    check = next(c for c in found.checks if c.code == "signature_pdf")
    assert check.state == FAILS and "another JSON" in check.said[-1].said("en") and not found.holds
