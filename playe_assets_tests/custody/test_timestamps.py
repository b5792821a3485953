"""Time stamps of a real authority: had over HTTP, judged offline; unruly authorities and forged tokens are refused."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playe_assets.core.errors import IntegrityError, TransientError
from playe_assets.custody import timestamps
from playe_assets.custody.audit import audit
from playe_assets.custody.checkpoints import FAILED, STAMPED, Checkpoints
from playe_assets.custody.fields import left_out
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.note import digest
from playe_assets.custody.timestamps import LARGEST, request_token, verify_token
from playe_assets_tests.time_stamping import REPLY, Authority, authority, certified, openssl

DATA = b"what was so at that time"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with authority(tmp_path_factory.mktemp("authority")) as found:
        yield found


@pytest.fixture
def tsa(running: Authority) -> Iterator[Authority]:
    running.answer = None
    running.asked.clear()
    yield running
    running.answer = None


def _of(folder: Path, url: str) -> Checkpoints:
    log = CustodyLog(folder / "events.jsonl")
    log.append([{"event": "test"}])
    return Checkpoints(log, folder / "checkpoints", tsa_url=url, tsa_timeout_s=5)


def test_a_token_is_had_and_verified_offline_with_the_given_root(tsa, tmp_path):
    before = int(time.time())
    token = request_token(tsa.url, DATA)
    facts = verify_token(token, DATA, tsa.roots.read_bytes())
    assert facts.authority == "CN=Authority of time,O=Tests"
    assert facts.serial > 0
    stamped = time.mktime(time.strptime(facts.time_utc, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert before - 2 <= stamped <= time.time() + 2
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "token.tsr").write_bytes(token)
    openssl(
        "ts",
        "-verify",
        "-data",
        f"{tmp_path}/data",
        "-in",
        f"{tmp_path}/token.tsr",
        "-CAfile",
        str(tsa.roots),
    )


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_tokens_over_each_of_the_three_digests_are_read(tsa, tmp_path, algorithm):
    (tmp_path / "data").write_bytes(DATA)
    openssl(
        "ts", "-query", "-data", f"{tmp_path}/data", f"-{algorithm}", "-cert", "-out", f"{tmp_path}/q.tsq"
    )
    token = tsa.reply((tmp_path / "q.tsq").read_bytes())
    assert verify_token(token, DATA, tsa.roots.read_bytes()).serial
    with pytest.raises(IntegrityError, match="Mismatch"):
        verify_token(token, DATA + b".", tsa.roots.read_bytes())


def test_what_is_asked_holds_a_nonce_and_the_wish_for_certificates_and_no_byte_of_the_data(tsa, tmp_path):
    request_token(tsa.url, DATA)
    request_token(tsa.url, DATA)
    first, second = tsa.asked
    assert first != second
    (tmp_path / "q.tsq").write_bytes(first)
    said = openssl("ts", "-query", "-in", f"{tmp_path}/q.tsq", "-text")
    assert "Nonce: 0x" in said
    assert "Certificate required: yes" in said
    assert hashlib.sha256(DATA).digest() in first
    assert DATA not in first


def test_a_token_of_other_data_another_root_or_a_changed_byte_is_refused(tsa, tmp_path):
    roots = tsa.roots.read_bytes()
    token = request_token(tsa.url, DATA)
    with pytest.raises(IntegrityError) as refused:
        verify_token(token, DATA + b"!", roots)
    assert refused.value.code == "timestamp.refused"
    certified(tmp_path / "other")
    with pytest.raises(IntegrityError, match="self-signed"):
        verify_token(token, DATA, (tmp_path / "other" / "root.pem").read_bytes())
    for none in (b"", b"no certificate"):
        with pytest.raises(IntegrityError) as refused:
            verify_token(token, DATA, none)
        assert refused.value.code == "timestamp.no_roots"
    good, chance, accepted = verify_token(token, DATA, roots), random.Random(3161), 0
    for _ in range(1500):
        place = chance.randrange(len(token))
        changed = token[:place] + bytes([token[place] ^ 1 << chance.randrange(8)]) + token[place + 1 :]
        try:
            facts = verify_token(changed, DATA, roots)
        except IntegrityError:
            continue
        # What no signature covers may change (the status text, an unused certificate): never what is said.
        assert facts == good
        accepted += 1
    assert accepted < 500
    for cut in range(0, len(token), 41):
        with pytest.raises(IntegrityError):
            verify_token(token[:cut], DATA, roots)


def _signed_by(folder: Path, stamped: bytes, *more: str) -> bytes:
    """A response whose TSTInfo `stamped` is signed by the certificate in `folder`, which `openssl ts` may refuse."""
    (folder / "stamped.der").write_bytes(stamped)
    openssl("cms", "-sign", "-binary", "-nodetach", "-in", f"{folder}/stamped.der", "-signer", f"{folder}/tsa.pem",
            "-inkey", f"{folder}/tsa.key", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-outform", "DER",
            "-md", "sha256", "-out", f"{folder}/token.der", *more)  # fmt: skip
    token = (folder / "token.der").read_bytes()
    body = b"\x30\x03\x02\x01\x00" + token  # granted, and the token
    return b"\x30\x82" + len(body).to_bytes(2) + body


@pytest.mark.parametrize(
    ("usage", "fit"),
    [
        ("critical, timeStamping", True),
        ("timeStamping", False),
        ("critical, serverAuth", False),
        ("critical, emailProtection, timeStamping", False),
    ],
)
def test_a_signer_that_is_not_made_for_time_stamping_alone_is_refused(tsa, tmp_path, usage, fit):
    certified(tmp_path / "signer", usage=usage)
    (tmp_path / "reply.tsr").write_bytes(request_token(tsa.url, DATA))
    openssl("ts", "-reply", "-in", f"{tmp_path}/reply.tsr", "-token_out", "-out", f"{tmp_path}/token.der")
    openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", f"{tmp_path}/token.der", "-binary",
            "-out", f"{tmp_path}/stamped.der")  # fmt: skip
    token = _signed_by(tmp_path / "signer", (tmp_path / "stamped.der").read_bytes())
    root = (tmp_path / "signer" / "root.pem").read_bytes()
    if fit:
        assert verify_token(token, DATA, root).authority == "CN=Authority of time,O=Tests"
        return
    with pytest.raises(IntegrityError) as refused:
        verify_token(token, DATA, root)
    assert refused.value.code == "timestamp.refused"


def test_a_certificate_slipped_in_under_the_signer_s_number_does_not_lend_it_its_use(tsa, tmp_path):
    """The signer may only serve web pages; a self-made certificate of the same issuer and number may stamp time."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path / "signer"
    certified(folder, usage="critical, serverAuth")
    real = x509.load_pem_x509_certificate((folder / "tsa.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING])
    spoofed = (
        x509.CertificateBuilder(issuer_name=real.issuer, subject_name=real.subject, public_key=key.public_key(),
                                serial_number=real.serial_number, not_valid_before=real.not_valid_before_utc,
                                not_valid_after=real.not_valid_after_utc)
        .add_extension(usage, critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "more.pem").write_bytes(spoofed.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "reply.tsr").write_bytes(request_token(tsa.url, DATA))
    openssl("ts", "-reply", "-in", f"{tmp_path}/reply.tsr", "-token_out", "-out", f"{tmp_path}/token.der")
    openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", f"{tmp_path}/token.der", "-binary",
            "-out", f"{tmp_path}/stamped.der")  # fmt: skip
    token = _signed_by(folder, (tmp_path / "stamped.der").read_bytes(), "-certfile", f"{folder}/more.pem")
    assert len(timestamps._decoded(token).signed_data.certificates) == 2
    for _ in range(8):  # a set of certificates has no order of its own
        with pytest.raises(IntegrityError) as refused:
            verify_token(token, DATA, (folder / "root.pem").read_bytes())
        assert refused.value.code == "timestamp.refused"


def _page(_: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Log in</html>"


def _endless(_: bytes) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": REPLY}, bytes(LARGEST + 1)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_page, "timestamp.media_type"),
        (_endless, "timestamp.too_long"),
        (lambda _: (500, {}, b""), "timestamp.unreachable"),
        (lambda _: (404, {"Content-Type": REPLY}, b""), "timestamp.unreachable"),
        (lambda _: (302, {"Location": "http://127.0.0.1:9/"}, b""), "timestamp.unreachable"),
        (lambda _: (200, {"Content-Type": REPLY, "Content-Length": "9999"}, b"0"), "timestamp.malformed"),
    ],
)
def test_what_is_no_authority_is_told_from_one(tsa, answer, code):
    tsa.answer = answer
    with pytest.raises((TransientError, IntegrityError)) as refused:
        request_token(tsa.url, DATA, 2)
    assert refused.value.code == code


@pytest.mark.parametrize("answer", [b"", b"0", b"\x30\x80", b"\x30\x03\x02\x01\x00", bytes(1000)])
def test_an_answer_that_is_no_token_is_refused(tsa, answer):
    tsa.answer = lambda _: (200, {"Content-Type": REPLY}, answer)
    with pytest.raises(IntegrityError):
        request_token(tsa.url, DATA)


def test_an_answer_to_another_question_is_not_kept(tsa):
    request_token(tsa.url, b"an earlier note")
    old = tsa.asked[-1]
    for query in (old, tsa.asked[0]):  # replayed: another digest; and below our digest with an old nonce
        tsa.answer = lambda _, query=query: (200, {"Content-Type": REPLY}, tsa.reply(query))
        with pytest.raises(IntegrityError) as refused:
            request_token(tsa.url, DATA)
        assert refused.value.code == "timestamp.other_answer"
        with pytest.raises(IntegrityError) as refused:
            request_token(tsa.url, b"an earlier note")
        assert refused.value.code == "timestamp.other_answer"


def test_an_authority_that_refuses_says_why(tmp_path):
    with authority(tmp_path, digests="sha512") as unwilling, pytest.raises(IntegrityError) as refused:
        request_token(unwilling.url, DATA)
    assert refused.value.code == "timestamp.not_granted"
    assert "status 2" in str(refused.value)


def test_an_authority_that_drips_or_is_silent_does_not_hold_a_report_for_ever(tsa):
    def late(_: bytes) -> tuple[int, dict[str, str], bytes]:
        time.sleep(1.5)
        return 200, {"Content-Type": REPLY}, b"0"

    tsa.answer = late
    with pytest.raises(TransientError) as refused:
        request_token(tsa.url, DATA, 0.2)
    assert refused.value.code == "timestamp.unreachable"


def test_an_address_that_is_not_of_the_web_is_not_opened(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    for url in (f"file://{secret}", "ftp://127.0.0.1/", "127.0.0.1", ""):
        with pytest.raises(IntegrityError) as refused:
            request_token(url, DATA)
        assert refused.value.code == "timestamp.url"
    for url in ("http://127.0.0.1:1/", "http://[::bad/", "http://127.0.0.1:99999/"):
        with pytest.raises(TransientError):
            request_token(url, DATA, 1)


def test_a_checkpoint_keeps_the_token_over_its_note(tsa, tmp_path):
    kept = _of(tmp_path, tsa.url).make()
    assert kept.token == (tmp_path / "checkpoints" / "000000.tsr").read_bytes()
    assert verify_token(kept.token, kept.note.encode(), tsa.roots.read_bytes()).serial
    assert Checkpoints(CustodyLog(tmp_path / "events.jsonl"), tmp_path / "checkpoints").newest() == kept
    assert len(tsa.asked) == 1
    log = CustodyLog(tmp_path / "events.jsonl")
    pair = [e for _, e, _ in log.read() if e and e["event"] == STAMPED]
    assert [e["status"] for e in pair] == ["started", "ok"]
    assert [left_out(e) for e in pair] == [[], []]
    assert pair[1]["output_sha256"] == [hashlib.sha256(kept.token).hexdigest()]
    assert pair[1]["input_sha256"] == [digest(kept.note)]
    told = verify_token(kept.token, kept.note.encode(), tsa.roots.read_bytes()).time_utc
    assert pair[1]["params"] == {"url": tsa.url, "epoch": 0, "time_utc": told}
    _of(tmp_path, tsa.url).make()
    assert len(tsa.asked) == 2


def test_a_token_that_a_crash_left_unstated_is_stated_the_next_time_and_is_no_news(
    tsa, tmp_path, monkeypatch
):
    found = _of(tmp_path, tsa.url)
    with monkeypatch.context() as killed:
        killed.setattr("playe_assets.custody.stamping._state", lambda *_: None)
        kept = found.make()
    assert STAMPED not in [e["event"] for _, e, _ in found.log.read()]
    assert found.make() == kept
    lines = found.log.head().lines
    assert found.make() == kept
    assert found.log.head().lines == lines
    assert [e["event"] for _, e, _ in found.log.read()].count(STAMPED) == 2
    result = audit(found.log, found)
    assert (result.findings, result.unsigned) == ((), 0)
    other = timestamps.request_token(tsa.url, kept.note.encode())
    kept.path.with_suffix(".tsr").write_bytes(other)
    found.make()
    assert found.log.head().lines == lines, "an exchanged token is not made good by stating it"
    assert [f.code for f in audit(found.log, found).findings] == ["token_exchanged"]


def test_without_its_authority_a_checkpoint_is_made_the_failure_recorded_once_and_asked_again(tsa, tmp_path):
    tsa.answer = _page
    found = _of(tmp_path, tsa.url)
    kept = found.make()
    assert (kept.epoch, kept.token) == (0, None)
    lines = found.log.head().lines
    assert found.make() == kept
    assert found.log.head().lines == lines
    failed = [entry for _, entry, _ in found.log.read() if entry and entry["event"] == FAILED]
    assert [entry["status"] for entry in failed] == ["started", "failed"]
    for entry in failed:
        assert left_out(entry) == []
        assert entry["input_sha256"] == [digest(kept.note)]
        assert entry["params"] == {"url": tsa.url, "timeout_s": 5, "epoch": 0}
    assert failed[1]["error"]["code"] == "timestamp.media_type"
    tsa.answer = None
    again = found.make()
    assert again.epoch == 0
    assert again.token is not None
    found.log.append([{"event": "test"}])
    assert found.make().token is not None
    assert found.make().epoch == 1


# Tokens of authorities of the wide world, as the project rfc3161-client keeps them for its tests.
@pytest.fixture(scope="module")
def peers(shared_data: Path) -> Path:
    found = shared_data / "peers" / "rfc3161" / "test" / "fixtures"
    if not found.is_dir():
        pytest.skip("the tokens of other authorities are not in the test data")
    return found


def _public_root(name: str) -> bytes:
    certifi = pytest.importorskip("certifi")
    for pem in Path(certifi.where()).read_text(encoding="utf-8").split("\n\n"):
        if f'# Label: "{name}"' in pem:
            return pem[pem.index("-----BEGIN") :].encode()
    pytest.skip(f"{name} is no public root any more")


def test_a_public_authority_s_token_holds_after_the_authority_s_certificate_has_expired(peers):
    """Stamped on 2025-03-11 by a certificate that was good until 2026-01-17: the stamp's time counts."""
    token = (peers / "identrust" / "issue-104.tsr").read_bytes()
    root = _public_root("IdenTrust Commercial Root CA 1")
    facts = verify_token(token, b"hello", root)
    assert facts.time_utc == "2025-03-11T08:52:08Z"
    assert facts.authority.startswith("CN=TrustID Timestamp Authority")
    with pytest.raises(IntegrityError, match="Mismatch"):
        verify_token(token, b"hullo", root)


@pytest.mark.parametrize(
    "name",
    ["sigstage/response-sha384.tsr", "sigstage/response-sha512.tsr", "test_tsa/response-injected-certs.tsr",
     "sigstore.mock/response-expired.tsr", "identrust/issue-104.tsr"],
)  # fmt: skip
def test_no_token_vouches_for_itself_with_the_certificates_that_it_carries(peers, tsa, name):
    """Spoofed certificates were put into one of them; another has expired and carries none; no root is ours."""
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_der_x509_certificate

    token = (peers / name).read_bytes()
    carried = [load_der_x509_certificate(der) for der in timestamps._decoded(token).signed_data.certificates]
    roots = [one.public_bytes(Encoding.PEM) for one in carried if one.issuer != one.subject] + [
        tsa.roots.read_bytes()
    ]
    payload = (peers / "sigstore.mock" / "payload").read_bytes()
    for root in roots:
        for data in (b"hello", payload):
            with pytest.raises(IntegrityError) as refused:
                verify_token(token, data, root)
            assert refused.value.code == "timestamp.refused"


def test_certificates_in_another_order_than_der_s_are_read(tsa):
    """OpenSSL sends them as its configuration names them; the strict reader takes sorted ones only."""
    token = request_token(tsa.url, DATA)
    ordered = timestamps._sorted_certificates(token)
    assert sorted(ordered) == sorted(token)
    assert timestamps._sorted_certificates(ordered) == ordered
    assert verify_token(ordered, DATA, tsa.roots.read_bytes()) == verify_token(
        token, DATA, tsa.roots.read_bytes()
    )
