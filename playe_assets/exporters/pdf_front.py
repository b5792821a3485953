"""The first pages: who, what, when, and what came of it at a glance (section 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_custody import signed_word
from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import (
    BAD,
    BOLD,
    GOOD,
    INK,
    WARN,
    WIDTH,
    box,
    chip,
    markup,
    pairs,
    para,
    sha,
    table,
)
from playe_assets.exporters.pdf_view import View


def front(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Title, verdicts at a glance, section 1 and the list of exhibits."""
    view = View(report)
    admin = view.sections["administration"]
    return [
        para(say("title"), "title"),
        para(say.joined(report["report_id"], admin["case"]["title"]), "subtitle", limit=300),
        _tiles(view, say),
        _outcome(view, say),
        *heading(say("s1")),
        _facts(report, say),
        box([para(say("items_only"), "strong"), para(say("no_copy"), "body")]),
        _signature(admin["laboratory"], say),
        *heading(say("glance"), 2),
        _glance(view, say),
    ]


def _tiles(view: View, say: Say) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table

    counts = view.sections["exhibits"]["counts"]
    unused = counts["quarantined"] + counts["refused"]
    remarks = sum(view.standing(e)[0] in ("remarks", "partial") for e in view.exhibits)
    tiles = [
        (counts["received"], "tile.received", INK),
        (len(view.examined()), "tile.examined", GOOD),
        (unused, "tile.unused", WARN if unused else INK),
        (remarks, "tile.remarks", WARN if remarks else INK),
        (len(view.withheld), "tile.withheld", BAD if view.withheld else INK),
    ]
    cells = [
        [markup(f'<font name="{BOLD}" size="19" color="{c}">{n}</font>', "body", 1) for n, _, c in tiles],
        [para(say(key), "muted", 1) for _, key, _ in tiles],
    ]
    made = Table(cells, colWidths=[WIDTH / len(tiles)] * len(tiles), rowHeights=[36, None])
    made.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), HexColor("#f2f5f8")),
            ("LINEBEFORE", (1, 0), (-1, -1), 3, HexColor("#ffffff")),
            ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
            ("VALIGN", (0, 1), (-1, 1), "TOP"),
            ("BOTTOMPADDING", (0, 0), (-1, 0), 10),  # the figure is taller than its line
            ("BOTTOMPADDING", (0, 1), (-1, 1), 8),
        ]
    )
    made.spaceBefore = made.spaceAfter = 8
    return made


def _outcome(view: View, say: Say) -> Any:
    """Two or three sentences that a reader in a hurry takes along."""
    integrity = [v for v in view.findings["verdicts"] if v["kind"] == "integrity"]
    failed = [v for v in view.findings["verdicts"] if not v["passed"]]
    lines = [
        para(say("outcome.integrity", n=sum(v["passed"] for v in integrity), m=len(integrity)), "strong")
    ]
    lines.append(para(say(f"outcome.ai.{view.learned()}"), "body"))
    if view.withheld:
        lines.append(para(say("outcome.withheld", items=", ".join(sorted(view.withheld))), "body"))
    elif failed:
        lines.append(para(say("outcome.remarks", n=len(failed)), "body"))
    else:
        lines.append(para(say("outcome.clean"), "body"))
    return box(lines, "bad" if view.withheld else "warn" if failed else "good")


def _facts(report: Mapping[str, Any], say: Say) -> Any:
    admin = report["sections"]["administration"]
    lab, case, dates, preset = admin["laboratory"], admin["case"], admin["dates"], admin["preset"]
    title = preset["title"].get(say.language) or preset["name"]
    rows: list[tuple[str, Any]] = [
        (say("report_id"), report["report_id"]),
        (say("lab"), ", ".join(x for x in (lab["name"], lab["address"]) if x) or "—"),
        (say("accreditation"), lab["accreditation"] or say("accreditation.none")),
        (say("case"), say.joined(case["id"], case["title"])),
        (say("customer"), case["customer"] or "—"),
        (say("request"), case["request"] or "—"),
        (
            say("operator"),
            say(
                "operator.value",
                id=admin["operator"]["id"],
                **{k: say.word(k, admin["operator"][k]) for k in ("role", "auth")},
            ),
        ),
        (
            say("dates"),
            markup(
                "<br/>".join(
                    f"{say('date.' + k)}: {say.utc(dates[k])}" for k in ("received", "performed", "issued")
                ),
                "cell",
            ),
        ),
        (say("preset"), f"{title} ({preset['name']} {preset['version']})"),
        (say("preset_sha"), sha(preset["sha256"])),
        (say("examination_id"), sha(admin["examination_id"])),
        (say("findings_sha"), sha(report["findings_sha256"])),
        (say("audit_mode"), say.word("audit", admin["audit_mode"])),
        (say("front.signature"), signed_word(report["sections"]["custody"]["signatures"], say)),
    ]
    if admin["supersedes"]:
        before = admin["supersedes"]
        rows.append(
            (say("supersedes"), say("supersedes.value", id=before["report_id"], sha=before["sha256"]))
        )
    if admin["repeats"]:
        same = all(r["findings_sha256"] == report["findings_sha256"] for r in admin["repeats"])
        ids = ", ".join(r["report_id"] for r in admin["repeats"])
        rows.append((say("repeats"), say("repeats.same" if same else "repeats.differ", ids=ids)))
    return pairs(rows)


def _signature(lab: Mapping[str, Any], say: Say) -> Any:
    from reportlab.platypus import KeepTogether

    rows = [
        [say("authorised"), say("signature"), say("date")],
        [lab["authorised_by"] or "", "", ""],
    ]
    return KeepTogether([table(rows, [46, 34, 20], extra=[("BOTTOMPADDING", (0, 1), (-1, 1), 20)])])


def _glance(view: View, say: Say) -> Any:
    rows: list[list[Any]] = [
        [
            say("col.exhibit"),
            say("col.name"),
            say("col.kind"),
            say("col.size"),
            say("col.found"),
            say("col.standing"),
        ]
    ]
    for e in view.exhibits:
        word, tone = view.standing(e)
        found = view.detections.get(e["number"])
        counts = found["counts"] if found else {}
        rows.append(
            [
                e["number"],
                para(e["name_shown"], "cell", limit=160),
                say.word("media", e["media"]) if e["media"] else "—",
                _dimensions(e, say),
                ", ".join(f"{say.word('label', k)} {n}" for k, n in sorted(counts.items()) if n) or "—",
                chip(say.word("standing", word), tone),
            ]
        )
    return table(rows, [9, 30, 14, 17, 14, 16])


def _dimensions(exhibit: Mapping[str, Any], say: Say) -> str:
    facts = exhibit["facts"]
    if not facts:
        return say.size(exhibit["size"])
    size = f"{facts['width']} × {facts['height']}"
    if facts["frame_count"] > 1:
        size += ", " + say("frames_short", n=facts["frame_count"])
    return size
