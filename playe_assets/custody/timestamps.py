"""Time stamps of an authority (RFC 3161) over a checkpoint: asked for over HTTP, checked offline against given roots.

What is kept is the authority's whole response (`TimeStampResp`, DER), which `openssl ts -verify` reads as well.
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import IntegrityError, TransientError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
"""The media types of RFC 3161, 3.4."""
LARGEST = 1 << 18
"""Bytes of a response that are read at most; one with a long chain of certificates has some 10,000."""


@dataclass(frozen=True)
class TokenFacts:
    """What a verified token says."""

    time_utc: str
    """When the authority saw the data, ISO 8601 UTC."""
    authority: str
    """Subject of the authority's certificate (RFC 4514)."""
    serial: int
    """The token's number at the authority."""


def request_token(url: str, data: bytes, timeout_s: float = 10.0) -> bytes:
    """The response of the authority at `url` (http or https) over the SHA-256 of `data`: DER, granted, for our nonce.

    Raises:
        TransientError: the authority cannot be reached, is too slow or does not answer as one.
        IntegrityError: it refused, or answered another question than ours.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
    question = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    answer = _post(url, question.as_bytes(), timeout_s)
    response = _decoded(answer)
    if response.status != 0:
        said = "; ".join(response.status_string) or "-"
        raise IntegrityError("timestamp.not_granted", url=url, status=response.status, said=said)
    try:
        info, asked = response.tst_info, question.message_imprint
        imprint = info.message_imprint
    except ValueError as problem:
        raise IntegrityError("timestamp.malformed", problem=str(problem)) from None
    if (imprint.hash_algorithm, imprint.message, info.nonce) != (
        asked.hash_algorithm, asked.message, question.nonce):  # fmt: skip
        raise IntegrityError("timestamp.other_answer", url=url)
    return answer


def verify_token(token: bytes, data: bytes, roots_pem: bytes) -> TokenFacts:
    """What `token` (a DER response) says about `data`, judged offline against the root certificates `roots_pem`.

    The chain is judged at the time of the stamp (a token outlives its authority's certificate), the signer must be
    made for time stamping alone, and the imprint must be that of `data` (SHA-256, SHA-384 or SHA-512).

    Raises:
        IntegrityError: the token is none, is of other data, or no given root vouches for its signer.
    """
    roots = _certificates(roots_pem)
    response = _decoded(token)
    try:
        return _judged(response, data, roots)
    except Exception as problem:
        # It came from outside: whatever it makes its readers raise (no certificate's version, a broken extension),
        # nothing vouches for it.
        raise IntegrityError("timestamp.refused", problem=_plain(str(problem))) from problem


def stated_time(token: bytes) -> str:
    """The time that `token` states, ISO 8601 UTC, judged by nobody.

    Raises:
        IntegrityError: it is no time-stamp response.
    """
    moment = _decoded(token).tst_info.gen_time
    return str(moment.isoformat().replace("+00:00", "Z"))


def _judged(response: Any, data: bytes, roots: list[Certificate]) -> TokenFacts:
    from cryptography.x509 import ExtendedKeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID
    from rfc3161_client import VerificationError, VerifierBuilder

    VerifierBuilder(roots=roots).build().verify_message(response, data)
    info, signer = response.tst_info, _signer(response)
    # RFC 3161, 2.3: for time stamping and nothing else. The verifier takes a certificate that may do more as well.
    uses = signer.extensions.get_extension_for_class(ExtendedKeyUsage)
    if list(uses.value) != [ExtendedKeyUsageOID.TIME_STAMPING] or not uses.critical:
        raise VerificationError("the signer's certificate is not for time stamps alone")
    stamped = info.gen_time.isoformat().replace("+00:00", "Z")
    return TokenFacts(stamped, signer.subject.rfc4514_string(), info.serial_number)


def _plain(problem: str) -> str:
    """What OpenSSL found, without the stack around it."""
    found = re.search(r'Verify error: ([^"]+)"', problem)
    return found[1] if found else problem


def _certificates(pem: bytes) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(pem)
    except ValueError as problem:
        raise IntegrityError("timestamp.no_roots", problem=str(problem)) from None


def _signer(response: Any) -> Certificate:
    """The one certificate that the one signature names.

    Two of the same issuer and number could let one be judged for the signature and the other for its use.
    """
    from cryptography.x509 import load_der_x509_certificate
    from rfc3161_client import VerificationError

    (signed,) = response.signed_data.signer_infos
    carried = [load_der_x509_certificate(der) for der in response.signed_data.certificates]
    found = [
        one for one in carried if (one.issuer, one.serial_number) == (signed.issuer, signed.serial_number)
    ]
    if len(found) != 1:
        raise VerificationError(f"{len(found)} certificates are of the signer's issuer and number")
    return found[0]


def _decoded(token: bytes) -> Any:
    from rfc3161_client import decode_timestamp_response

    try:
        return decode_timestamp_response(_sorted_certificates(token))
    except ValueError as problem:
        raise IntegrityError("timestamp.malformed", problem=str(problem)) from None


def _sorted_certificates(token: bytes) -> bytes:
    """`token` with the certificates of its SignedData in the order that DER asks of a set.

    Authorities built on OpenSSL send them in the order of their configuration, which the strict reader refuses.
    No signature covers that set (RFC 5652, 5.1), and another order changes no length.
    """
    try:
        place = _inside(token, 0, 0x30)  # TimeStampResp
        place = _inside(token, _after(token, place), 0x30)  # past PKIStatusInfo: ContentInfo
        place = _inside(token, _after(token, place), 0xA0)  # past the content type
        place = _inside(token, place, 0x30)  # SignedData
        for _ in range(3):  # version, digestAlgorithms, encapContentInfo
            place = _after(token, place)
        begin, end = _inside(token, place, 0xA0), _after(token, place)
        certificates, here = [], begin
        while here < end:
            following = _after(token, here)
            certificates.append(token[here:following])
            here = following
    except (IndexError, ValueError):
        return token  # no token of that shape: the reader says what is wrong with it
    return token[:begin] + b"".join(sorted(certificates)) + token[end:] if here == end else token


def _inside(der: bytes, place: int, tag: int) -> int:
    """Where the contents of the element of `tag` at `place` begin."""
    if der[place] != tag:
        raise ValueError("another element")
    length = der[place + 1]
    return place + 2 + (length & 0x7F if length & 0x80 else 0)


def _after(der: bytes, place: int) -> int:
    """Where the element at `place` ends."""
    begin = _inside(der, place, der[place])
    length = der[place + 1]
    size = int.from_bytes(der[place + 2 : begin]) if length & 0x80 else length
    if begin + size > len(der):
        raise ValueError("it is cut short")
    return begin + size


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An authority that moved is for the laboratory to set anew, not for its answer to choose."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _post(url: str, question: bytes, timeout_s: float) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise IntegrityError("timestamp.url", url=url)
    deadline = time.monotonic() + timeout_s
    opener = urllib.request.build_opener(_NoRedirect())
    try:
        asked = urllib.request.Request(url, question, {"Content-Type": QUERY, "Accept": REPLY})
        with opener.open(asked, timeout=timeout_s) as reply:
            kind = reply.headers.get_content_type()
            if kind != REPLY:
                raise TransientError("timestamp.media_type", url=url, found=kind, expected=REPLY)
            answer = bytearray()
            # `read` waits for the timeout at each piece: an authority that drips must not hold a report for ever.
            while piece := reply.read1(1 << 14):
                answer += piece
                if len(answer) > LARGEST:
                    raise TransientError("timestamp.too_long", url=url, limit=LARGEST)
                if time.monotonic() > deadline:
                    raise TimeoutError
    except (OSError, HTTPException, ValueError) as problem:
        if isinstance(problem, urllib.error.HTTPError):
            problem.close()
        said = str(problem) or type(problem).__name__
        raise TransientError("timestamp.unreachable", url=url, problem=said) from problem
    return bytes(answer)
