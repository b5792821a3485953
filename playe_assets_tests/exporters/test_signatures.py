"""A signature says in plain words whether a file is what was signed, by whom, and whether the reader trusts him."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.errors import CommandError, TransientError
from playe_assets.exporters.pdf_signature import appearance, box
from playe_assets.exporters.signatures import INTACT, judge_pdf, verify_detached, verify_pdf
from playe_assets.exporters.signer import Signer, load_signer
from playe_assets_tests.exporters.authority import Held, authority, signer
from playe_assets_tests.time_stamping import Authority
from playe_assets_tests.time_stamping import authority as time_authority

DATA = '{"schema_version": "1.2", "name": "камера 3"}\r\n'.encode() * 5


@dataclass(frozen=True)
class Signed:
    """Files signed once for the whole module."""

    root: Held
    signer: Signer
    pdf: bytes
    p7s: bytes


def loaded(held: Held, folder: Path) -> Signer:
    found = load_signer(held.write(folder))
    assert found is not None
    return found


def plain_pdf(words: str = "Report") -> bytes:
    """A page without signature."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    page = Canvas(out, pagesize=(595, 842), invariant=1)
    page.drawString(100, 700, words)
    page.save()
    return out.getvalue()


def sign(by: Signer, pdf: bytes | None = None) -> bytes:
    facts = by.facts("report.json", "report.pdf")[0]
    return by.sign_pdf(pdf or plain_pdf(), box(), appearance(facts, "CASE-R01", "ru"), "Issue")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    root = authority()
    by = loaded(signer(authority("Middle", root)), tmp_path_factory.mktemp("signed"))
    return Signed(root, by, sign(by), by.sign_detached(DATA))


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with time_authority(tmp_path_factory.mktemp("time")) as found:
        yield found


def state_of(
    pdf: bytes, roots: bytes | None, tsa_roots: bytes | None = None, now: datetime | None = None
) -> str:
    return judge_pdf(pdf, roots, tsa_roots, now, "report.pdf").state


def test_what_was_signed_is_trusted_where_the_signer_leads_to_a_given_root(signed: Signed, tmp_path: Path):
    path = tmp_path / "report.pdf"
    path.write_bytes(signed.pdf)
    for facts in (verify_pdf(path, signed.root.pem), verify_detached(DATA, signed.p7s, signed.root.pem)):
        assert facts.trusted
        assert facts.intact
        assert facts.signer == "Olga Examiner, Test Laboratory"
        assert facts.certificate_sha256 == signed.signer.certificate_sha256
        assert "Middle" in facts.issuer
        assert facts.algorithm == "ecdsa-p256 sha256"
        assert facts.signed_utc.startswith("20")
        assert facts.stamped_utc == ""
        assert "Olga Examiner" in facts.said("en")
        assert "не изменён" in facts.said("ru")


def test_without_roots_or_with_those_of_others_it_is_intact_and_the_signer_not_trusted(signed: Signed):
    other = authority()  # the same name, another key
    for roots in (None, other.pem):
        for facts in (
            judge_pdf(signed.pdf, roots, None, None, "report.pdf"),
            verify_detached(DATA, signed.p7s, roots),
        ):
            assert facts.state == "not_trusted"
            assert facts.intact
            assert not facts.trusted
            assert "anybody could have made" in facts.said("en")
            assert "{" not in facts.said("ru")


def test_who_signs_again_with_a_key_of_his_own_is_not_trusted(signed: Signed, tmp_path: Path):
    forger = loaded(signer(authority("Test Root"), "Olga Examiner"), tmp_path)
    assert state_of(sign(forger, plain_pdf("Forged")), signed.root.pem) == "not_trusted"
    assert verify_detached(b"forged", forger.sign_detached(b"forged"), signed.root.pem).state == "not_trusted"


