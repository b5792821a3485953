"""The signature's place on the last page: a field that a viewer can click, drawn with fonts that are embedded."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_page import BOTTOM
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_style import (
    ACCENT,
    BOLD,
    FONT,
    INK,
    MARGIN,
    MONO,
    MUTED,
    SHADE,
    WIDTH,
    register_fonts,
    shown,
)

HEIGHT = 54.0
"""Of the field, points. It stands at the foot of the last page, where `reserved` keeps the room free."""


def box() -> tuple[float, float, float, float]:
    """Where the field stands: left, lower, right, upper, points from the lower left of the page."""
    return (MARGIN, BOTTOM, MARGIN + WIDTH, BOTTOM + HEIGHT)


def reserved(signatures: Sequence[Any]) -> list[Any]:
    """What ends the story of a document that will be signed: the page breaks where the field has no room."""
    from reportlab.platypus import CondPageBreak, Spacer

    room = HEIGHT + 10
    return [CondPageBreak(room), Spacer(1, room)] if signatures else []


def reason(document: str, language: str) -> str:
    """What a viewer shows as the reason of the signature."""
    return Say(language)("signed.reason", id=document)


def appearance(facts: Mapping[str, Any], document: str, language: str) -> bytes:
    """A PDF of one page of the field's size: who signed what with which certificate, and where to check it."""
    from reportlab.lib.colors import HexColor
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.pdfgen.canvas import Canvas

    register_fonts()
    say, out = Say(language), io.BytesIO()
    left, lower, right, upper = box()
    width, height = right - left, upper - lower
    drawn = Canvas(out, pagesize=(width, height), invariant=1, initialFontName=FONT)
    drawn.setFillColor(HexColor(SHADE))
    drawn.setStrokeColor(HexColor(ACCENT))
    drawn.setLineWidth(0.8)
    drawn.roundRect(0.5, 0.5, width - 1, height - 1, 3, fill=1)
    drawn.setFillColor(HexColor(ACCENT))
    drawn.rect(0.5, 0.5, 4, height - 1, fill=1, stroke=0)

    def line(y: float, value: str, font: str, size: float, colour: str) -> None:
        from xml.sax.saxutils import unescape

        plain = unescape(shown(value, 300).replace("<br/>", " "))
        while stringWidth(plain, font, size) > width - 24 and len(plain) > 1:
            plain = plain[:-2] + "…"
        drawn.setFont(font, size)
        drawn.setFillColor(HexColor(colour))
        drawn.drawString(13, y, plain)

    line(40, say("signed.title", id=document), BOLD, 8.4, ACCENT)
    line(29, facts["signer"], FONT, 8.4, INK)
    line(19, say("signed.certificate", digest=facts["certificate_sha256"]), MONO, 6.4, INK)
    line(8, say("signed.check", form=facts["form"], algorithm=facts["algorithm"]), FONT, 6.8, MUTED)
    drawn.save()
    return out.getvalue()
