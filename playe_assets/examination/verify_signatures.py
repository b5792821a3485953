"""The signatures on a report's or notice's files: there where the document says so, and intact."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import PlayeError
from playe_assets.examination.settings import Settings
from playe_assets.examination.signing import trust_roots, tsa_roots
from playe_assets.examination.verify_documents import Document
from playe_assets.examination.verify_found import Difference, NotCompared
from playe_assets.examination.verify_log import Logged

if TYPE_CHECKING:
    from playe_assets.exporters.signatures import SignatureFacts


def against_signatures(
    document: Document, logged: Logged, settings: Settings
) -> Iterator[Difference | NotCompared]:
    """Every signature that the document states, with its file, against the file that it signs."""
    name = f"{document.kind}.json"
    stated = [s for s in document.custody.get("signatures") or () if isinstance(s, dict)]
    beside = document.folder / f"{name}.p7s"
    issued = logged.issued_files.get(document.name, set())
    facts = {"report": document.name}
    if beside.is_file() and issued and hashlib.sha256(beside.read_bytes()).hexdigest() not in issued:
        yield Difference("signature_not_in_log", {**facts, "file": beside.name})
    if not stated:
        return
    try:
        roots, stamps = trust_roots(settings), tsa_roots(settings)
    except PlayeError as problem:
        yield NotCompared("signature_roots", {**facts, "problem": str(problem)})
        roots = stamps = None
    for entry in stated:
        file = str(entry.get("file") or "")
        path = document.folder / file
        if file not in (beside.name, f"{document.kind}.pdf") or not path.is_file():
            yield Difference("signature_absent", {**facts, "file": file or "-"})
            continue
        judged = _judged(document, file, roots, stamps)
        if not judged.intact:
            yield Difference(
                "signature_broken", {**facts, "file": file, "problem": judged.problem or judged.state}
            )
        elif judged.certificate_sha256 != entry.get("certificate_sha256"):
            yield Difference("signature_other", {**facts, "file": file, "signer": judged.signer,
                                                 "stated": str(entry.get("signer") or "-")})  # fmt: skip
        elif not judged.trusted:
            yield NotCompared("signature_untrusted", {**facts, "file": file, "signer": judged.signer})


def _judged(document: Document, file: str, roots: Any, stamps: Any) -> SignatureFacts:
    from playe_assets.exporters.signatures import verify_detached, verify_pdf

    path = document.folder / file
    if file.endswith(".pdf"):
        return verify_pdf(path, roots, stamps)
    signed = document.folder / file.removesuffix(".p7s")
    return verify_detached(signed.read_bytes(), path.read_bytes(), roots, stamps, name=signed.name)
