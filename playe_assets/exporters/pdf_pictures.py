"""Sections 7 and 8: the pictures side by side, the frames' account, and the statement on learned models."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_charts import colour_scale
from playe_assets.exporters.pdf_page import heading
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import BAD, LINE, WIDTH, box, chip, markup, para, shown, table
from playe_assets.exporters.pdf_video import clips
from playe_assets.exporters.pdf_view import View
from playe_assets.exporters.pictures import reduced

_ROLES = (("before", "after"), ("difference", "contributors", "consistency", "uncertainty"), ("faces",))
_GAP = 12.0
_WHOLE_UP_TO, _REDUCED_SIDE = 80, 480
"""Pictures that the PDF holds whole; a longer case shows JPEGs of 480 px (142 dpi), or 200 exhibits would be 0.5 GB."""
_TALLEST = {"before": 150.0, "after": 150.0}
_TALLEST_MAP = 88.0
"""pt; so that two exhibits with five pictures each share a page."""
_TALLEST_UPRIGHT = 250.0
_UPRIGHT = 1.15
"""From this ratio of height to width on, all pictures of an exhibit stand in one row."""


def pictures_section(report: Mapping[str, Any], pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 7: each exhibit beside its derivative, the difference, the map of fused frames."""
    from reportlab.platypus import CondPageBreak

    view = View(report)
    room = 400 if view.examined() else 0  # for the first exhibit's pictures below the section's title
    story: list[Any] = [CondPageBreak(room), *heading(say("s7")), para(say("s7.lead"), "body")]
    named = {p["sha256"] for items in view.pictures.values() for p in items}
    count, shown_as = len(named), pictures
    if count > _WHOLE_UP_TO:
        shown_as = {k: reduced(v, _REDUCED_SIDE) for k, v in pictures.items() if k in named}
        story.append(para(say("s7.reduced", n=count, side=_REDUCED_SIDE), "body"))
    for e in view.examined():
        story += _exhibit(e, view, shown_as, say)
    return [*story, *_frames(view, say), *clips(view, shown_as, say)]


def ai_statement(report: Mapping[str, Any], _pictures: Mapping[str, bytes], say: Say) -> Sequence[Any]:
    """Section 8: a line for what is said alike of an exhibit's derivatives, after an explanation of the classes."""
    view = View(report)
    rows: list[list[Any]] = [
        [say("col.derivative"), say("col.exhibit"), say("col.kind"), say("col.class"), say("col.training"),
         say("col.adds"), say("col.use")]
    ]  # fmt: skip
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for s in view.sections["ai_statement"]["items"]:
        learned = ", ".join(x["use"] for x in s["learned_steps"])
        training = say.word("training", s["training_data"]) + (f" ({learned})" if learned else "")
        adds = say("adds.yes" if s["may_add_detail"] else "adds.no")
        said = (s["exhibit"], s["ai_class"], training, adds, say.word("use", s["permitted_use"]))
        alike.setdefault(said, []).append(s)
    for (exhibit, ai_class, *said_of_it), group in alike.items():
        kinds = Counter(say.word("kind", s["kind"]) for s in group)
        rows.append(
            [
                numbers([s["derivative"] for s in group]),
                exhibit,
                ", ".join(kind if n == 1 else f"{n} × {kind}" for kind, n in kinds.items()),
                chip(say.word("ai", ai_class), {"none": "good", "fidelity": "warn"}.get(ai_class, "bad")),
                *said_of_it,
            ]
        )
    return [
        *heading(say("s8")),
        box([para(say(f"outcome.ai.{view.learned()}"), "strong"), para(say("s8.lead"), "body")]),
        table(rows, [11, 8, 18, 16, 17, 11, 19]),
    ]


def numbers(listed: Sequence[str]) -> str:
    """`D001, D004 – D006`: three or more that follow one another as a range."""
    runs: list[list[str]] = []
    for number in listed:
        follows = runs and int(number[1:]) == int(runs[-1][-1][1:]) + 1
        if follows:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} – {run[-1]}" if len(run) > 2 else ", ".join(run) for run in runs)


def _exhibit(e: Mapping[str, Any], view: View, pictures: Mapping[str, bytes], say: Say) -> list[Any]:
    from reportlab.platypus import KeepTogether

    number = e["number"]
    items = {p["role"]: p for p in view.pictures[number] if p["track"] is None}
    title = markup(f"{number} · {shown(e['name_shown'], 200)}", "h2")
    story: list[Any] = []
    failure = view.failure(number)
    withheld = [view.withheld[d["number"]] for d in view.derivatives[number] if d["number"] in view.withheld]
    if failure or withheld:
        story.append(_notice(failure, withheld, say))
    for row in _rows(items):
        story.append(_side_by_side(row, pictures, say))
    if not story:
        story.append(para(say("pictures.none"), "muted"))
    return [KeepTogether([title, *story])]


