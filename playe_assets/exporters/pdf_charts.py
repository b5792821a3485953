"""Plots that say sooner what a table says: findings over time, measures against thresholds, a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import ACCENT, BAD, FONT, GOOD_SHADE, INK, LINE, MUTED, WIDTH
from playe_assets.exporters.pictures import SCALE_COLOURS

_BINS = 240
"""A lane is drawn in at most so many marks, so that a day of video costs no more than a minute."""
_TRACK_ROWS = 12


def time_line(found: Mapping[str, Any], frames: int, say: Say) -> Any:
    """One lane for each detector and label with the frames in which it found something, and the tracks below.

    x: index of the frame, 0 at the left edge, `frames` at the right.
    """
    lanes = [(_lane_name(x, say), x["frames"]) for x in found["timeline"]]
    tracks = found["tracks"][:_TRACK_ROWS]
    left, lane, gap = 118.0, 13.0, 4.0
    height = (lane + gap) * (len(lanes) + len(tracks)) + 20
    drawing, shapes = _drawing(height)
    scale = (WIDTH - left - 10) / max(1, frames)
    y = height - lane
    for name, marks in lanes:
        _lane(drawing, shapes, name, left, y, lane)
        peak = max((n for _, n in marks), default=1)
        for at, count in _binned(marks, frames):
            high = lane * (0.35 + 0.65 * count / peak)
            wide = max(1.2, scale * max(1.0, frames / _BINS))
            drawing.add(_rect(shapes, left + at * scale, y, wide, high, ACCENT))
        y -= lane + gap
    for t in tracks:
        name = say("track.name", n=t["number"], label=say.word("label", t["label"]))
        _lane(drawing, shapes, name, left, y, lane)
        wide = max(2.0, (t["last_frame"] - t["first_frame"] + 1) * scale)
        drawing.add(_rect(shapes, left + t["first_frame"] * scale, y + 4, wide, lane - 8, "#5b86b5"))
        drawing.add(_rect(shapes, left + t["best_frame"] * scale - 0.8, y + 1, 1.6, lane - 2, BAD))
        y -= lane + gap
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = round(share * max(0, frames - 1))
        drawing.add(_text(shapes, left + at * scale, 4, str(at), "middle" if share else "start"))
    drawing.add(_text(shapes, 0, 4, say("chart.frame"), "start"))
    return drawing


def strip(values: Sequence[tuple[str, float]], low: float | None, high: float | None, say: Say) -> Any:
    """One dot an exhibit, the allowed range shaded, dots outside it red. `values`: exhibit number, value."""
    left, height, base = 46.0, 92.0, 18.0
    drawing, shapes = _drawing(height)
    wide, tall = WIDTH - left - 10, height - base - 14
    edges = [v for _, v in values] + [x for x in (low, high) if x is not None]
    bottom, top = min(edges), max(edges)
    pad = (top - bottom) * 0.12 or abs(top) * 0.1 or 1.0
    bottom, top = bottom - pad, top + pad

    def place(value: float) -> float:
        return base + tall * (value - bottom) / (top - bottom)

    floor = place(low) if low is not None else base
    ceiling = place(high) if high is not None else base + tall + 6
    drawing.add(_rect(shapes, left, floor, wide, ceiling - floor, GOOD_SHADE))
    for limit in (low, high):
        if limit is not None:
            drawing.add(_line(shapes, left, place(limit), left + wide, place(limit), BAD, 0.8))
            drawing.add(_text(shapes, left - 4, place(limit) - 2.5, say.number(limit, 2), "end", BAD))
    drawing.add(_line(shapes, left, base, left + wide, base, LINE, 0.6))
    step = wide / len(values)
    every = max(1, -(-len(values) // 18))
    for i, (name, value) in enumerate(values):
        x = left + step * (i + 0.5)
        bad = (low is not None and value < low) or (high is not None and value > high)
        drawing.add(_dot(shapes, x, place(value), 2.6 if len(values) <= 60 else 1.5, BAD if bad else ACCENT))
        if len(values) <= 18:
            # Beside the dot where it lies outside: above it the line of the threshold would cross the figure.
            where = (x + 5, place(value) - 2.5, "start") if bad else (x, place(value) + 4.5, "middle")
            drawing.add(_text(shapes, where[0], where[1], say.number(value, 2), where[2], INK))
        if i % every == 0:
            drawing.add(_text(shapes, x, 6, name, "middle"))
    return drawing


def colour_scale(high: float, width: float) -> Any:
    """The contributors' scale, 1 at the left, `high` at the right."""
    from reportlab.graphics import shapes
    from reportlab.lib.colors import Color

    drawing = shapes.Drawing(width, 16)
    parts, span = 48, width - 60
    for i in range(parts):
        place = i / (parts - 1) * (len(SCALE_COLOURS) - 1)
        index = min(int(place), len(SCALE_COLOURS) - 2)
        mix = [
            a + (b - a) * (place - index)
            for a, b in zip(SCALE_COLOURS[index], SCALE_COLOURS[index + 1], strict=True)
        ]
        cell = shapes.Rect(14 + span * i / parts, 3, span / parts + 0.4, 9)
        cell.fillColor, cell.strokeColor = Color(*(c / 255 for c in mix)), None
        drawing.add(cell)
    drawing.add(_text(shapes, 8, 4.5, "1", "end"))
    drawing.add(_text(shapes, 20 + span, 4.5, f"{high:.0f}", "start"))
    return drawing


def _lane_name(lane: Mapping[str, Any], say: Say) -> str:
    return f"{say.word('label', lane['label'])} ({lane['detector']})"


def _binned(marks: Sequence[Sequence[int]], frames: int) -> list[tuple[int, int]]:
    if len(marks) <= _BINS:
        return [(f, n) for f, n in marks]
    bins: dict[int, int] = {}
    for frame, count in marks:
        at = frame * _BINS // max(1, frames)
        bins[at] = max(bins.get(at, 0), count)
    return [(at * frames // _BINS, n) for at, n in sorted(bins.items())]


def _drawing(height: float) -> tuple[Any, Any]:
    from reportlab.graphics import shapes

    drawing = shapes.Drawing(WIDTH, height)
    return drawing, shapes


def _lane(drawing: Any, shapes: Any, name: str, left: float, y: float, lane: float) -> None:
    drawing.add(_rect(shapes, left, y, WIDTH - left - 10, lane, "#f2f5f8"))
    drawing.add(_text(shapes, 0, y + 3.5, name if len(name) <= 30 else name[:29] + "…", "start", INK))


def _rect(shapes: Any, x: float, y: float, width: float, height: float, colour: str) -> Any:
    from reportlab.lib.colors import HexColor

    made = shapes.Rect(x, y, width, height)
    made.fillColor, made.strokeColor = HexColor(colour), None
    return made


def _line(shapes: Any, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> Any:
    from reportlab.lib.colors import HexColor

    return shapes.Line(x1, y1, x2, y2, strokeColor=HexColor(colour), strokeWidth=width)


def _dot(shapes: Any, x: float, y: float, radius: float, colour: str) -> Any:
    from reportlab.lib.colors import HexColor

    return shapes.Circle(x, y, radius, fillColor=HexColor(colour), strokeColor=None)


def _text(shapes: Any, x: float, y: float, value: str, anchor: str, colour: str = MUTED) -> Any:
    from reportlab.lib.colors import HexColor

    return shapes.String(
        x, y, value, fontName=FONT, fontSize=6.8, textAnchor=anchor, fillColor=HexColor(colour)
    )
