"""Key, certificates and passphrase as files: read, and held against one another with clear words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playe_assets.core.errors import CommandError, MissingResourceError

WEAK_HASHES = frozenset({"md2", "md4", "md5", "sha1"})
"""Neither our certificates nor anybody's signatures may rest on these."""
SMALLEST_RSA = 2048


@dataclass(frozen=True)
class SignerFiles:
    """Where a laboratory keeps its signing key: two PEM files or one PKCS#12 file."""

    key: Path | None = None
    certificates: Path | None = None
    pkcs12: Path | None = None
    passphrase: Path | None = None
    tsa_url: str = ""

    def any(self) -> bool:
        """Whether a key is named at all; without one nothing is signed."""
        return bool(self.key or self.certificates or self.pkcs12)

    def check(self) -> None:
        """One of the two forms, whole, and an authority that is asked over HTTP.

        Raises:
            CommandError: both forms, half of one, or an address of another kind.
        """
        if self.pkcs12 and (self.key or self.certificates):
            raise CommandError(
                "signing.both", pkcs12=str(self.pkcs12), key=str(self.key or self.certificates)
            )
        if not self.pkcs12 and not (self.key and self.certificates):
            lacking = "signing_certificates" if self.key else "signing_key"
            raise CommandError("signing.half", given=str(self.key or self.certificates), lacking=lacking)
        if self.tsa_url and urlsplit(self.tsa_url).scheme not in ("http", "https"):
            raise CommandError("signing.tsa_url", value=self.tsa_url)


def read_pkcs12(path: Path, passphrase: Path | None) -> tuple[Any, list[Any]]:
    """Key and certificates (the signer's first) of a PKCS#12 file.

    Raises:
        CommandError: a passphrase that does not open it, or no PKCS#12 with key and certificate.
    """
    from asn1crypto.pkcs12 import Pfx
    from cryptography.hazmat.primitives.serialization import pkcs12

    data, secret = _bytes(path, "signing_pkcs12"), _secret(passphrase)
    try:
        Pfx.load(data, strict=True)["version"].native  # noqa: B018 (read, so that what is no PKCS#12 shows)
    except (ValueError, TypeError):
        raise CommandError("signing.unreadable", file=str(path), kind="PKCS#12") from None
    try:
        key, own, others = pkcs12.load_key_and_certificates(data, secret)
    except (ValueError, TypeError):
        raise _locked(path, passphrase) from None
    if key is None or own is None:
        raise CommandError("signing.unreadable", file=str(path), kind="PKCS#12")
    return key, [own, *others]


def read_key(path: Path, passphrase: Path | None) -> Any:
    """The private key of a PEM file.

    Raises:
        CommandError: a passphrase that does not open it, or no private key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _bytes(path, "signing_key")
    closed = b"ENCRYPTED" in data
    try:
        # A passphrase for a file that is not encrypted is no fault: the file says that it needs none.
        return load_pem_private_key(data, _secret(passphrase) if closed else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if closed:
            raise _locked(path, passphrase) from None
        raise CommandError("signing.unreadable", file=str(path), kind="PEM") from None


def read_certificates(path: Path, setting: str = "signing_certificates") -> list[Any]:
    """The certificates of a PEM file, in order; at least one.

    Raises:
        CommandError: it holds none.
        MissingResourceError: it is not there.
    """
    from cryptography.x509 import load_pem_x509_certificates

    data = _bytes(path, setting)
    try:
        return load_pem_x509_certificates(data)
    except ValueError:
        raise CommandError("signing.no_certificate", file=str(path), setting=setting) from None


def check_certificates(key: Any, found: list[Any], key_file: Path, file: Path, now: datetime) -> None:
    """Key and certificates fit, are valid at `now`, may sign and rest on nothing weak.

    Raises:
        CommandError: the first thing that does not hold, with file, value and remedy.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    def public(of: Any) -> bytes:
        return bytes(of.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    first = found[0]
    if public(key.public_key()) != public(first.public_key()):
        raise CommandError("signing.mismatch", key=str(key_file), file=str(file), subject=_subject(first))
    for one in found:
        facts = {"file": str(file), "subject": _subject(one), "now": f"{now:%Y-%m-%d %H:%MZ}"}
        if now > one.not_valid_after_utc:
            raise CommandError("signing.expired", until=f"{one.not_valid_after_utc:%Y-%m-%d %H:%MZ}", **facts)
        if now < one.not_valid_before_utc:
            raise CommandError(
                "signing.not_yet", since=f"{one.not_valid_before_utc:%Y-%m-%d %H:%MZ}", **facts
            )
        weak = _weakness(one)
        if weak and (one is first or one.subject != one.issuer):
            raise CommandError("signing.weak", file=str(file), subject=_subject(one), found=weak)
    _check_usage(first, file)


def _check_usage(certificate: Any, file: Path) -> None:
    from cryptography.x509 import ExtensionNotFound, KeyUsage

    try:
        usage = certificate.extensions.get_extension_for_class(KeyUsage).value
    except ExtensionNotFound:
        usage = None
    if usage is None or not (usage.digital_signature or usage.content_commitment):
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                 "key_agreement", "key_cert_sign", "crl_sign")  # fmt: skip
        held = ", ".join(n for n in names if usage is not None and getattr(usage, n)) or "-"
        raise CommandError("signing.usage", file=str(file), subject=_subject(certificate), found=held)


def _weakness(certificate: Any) -> str | None:
    """What is too weak in a certificate or in the signature on it; None for nothing."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    signed_with = certificate.signature_hash_algorithm
    if signed_with is not None and signed_with.name in WEAK_HASHES:
        return str(signed_with.name)
    public = certificate.public_key()
    if isinstance(public, RSAPublicKey):
        return f"RSA {public.key_size}" if public.key_size < SMALLEST_RSA else None
    if isinstance(public, EllipticCurvePublicKey):
        return str(public.curve.name) if public.curve.key_size < 256 else None
    return type(public).__name__


def _subject(certificate: Any) -> str:
    return str(certificate.subject.rfc4514_string())


def _locked(path: Path, passphrase: Path | None) -> CommandError:
    if passphrase is None:
        return CommandError("signing.passphrase_none", file=str(path))
    return CommandError("signing.passphrase", file=str(path), passphrase=str(passphrase))


def _secret(path: Path | None) -> bytes | None:
    return _bytes(path, "signing_passphrase_file").split(b"\n", 1)[0].rstrip(b"\r") if path else None


def _bytes(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise MissingResourceError("signing.absent", file=str(path), setting=setting,
                                   problem=problem.strerror or str(problem)) from None  # fmt: skip
