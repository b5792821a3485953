"""Plots that say sooner what a table says: measures against thresholds, a scale; and the shapes they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import ACCENT, BAD, FONT, GOOD_SHADE, INK, LINE, MUTED, WIDTH
from playe_assets.exporters.pictures import SCALE_COLOURS


def strip(values: Sequence[tuple[str, float]], low: float | None, high: float | None, say: Say) -> Any:
    """One dot an exhibit, the allowed range shaded, dots outside it red. `values`: exhibit number, value."""
    left, height, base = 46.0, 92.0, 18.0
    drawing, shapes = drawing_of(height)
    wide, tall = WIDTH - left - 10, height - base - 14
    edges = [v for _, v in values] + [x for x in (low, high) if x is not None]
    bottom, top = min(edges), max(edges)
    pad = (top - bottom) * 0.12 or abs(top) * 0.1 or 1.0
    bottom, top = bottom - pad, top + pad

    def place(value: float) -> float:
        return base + tall * (value - bottom) / (top - bottom)

    floor = place(low) if low is not None else base
    ceiling = place(high) if high is not None else base + tall + 6
    drawing.add(rect_of(shapes, left, floor, wide, ceiling - floor, GOOD_SHADE))
    for limit in (low, high):
        if limit is not None:
            drawing.add(line_of(shapes, left, place(limit), left + wide, place(limit), BAD, 0.8))
            drawing.add(text_of(shapes, left - 4, place(limit) - 2.5, say.number(limit, 2), "end", BAD))
    drawing.add(line_of(shapes, left, base, left + wide, base, LINE, 0.6))
    step = wide / len(values)
    every = max(1, -(-len(values) // 18))
    for i, (name, value) in enumerate(values):
        x = left + step * (i + 0.5)
        bad = (low is not None and value < low) or (high is not None and value > high)
        drawing.add(_dot(shapes, x, place(value), 2.6 if len(values) <= 60 else 1.5, BAD if bad else ACCENT))
        if len(values) <= 18:
            # Beside the dot where it lies outside: above it the line of the threshold would cross the figure.
            where = (x + 5, place(value) - 2.5, "start") if bad else (x, place(value) + 4.5, "middle")
            drawing.add(text_of(shapes, where[0], where[1], say.number(value, 2), where[2], INK))
        if i % every == 0:
            drawing.add(text_of(shapes, x, 6, name, "middle"))
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
    drawing.add(text_of(shapes, 8, 4.5, "1", "end"))
    drawing.add(text_of(shapes, 20 + span, 4.5, f"{high:.0f}", "start"))
    return drawing


def drawing_of(height: float) -> tuple[Any, Any]:
    """A drawing over the full width, and the module of its shapes."""
    from reportlab.graphics import shapes

    drawing = shapes.Drawing(WIDTH, height)
    return drawing, shapes


def lane_of(drawing: Any, shapes: Any, name: str, left: float, y: float, lane: float) -> None:
    """A grey lane with its name at the left."""
    drawing.add(rect_of(shapes, left, y, WIDTH - left - 10, lane, "#f2f5f8"))
    drawing.add(text_of(shapes, 0, y + 3.5, name if len(name) <= 30 else name[:29] + "…", "start", INK))


def rect_of(shapes: Any, x: float, y: float, width: float, height: float, colour: str) -> Any:
    """A filled rectangle, pt."""
    from reportlab.lib.colors import HexColor

    made = shapes.Rect(x, y, width, height)
    made.fillColor, made.strokeColor = HexColor(colour), None
    return made


def line_of(shapes: Any, x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> Any:
    """A straight line, pt."""
    from reportlab.lib.colors import HexColor

    return shapes.Line(x1, y1, x2, y2, strokeColor=HexColor(colour), strokeWidth=width)


def _dot(shapes: Any, x: float, y: float, radius: float, colour: str) -> Any:
    from reportlab.lib.colors import HexColor

    return shapes.Circle(x, y, radius, fillColor=HexColor(colour), strokeColor=None)


def text_of(shapes: Any, x: float, y: float, value: str, anchor: str, colour: str = MUTED) -> Any:
    """One line of text; `anchor` start, middle or end."""
    from reportlab.lib.colors import HexColor

    return shapes.String(
        x, y, value, fontName=FONT, fontSize=6.8, textAnchor=anchor, fillColor=HexColor(colour)
    )
