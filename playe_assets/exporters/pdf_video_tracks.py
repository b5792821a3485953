"""Tracks of a clip: a table with their best frames, and a fused track beside the single frame and its uncertainty."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.core.tracks import mark_of
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import (
    BAD,
    WIDTH,
    box,
    chip,
    headed,
    markup,
    pairs,
    para,
    shown,
    table,
    titled,
)
from playe_assets.exporters.pdf_video_charts import Clock, shown_tracks
from playe_assets.exporters.pdf_view import View

_BEST, _BEST_SIDE = 3, 44.0
"""Pictures a row, and the longer side of each in pt."""
_FUSED_TALLEST = 150.0
_FIRST = ("contributors_mean", "registration_residual_px", "noise_sigma", "residual_rms", "standard_error")


def track_table(
    found: Mapping[str, Any],
    items: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, bytes],
    clock: Clock,
    say: Say,
) -> list[Any]:
    """One line a track: when it was seen, its best frames as pictures, how good the best one is."""
    tracks = shown_tracks(found)
    if not tracks:
        return []
    rows: list[list[Any]] = [[say(f"col.{k}") for k in ("track", "seen", "best", "best_frames", "quality")]]
    for t in tracks:
        best = {p["role"]: p for p in items if p["track"] == t["number"] and p["role"].startswith("best_")}
        drawn = [
            _picture(best[f"best_{n}"], pictures, _BEST_SIDE, _BEST_SIDE, say)
            for n in range(1, _BEST + 1)
            if f"best_{n}" in best
        ]
        rows.append([
            f"{t['number']}: {say.word('label', t['label'])}\n{t['detector']}",
            f"{_when(t['first_frame'], clock, say)} –\n{_when(t['last_frame'], clock, say)}\n"
            + say("video.members", n=t["members"])
            + ("\n" + say("video.rejoined", n=t["rejoined"]) if t["rejoined"] else ""),
            _when(t["best_frame"], clock, say) + "\n" + say("video.frame_n", n=t["best_frame"]),
            _row(drawn) if drawn else para("—", "cell"),
            _quality(t["quality"], say),
        ])  # fmt: skip
    drawn_of = {p["track"] for p in items}
    note = say("video.tracks_note")
    if any(t["number"] not in drawn_of for t in tracks):
        note += " " + say("video.tracks_undrawn")
    return [*titled(say("video.tracks")), table(rows, [17, 19, 15, 32, 17]), para(note, "muted")]


def fused_tracks(number: str, view: View, pictures: Mapping[str, bytes], clock: Clock, say: Say) -> list[Any]:
    """Each fused track: the single frame, the fused picture and its uncertainty, with the figures and what it is."""
    from reportlab.platypus import KeepTogether

    story: list[Any] = []
    for fused in view.steps[number]["fused"]:
        mark = mark_of(fused["track"])
        title = say("video.fused_mark" if mark else "video.fused_track", n=mark or fused["track"],
                    label=say.word("label", fused["label"]))  # fmt: skip
        items = {p["role"]: p for p in view.pictures[number] if p["track"] == fused["track"]}
        block: list[Any] = [*headed(f"{number} · {shown(title)}", "h3")]
        if fused["derivative"] in view.withheld:
            block.append(chip(say("withheld.title"), "bad"))
        block += [_side_by_side(items, pictures, say), _figures(fused, clock, say)]
        block.append(
            box([para(say("video.fused_what"), "body"), para(say("video.fused_not"), "strong")], "warn")
        )
        story.append(KeepTogether(block))
    return story


def _side_by_side(items: Mapping[str, Mapping[str, Any]], pictures: Mapping[str, bytes], say: Say) -> Any:
    roles = [r for r in ("single", "fused", "uncertainty") if r in items]
    if not roles:
        return para(say("pictures.none"), "muted")
    cell = WIDTH / 3 - 8
    images = [_picture(items[r], pictures, cell, _FUSED_TALLEST, say) for r in roles]
    captions = []
    for role in roles:
        p = items[role]
        scale = p["scale"]
        text = say(
            f"picture.track_{role}",
            gain=say.number(scale.get("gain"), 0),
            peak=say.number(scale.get("unit_max"), 1),
        )
        captions.append(para(f"{text} SHA-256 {p['sha256'][:16]}…", "muted"))
    return _grid([images, captions], [WIDTH / 3] * len(roles))


def _figures(fused: Mapping[str, Any], clock: Clock, say: Say) -> Any:
    first, last = (
        clock.exactly(f) or say("video.frame_n", n=f) for f in (fused["frames"][0], fused["frames"][-1])
    )
    refused = "; ".join(f"{say.word('refused', k)}: {n}" for k, n in sorted(fused["refused"].items()))
    measured = {k: v for k, v in fused["measured"].items() if k != "frames_used"}
    rows: list[tuple[str, Any]] = [
        (
            say("video.fused_frames"),
            say("video.fused_frames_of", n=len(fused["frames"]), first=first, last=last),
        ),
        (
            say("video.fused_best"),
            f"{_when(fused['best_frame'], clock, say)} ({say('video.frame_n', n=fused['best_frame'])})",
        ),
        (say("video.fused_refused"), refused or say("video.fused_refused.none")),
        (
            say("video.fused_measured"),
            "; ".join(f"{say.word('fused', k)}: {say.number(measured[k])}" for k in _told(measured)) or "—",
        ),
        (
            say("video.fused_method"),
            f"{fused['use']} {fused['version']}; {fused['derivative']}, {fused['uncertainty']}",
        ),
    ]
    return pairs(rows)


def _told(measured: Mapping[str, float]) -> list[str]:
    """What is measured, the telling figures first; nothing of a deconvolution that goes no rounds."""
    first = [k for k in _FIRST if k in measured]
    rest = sorted(k for k in measured if k not in _FIRST)
    return first + [k for k in rest if k != "deconvolution_rounds" or measured[k]]


def _quality(quality: Mapping[str, float], say: Say) -> str:
    order = ("overall", "size", "sharpness", "pose")
    names = [k for k in order if k in quality] + sorted(set(quality) - set(order))
    return "\n".join(f"{say.word('quality', k)}: {say.number(quality[k], 2)}" for k in names) or "—"


def _when(frame: int, clock: Clock, say: Say) -> str:
    return clock.exactly(frame) or say("video.frame_n", n=frame)


def _picture(
    item: Mapping[str, Any], pictures: Mapping[str, bytes], wide: float, tall: float, say: Say
) -> Any:
    from reportlab.platypus import Image

    data = pictures.get(item["sha256"])
    if data is None:
        return markup(
            f'<font color="{BAD}">{shown(say("picture.absent", sha=item["sha256"][:16]))}</font>', "cell"
        )
    factor = min(wide / item["width"], tall / item["height"])
    made = Image(io.BytesIO(data), item["width"] * factor, item["height"] * factor)
    made.hAlign = "LEFT"
    return made


def _row(images: Sequence[Any]) -> Any:
    return _grid([list(images)], [_BEST_SIDE + 5] * len(images))


def _grid(lines: Sequence[Sequence[Any]], widths: Sequence[float]) -> Any:
    from reportlab.platypus import Table

    made = Table([list(line) for line in lines], colWidths=list(widths), hAlign="LEFT")
    made.setStyle(
        [
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ]
    )
    return made
