"""Signing: the key and its certificates out of files, PAdES on the PDF, a detached CMS beside the JSON.

What is wrong with the key is found when it is loaded, before any work, not after hours. RFC 5652 (CMS), RFC 3161
(time stamps), ETSI EN 319 142-1 (PAdES baseline: B-B, with a time stamp B-T), RFC 5280 (certificates).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from playe_assets.core.errors import TransientError
from playe_assets.exporters.signature_form import mend_lengths
from playe_assets.exporters.signer_files import (
    SignerFiles,
    check_certificates,
    read_certificates,
    read_key,
    read_pkcs12,
)

T = TypeVar("T")
_RESERVED = 24576
"""Hexadecimal digits kept free for the PDF's signature: with a time stamp it has 4 to 9 thousand bytes."""
_LARGEST_ANSWER = 1 << 20
STAMP_TIMEOUT_S = 10.0
FIELD = "Signature"
"""Name of the PDF's signature field."""


@dataclass(frozen=True)
class Signer:
    """A key that is ready to sign. `load_signer` makes one."""

    certificates: tuple[Any, ...]
    """asn1crypto certificates, the signer's first; roots are left out, since a reader has to bring his own."""
    key: Any
    """asn1crypto PrivateKeyInfo."""
    tsa_url: str = ""
    """Time-stamping authority; empty: signatures carry no time stamp."""
    tsa_roots: bytes | None = None
    """PEM; a time stamp that does not lead to them counts as failed. None: it only has to be of our signature."""
    stamp_failed: bool = False
    """Whether a time stamp was wanted and could not be had; then it is said wherever the signature is named."""

    @property
    def name(self) -> str:
        """The signer as a person reads it: common name, organisation."""
        return readable_name(self.certificates[0])

    @property
    def certificate_sha256(self) -> str:
        """sha256 of the signer's certificate (DER), hexadecimal."""
        return hashlib.sha256(self.certificates[0].dump()).hexdigest()

    @property
    def digest(self) -> str:
        """The hash that signatures are made over: fitting the key, SHA-256 or stronger."""
        from pyhanko.sign.signers.pdf_cms import select_suitable_signing_md

        return str(select_suitable_signing_md(self.certificates[0].public_key))

    @property
    def algorithm(self) -> str:
        """Such as `ecdsa-p256 sha256` or `rsa-3072 sha256`."""
        return f"{key_words(self.certificates[0].public_key)} {self.digest}"

    def offline(self) -> Signer:
        """The same key without a time stamp, for a trial that asks nobody."""
        return replace(self, tsa_url="")

    def without_time(self) -> Signer:
        """The same key, after the time-stamping authority failed."""
        return replace(self, tsa_url="", stamp_failed=True)

    def facts(self, json_name: str, pdf_name: str) -> list[dict[str, Any]]:
        """The entries of `signatures` in a report or notice that this key is about to sign."""
        stamp = "inside" if self.tsa_url else "failed" if self.stamp_failed else "none"
        form = "T" if self.tsa_url else "B"
        common = {"signer": self.name, "certificate_sha256": self.certificate_sha256,
                  "algorithm": self.algorithm, "time_stamp": stamp}  # fmt: skip
        return [
            {"file": pdf_name, "form": f"PAdES-B-{form}", **common},
            {"file": f"{json_name}.p7s", "form": "CMS" if form == "B" else "CMS-T", **common},
        ]

    def sign_detached(self, data: bytes) -> bytes:
        """A detached CMS signature (DER) over `data`, as `openssl cms -verify -inform DER -binary` reads it.

        Raises:
            TransientError: the time-stamping authority did not answer, or answered wrongly.
        """
        made = _wait(
            self._simple().async_sign_general_data(
                data, self.digest, timestamper=self._stamper(), signed_attr_settings=_with_time()
            )
        )
        return bytes(made.dump())

    def sign_pdf(
        self, pdf: bytes, box: tuple[float, float, float, float], appearance: bytes, reason: str
    ) -> bytes:
        """`pdf` certified: a PAdES signature after which the document allows no changes.

        `box` is where the field stands on the last page (points from the lower left), `appearance` a PDF of one
        page of that size that is shown there, `reason` a phrase that viewers show.

        Raises:
            TransientError: the time-stamping authority did not answer, or answered wrongly.
        """
        from pyhanko.pdf_utils.content import PdfContent
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
        from pyhanko.pdf_utils.layout import AxisAlignment as Align
        from pyhanko.pdf_utils.layout import BoxConstraints, Margins, SimpleBoxLayoutRule
        from pyhanko.pdf_utils.reader import PdfFileReader
        from pyhanko.sign.fields import MDPPerm, SigFieldSpec, SigSeedSubFilter
        from pyhanko.sign.signers.pdf_signer import PdfSignatureMetadata, PdfSigner
        from pyhanko.stamp import StaticStampStyle

        class Drawn(PdfContent):  # type: ignore[misc, unused-ignore]
            """The appearance, with the fonts that are embedded in it."""

            def render(self) -> bytes:
                found = self.writer.import_page_as_xobject(PdfFileReader(io.BytesIO(appearance)))
                self.resources.xobject["/Drawn"] = found
                x1, y1, x2, y2 = found.get_object()["/BBox"]
                self.box = BoxConstraints(width=abs(x2 - x1), height=abs(y2 - y1))
                return b"/Drawn Do"

        place = SimpleBoxLayoutRule(
            x_align=Align.ALIGN_MIN, y_align=Align.ALIGN_MIN, margins=Margins.uniform(0)
        )
        signing = PdfSigner(
            PdfSignatureMetadata(
                field_name=FIELD, md_algorithm=self.digest, name=self.name, reason=reason,
                subfilter=SigSeedSubFilter.PADES, certify=True, docmdp_permissions=MDPPerm.NO_CHANGES,
            ),
            signer=self._simple(),
            timestamper=self._stamper(),
            stamp_style=StaticStampStyle(border_width=0, background=Drawn(), background_layout=place),
            new_field_spec=SigFieldSpec(FIELD, on_page=-1, box=tuple(round(v) for v in box)),
        )  # fmt: skip
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
        made = _wait(signing.async_sign_pdf(writer, bytes_reserved=_RESERVED, output=io.BytesIO()))
        return bytes(made.getvalue())

    def _simple(self) -> Any:
        from pyhanko.sign.signers import SimpleSigner
        from pyhanko_certvalidator.registry import SimpleCertificateStore

        store = SimpleCertificateStore()
        store.register_multiple(self.certificates[1:])
        return SimpleSigner(self.certificates[0], self.key, store, embed_roots=False)

    def _stamper(self) -> Any:
        return _stamper(self.tsa_url) if self.tsa_url else None


