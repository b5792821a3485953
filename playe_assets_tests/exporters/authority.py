"""A certification authority of a test's own, leaves of it, and their files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from playe_assets.exporters.signer_files import SignerFiles

USAGES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
          "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip


@dataclass(frozen=True)
class Held:
    """A key with its certificate and those above it, root last."""

    key: Any
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    def write(self, folder: Path, passphrase: str = "") -> SignerFiles:
        """Two PEM files, and the passphrase's where there is one."""
        folder.mkdir(parents=True, exist_ok=True)
        key, certificates, secret = folder / "key.pem", folder / "certificates.pem", folder / "passphrase.txt"
        lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
        certificates.write_bytes(
            b"".join(c.public_bytes(Encoding.PEM) for c in (self.certificate, *self.chain))
        )
        if passphrase:
            secret.write_text(passphrase + "\n")
        return SignerFiles(key, certificates, passphrase=secret if passphrase else None)

    def write_pkcs12(self, folder: Path, passphrase: str) -> SignerFiles:
        """One PKCS#12 file and the passphrase's."""
        folder.mkdir(parents=True, exist_ok=True)
        path, secret = folder / "signer.p12", folder / "passphrase.txt"
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"signer",
                self.key,
                self.certificate,
                list(self.chain),
                BestAvailableEncryption(passphrase.encode()),
            )
        )
        secret.write_text(passphrase + "\r\n")
        return SignerFiles(pkcs12=path, passphrase=secret)


def authority(name: str = "Test Root", above: Held | None = None) -> Held:
    """A root, or an authority below `above`."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _certified(name, key, above, {"key_cert_sign", "crl_sign"}, authority=True)


def signer(
    above: Held,
    name: str = "Olga Examiner",
    *,
    key: Any = None,
    usage: tuple[str, ...] = ("digital_signature", "content_commitment"),
    days: tuple[float, float] = (-1, 90),
    digest: hashes.HashAlgorithm | None = None,
    extended: tuple[x509.ObjectIdentifier, ...] = (),
) -> Held:
    """A leaf below `above`; `days` from now, valid from and until; `extended` key usages where there are any."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    return _certified(
        name, key, above, set(usage), authority=False, days=days, digest=digest, extended=extended
    )


def _certified(
    name: str, key: Any, above: Held | None, usage: set[str], *, authority: bool,
    days: tuple[float, float] = (-1, 365), digest: hashes.HashAlgorithm | None = None,
    extended: tuple[x509.ObjectIdentifier, ...] = (),
) -> Held:  # fmt: skip
    now = datetime.now(UTC)
    own = _name(name)
    issuer = above.key if above else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(above.certificate.subject if above else own)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    if usage:
        builder = builder.add_extension(x509.KeyUsage(**{u: u in usage for u in USAGES}), critical=True)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    made = builder.sign(issuer, digest or hashes.SHA256())
    return Held(key, made, (above.certificate, *above.chain) if above else ())


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Laboratory"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )
