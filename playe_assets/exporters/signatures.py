"""Verifying: what a signature on a report says, judged by pyHanko's `bottom_line` and never by `valid` alone.

Nothing is fetched from a network: who is trusted is what the caller gives, and nobody else. Whoever only wants to
know whether the file was altered gives no roots.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playe_assets.core.errors import CommandError
from playe_assets.core.texts import text
from playe_assets.exporters.signature_form import gap_in_one_form, in_one_form, mend_lengths
from playe_assets.exporters.signer import key_words, readable_name
from playe_assets.exporters.signer_files import WEAK_HASHES

INTACT = ("trusted", "not_trusted", "expired", "stamp_not_trusted")
"""States in which the file is as it was signed."""


@dataclass(frozen=True)
class SignatureFacts:
    """What was found; `state` decides, the rest explains."""

    state: str
    """`trusted`: intact, and signer and time stamp lead to the given roots. `not_trusted`: intact, but the signer
    does not lead to them (or none were given). `expired`: intact, but a certificate is not valid now and no trusted
    time stamp says when it was used. `stamp_not_trusted`: intact and signer trusted, but the time stamp's authority
    is not. `altered`: not what was signed. `extended`: something was added to the PDF after it was signed. `weak`: it
    rests on SHA-1, MD5 or too short a key. `unsigned`: there is no signature. `unreadable`: it cannot be read."""
    file: str
    """Name of the file that was signed."""
    signer: str = ""
    certificate_sha256: str = ""
    issuer: str = ""
    algorithm: str = ""
    """Such as `ecdsa-p256 sha256`."""
    signed_utc: str = ""
    """When the signer says that it was signed: nobody vouches for it."""
    stamped_utc: str = ""
    """When the time-stamping authority says that the signature was there."""
    authority: str = ""
    stamp_trusted: bool = False
    """Whether the time stamp is of this signature and leads to the roots given for it."""
    problem: str = ""
    """What the reader of the file ran into, in English; empty for none."""

    @property
    def trusted(self) -> bool:
        """Whether everything holds: pyHanko's bottom line, and nothing beside it."""
        return self.state == "trusted"

    @property
    def intact(self) -> bool:
        """Whether the file is as it was signed, whoever signed it."""
        return self.state in INTACT

    def said(self, language: str) -> str:
        """One sentence in plain words, `en` or `ru`."""
        facts = {f: getattr(self, f) or "-" for f in ("file", "signer", "issuer", "authority", "algorithm")}
        return text(f"signature.state.{self.state}", language, when=self.stamped_utc or self.signed_utc or "-",
                    certificate=self.certificate_sha256[:16] or "-", **facts)  # fmt: skip


def verify_pdf(
    path: Path, trust_roots: bytes | None, tsa_roots: bytes | None = None, now: datetime | None = None
) -> SignatureFacts:
    """The signature in the PDF at `path`. Roots are PEM; None trusts nobody. `now` is the clock's unless given.

    Raises:
        CommandError: the roots are no PEM certificates.
        OSError: the file cannot be read.
    """
    return judge_pdf(path.read_bytes(), trust_roots, tsa_roots, now, path.name)


def judge_pdf(
    data: bytes, trust_roots: bytes | None, tsa_roots: bytes | None, now: datetime | None, name: str
) -> SignatureFacts:
    """As `verify_pdf`, of bytes."""
    trust = _Trust(trust_roots, tsa_roots, now)
    with _quiet():
        try:
            from pyhanko.pdf_utils.reader import PdfFileReader

            found = list(PdfFileReader(io.BytesIO(data), strict=False).embedded_regular_signatures)
        except Exception as problem:  # noqa: BLE001 (whatever a spoilt PDF provokes in a parser)
            return SignatureFacts("unreadable", name, problem=_words(problem))
        if not found:
            return SignatureFacts("unsigned", name)
        return _judged(name, found[0].signed_data, _OfPdf(found[0], data), trust)