def load_signer(files: SignerFiles, now: datetime | None = None) -> Signer | None:
    """The signer that `files` name, checked; None where they name none. `now` is the clock's unless given.

    Raises:
        CommandError, MissingResourceError: what does not fit, with file, value and remedy (`signing.*`).
    """
    if not files.any():
        return None
    files.check()
    if files.pkcs12 is not None:
        key, found = read_pkcs12(files.pkcs12, files.passphrase)
        source = files.pkcs12
    else:
        assert files.key is not None and files.certificates is not None
        key, source = read_key(files.key, files.passphrase), files.certificates
        found = read_certificates(files.certificates)
    check_certificates(key, found, files.key or source, source, now or datetime.now(UTC))
    return Signer(*_asn1(key, found), tsa_url=files.tsa_url)


def _asn1(key: Any, certificates: list[Any]) -> tuple[tuple[Any, ...], Any]:
    from asn1crypto import keys, x509
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    kept = [c for i, c in enumerate(certificates) if i == 0 or c.subject != c.issuer]
    chain = tuple(x509.Certificate.load(c.public_bytes(Encoding.DER)) for c in kept)
    return chain, keys.PrivateKeyInfo.load(raw)


def readable_name(certificate: Any) -> str:
    """Common name and organisation of an asn1crypto certificate's subject; its whole subject without them."""
    subject = certificate.subject.native
    parts = [str(subject[k]) for k in ("common_name", "organization_name") if subject.get(k)]
    return ", ".join(parts) or str(certificate.subject.human_friendly)


def key_words(public: Any) -> str:
    """`rsa-3072`, `ecdsa-p256` or `ed25519` of an asn1crypto public key."""
    if public.algorithm == "ec":
        curve = str(public.curve[1])
        return "ecdsa-" + {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}.get(curve, curve)
    return f"rsa-{public.bit_size}" if public.algorithm == "rsa" else str(public.algorithm)


def _with_time() -> Any:
    from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes

    return PdfCMSSignedAttributes(signing_time=datetime.now(UTC).replace(microsecond=0))


def _stamper(url: str) -> Any:
    from asn1crypto import tsp
    from pyhanko.sign.timestamps import TimeStamper

    class Stamper(TimeStamper):  # type: ignore[misc, unused-ignore]
        """Asks `url` once a signature, without a library of HTTP."""

        async def async_request_tsa_response(self, req: Any) -> Any:
            return tsp.TimeStampResp.load(_ask(url, req.dump()))

        async def async_timestamp(self, message_digest: Any, md_algorithm: Any) -> Any:
            try:
                return await super().async_timestamp(message_digest, md_algorithm)
            except (ValueError, TypeError, KeyError, AttributeError) as problem:
                raise OSError(
                    f"no RFC 3161 response: {problem}"
                ) from problem  # as for one that is unreachable

    return Stamper()


def _ask(url: str, request: bytes) -> bytes:
    import urllib.error
    import urllib.request

    asked = urllib.request.Request(
        url, request, {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=STAMP_TIMEOUT_S) as answer:
            return bytes(answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as refusal:
        refusal.close()
        raise


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """The result of pyHanko's coroutine, on a thread of its own: the caller may have an event loop running.

    Raises:
        TransientError: the time-stamping authority failed; nothing else in there talks to anybody.
    """
    mend_lengths()
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(asyncio.run, work).result()
        except (OSError, TimeoutError) as problem:
            raise TransientError("signing.stamp", problem=str(problem) or type(problem).__name__) from problem
