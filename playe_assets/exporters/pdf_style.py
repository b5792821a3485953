"""The PDF's look in one place: fonts, colours, paragraphs and tables that wrap and never overflow.

Everything that comes from evidence passes `shown`, so that a name can neither become markup nor vanish as
a glyph that the font lacks.
"""

from __future__ import annotations

import functools
import importlib.util
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, unescape

from playe_assets.core.errors import MissingResourceError

FONT, BOLD, MONO = "PlayeSans", "PlayeSans-Bold", "PlayeMono"
_FILES = {
    FONT: "DejaVuSans.ttf",
    BOLD: "DejaVuSans-Bold.ttf",
    "PlayeSans-Oblique": "DejaVuSans-Oblique.ttf",
    MONO: "DejaVuSansMono.ttf",
    "PlayeMono-Bold": "DejaVuSansMono-Bold.ttf",
}
INK, ACCENT, MUTED, LINE, SHADE = "#1b2430", "#1f3a5f", "#5c6876", "#c9d1da", "#f2f5f8"
GOOD, WARN, BAD = "#1d6b3c", "#8a5a00", "#a3202a"
GOOD_SHADE, WARN_SHADE, BAD_SHADE = "#e6f3ea", "#fbf1dc", "#fae7e8"
PAGE_WIDTH, PAGE_HEIGHT = 595.2755905511812, 841.8897637795277
MARGIN = 48.0
WIDTH = PAGE_WIDTH - 2 * MARGIN
CELL_LIMIT = 700
"""Characters of one evidence text in a cell: a row higher than a page cannot be laid out."""

_WEIGHTS = {
    "body": (FONT, 8.4, 12.2, INK),
    "small": (FONT, 7.2, 10.0, INK),
    "muted": (FONT, 7.4, 10.4, MUTED),
    "label": (FONT, 7.4, 10.4, MUTED),
    "cell": (FONT, 7.4, 10.0, INK),
    "head": (BOLD, 7.2, 9.6, ACCENT),
    "strong": (BOLD, 8.4, 12.2, INK),
    "mono": (MONO, 6.6, 9.2, INK),
    "code": (MONO, 7.8, 11.6, INK),
    "h1": (BOLD, 14.0, 18.0, ACCENT),
    "h2": (BOLD, 10.2, 14.0, ACCENT),
    "h3": (BOLD, 8.6, 12.0, INK),
    "title": (BOLD, 22.0, 27.0, ACCENT),
    "subtitle": (FONT, 11.0, 15.0, MUTED),
}


def register_fonts() -> None:
    """Make DejaVu (Latin, Cyrillic, Greek; installed with matplotlib) known to reportlab, once a process.

    Raises:
        MissingResourceError: matplotlib, or one of its font files, is not installed.
    """
    from reportlab import rl_config
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    # Text-safe coding of streams is pure Python (0.5 s a picture of 900 px), and a ~/.reportlab_settings
    # file must not decide the bytes of a report.
    rl_config.useA85 = 0
    if FONT in pdfmetrics.getRegisteredFontNames():
        return
    found = importlib.util.find_spec("matplotlib")  # located, not imported: it is heavy
    if found is None or found.origin is None:
        raise MissingResourceError("report.font", file=_FILES[FONT])
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    for file in _FILES.values():
        if not (folder / file).is_file():
            raise MissingResourceError("report.font", file=file)
    for name, file in reversed(_FILES.items()):  # FONT last: its presence means that all are there
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))
    pdfmetrics.registerFontFamily(FONT, FONT, BOLD, "PlayeSans-Oblique", BOLD)
    pdfmetrics.registerFontFamily(MONO, MONO, "PlayeMono-Bold", MONO, "PlayeMono-Bold")


@functools.cache
def style(name: str, align: int = 0) -> Any:
    """A paragraph style by name; `align` 0 left, 1 centre, 2 right."""
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    font, size, leading, colour = _WEIGHTS[name]
    space = {"h1": (4, 6), "h2": (10, 4), "h3": (7, 2), "body": (0, 4), "title": (0, 4)}.get(name, (0, 0))
    return ParagraphStyle(
        name,
        fontName=font,
        fontSize=size,
        leading=leading,
        textColor=HexColor(colour),
        alignment=align,
        spaceBefore=space[0],
        spaceAfter=space[1],
        splitLongWords=1,
    )


@functools.cache
def _drawable() -> frozenset[int]:
    from reportlab.pdfbase import pdfmetrics

    register_fonts()
    faces = [pdfmetrics.getFont(name).face for name in (FONT, MONO)]
    return frozenset(faces[0].charToGlyph) & frozenset(faces[1].charToGlyph)