def face_of(path: Path) -> str | None:
    """sha256 of the JSON that the PDF at `path` says it is the face of; None where it does not say so.

    Signed with the rest of the PDF: it counts only where the signature is `intact`.
    """
    from pyhanko.pdf_utils.reader import PdfFileReader

    from playe_assets.exporters.pdf_page import OF_JSON

    with _quiet():
        try:
            said = str(
                PdfFileReader(io.BytesIO(path.read_bytes()), strict=False).trailer["/Info"]["/Keywords"]
            )
        except Exception:  # noqa: BLE001 (whatever a spoilt PDF provokes in a parser)
            return None
    found = said.removeprefix(OF_JSON)
    return found if found != said else None


def verify_detached(
    data: bytes, p7s: bytes, trust_roots: bytes | None, tsa_roots: bytes | None = None,
    now: datetime | None = None, name: str = "report.json",
) -> SignatureFacts:  # fmt: skip
    """The detached CMS signature `p7s` (DER) over `data`. Roots are PEM; None trusts nobody.

    Raises:
        CommandError: the roots are no PEM certificates.
    """
    trust = _Trust(trust_roots, tsa_roots, now)
    with _quiet():
        try:
            from asn1crypto import cms

            held = cms.ContentInfo.load(p7s, strict=True)
            if held["content_type"].native != "signed_data":
                return SignatureFacts("unreadable", name, problem=str(held["content_type"].native))
            signed = held["content"]
        except Exception as problem:  # noqa: BLE001 (as above)
            return SignatureFacts("unreadable", name, problem=_words(problem))
        return _judged(name, signed, _OfData(signed, data, p7s), trust)


class _Trust:
    """Roots and moment, as validation contexts of pyHanko that fetch nothing."""

    def __init__(self, roots: bytes | None, tsa_roots: bytes | None, now: datetime | None) -> None:
        self.roots, self.tsa_roots = _certificates(roots), _certificates(tsa_roots)
        self.now = now or datetime.now(UTC)

    def signer(self, moment: datetime | None = None) -> Any:
        """For the signer's certificate, at `moment` or now."""
        return self._context(self.roots, moment or self.now)

    def stamps(self, moment: datetime | None = None) -> Any:
        """For the time stamp's authority, at `moment` or now."""
        return self._context(self.tsa_roots, moment or self.now)

    def _context(self, roots: Sequence[Any], moment: datetime) -> Any:
        from pyhanko_certvalidator import ValidationContext
        from pyhanko_certvalidator.policy_decl import DisallowWeakAlgorithmsPolicy

        policy = DisallowWeakAlgorithmsPolicy(weak_hash_algos=WEAK_HASHES)
        return ValidationContext(trust_roots=list(roots), moment=moment, allow_fetching=False,
                                 algorithm_usage_policy=policy)  # fmt: skip


class _OfPdf:
    """A signature inside a PDF."""

    def __init__(self, embedded: Any, data: bytes) -> None:
        self.embedded, self.data = embedded, data

    def judge(self, signer: Any, stamps: Any, usage: Any) -> Any:
        """pyHanko's status."""
        from pyhanko.sign.validation.pdf_embedded import async_validate_pdf_signature

        return _run(async_validate_pdf_signature(self.embedded, signer, stamps, key_usage_settings=usage))

    def beside(self, status: Any) -> str | None:
        """What else is wrong: `extended`, or `altered` where bytes lie in the gap that no digest covers."""
        from pyhanko.sign.validation.status import SignatureCoverageLevel

        if status.coverage != SignatureCoverageLevel.ENTIRE_FILE:
            return "extended"
        start, length, after, _ = (int(n) for n in self.embedded.byte_range)
        return None if gap_in_one_form(self.data[start + length : after]) else "altered"


