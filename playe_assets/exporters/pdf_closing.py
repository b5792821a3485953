"""Sections 9 and 10: limitations, the custody log's extract, how to verify and how to run it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_custody import checkpoint_block, signature_block, verify_block
from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_signature import reserved
from playe_assets.exporters.pdf_style import FONT, MONO, Plain, box, pairs, para, sha, table

_ROWS_SHOWN = 400
"""Operations of the extract in the PDF; report.json holds every line."""


def limits(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 9."""
    part = report["sections"]["limitations"]
    story: list[Any] = [*heading(say("s9"))]
    for number, item in enumerate(part["items"], start=1):
        story.append(para(f"{number}. " + say(f"limit.{item['code']}", **item["facts"]), "body"))
    reference = part["validation_reference"]
    story.append(
        pairs(
            [
                (say("error_rates"), say("error_rates.none")),
                (say("validation"), reference or say("validation.none")),
            ]
        )
    )
    return story


def custody(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 10."""
    part = report["sections"]["custody"]
    head = part["log_head"]
    return [
        *heading(say("s10")),
        para(say("s10.lead"), "body"),
        pairs([(say("log_head_seq"), str(head["seq"])), (say("log_head_sha"), sha(head["sha256"]))]),
        *checkpoint_block(part, say),
        *signature_block(part["signatures"], say),
        *heading(say("extract"), 2),
        *_extract(part["extract"], say),
        *verify_block(part["verify"], say),
        *heading(say("rerun"), 2),
        para(say("rerun.lead"), "body"),
        box([para(c, "code") for c in part["rerun"]]),
    ]


def ending(report: Mapping[str, Any], json_sha256: str, say: Say) -> Sequence[Any]:
    """The last lines: which report.json this PDF shows, and room for the signature's field."""
    rows = [(say("json_sha"), sha(json_sha256))] if json_sha256 else []
    signatures = report["sections"]["custody"]["signatures"]
    return [*([pairs(rows)] if rows else []), para(say("end"), "muted", 1), *reserved(signatures)]


def _extract(lines: Sequence[Mapping[str, Any]], say: Say) -> list[Any]:
    """Start and end of an operation on one row; plain cells of bounded length, for they are many."""
    joined: dict[str, dict[str, Any]] = {}
    for line in lines:
        key = str(line.get("op_id") or f"seq {line['seq']}")
        row = joined.setdefault(key, {"seqs": []})
        row["seqs"].append(line["seq"])
        for name in ("event", "exhibit", "step", "status", "t_start_utc", "output_sha256", "input_sha256"):
            row[name] = line.get(name) or row.get(name)
    rows: list[list[Any]] = [
        [say(f"col.{k}") for k in ("log", "utc", "event", "exhibit", "step", "outcome", "hash")]
    ]
    for row in list(joined.values())[:_ROWS_SHOWN]:
        low, high = min(row["seqs"]), max(row["seqs"])
        digests = row["output_sha256"] or row["input_sha256"] or []
        rows.append(
            [
                Plain(f"{low}" if low == high else f"{low}–{high}", 11),
                Plain(say.utc(row["t_start_utc"]), 20),
                Plain(row["event"], 28),
                Plain(row["exhibit"] or "—", 7),
                Plain(row["step"] or "—", 20),
                Plain(say.word("outcome", row["status"]) if row["status"] else "—", 10),
                Plain(digests[0] if digests else "—", 12),
            ]
        )
    more = len(joined) - _ROWS_SHOWN
    note = [para(say("extract.more", n=more), "muted")] if more > 0 else []
    plain = [("FONT", (0, 1), (-1, -1), FONT, 6.8, 9.0), ("FONT", (-1, 1), (-1, -1), MONO, 6.4, 9.0)]
    return [table(rows, [10, 18, 24, 8, 18, 10, 12], extra=plain), *note]
