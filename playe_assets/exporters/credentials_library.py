"""The only door to c2pa-python: signing a file and reading what a file's manifest says, without a network.

Remote manifests and OCSP are never fetched, no host may be asked except a configured time-stamping authority's, no
thumbnail is embedded, and nobody is trusted but the roots that the caller gives. The library sends no telemetry.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playe_assets.core.errors import CommandError, IntegrityError, TransientError
from playe_assets.exporters.signer import Signer, key_words

EMBEDDED = ("image/png", "image/jpeg", "video/mp4")
"""Media types that carry the manifest inside; any other has a sidecar, bound by the hash of the whole file."""
SIDECAR_TYPE = "application/c2pa"
_ALGORITHMS = {"ecdsa-p256": "es256", "ecdsa-p384": "es384", "ecdsa-p521": "es512", "ed25519": "ed25519"}
_USAGES = {
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.36": "documentSigning",
    "1.3.6.1.4.1.62558.2.1": "c2pa-claimSigning",
    "1.3.6.1.4.1.311.76.59.1.9": "Microsoft C2PA signing",
}
"""Extended key usages with which C2PA lets a certificate sign (specification 2.4, 14.5.1). The library, left alone,
takes the first only."""


@dataclass(frozen=True)
class Credentials:
    """What a file's manifest says, and whether it holds."""

    state: str
    """`trusted`: whole, and the signer leads to the given roots. `valid`: whole, but the signer does not lead to them
    (or none were given). `invalid`: file or manifest was altered. `absent`: there is none. `unreadable`: there is one
    that cannot be read."""
    problems: tuple[str, ...] = ()
    """C2PA's codes of what does not hold, such as `assertion.dataHash.mismatch`."""
    signer: str = ""
    stamped_utc: str = ""
    """Of the time stamp; empty where there is none."""
    stamp_trusted: bool = False
    """Whether its authority leads to the given roots; where not, the time is only the file's own word."""
    manifest: dict[str, Any] = field(default_factory=dict)
    """The active manifest as the library shows it."""
    label: str = ""
    """The active manifest's name."""

    @property
    def whole(self) -> bool:
        """Whether nothing was altered since it was signed, whoever signed."""
        return self.state in ("trusted", "valid")


def check_signer(signer: Signer, file: str) -> str:
    """C2PA's name of the algorithm that the key signs with, once its certificate may sign manifests.

    `file` is named in errors.

    Raises:
        CommandError: the certificate or key is not one that C2PA takes; the message says what it needs.
    """
    certificate = signer.certificates[0]
    subject = str(certificate.subject.human_friendly)
    words = key_words(certificate.public_key)
    algorithm = "ps256" if words.startswith("rsa-") else _ALGORITHMS.get(words)
    if algorithm is None:
        raise CommandError("credentials.algorithm", file=file, subject=subject, found=words)
    if certificate.issuer == certificate.subject:
        raise CommandError("credentials.self_signed", file=file, subject=subject)
    usage = certificate.key_usage_value
    if usage is None or "digital_signature" not in usage.native:
        raise CommandError("credentials.usage", file=file, subject=subject,
                           found=", ".join(sorted(usage.native)) if usage else "-")  # fmt: skip
    extended = certificate.extended_key_usage_value
    held = {usage.dotted: usage.native for usage in extended} if extended else {}
    if not held.keys() & _USAGES.keys() or "any_extended_key_usage" in held.values():
        raise CommandError("credentials.extended_usage", file=file, subject=subject,
                           found=", ".join(held.values()) or "-", allowed=", ".join(_USAGES.values()))  # fmt: skip
    if certificate.authority_key_identifier_value is None:
        raise CommandError("credentials.issuer_key", file=file, subject=subject)
    return algorithm