def test_every_byte_of_the_data_counts(signed: Signed):
    for place in random.Random(4).sample(range(len(DATA)), 40):
        spoilt = bytearray(DATA)
        spoilt[place] ^= 1
        assert verify_detached(bytes(spoilt), signed.p7s, signed.root.pem).state == "altered"
    for other in (DATA[:-1], DATA + b"\n", b"", DATA.replace(b"\r\n", b"\n")):
        assert verify_detached(other, signed.p7s, signed.root.pem).state == "altered"


def _gap(pdf: bytes) -> tuple[int, int]:
    """Where the signature's digits stand: no digest of the PDF covers them."""
    start = pdf.index(b"/Contents <") + len(b"/Contents <")
    return start, pdf.index(b">", start)


def test_every_byte_of_the_pdf_counts_also_in_the_gap_that_no_digest_covers(signed: Signed):
    start, end = _gap(signed.pdf)
    draw = random.Random(5)
    places = [*draw.sample(range(start), 30), *draw.sample(range(end, len(signed.pdf)), 25)]
    places += [*draw.sample(range(start, start + 3000), 45), *draw.sample(range(end - 4000, end), 10)]
    for place in [*places, start - 1, end, 0, len(signed.pdf) - 1]:
        spoilt = bytearray(signed.pdf)
        spoilt[place] ^= 1
        facts = judge_pdf(bytes(spoilt), signed.root.pem, None, None, "report.pdf")
        # A byte of an issuer's certificate leaves the file intact, but then nobody vouches for the signer.
        assert facts.state not in INTACT or "CERTIFICATE_CHAIN" in facts.problem, (place, facts)
        assert not facts.trusted


def _every_byte(der: bytes, judge: Callable[[bytes], str]) -> None:
    for place in range(len(der)):
        for mask in (1, 0x80):
            spoilt = bytearray(der)
            spoilt[place] ^= mask
            assert judge(bytes(spoilt)) != "trusted", place


def test_every_byte_of_the_signatures_head_counts(signed: Signed):
    head = signed.p7s[:60]  # versions and the outer list of digests, which RFC 5652 leaves unsigned
    rest = signed.p7s[60:]
    _every_byte(head, lambda spoilt: verify_detached(DATA, spoilt + rest, signed.root.pem).state)


@pytest.mark.slow
def test_every_byte_of_both_signatures_counts(signed: Signed):
    _every_byte(signed.p7s, lambda p7s: verify_detached(DATA, p7s, signed.root.pem).state)
    start, _ = _gap(signed.pdf)
    size = int.from_bytes(bytes.fromhex(signed.pdf[start + 4 : start + 8].decode()), "big") + 4
    der = bytes.fromhex(signed.pdf[start : start + 2 * size].decode())

    def judge(spoilt: bytes) -> str:
        digits = spoilt.hex().upper().encode()
        return state_of(signed.pdf[:start] + digits + signed.pdf[start + len(digits) :], signed.root.pem)

    assert judge(der) == "trusted"
    _every_byte(der, judge)