class _OfData:
    """A detached signature."""

    def __init__(self, signed: Any, data: bytes, p7s: bytes) -> None:
        self.signed, self.data, self.p7s = signed, data, p7s

    def judge(self, signer: Any, stamps: Any, usage: Any) -> Any:
        """pyHanko's status."""
        from pyhanko.sign.validation.generic_cms import async_validate_detached_cms

        return _run(
            async_validate_detached_cms(self.data, self.signed, signer, stamps, key_usage_settings=usage)
        )

    def beside(self, _status: Any) -> str | None:
        """`altered` where bytes that no signature covers are not as they have to be."""
        return None if in_one_form(self.p7s) else "altered"


def _judged(name: str, signed: Any, of: _OfPdf | _OfData, trust: _Trust) -> SignatureFacts:
    from pyhanko.sign.validation.settings import KeyUsageConstraints

    usage = KeyUsageConstraints(
        key_usage={"digital_signature", "non_repudiation"}, match_all_key_usages=False
    )
    try:
        status = of.judge(trust.signer(), trust.stamps(), usage)
        stamp = status.timestamp_validity
        if not status.bottom_line and stamp is not None:
            # A trusted stamp says when: the certificates only had to be valid then (EN 319 102-1, 5.5).
            then = of.judge(trust.signer(stamp.timestamp), trust.stamps(stamp.timestamp), usage)
            status = then if _stands(then.timestamp_validity) else status
        state = _state(status, of)
        return SignatureFacts(state, name, **_about(status))
    except Exception as problem:  # noqa: BLE001 (the reader judges by state; a parser's trouble is no signature that holds)
        return SignatureFacts("altered", name, problem=_words(problem))


def _stands(stamp: Any) -> bool:
    return stamp is not None and stamp.valid and stamp.intact and stamp.trusted


def _state(status: Any, of: _OfPdf | _OfData) -> str:
    """The first of: altered, weak, extended; then `bottom_line`; then why it is not reached."""
    if not status.intact or not status.valid:
        return "altered"
    if str(status.md_algorithm).lower() in WEAK_HASHES:
        return "weak"
    beside = of.beside(status)
    if beside is not None:
        return beside
    if status.bottom_line:
        return "trusted"
    stamp = status.timestamp_validity
    if stamp is not None and not (stamp.valid and stamp.intact):
        return "altered"
    problem = getattr(status.trust_problem_indic, "name", "")
    if problem.startswith("CRYPTO"):
        return "weak"
    if problem in ("EXPIRED", "OUT_OF_BOUNDS_NO_POE", "OUT_OF_BOUNDS_NOT_REVOKED", "NOT_YET_VALID"):
        return "expired"
    if status.trusted and stamp is not None and not stamp.trusted:
        return "stamp_not_trusted"
    if not status.trusted:
        return "not_trusted"
    return "altered"


def _about(status: Any) -> dict[str, Any]:
    certificate, stamp = status.signing_cert, status.timestamp_validity
    return {
        "signer": readable_name(certificate),
        "certificate_sha256": certificate.sha256.hex(),
        "issuer": str(certificate.issuer.human_friendly),
        "algorithm": f"{key_words(certificate.public_key)} {status.md_algorithm}",
        "signed_utc": _utc(status.signer_reported_dt),
        "stamped_utc": _utc(stamp.timestamp) if stamp is not None else "",
        "authority": readable_name(stamp.signing_cert) if stamp is not None else "",
        "stamp_trusted": _stands(stamp),
        "problem": getattr(status.trust_problem_indic, "name", "") or "",
    }


def _certificates(pem: bytes | None) -> list[Any]:
    from asn1crypto import pem as armor
    from asn1crypto import x509

    if pem is None:
        return []
    try:
        return [x509.Certificate.load(der) for _, _, der in armor.unarmor(pem, multiple=True)]
    except ValueError:
        raise CommandError("signing.roots", problem=pem[:40].decode("ascii", "replace")) from None


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    mend_lengths()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _utc(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def _words(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """pyHanko logs what it finds wrong as well; here that is the answer."""
    loggers = [logging.getLogger(n) for n in ("pyhanko", "pyhanko_certvalidator")]
    levels = [found.level for found in loggers]
    for found in loggers:
        found.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for found, level in zip(loggers, levels, strict=True):
            found.setLevel(level)
