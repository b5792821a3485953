"""Sections 2 and 3: what was received, and that the working copies are what was received."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import chip, headed, markup, para, sha, shown, table
from playe_assets.exporters.pdf_view import View

_EXIF_SHOWN, _EXIF_LENGTH = 24, 90


def exhibits(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 2: one block an exhibit, then what could not be used and why."""
    view = View(report)
    story: list[Any] = [*heading(say("s2")), para(say("s2.lead"), "body")]
    for e in view.exhibits:
        if e["status"] != "quarantined":
            story += _exhibit(e, say)
    story += _unused(view, say)
    return story


def working_copies(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 3: each working copy read again and compared with the digest taken on receipt."""
    items = report["sections"]["working_copies"]["items"]
    rows: list[list[Any]] = [
        [
            say("col.exhibit"),
            say("col.sha_received"),
            say("col.sha_reread"),
            say("col.equal"),
            say("col.decoder"),
        ]
    ]
    for item in items:
        rows.append(
            [
                item["exhibit"],
                sha(item["original_sha256"]),
                sha(item["reread_sha256"]) if item["reread_sha256"] else say("not_reread"),
                chip(say("yes"), "good") if item["equal"] else "—",
                para(item["decoder"] or "—", "cell", limit=120),
            ]
        )
    return [*heading(say("s3")), para(say("s3.lead"), "body"), table(rows, [9, 29, 29, 13, 20])]


def _exhibit(e: Mapping[str, Any], say: Say) -> list[Any]:
    facts = e["facts"]
    rows: list[tuple[str, Any]] = [
        (say("col.status"), _status(e, say)),
        (say("sha256"), sha(e["sha256"])),
        (say("col.size"), say.size(e["size"])),
        (say("delivery"), str(e["delivery"])),
    ]
    if e["reference"]:
        rows.append((say("reference_exhibit"), e["reference"]))
    for r in (*([e["reason"]] if e["reason"] else []), *e["missing"], *e["notes"]):
        rows.append((say("remark"), say.reason(r)))
    if facts:
        rows += _technical(facts, say)
    if e["ledger_sha256"]:
        rows.append((say("ledger"), sha(e["ledger_sha256"])))
    return [
        *headed(f"{e['number']} · {shown(e['name_shown'], 400)}", "h2"),
        _double(rows),
        *_exif(facts["exif"] if facts else None, say),
    ]


def _status(e: Mapping[str, Any], say: Say) -> str:
    if e["role"] == "reference":
        return say.word("standing", "reference")
    status = say.word("status", e["status"])
    return f"{status} ({e['duplicate_of']})" if e["duplicate_of"] else status


def _technical(facts: Mapping[str, Any], say: Say) -> list[tuple[str, Any]]:
    size = f"{facts['width']} × {facts['height']} px, {facts['bit_depth']} {say('unit.bit')}"
    rows: list[tuple[str, Any]] = [
        (say("fact.container"), f"{facts['container']} / {facts['codec']} / {facts['pixel_format']}"),
        (say("fact.frame"), size),
        (say("fact.orientation"), str(facts["orientation"])),
    ]
    colour = [facts[f"colour_{k}"] for k in ("range", "primaries", "transfer", "matrix")]
    if any(colour):
        rows.append((say("fact.colour"), ", ".join(say.word("colour", c) for c in colour if c)))
    if facts["icc_sha256"]:
        rows.append((say("fact.icc"), sha(facts["icc_sha256"])))
    if facts["timing"]:
        rows += [
            (say("fact.frames"), str(facts["frame_count"])),
            (say("fact.timing"), say.word("timing", facts["timing"])),
            (say("fact.time_base"), f"{facts['time_base']} {say('unit.second')}"),
            (say("fact.duration"), _duration(facts, say)),
            (say("fact.rate"), say("fact.rate_value", rate=facts["average_rate"] or "—")),
            (say("fact.interlaced"), say("yes" if facts["interlaced"] else "no")),
            (say("fact.audio"), str(facts["audio_streams"])),
        ]
    rows.append((say("col.decoder"), facts["decoder"]))
    return rows


def _duration(facts: Mapping[str, Any], say: Say) -> str:
    ticks, base = facts["duration_ticks"], facts["time_base"]
    if ticks is None or not base:
        return "—"
    over, _, under = str(base).partition("/")
    seconds = int(ticks) * int(over) / int(under or 1)
    return f"{say.number(seconds)} {say('unit.second')} ({ticks})"


def _double(rows: Sequence[tuple[str, Any]]) -> Any:
    """Two pairs a line: half the height of a plain list."""
    half = (len(rows) + 1) // 2
    cells = []
    for i in range(half):
        line: list[Any] = []
        for j in (i, i + half):
            label, value = rows[j] if j < len(rows) else ("", "")
            line += [
                para(label, "label"),
                para(value, "cell", limit=400) if isinstance(value, str) else value,
            ]
        cells.append(line)
    return table(cells, [15, 36, 15, 34], head=0)


def _exif(exif: Mapping[str, str] | None, say: Say) -> list[Any]:
    if not exif:
        return []
    some = sorted(exif.items())[:_EXIF_SHOWN]
    text = "; ".join(f"<b>{shown(k, 40)}</b> {shown(v, _EXIF_LENGTH)}" for k, v in some)
    more = len(exif) - len(some)
    if more > 0:
        text += " " + say("exif.more", n=more)
    return [markup(f"{say('exif')}: {text}", "small")]


def _unused(view: View, say: Say) -> list[Any]:
    rows: list[list[Any]] = [[say("col.item"), say("col.name"), say("col.why"), say("sha256")]]
    for e in view.exhibits:
        if e["status"] == "quarantined":
            rows.append([e["number"], para(e["name_shown"], "cell", limit=200),
                         say.reason(e["reason"]), sha(e["sha256"])])  # fmt: skip
    for r in view.findings["refused"]:
        rows.append([say("refused"), para(r["name_shown"], "cell", limit=200),
                     say.reason(r["reason"]), say("not_opened")])  # fmt: skip
    story: list[Any] = [*heading(say("unused"), 2)]
    if len(rows) == 1:
        return [*story, para(say("unused.none"), "body")]
    return [*story, para(say("unused.lead"), "body"), table(rows, [11, 27, 34, 28])]