def shown(value: object, limit: int = CELL_LIMIT, more: str = "… [+{n}]") -> str:
    """`value` as text for a paragraph: markup escaped; what cannot be drawn, or would reorder or hide the
    text (controls, bidirectional marks), written as `\\uXXXX`; cut after `limit` characters, saying so.
    """
    text = str(value)
    cut = len(text) - limit
    if cut > 0:
        text = text[:limit]
    known = _drawable()
    drawn = "".join(
        c if c == "\n" or (ord(c) in known and unicodedata.category(c)[0] != "C") else _escaped(c)
        for c in text
    )
    if cut > 0:
        drawn += more.format(n=cut)
    return escape(drawn).replace("\n", "<br/>")


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def para(value: object, name: str = "body", align: int = 0, limit: int = CELL_LIMIT) -> Any:
    """A paragraph of text that is never read as markup."""
    from reportlab.platypus import Paragraph

    return Paragraph(shown(value, limit), style(name, align))


def markup(value: str, name: str = "body", align: int = 0) -> Any:
    """A paragraph of our own markup; evidence texts in it have passed `shown`."""
    from reportlab.platypus import Paragraph

    return Paragraph(value, style(name, align))


def headed(value: str, name: str) -> list[Any]:
    """Our own markup as a heading that is never left alone at the foot of a page.

    Not `keepWithNext`: before a table of many pages that would first break the page, wherever it stands.
    """
    from reportlab.platypus import CondPageBreak

    return [CondPageBreak(96 if name != "h1" else 130), markup(value, name)]


def titled(value: str) -> list[Any]:
    """The name of a table or plot: room above it, and never alone at the foot of a page."""
    from reportlab.platypus import CondPageBreak, Spacer

    return [CondPageBreak(80), Spacer(1, 6), para(value, "strong")]


def sha(value: str | None) -> Any:
    """A digest in two lines of 32 monospaced digits, the same everywhere, so that eyes can compare."""
    text = value or "—"
    if len(text) <= 44:
        return markup(escape(text), "mono")
    return markup("<br/>".join(escape(text[i : i + 32]) for i in range(0, len(text), 32)), "mono")


class Plain:
    """A table cell drawn on one line as it is, without markup: for tables of thousands of cells."""

    def __init__(self, value: object, length: int) -> None:
        plain = unescape(shown(value, 200).replace("<br/>", " "))
        self.text = plain if len(plain) <= length else plain[: length - 1] + "…"


def table(
    rows: Sequence[Sequence[Any]],
    widths: Sequence[float],
    *,
    head: int = 1,
    extra: Sequence[tuple[Any, ...]] = (),
) -> Any:
    """A table over the full width: `widths` are shares; strings become wrapping cells; the head repeats."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import LongTable

    total = sum(widths)
    cells = [
        [
            c.text
            if isinstance(c, Plain)
            else para(c, "head" if i < head else "cell")
            if isinstance(c, str)
            else c
            for c in row
        ]
        for i, row in enumerate(rows)
    ]
    look: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 4),
        ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ("TOPPADDING", (0, 0), (-1, -1), 2.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3.2),
        ("LINEBELOW", (0, 0), (-1, -1), 0.35, HexColor(LINE)),
    ]
    if head:
        look += [
            ("BACKGROUND", (0, 0), (-1, head - 1), HexColor(SHADE)),
            ("LINEBELOW", (0, head - 1), (-1, head - 1), 0.8, HexColor(ACCENT)),
        ]
    made = LongTable(cells, colWidths=[WIDTH * w / total for w in widths], repeatRows=head)
    made.setStyle([*look, *extra])
    made.spaceAfter = 6
    return made


def pairs(rows: Sequence[tuple[str, Any]], share: float = 0.27) -> Any:
    """Label and value, one a line."""
    return table(
        [[para(label, "label"), para(v, "cell") if isinstance(v, str) else v] for label, v in rows],
        [share, 1.0 - share],
        head=0,
    )


def chip(label: str, tone: str) -> Any:
    """A short verdict in colour; the word says it too, for a greyscale print."""
    colour = {"good": GOOD, "warn": WARN, "bad": BAD}.get(tone, MUTED)
    return markup(f'<font name="{BOLD}" color="{colour}">{escape(label)}</font>', "cell")


def box(content: Sequence[Any], tone: str = "plain", width: float = WIDTH) -> Any:
    """Content on a shaded ground with a coloured edge."""
    from reportlab.lib.colors import HexColor
    from reportlab.platypus import Table

    edge, ground = {
        "good": (GOOD, GOOD_SHADE),
        "warn": (WARN, WARN_SHADE),
        "bad": (BAD, BAD_SHADE),
    }.get(tone, (ACCENT, SHADE))
    made = Table([[list(content)]], colWidths=[width])
    made.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), HexColor(ground)),
            ("LINEBEFORE", (0, 0), (0, -1), 3, HexColor(edge)),
            ("LEFTPADDING", (0, 0), (-1, -1), 10),
            ("RIGHTPADDING", (0, 0), (-1, -1), 8),
            ("TOPPADDING", (0, 0), (-1, -1), 6),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
        ]
    )
    made.spaceBefore = made.spaceAfter = 5
    return made
