"""The bytes of a signature that nothing signs: they must stand in one form, so that a change in them shows.

RFC 5652 leaves versions and the outer list of digests unsigned, ISO 32000 the place that a PDF keeps for the signature.
"""

from __future__ import annotations

import functools
import re
from typing import Any


def gap_in_one_form(gap: bytes) -> bool:
    """Whether what a PDF's digest leaves out is `<`, the signature's upper-case digits, zeros and `>`, and no more."""
    if not re.fullmatch(rb"<(?:[0-9A-F]{2})+>", gap):
        return False
    der = bytes.fromhex(gap[1:-1].decode("ascii"))
    size = _der_size(der)
    return not any(der[size:]) and in_one_form(der[:size])


def in_one_form(der: bytes) -> bool:
    """Whether a CMS signature is DER with nothing in it that is neither signed nor fixed (X.690, RFC 5652, 5.1)."""
    from asn1crypto import algos, cms

    try:
        held = cms.ContentInfo.load(der, strict=True)
        signed = held["content"]
        (signer,) = signed["signer_infos"]
        digest = signer["digest_algorithm"]
        name = digest["algorithm"].native
        forms = {
            algos.DigestAlgorithm({"algorithm": name, **more}).dump() for more in ({}, {"parameters": None})
        }
        listed = [item.dump() for item in signed["digest_algorithms"]]
        plain = len(listed) == 1 and {digest.dump(), *listed} <= forms
        versions = signed["version"].native == signer["version"].native == "v1"
        return bool(plain and versions and _is_der(der))
    except (ValueError, TypeError, KeyError):
        return False


def _is_der(data: bytes) -> bool:
    """Whether `data` is whole DER values with definite lengths in their shortest form (X.690, 10.1)."""
    place = 0
    while place < len(data):
        size = _der_size(data[place:])
        head = size - _content_size(data[place:])
        if size == 0 or place + size > len(data):
            return False
        if data[place] == 0x03 and data[place + head : place + head + 1] != b"\0":
            return False  # keys and signatures are whole octets: no bits of them lie unused
        if data[place] & 0x20 and not _is_der(data[place + head : place + size]):
            return False
        place += size
    return True


def _content_size(data: bytes) -> int:
    return data[1] if data[1] < 0x80 else int.from_bytes(data[2 : 2 + (data[1] & 0x7F)], "big")


def _der_size(data: bytes) -> int:
    """Length of the DER value that `data` begins with, header included; 0 where none does."""
    if len(data) < 2 or data[0] == 0 or data[0] & 0x1F == 0x1F or data[1] == 0x80:
        return 0
    count = data[1] & 0x7F if data[1] > 0x80 else 0
    size = _content_size(data)
    if count and (len(data) < 2 + count or data[2] == 0 or size < 0x80):
        return 0
    return 2 + count + size


@functools.cache
def mend_lengths() -> None:
    """Teach asn1crypto 1.5 that a definite length may end in the octet 0x80; once a process, before it encodes.

    It takes such a header (`82 05 80`) for that of an indefinite length and encodes all below anew, twice a level:
    one signature in some twenty took minutes. What comes out is the same bytes.
    """
    from asn1crypto import core

    def mended(original: Any) -> Any:
        def dump(self: Any, force: bool = False) -> Any:
            header = self._header
            if force or header is None or len(header) == 2 or header[-1:] != b"\x80":
                return original(self, force)
            contents = self.contents  # drops the header where a child was changed
            return original(self) if self._header is None else self._header + contents + self._trailer

        return dump

    core.Sequence.dump = mended(core.Sequence.dump)
    core.SequenceOf.dump = mended(core.SequenceOf.dump)