def test_other_digits_for_the_same_bytes_are_found(signed: Signed):
    start, _ = _gap(signed.pdf)
    digits = signed.pdf[start : start + 400]
    assert (
        state_of(signed.pdf[:start] + digits.lower() + signed.pdf[start + 400 :], signed.root.pem)
        == "altered"
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(junk=st.binary(max_size=80))
def test_what_is_no_signature_is_unreadable_or_altered_and_never_an_error(signed: Signed, junk: bytes):
    assert verify_detached(DATA, junk, signed.root.pem).state in ("unreadable", "altered")
    assert judge_pdf(junk, signed.root.pem, None, None, "x").state in ("unreadable", "unsigned")
    assert verify_detached(DATA, signed.p7s + junk, None).intact is (junk == b"")


def test_a_pdf_without_signature_is_unsigned(signed: Signed):
    facts = judge_pdf(plain_pdf(), signed.root.pem, None, None, "report.pdf")
    assert (facts.state, facts.intact) == ("unsigned", False)
    assert "carries no signature" in facts.said("en")


def test_what_is_added_after_the_signature_is_told(signed: Signed, tmp_path: Path):
    from pyhanko.pdf_utils.generic import pdf_string
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.general import SigningError

    writer = IncrementalPdfFileWriter(io.BytesIO(signed.pdf))
    writer.root["/Lang"] = pdf_string("xx")
    writer.update_root()
    out = io.BytesIO()
    writer.write(out)
    assert out.getvalue().startswith(signed.pdf)
    facts = judge_pdf(out.getvalue(), signed.root.pem, None, None, "report.pdf")
    assert facts.state == "extended"
    assert "added" in facts.said("en")
    assert not facts.intact
    assert state_of(signed.pdf + b"\n% a comment\n", signed.root.pem) == "extended"
    other = loaded(signer(authority("Other")), tmp_path)
    with pytest.raises(SigningError):  # it is certified: nobody signs after the laboratory
        sign(other, signed.pdf)


def test_roots_that_are_none_are_refused(signed: Signed):
    with pytest.raises(CommandError) as caught:
        verify_detached(DATA, signed.p7s, b"no certificates")
    assert caught.value.code == "signing.roots"


def test_validation_asks_no_network(signed: Signed, monkeypatch: pytest.MonkeyPatch):
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert state_of(signed.pdf, signed.root.pem) == "trusted"
    assert verify_detached(DATA, signed.p7s, signed.root.pem).trusted


def test_an_expired_certificate_without_a_time_stamp_is_told(signed: Signed):
    later = datetime.now(UTC) + timedelta(days=100)
    for facts in (
        judge_pdf(signed.pdf, signed.root.pem, None, later, "report.pdf"),
        verify_detached(DATA, signed.p7s, signed.root.pem, now=later),
    ):
        assert facts.state == "expired"
        assert "not valid now" in facts.said("en")


def test_a_time_stamp_says_when_and_outlives_the_certificates(signed: Signed, tsa: Authority):
    by = replace(signed.signer, tsa_url=tsa.url)
    pdf, p7s = sign(by), by.sign_detached(DATA)
    roots, stamps = signed.root.pem, tsa.roots.read_bytes()
    later = datetime.now(UTC) + timedelta(days=100)
    for now in (None, later):
        for facts in (
            judge_pdf(pdf, roots, stamps, now, "report.pdf"),
            verify_detached(DATA, p7s, roots, stamps, now),
        ):
            assert facts.state == "trusted", facts
            assert facts.stamp_trusted
            assert "Authority of time" in facts.authority
            assert abs((datetime.fromisoformat(facts.stamped_utc) - datetime.now(UTC)).total_seconds()) < 600
    assert [f["form"] for f in by.facts("report.json", "report.pdf")] == ["PAdES-B-T", "CMS-T"]


def test_a_time_stamp_of_an_unknown_authority_is_not_trusted(signed: Signed, tsa: Authority):
    p7s = replace(signed.signer, tsa_url=tsa.url).sign_detached(DATA)
    for stamps in (None, authority("Another").pem):
        facts = verify_detached(DATA, p7s, signed.root.pem, stamps)
        assert facts.state == "stamp_not_trusted"
        assert not facts.stamp_trusted
        assert "Authority of time" in facts.said("en")
    later = datetime.now(UTC) + timedelta(days=100)
    assert verify_detached(DATA, p7s, signed.root.pem, None, later).state == "expired"


def test_a_time_stamp_of_another_signature_is_found(signed: Signed, tsa: Authority):
    by = replace(signed.signer, tsa_url=tsa.url)
    stamp = bytes.fromhex("060b2a864886f70d010910020e")  # id-aa-timeStampToken; the token ends the file
    mine = by.sign_detached(DATA)
    tail = mine[mine.index(stamp) :]
    others = (by.sign_detached(b"other") for _ in range(60))
    other = next(tail_of for o in others if len(tail_of := o[o.index(stamp) :]) == len(tail))
    forged = mine[: -len(tail)] + other
    assert verify_detached(DATA, mine, signed.root.pem, tsa.roots.read_bytes()).trusted
    assert verify_detached(DATA, forged, signed.root.pem, tsa.roots.read_bytes()).state == "altered"


def test_a_token_of_any_length_is_taken_as_it_came(signed: Signed, tsa: Authority):
    """Lengths that end in 0x80 cost asn1crypto minutes (`mend_lengths`); some of these have one."""
    for n in range(20):
        by = replace(signed.signer, tsa_url=tsa.url)
        assert verify_detached(
            DATA, by.sign_detached(DATA), signed.root.pem, tsa.roots.read_bytes()
        ).trusted, n


@pytest.mark.parametrize("answer", [(500, {}, b"no"), (200, {}, b"<html>"), (200, {}, b"")])
def test_an_authority_that_does_not_answer_as_one_is_a_passing_fault(
    signed: Signed, tsa: Authority, answer: tuple[int, dict[str, str], bytes]
):
    tsa.answer = lambda _query: answer
    try:
        with pytest.raises(TransientError) as caught:
            replace(signed.signer, tsa_url=tsa.url).sign_detached(DATA)
        assert caught.value.code == "signing.stamp"
    finally:
        tsa.answer = None
    with pytest.raises(TransientError):
        replace(signed.signer, tsa_url="http://127.0.0.1:9/").sign_detached(DATA)


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def _openssl_verifies(folder: Path, data: bytes, p7s: bytes, roots: bytes) -> bool:
    from playe_assets.exporters.report_custody import OPENSSL

    for name, content in (("report.json", data), ("report.json.p7s", p7s), ("ROOTS.pem", roots)):
        (folder / name).write_bytes(content)
    command = OPENSSL.format(file="report.json.p7s", content="report.json")
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, check=False)
    assert ("Verification successful" in done.stderr) is (done.returncode == 0)
    return done.returncode == 0


