"""Section 10 as data: the log's extract with its proof, the checkpoint, signatures, and commands that exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.exporters.report_parts import ReportParts

OPENSSL = (
    "openssl cms -verify -binary -inform DER -in {file} -content {content} -CAfile ROOTS.pem -purpose any "
    "-out /dev/null"
)
"""`ROOTS.pem`: the root certificates that whoever verifies trusts; nobody else can choose them."""


def custody_section(parts: ReportParts) -> dict[str, Any]:
    """Section 10 of the report."""
    return {
        "log_head": to_plain(parts.log_head),
        "extract": to_plain(parts.log),
        "checkpoint": to_plain(parts.checkpoint),
        "proof": None
        if parts.checkpoint is None
        else {"size": parts.checkpoint.size, "hashes": list(parts.proof)},
        "signatures": to_plain(parts.signatures),
        "time_stamps": to_plain(parts.time_stamps),
        "verify": _verify(parts),
        "rerun": ["playe report verify report.json --rerun --exhibits DIR"],
    }


def _verify(parts: ReportParts) -> list[str]:
    found = [f"playe case verify {parts.case.id}", "playe report verify report.json"]
    if parts.checkpoint is not None:
        found.append("playe audit verify --checkpoint report.json")
    return [*found, *signature_commands(parts.signatures)]


def signature_commands(signatures: Sequence[Mapping[str, Any]]) -> list[str]:
    """How a stranger checks the detached signatures without PLAYE."""
    detached = [s["file"] for s in signatures if str(s["form"]).startswith("CMS")]
    return [OPENSSL.format(file=file, content=file.removesuffix(".p7s")) for file in detached]
