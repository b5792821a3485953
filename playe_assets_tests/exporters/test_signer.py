"""A signing key that does not fit is named before any work: which file, which value, what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from playe_assets.core.errors import CommandError, MissingResourceError, PlayeError
from playe_assets.exporters.signatures import verify_detached
from playe_assets.exporters.signer import load_signer
from playe_assets.exporters.signer_files import SignerFiles
from playe_assets_tests.exporters.authority import Held, authority, signer

DATA = "Акт исследования\r\n".encode()


@pytest.fixture(scope="module")
def root() -> Held:
    return authority()


def test_without_a_key_there_is_no_signer():
    assert load_signer(SignerFiles()) is None


@pytest.mark.parametrize("secret", ["", "Пароль 42"])
def test_a_key_in_pem_signs(tmp_path: Path, root: Held, secret: str):
    files = signer(authority("Middle", root)).write(tmp_path, secret)
    found = load_signer(files)
    assert found is not None
    assert found.name == "Olga Examiner, Test Laboratory"
    assert found.algorithm == "ecdsa-p256 sha256"
    assert len(found.certificates) == 2  # the root is brought by whoever verifies
    assert verify_detached(DATA, found.sign_detached(DATA), root.pem).trusted


def test_a_key_in_pkcs12_signs(tmp_path: Path, root: Held):
    found = load_signer(signer(authority("Middle", root)).write_pkcs12(tmp_path, "secret"))
    assert found is not None
    assert verify_detached(DATA, found.sign_detached(DATA), root.pem).trusted


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (lambda: rsa.generate_private_key(65537, 2048), "rsa-2048 sha256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "ecdsa-p384 sha384"),
    ],
)
def test_rsa_and_the_larger_curves_sign_with_a_digest_that_fits(
    tmp_path: Path, root: Held, key: Callable[[], object], algorithm: str
):
    found = load_signer(signer(root, key=key()).write(tmp_path))
    assert found is not None
    facts = verify_detached(DATA, found.sign_detached(DATA), root.pem)
    assert (facts.state, facts.algorithm) == ("trusted", algorithm)
    assert facts.algorithm == found.algorithm


def _refused(files: SignerFiles, code: str, kind: type[PlayeError] = CommandError) -> str:
    with pytest.raises(kind) as caught:
        load_signer(files)
    assert caught.value.code == f"signing.{code}"
    for language in ("en", "ru"):
        assert "{" not in caught.value.message(language)
    return str(caught.value)


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path, root: Held):
    files = signer(root).write(tmp_path, "secret")
    for name, setting in (
        ("key", "signing_key"),
        ("certificates", "signing_certificates"),
        ("passphrase", "signing_passphrase_file"),
    ):
        said = _refused(replace(files, **{name: tmp_path / "gone"}), "absent", MissingResourceError)
        assert str(tmp_path / "gone") in said
        assert setting in said


def test_a_wrong_or_lacking_passphrase_is_told_from_a_broken_file(tmp_path: Path, root: Held):
    held = signer(root)
    for files in (held.write(tmp_path / "pem", "secret"), held.write_pkcs12(tmp_path / "p12", "secret")):
        assert files.passphrase is not None
        _refused(replace(files, passphrase=None), "passphrase_none")
        files.passphrase.write_text("wrong\n")
        assert str(files.passphrase) in _refused(files, "passphrase")
        file = files.key or files.pkcs12
        assert file is not None
        file.write_bytes(b"no key at all")
        assert str(file) in _refused(files, "unreadable")


def test_a_certificates_file_without_certificates_is_told(tmp_path: Path, root: Held):
    files = signer(root).write(tmp_path)
    assert files.certificates is not None
    files.certificates.write_text("nothing")
    _refused(files, "no_certificate")


def test_half_a_key_two_keys_and_a_strange_authority_are_told(tmp_path: Path, root: Held):
    files, other = signer(root).write(tmp_path / "a"), signer(root).write_pkcs12(tmp_path / "b", "x")
    _refused(replace(files, key=None), "half")
    _refused(replace(files, certificates=None), "half")
    _refused(replace(files, pkcs12=other.pkcs12), "both")
    _refused(replace(files, tsa_url="file:///etc/passwd"), "tsa_url")


def test_a_key_that_belongs_to_another_certificate_is_told(tmp_path: Path, root: Held):
    files = signer(root).write(tmp_path / "a")
    others = signer(root, "Somebody Else").write(tmp_path / "b").certificates
    assert "Somebody Else" in _refused(replace(files, certificates=others), "mismatch")
    assert files.certificates is not None
    blocks = files.certificates.read_bytes().split(b"-----END CERTIFICATE-----\n")
    files.certificates.write_bytes(b"-----END CERTIFICATE-----\n".join([blocks[1], blocks[0], b""]))
    assert "first" in _refused(files, "mismatch")


def test_certificates_out_of_their_time_are_told_also_that_of_an_issuer(tmp_path: Path, root: Held):
    assert "renewed" in _refused(signer(root, days=(-9, -1)).write(tmp_path / "a"), "expired")
    assert "clock" in _refused(signer(root, days=(1, 9)).write(tmp_path / "b"), "not_yet")
    old = signer(root, "Middle", usage=("key_cert_sign",), days=(-9, -1))
    assert "Middle" in _refused(signer(old).write(tmp_path / "c"), "expired")


def test_a_certificate_that_may_not_sign_is_told(tmp_path: Path, root: Held):
    said = _refused(signer(root, usage=("key_encipherment",)).write(tmp_path / "a"), "usage")
    assert "key_encipherment" in said
    _refused(signer(root, usage=()).write(tmp_path / "b"), "usage")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (lambda: rsa.generate_private_key(65537, 1024), "RSA 1024"),
        (lambda: ec.generate_private_key(ec.SECP192R1()), "secp192r1"),
        (ed25519.Ed25519PrivateKey.generate, "Ed25519"),
    ],
)
def test_weak_or_unusual_keys_are_refused(tmp_path: Path, root: Held, key: Callable[[], object], said: str):
    assert said in _refused(signer(root, key=key()).write(tmp_path), "weak")


def test_a_certificate_signed_with_sha1_is_refused(tmp_path: Path):
    certificate = tmp_path / "certificates.pem"
    _openssl_self_signed(tmp_path / "key.pem", certificate)
    assert "sha1" in _refused(SignerFiles(tmp_path / "key.pem", certificate), "weak")


def _openssl_self_signed(key: Path, certificate: Path) -> None:
    import subprocess

    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha1",
         "-keyout", str(key), "-out", str(certificate), "-days", "9", "-subj", "/CN=Old",
         "-addext", "keyUsage=critical,digitalSignature"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_the_trial_key_of_the_signing_page_signs_and_its_settings_exist(tmp_path: Path):
    import re
    import subprocess
    from dataclasses import fields

    import yaml

    from playe_assets.examination.settings import Settings

    page = (Path(__file__).resolve().parents[2] / "docs" / "signing.md").read_text(encoding="utf-8")
    commands = [
        c for c in re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL) if "openssl req" in c
    ]
    for command in commands:
        subprocess.run(["bash", "-ec", command], cwd=tmp_path, check=True, capture_output=True)
    issued, alone = tmp_path / "keys", tmp_path
    for folder, name, root in ((issued, "examiner", "roots.pem"), (alone, "signer", "signer.pem")):
        found = load_signer(SignerFiles(folder / f"{name}.key.pem", folder / f"{name}.pem"))
        assert found is not None
        facts = verify_detached(DATA, found.sign_detached(DATA), (folder / root).read_bytes())
        assert facts.trusted, facts
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert set(yaml.safe_load(block)) <= {f.name for f in fields(Settings)}
