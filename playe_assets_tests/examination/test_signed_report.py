"""A report is issued with its signatures at once, says who signed it or that nobody did, and its files agree."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from playe_assets.core.errors import CommandError, IntegrityError, PlayeError
from playe_assets.core.values import Reason, Verdict
from playe_assets.custody.audit import audit
from playe_assets.custody.note import fingerprint
from playe_assets.custody.timestamps import verify_token
from playe_assets.examination.conclude import withhold
from playe_assets.examination.ingest import ingest
from playe_assets.examination.overview import latest_report
from playe_assets.examination.report import issue_notice, issue_report
from playe_assets.examination.signing import check_signer
from playe_assets.exporters.report_proof import check_proof
from playe_assets.exporters.report_schema import validate_report
from playe_assets.exporters.signatures import verify_detached, verify_pdf
from playe_assets.exporters.signer import Signer, load_signer
from playe_assets_tests.exporters.authority import Held, authority, signer
from playe_assets_tests.exporters.report_sample import sample_notice, sample_parts
from playe_assets_tests.laboratory import TestLaboratory, examine, failures
from playe_assets_tests.time_stamping import Authority
from playe_assets_tests.time_stamping import authority as time_authority


@pytest.fixture(scope="module")
def root() -> Held:
    return authority()


@pytest.fixture(scope="module")
def by(root: Held, tmp_path_factory: pytest.TempPathFactory) -> Signer:
    found = load_signer(signer(root).write(tmp_path_factory.mktemp("key")))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_authority(tmp_path_factory.mktemp("time")) as found:
        yield found


def words(pdf: Path) -> str:
    """The text of all pages."""
    import pypdfium2

    with_pages = pypdfium2.PdfDocument(io.BytesIO(pdf.read_bytes()))
    found = " ".join(p.get_textpage().get_text_bounded().replace("\ufffe", "") for p in with_pages)
    with_pages.close()
    return " ".join(found.split())


def test_three_files_appear_together_and_each_signature_holds(tmp_path: Path, root: Held, by: Signer):
    issued = issue_report(tmp_path, *sample_parts(count=1), signer=by)
    assert sorted(p.name for p in issued.folder.iterdir()) == ["report.json", "report.json.p7s", "report.pdf"]
    assert issued.p7s_path is not None
    files = (issued.json_path, issued.pdf_path, issued.p7s_path)
    assert issued.sha256s == [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]
    assert verify_pdf(issued.pdf_path, root.pem).trusted
    assert verify_detached(issued.json_path.read_bytes(), issued.p7s_path.read_bytes(), root.pem).trusted
    report = json.loads(issued.json_path.read_bytes())
    validate_report(report)
    stated = report["sections"]["custody"]["signatures"]
    assert [(s["file"], s["form"], s["time_stamp"]) for s in stated] == [
        ("report.pdf", "PAdES-B-B", "none"),
        ("report.json.p7s", "CMS", "none"),
    ]
    assert {s["certificate_sha256"] for s in stated} == {by.certificate_sha256}
    said = words(issued.pdf_path)
    assert "Signed by Olga Examiner" in said
    assert issued.json_sha256 in said.replace(" ", "")


def test_the_command_that_the_report_names_verifies_it(tmp_path: Path, root: Held, by: Signer):
    issued = issue_report(tmp_path, *sample_parts(count=1), signer=by)
    custody = json.loads(issued.json_path.read_bytes())["sections"]["custody"]
    (command,) = [c for c in custody["verify"] if c.startswith("openssl")]
    (tmp_path / "ROOTS.pem").write_bytes(root.pem)
    command = command.replace("ROOTS.pem", str(tmp_path / "ROOTS.pem"))
    done = subprocess.run(command.split(), cwd=issued.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("language", "said"), [("en", "Not signed electronically"), ("ru", "подписи нет")])
def test_an_unsigned_report_says_so_on_its_first_page_in_section_10_and_in_the_json(
    tmp_path: Path, language: str, said: str
):
    issued = issue_report(tmp_path, *sample_parts(language, count=1))
    assert sorted(p.name for p in issued.folder.iterdir()) == ["report.json", "report.pdf"]
    assert issued.p7s_path is None
    report = json.loads(issued.json_path.read_bytes())
    assert report["sections"]["custody"]["signatures"] == []
    assert not any("openssl" in c for c in report["sections"]["custody"]["verify"])
    found = words(issued.pdf_path)
    assert said in found
    assert ("no signing key is configured" if language == "en" else "ключ подписи не настроен") in found
    assert verify_pdf(issued.pdf_path, None).state == "unsigned"


def test_a_time_stamp_that_cannot_be_had_is_said_aloud_and_the_report_is_signed_without(
    tmp_path: Path, root: Held, by: Signer
):
    told: list[tuple[str, PlayeError]] = []
    stamped = dataclasses.replace(by, tsa_url="http://127.0.0.1:9/")
    issued = issue_report(
        tmp_path, *sample_parts(count=1), signer=stamped, unstamped=lambda *problem: told.append(problem)
    )
    assert [(name, problem.code) for name, problem in told] == [("CASE-7-R01", "signing.stamp")]
    report = json.loads(issued.json_path.read_bytes())
    assert [s["time_stamp"] for s in report["sections"]["custody"]["signatures"]] == ["failed", "failed"]
    assert [s["form"] for s in report["sections"]["custody"]["signatures"]] == ["PAdES-B-B", "CMS"]
    assert words(issued.pdf_path).count("could not be reached") == 2  # first page and section 10
    assert verify_pdf(issued.pdf_path, root.pem).trusted


def test_a_time_stamp_of_an_authority_that_the_laboratory_does_not_know_counts_as_none(
    tmp_path: Path, by: Signer, tsa: Authority
):
    told: list[str] = []
    strange = dataclasses.replace(by, tsa_url=tsa.url, tsa_roots=authority("Another").pem)
    issued = issue_report(
        tmp_path, *sample_parts(count=1), signer=strange, unstamped=lambda name, _: told.append(name)
    )
    assert told == ["CASE-7-R01"]
    custody = json.loads(issued.json_path.read_bytes())["sections"]["custody"]
    assert [s["time_stamp"] for s in custody["signatures"]] == ["failed", "failed"]


def test_a_notice_is_signed_as_a_report_is_and_stays_one_page(tmp_path: Path, root: Held, by: Signer):
    import pypdfium2

    parts = sample_notice()
    parts = dataclasses.replace(parts, verdicts=parts.verdicts * 9)
    issued = issue_notice(tmp_path, parts, signer=by)
    names = ["notice.json", "notice.json.p7s", "notice.pdf"]
    assert sorted(p.name for p in issued.folder.iterdir()) == names
    assert issued.p7s_path is not None
    notice = json.loads(issued.json_path.read_bytes())
    validate_report(notice)
    assert [s["file"] for s in notice["signatures"]] == ["notice.pdf", "notice.json.p7s"]
    assert verify_pdf(issued.pdf_path, root.pem).trusted
    assert verify_detached(issued.json_path.read_bytes(), issued.p7s_path.read_bytes(), root.pem).trusted
    assert len(pypdfium2.PdfDocument(issued.pdf_path.read_bytes())) == 1


def test_a_notice_that_cannot_be_signed_appears_and_says_why(tmp_path: Path):
    why = Reason("signing.expired", {"file": "c.pem", "subject": "CN=X", "until": "2020", "now": "2026"})
    issued = issue_notice(tmp_path, dataclasses.replace(sample_notice(), unsigned_because=why))
    notice = json.loads(issued.json_path.read_bytes())
    validate_report(notice)
    assert (notice["signatures"], notice["unsigned_because"]["code"]) == ([], "signing.expired")
    said = words(issued.pdf_path)
    assert "Not signed electronically" in said
    assert "c.pem" in said


def configured(laboratory: TestLaboratory, held: Held, **more: str) -> None:
    """Put a key beside laboratory.yaml, which names it by a relative path."""
    data = laboratory.root / "data"
    files = held.write(data / "keys", "открой")
    assert files.key is not None
    (data / "roots.pem").write_bytes(held.chain[-1].public_bytes(_pem()))
    lines = {
        "signing_key": "keys/key.pem", "signing_certificates": "keys/certificates.pem",
        "signing_passphrase_file": "keys/passphrase.txt", "trust_roots": "roots.pem", **more,
    }  # fmt: skip
    (data / "laboratory.yaml").write_text("".join(f"{k}: {v}\n" for k, v in lines.items()), encoding="utf-8")


def _pem() -> Any:
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.PEM


def test_a_key_that_cannot_sign_stops_the_case_before_anything_is_taken(
    laboratory: TestLaboratory, small_case: Path, root: Held
):
    configured(laboratory, signer(root, days=(-9, -1)))
    with pytest.raises(CommandError) as caught:
        ingest(laboratory.stage("SMALL-1"), small_case, None, in_place=True)
    assert caught.value.code == "signing.expired"
    assert str(laboratory.root / "data" / "keys" / "certificates.pem") in str(caught.value)
    assert not (laboratory.settings.cases / "SMALL-1").exists()
    configured(laboratory, signer(root))
    (laboratory.root / "data" / "roots.pem").write_bytes(authority("Elsewhere").pem)
    with pytest.raises(CommandError) as caught:
        check_signer(laboratory.settings)
    assert caught.value.code == "signing.untrusted"


def test_a_notice_appears_unsigned_when_the_key_has_gone_and_the_log_says_why(examined_copy: TestLaboratory):
    stage = examined_copy.stage("MIXED-1", signing_pkcs12="gone.p12")
    verdict = Verdict(
        "exhibits_intact", "integrity", False, "E001", None, "sha256 equal on re-read", "a", "b"
    )
    withhold(stage, None, [verdict])
    (notice,) = examined_copy.notices("MIXED-1")
    assert notice["unsigned_because"]["code"] == "signing.absent"
    line = [e for e in examined_copy.log("MIXED-1") if e["event"] == "custody.signature_failed"][-1]
    assert line["error"]["code"] == "signing.absent"


def test_a_case_with_key_and_authority_from_folder_to_signed_report(
    laboratory: TestLaboratory, small_case: Path, root: Held, tsa: Authority, instance: dg.DagsterInstance
):
    configured(laboratory, signer(root), tsa_url=tsa.url, tsa_roots=str(tsa.roots))
    result = examine(instance, "SMALL-1", small_case)
    assert result.success, failures(result)
    (report,) = laboratory.reports("SMALL-1")
    folder = laboratory.settings.cases / "SMALL-1" / "reports" / "SMALL-1-R01"
    validate_report(report)
    custody = report["sections"]["custody"]
    assert [s["form"] for s in custody["signatures"]] == ["PAdES-B-T", "CMS-T"]
    roots, stamps = root.pem, tsa.roots.read_bytes()
    raw = (folder / "report.json").read_bytes()
    assert verify_pdf(folder / "report.pdf", roots, stamps).trusted
    assert verify_detached(raw, (folder / "report.json.p7s").read_bytes(), roots, stamps).trusted
    # The checkpoint: every line of the extract stands under it, its stamp is of its note, the log still has it.
    facts = check_proof(report)
    assert facts is not None
    assert facts.proven == len(custody["extract"]) - facts.beyond > 10
    (stamp,) = custody["time_stamps"]
    note = custody["checkpoint"]["note"]
    assert verify_token(base64.b64decode(stamp["token"]), note.encode(), stamps).time_utc == stamp["time_utc"]
    assert fingerprint(note).replace(" ", "") in words(folder / "report.pdf").replace(" ", "")
    checkpoints = laboratory.settings.checkpoints
    assert custody["checkpoint"]["key0"] == checkpoints.key0()
    found = audit(laboratory.settings.log, checkpoints, witness=note, tsa_roots=stamps)
    assert found.findings == ()
    # After the issue another one covers the line that names the four files.
    issued = [e for e in laboratory.log("SMALL-1") if e["event"] == "custody.report_issued"][-1]
    names = ("report.json", "report.pdf", "report.json.p7s", "checkpoints.json")
    assert issued["output_sha256"] == [hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in names]
    newest = checkpoints.newest()
    assert newest is not None
    assert newest.epoch == facts.checkpoint.epoch + 1
    assert newest.checkpoint.size > issued["seq"]
    # Who signed, and where the signature lies, is told wherever the report is.
    made = instance.get_latest_materialization_event(dg.AssetKey("forensic_report"))
    told = {k: v.value for k, v in made.asset_materialization.metadata.items()}
    assert (told["signer"], told["report_signature"]) == (
        "Olga Examiner, Test Laboratory",
        str(folder / "report.json.p7s"),
    )
    assert told["report_signature_sha256"] == issued["output_sha256"][2]
    shown = latest_report(laboratory.settings, "SMALL-1")
    assert (shown["signer"], shown["signature"]) == (told["signer"], told["report_signature"])


def test_a_spoilt_signature_is_never_issued(tmp_path: Path, by: Signer, monkeypatch: pytest.MonkeyPatch):
    right = Signer.sign_detached
    monkeypatch.setattr(Signer, "sign_detached", lambda self, data: right(self, data + b" "))
    with pytest.raises(IntegrityError) as caught:
        issue_report(tmp_path, *sample_parts(count=1), signer=by)
    assert caught.value.code == "signing.own"
    assert list((tmp_path / "reports").glob("*")) == []