def _notice(failure: Mapping[str, Any] | None, withheld: Sequence[Mapping[str, Any]], say: Say) -> Any:
    lines = [para(say("withheld.title"), "strong")]
    if failure:
        lines.append(para(say("step.failed", why=say.reason(failure)), "body"))
    told: set[str] = set()
    for w in withheld:
        v = w["verdict"]
        if v is None:
            continue
        numbers = ", ".join(x["derivative"] for x in withheld if x["verdict"] == v)
        line = say(
            "withheld.why" if say.bounds(v["allowed"]) != "—" else "withheld.unjudged",
            derivative=numbers,
            expectation=say.expected(v["expectation"]) if v["expectation"] else say.gate(v["gate"]),
            observed=say.figure(v["observed"]),
            allowed=say.bounds(v["allowed"]),
        )
        if line not in told:
            told.add(line)
            lines.append(para(line, "body"))
    return box(lines, "bad")


def _rows(items: Mapping[str, Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Before beside after, the maps below them in one row; upright pictures all in one row."""
    rows = [[items[r] for r in pair if r in items] for pair in _ROLES]
    if all(p["height"] >= _UPRIGHT * p["width"] for p in items.values()):
        rows = [[p for row in rows for p in row]]
    return [row for row in rows if row]


def _side_by_side(row: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes], say: Say) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table

    columns = max(2, len(row))
    cell = (WIDTH - _GAP * (columns - 1)) / columns
    images = [_image(p, pictures, cell, say) for p in row]
    captions = [[para(_caption(p, say), "muted"), *_scale(p, cell)] for p in row]
    lines = [images, captions] if len(row) > 1 else [[images[0], captions[0]]]  # alone: its caption beside it
    made = Table(lines, colWidths=[cell + _GAP] * (columns - 1) + [cell])
    made.setStyle(
        [
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-2, -1), _GAP),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, 0), 1),
            ("LINEBELOW", (0, -1), (-1, -1), 0.3, HexColor(LINE)),
        ]
    )
    made.spaceAfter = 4
    return made


def _image(picture: Mapping[str, Any], pictures: Mapping[str, bytes], cell: float, say: Say) -> Any:
    from reportlab.platypus import Image

    data = pictures.get(picture["sha256"])
    if data is None:
        absent = shown(say("picture.absent", sha=picture["sha256"][:16]))
        return markup(f'<font color="{BAD}">{absent}</font>', "cell")
    upright = picture["height"] >= _UPRIGHT * picture["width"]
    tallest = _TALLEST_UPRIGHT if upright else _TALLEST.get(picture["role"], _TALLEST_MAP)
    factor = min(cell / picture["width"], tallest / picture["height"])
    made = Image(io.BytesIO(data), picture["width"] * factor, picture["height"] * factor)
    made.hAlign = "LEFT"
    return made


def _caption(picture: Mapping[str, Any], say: Say) -> str:
    scale = picture["scale"]
    text = say(
        f"picture.{picture['role']}",
        gain=say.number(scale.get("gain"), 0),
        peak=say.number(scale.get("unit_max"), 0),
        high=say.number(scale.get("high"), 0),
    )
    if picture["frame"] is not None:
        text += " " + say("picture.frame", n=picture["frame"])
    return f"{text} SHA-256 {picture['sha256'][:16]}…"


def _scale(picture: Mapping[str, Any], cell: float) -> list[Any]:
    if picture["role"] != "contributors" or "high" not in picture["scale"]:
        return []
    return [colour_scale(picture["scale"]["high"], cell)]


def _frames(view: View, say: Say) -> list[Any]:
    rows: list[list[Any]] = [
        [say("col.exhibit"), *(say(f"frames.{k}") for k in
         ("promised", "decoded", "corrupt", "not_decoded", "dropped", "added", "interpolated", "repeated",
          "written"))]
    ]  # fmt: skip
    for f in view.sections["pictures"]["frames"]:
        rows.append([f["exhibit"], *(str(f[k]) for k in
                     ("promised", "decoded", "corrupt", "not_decoded", "dropped", "added", "interpolated",
                      "repeated", "written"))])  # fmt: skip
    if len(rows) == 1:
        return []
    clean = all(not (f["dropped"] or f["added"] or f["interpolated"] or f["repeated"] or f["not_decoded"])
                for f in view.sections["pictures"]["frames"])  # fmt: skip
    return [
        *heading(say("frames"), 2),
        para(say("frames.clean" if clean else "frames.lead"), "body"),
        table(rows, [9, 9, 11, 11, 11, 10, 10, 10, 10, 10]),
    ]