def sign_file(
    source: Path, goal: Path, media_type: str, definition: dict[str, Any], signer: Signer, algorithm: str
) -> bytes:
    """Write `source` to `goal` with a signed manifest inside; for other media types a copy. Returns the manifest.

    Samples are not touched: the manifest is a chunk, segment or box of its own. For media types outside `EMBEDDED`
    the caller keeps the returned bytes beside the copy (`.c2pa`).

    Raises:
        TransientError: the time-stamping authority did not answer.
        IntegrityError: the library refused to sign.
    """
    import c2pa

    settings = _settings(None, signer.tsa_url)
    try:
        with (
            c2pa.Context.from_dict(settings) as context,
            c2pa.Builder(definition, context) as builder,
            c2pa.Signer.from_info(_info(signer, algorithm)) as key,
            source.open("rb") as taken,
            goal.open("w+b") as made,
        ):
            if media_type not in EMBEDDED:
                builder.set_no_embed()
            return bytes(builder.sign(key, media_type, taken, made))
    except c2pa.C2paError as problem:
        kind = TransientError if signer.tsa_url else IntegrityError
        raise kind("credentials.not_signed", name=definition["title"], problem=_words(problem),
                   tsa=signer.tsa_url or "-") from problem  # fmt: skip


def read_credentials(
    path: Path, media_type: str, sidecar: bytes | None = None, roots: bytes | None = None
) -> Credentials:
    """The manifest of the file at `path` (inside it, or `sidecar`), checked against the file's bytes.

    `roots` is PEM: certificates that a signer, and a time stamp's authority, must lead to in order to be trusted;
    None trusts nobody.

    Raises:
        OSError: the file cannot be read.
    """
    import c2pa

    with path.open("rb") as file:
        try:
            with c2pa.Context.from_dict(_settings(roots, "")) as context:
                reader = c2pa.Reader(media_type, file, sidecar, context=context)
        except c2pa.C2paError.ManifestNotFound:
            return Credentials("absent")
        except c2pa.C2paError as problem:
            return Credentials("unreadable", (_words(problem),))
        with reader:
            said = json.loads(reader.json())
            state = str(reader.get_validation_state() or "Invalid").lower()
    problems = tuple(dict.fromkeys(s["code"] for s in said.get("validation_status") or ()))
    label = str(said.get("active_manifest") or "")
    manifest = (said.get("manifests") or {}).get(label) or {}
    signed = manifest.get("signature_info") or {}
    name = ", ".join(str(signed[k]) for k in ("common_name", "issuer") if signed.get(k))
    results = (said.get("validation_results") or {}).get("activeManifest") or {}
    stamped = any(s["code"] == "timeStamp.trusted" for s in results.get("success") or ())
    return Credentials(state, problems, name, str(signed.get("time") or ""), stamped, manifest, label)


def library_version() -> str:
    """Such as `c2pa-rs 0.91.3`."""
    import c2pa

    return f"c2pa-rs {c2pa.sdk_version()}"


def _settings(roots: bytes | None, tsa_url: str) -> dict[str, Any]:
    host = urlsplit(tsa_url).netloc
    return {
        "version": 1,
        "core": {"allowed_network_hosts": [host] if host else []},
        "trust": {
            "trust_anchors": roots.decode("utf-8") if roots else None,
            "user_anchors": None,
            "trust_config": "\n".join(_USAGES),
        },
        "verify": {
            "verify_after_reading": True,
            "verify_after_sign": False,  # whoever signs reads the file back, from the disk
            "verify_trust": True,
            "verify_timestamp_trust": True,
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
        },
        "builder": {
            "thumbnail": {"enabled": False},
            "certificate_status_fetch": None,
            "actions": {
                f"auto_{kind}_action": {"enabled": False} for kind in ("created", "opened", "placed")
            },
        },
    }


def _info(signer: Signer, algorithm: str) -> Any:
    import c2pa
    from asn1crypto import pem

    chain = b"".join(pem.armor("CERTIFICATE", c.dump()) for c in signer.certificates)
    key = pem.armor("PRIVATE KEY", signer.key.dump())
    return c2pa.C2paSignerInfo(algorithm, chain, key, signer.tsa_url or None)


def _words(problem: BaseException) -> str:
    return " ".join(str(problem).split())[:300]
