"""The checkpoint, the proof and the signatures of a report, held against the log and what the laboratory keeps."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from playe_assets.core.canonical import canonical_json
from playe_assets.core.texts import LANGUAGES, text
from playe_assets.custody.log import GENESIS, CustodyLog
from playe_assets.custody.note import sign_note
from playe_assets.examination.verify import verify_case
from playe_assets.exporters.report_proof import parse_checkpoint
from playe_assets_tests.exporters.authority import authority, signer
from playe_assets_tests.laboratory import TestLaboratory, examine, failures, opened, write_case

CASE, REPORT = "MIXED-1", "MIXED-1-R01"


def _verify(laboratory, case=CASE):
    found = verify_case(laboratory.settings, case)
    for language in LANGUAGES:
        for one in found.differences:
            assert "{" not in text(f"verify.{one.code}", language, **one.facts)
        for one in found.not_compared:
            assert "{" not in text(f"verify.skipped.{one.code}", language, **one.facts)
    return found


def _codes(laboratory, case=CASE):
    return [d.code for d in _verify(laboratory, case).differences]


def _report(laboratory, case=CASE):
    return laboratory.settings.cases / case / "reports" / f"{case}-R01" / "report.json"


def _changed(laboratory, change):
    path = _report(laboratory)
    report = json.loads(path.read_bytes())
    change(report["sections"]["custody"])
    path.chmod(0o644)
    path.write_text(json.dumps(report), encoding="utf-8")


def _notes(laboratory):
    return laboratory.settings.log_path.parent / "checkpoints"


def test_an_untouched_report_s_checkpoint_is_compared(examined_copy):
    found = _verify(examined_copy)
    assert found.differences == ()
    assert [n.code for n in found.not_compared] == ["dagster_not_asked"], "nothing else was left out"


def test_a_log_rewritten_as_a_whole_does_not_begin_as_the_report_s_checkpoint_says(examined_copy):
    path = examined_copy.settings.log_path
    last, lines = GENESIS, []
    for _, entry, _ in CustodyLog(path).read():
        raw = canonical_json({**entry, "clock_boottime": 1.0, "prev_hash": last})
        last = hashlib.sha256(raw).hexdigest()
        lines.append(raw + b"\n")
    path.write_bytes(b"".join(lines))
    found = _codes(examined_copy)
    assert found[0] == "log_rewritten"
    assert "checkpoint_of_another_log" in found


def test_a_checkpoint_that_the_laboratory_no_longer_keeps_is_named(examined_copy):
    (_notes(examined_copy) / "000000.note").unlink()
    assert _codes(examined_copy) == ["checkpoint_absent"]


def test_checkpoints_that_are_all_gone_are_named_and_it_is_said_that_the_signature_was_not_checked(
    examined_copy,
):
    shutil.rmtree(_notes(examined_copy))
    found = _verify(examined_copy)
    assert [d.code for d in found.differences] == ["checkpoint_absent"]
    assert "checkpoint_unsigned" in [n.code for n in found.not_compared]


def test_an_exchanged_checkpoint_is_named(examined_copy):
    notes = _notes(examined_copy)
    first, second = ((notes / f"00000{n}.note").read_text() for n in (0, 1))
    (notes / "000000.note").write_text(second.replace("epoch 1", "epoch 0"))
    assert first != second
    assert "checkpoint_unlike" in _codes(examined_copy)


def test_a_report_with_a_checkpoint_that_somebody_else_signed_is_named(examined_copy):
    def forge(custody):
        stated = parse_checkpoint(custody["checkpoint"]["note"])
        key = Ed25519PrivateKey.generate().private_bytes_raw()
        custody["checkpoint"]["note"] = sign_note(stated.text(), stated.origin, key)

    _changed(examined_copy, forge)
    found = _codes(examined_copy)
    assert found[0] == "checkpoint_forged"
    assert {"report_not_in_log", "checkpoint_unlike"} < set(found)


@pytest.mark.parametrize("where", ["hashes", "size", "root"])
def test_a_proof_that_does_not_hold_is_named(examined_copy, where):
    def spoil(custody):
        if where == "hashes":
            custody["proof"]["hashes"] = ["0" * 64 for _ in custody["proof"]["hashes"]] or ["0" * 64]
        elif where == "size":
            custody["proof"]["size"] += 1
        else:
            custody["checkpoint"]["root"] = "0" * 64

    _changed(examined_copy, spoil)
    found = _codes(examined_copy)
    assert found[0] == "report_not_in_log"
    assert "proof_wrong" in found


def test_a_report_that_names_another_first_key_is_named(examined_copy):
    _changed(examined_copy, lambda c: c["checkpoint"].update(key0="other+00000000+AQ=="))
    assert "checkpoint_key" in _codes(examined_copy)


def test_a_report_without_a_checkpoint_is_said_to_be_not_compared(examined_copy):
    _changed(examined_copy, lambda c: c.update(checkpoint=None, proof=None))
    assert "no_checkpoint" in [n.code for n in _verify(examined_copy).not_compared]


SIGNED = "SIGNED-1"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A case whose report is signed; the laboratory trusts the root."""
    import dagster as dg

    root = tmp_path_factory.mktemp("signed")
    above = authority()
    with dg.DagsterInstance.ephemeral() as instance, opened(root) as laboratory:
        data = root / "data"
        signer(above).write(data / "keys")
        (data / "root.pem").write_bytes(above.pem)
        (data / "laboratory.yaml").write_text(
            "signing_key: keys/key.pem\nsigning_certificates: keys/certificates.pem\ntrust_roots: root.pem\n"
        )
        result = examine(instance, SIGNED, write_case(root / "evidence", SIGNED))
        assert result.success, failures(result)
    return laboratory, above


@pytest.fixture
def signed_copy(signed, tmp_path):
    laboratory, _ = signed
    shutil.copytree(laboratory.root / "data", tmp_path / "copy" / "data")
    return TestLaboratory(tmp_path / "copy")


def test_a_signed_report_holds_with_its_signatures_compared(signed_copy):
    found = _verify(signed_copy, SIGNED)
    assert found.differences == ()
    assert [n.code for n in found.not_compared] == ["dagster_not_asked"]


def test_without_roots_the_signatures_are_intact_and_it_is_said_that_nobody_was_trusted(signed_copy):
    config = signed_copy.root / "data" / "laboratory.yaml"
    config.write_text(config.read_text().replace("trust_roots: root.pem\n", ""))
    found = _verify(signed_copy, SIGNED)
    assert found.differences == ()
    said = [n.code for n in found.not_compared if n.code == "signature_untrusted"]
    assert len(said) == 2, "the PDF's and the JSON's"


def test_a_signature_that_is_gone_is_named(signed_copy):
    _report(signed_copy, SIGNED).with_name("report.json.p7s").unlink()
    assert _codes(signed_copy, SIGNED) == ["signature_absent"]


def test_a_signature_of_somebody_else_is_named(signed_copy, signed, tmp_path):
    from playe_assets.exporters.signer import load_signer

    path = _report(signed_copy, SIGNED)
    other = load_signer(signer(signed[1], "Ivan Other").write(tmp_path / "other"))
    beside = path.with_name("report.json.p7s")
    beside.chmod(0o644)
    beside.write_bytes(other.sign_detached(path.read_bytes()))
    assert _codes(signed_copy, SIGNED) == ["signature_not_in_log", "signature_other"]


def test_an_edited_signed_report_breaks_its_signature_too(signed_copy):
    path = _report(signed_copy, SIGNED)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"secret_name_1.jpg", b"secret_name_2.jpg"))
    found = _codes(signed_copy, SIGNED)
    assert found[0] == "report_not_in_log"
    assert "signature_broken" in found