@needs_openssl
@pytest.mark.parametrize("stamped", [False, True])
def test_openssl_accepts_the_detached_signature_by_the_command_of_the_report_and_refuses_a_changed_byte(
    signed: Signed, tsa: Authority, tmp_path: Path, stamped: bool
):
    by = replace(signed.signer, tsa_url=tsa.url) if stamped else signed.signer
    p7s = by.sign_detached(DATA)
    assert _openssl_verifies(tmp_path, DATA, p7s, signed.root.pem)
    assert not _openssl_verifies(tmp_path, DATA[:-2] + b"\n", p7s, signed.root.pem)
    assert not _openssl_verifies(tmp_path, DATA, p7s, authority().pem)


@needs_openssl
def test_a_signature_over_a_weak_digest_proves_nothing(tmp_path: Path):
    root = authority()
    files = signer(root).write(tmp_path)
    (tmp_path / "data").write_bytes(DATA)
    subprocess.run(
        ["openssl", "cms", "-sign", "-binary", "-md", "sha1", "-in", "data", "-outform", "DER", "-out", "data.p7s",
         "-inkey", str(files.key), "-signer", str(files.certificates)],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    facts = verify_detached(DATA, (tmp_path / "data.p7s").read_bytes(), root.pem)
    assert facts.state == "weak"
    assert "proves nothing" in facts.said("en")


@needs_openssl
def test_a_signature_that_openssl_made_is_read_as_well(tmp_path: Path):
    root = authority()
    files = signer(root).write(tmp_path)
    (tmp_path / "data").write_bytes(DATA)
    subprocess.run(
        ["openssl", "cms", "-sign", "-binary", "-md", "sha256", "-in", "data", "-outform", "DER",
         "-out", "data.p7s", "-inkey", str(files.key), "-signer", str(files.certificates)],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    assert verify_detached(DATA, (tmp_path / "data.p7s").read_bytes(), root.pem).trusted


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="pdfsig (poppler-utils) is not installed")
def test_another_reader_of_pdf_signatures_finds_it_valid(signed: Signed, tmp_path: Path):
    (tmp_path / "report.pdf").write_bytes(signed.pdf)
    said = subprocess.run(["pdfsig", "report.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Signature is Valid" in said.stdout
    assert "Total document signed" in said.stdout
