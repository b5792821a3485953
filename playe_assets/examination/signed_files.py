"""The files of one document, signed: JSON and detached signature first, for the PDF shows what they are.

A time stamp that cannot be had does not stop a report after hours of work: the signatures are made without it, and
the document, its PDF and the log say so (docs/signing.md). Any other fault of the key stops it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.errors import IntegrityError, PlayeError, TransientError
from playe_assets.exporters.pdf_signature import appearance, box, reason
from playe_assets.exporters.signatures import SignatureFacts, judge_pdf, verify_detached
from playe_assets.exporters.signer import Signer

Signatures = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Document:
    """A report or a notice that is about to be written."""

    stem: str
    """`report` or `notice`."""
    id: str
    language: str
    build: Callable[[Signatures], dict[str, Any]]
    """Its JSON, given what it is about to be signed with."""
    render: Callable[[Mapping[str, Any], str], bytes]
    """Its PDF, given its JSON and the sha256 of the JSON's bytes."""


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """The file's one byte form: two-blank indent, sorted keys, UTF-8, a newline at the end."""
    plain = json.dumps(to_plain(report), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return plain.encode("utf-8") + b"\n"


def signed_files(
    document: Document, signer: Signer | None, unstamped: Callable[[str, PlayeError], None]
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The JSON and the files by name: JSON, PDF and, with a signer, the detached signature.

    Raises:
        IntegrityError: a signature just made does not verify.
    """
    if signer is None:
        return _files(document, None)
    try:
        return _files(document, signer)
    except TransientError as problem:
        if not signer.tsa_url:
            raise
        unstamped(document.id, problem)
    return _files(document, signer.without_time())


def _files(document: Document, signer: Signer | None) -> tuple[dict[str, Any], dict[str, bytes]]:
    json_name, pdf_name = f"{document.stem}.json", f"{document.stem}.pdf"
    content = document.build(tuple(signer.facts(json_name, pdf_name)) if signer else ())
    data = report_bytes(content)
    p7s = (
        signer.sign_detached(data) if signer else b""
    )  # the authority is asked before the PDF takes its seconds
    pdf = document.render(content, hashlib.sha256(data).hexdigest())
    if signer is None:
        return content, {json_name: data, pdf_name: pdf}
    facts = signer.facts(json_name, pdf_name)[0]
    shown = appearance(facts, document.id, document.language)
    pdf = signer.sign_pdf(pdf, box(), shown, reason(document.id, document.language))
    _hold(signer, verify_detached(data, p7s, None, signer.tsa_roots, name=json_name))
    _hold(signer, judge_pdf(pdf, None, signer.tsa_roots, None, pdf_name))
    return content, {json_name: data, pdf_name: pdf, f"{json_name}.p7s": p7s}


def _hold(signer: Signer, facts: SignatureFacts) -> None:
    """What was signed must verify before anybody gets it; a stamp that does not is as good as none."""
    if not facts.intact or facts.certificate_sha256 != signer.certificate_sha256:
        raise IntegrityError("signing.own", file=facts.file, problem=facts.problem or facts.state)
    if signer.tsa_url and signer.tsa_roots is not None and not facts.stamp_trusted:
        raise TransientError("signing.stamp", problem=f"{facts.authority}: no root in tsa_roots")
