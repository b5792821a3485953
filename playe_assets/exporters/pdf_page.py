"""Page frame: header, footer, "page n of m", outline entries; and the deterministic document around them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import unescape

from playe_assets.exporters.pdf_style import (
    ACCENT,
    FONT,
    LINE,
    MARGIN,
    MUTED,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    para,
    register_fonts,
    shown,
)

TOP, BOTTOM = 62.0, 54.0
OF_JSON = "report.json sha256 "


@dataclass(frozen=True)
class Frame:
    """What stands on every page."""

    title: str
    left: str
    right: str
    foot: str
    number: str
    """Pattern with {n} and {m}."""
    language: str
    of: str = ""
    """sha256 of the JSON that this PDF is the face of; stands in its keywords, where a program finds it."""


def heading(text: str, level: int = 1) -> list[Any]:
    """A heading with its entry in the PDF's outline."""
    from reportlab.platypus import CondPageBreak, Flowable

    class Mark(Flowable):  # type: ignore[misc, unused-ignore]
        """Zero height; says where the entry points."""

        def wrap(self, _width: float, _height: float) -> tuple[float, float]:
            return 0.0, 0.0

        def draw(self) -> None:
            key = f"at{self.canv.getPageNumber()}-{level}-{text}"
            self.canv.bookmarkHorizontal(key, 0, 14)
            self.canv.addOutlineEntry(text, key, level - 1, closed=level > 1)

    return [CondPageBreak(130 if level == 1 else 96), Mark(), para(text, f"h{level}")]


def document(story: Sequence[Any], frame: Frame) -> bytes:
    """PDF bytes of `story`: no clock, no random id."""
    from reportlab.platypus import SimpleDocTemplate

    register_fonts()
    out = io.BytesIO()
    made = SimpleDocTemplate(
        out,
        pagesize=(PAGE_WIDTH, PAGE_HEIGHT),
        leftMargin=MARGIN - 6,  # the frame itself pads 6 pt
        rightMargin=MARGIN - 6,
        topMargin=TOP,
        bottomMargin=BOTTOM,
        title=frame.title + " " + frame.left,
        author=frame.right,
        creator="PLAYE",
        keywords=f"{OF_JSON}{frame.of}" if frame.of else None,
        lang=frame.language,
        invariant=1,
        pageCompression=1,
    )
    made.build(list(story), canvasmaker=_canvas(frame))
    return out.getvalue()


def _canvas(frame: Frame) -> Any:
    from reportlab.lib.colors import HexColor
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.pdfgen.canvas import Canvas

    def fitted(value: str, size: float, width: float) -> str:
        plain = unescape(shown(value, 400).replace("<br/>", " "))
        if stringWidth(plain, FONT, size) <= width:
            return plain
        while plain and stringWidth(plain + "…", FONT, size) > width:
            plain = plain[:-1]
        return plain + "…"

    class Numbered(Canvas):  # type: ignore[misc, unused-ignore]
        """Holds the pages back until their number is known."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._held: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 (reportlab's name)
            self._held.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for index, state in enumerate(self._held, start=1):
                self.__dict__.update(state)
                self._edges(index, len(self._held))
                super().showPage()
            super().save()

        def _edges(self, index: int, count: int) -> None:
            right = PAGE_WIDTH - MARGIN
            self.setStrokeColor(HexColor(LINE))
            self.setLineWidth(0.5)
            self.line(MARGIN, PAGE_HEIGHT - 46, right, PAGE_HEIGHT - 46)
            self.line(MARGIN, 42, right, 42)
            self.setFont(FONT, 7.2)
            self.setFillColor(HexColor(ACCENT))
            self.drawString(MARGIN, PAGE_HEIGHT - 40, fitted(frame.left, 7.2, 320))
            self.setFillColor(HexColor(MUTED))
            self.drawRightString(right, PAGE_HEIGHT - 40, fitted(frame.right, 7.2, 165))
            self.drawString(MARGIN, 31, fitted(frame.foot, 7.2, 380))
            self.drawRightString(right, 31, frame.number.format(n=index, m=count))

    return Numbered
