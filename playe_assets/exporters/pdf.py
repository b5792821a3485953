"""The report's face: the same JSON and pictures always give the same bytes (reportlab's invariant mode)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from playe_assets.exporters.pdf_closing import custody, ending, limits
from playe_assets.exporters.pdf_evidence import exhibits, working_copies
from playe_assets.exporters.pdf_front import front
from playe_assets.exporters.pdf_measures import measures
from playe_assets.exporters.pdf_notice import notice_page
from playe_assets.exporters.pdf_page import Frame, document
from playe_assets.exporters.pdf_pictures import ai_statement, pictures_section
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_signature import reserved
from playe_assets.exporters.pdf_steps import attempts, steps

_Part = Callable[[Mapping[str, Any], Mapping[str, bytes], Say], Sequence[Any]]
_PARTS: tuple[_Part, ...] = (
    front,
    exhibits,
    working_copies,
    steps,
    attempts,
    measures,
    pictures_section,
    ai_statement,
    limits,
    custody,
)
"""In the order of the design's list; `front` holds section 1."""


def render_pdf(
    report: Mapping[str, Any], pictures: Mapping[str, bytes], language: str, json_sha256: str = ""
) -> bytes:
    """The PDF of `report` (from `build_report`) in `language` (`en` or `ru`).

    `pictures` maps the sha256 that the report names to PNG or JPEG bytes; one that is missing is said to
    be missing in its place. `json_sha256` is that of report.json, which the PDF shows, so that the two hold together.

    Raises:
        MissingResourceError: the fonts are not installed.
    """
    say = Say(language)
    admin = report["sections"]["administration"]
    frame = Frame(
        title=say("title"),
        left=say.joined(report["report_id"], admin["case"]["title"]),
        right=admin["laboratory"]["name"],
        foot=say("foot.findings", digest=report["findings_sha256"][:16]),
        number=say("foot.page"),
        language=language,
        of=json_sha256,
    )
    story: list[Any] = []
    for part in _PARTS:
        story += part(report, pictures, say)
    story += ending(report, json_sha256, say)
    return document(story, frame)


def render_notice_pdf(notice: Mapping[str, Any], language: str) -> bytes:
    """The one-page PDF of a withheld report's notice (from `build_notice`)."""
    say = Say(language)
    frame = Frame(
        title=say("notice.title"),
        left=say.joined(notice["notice_id"], notice["case"]["title"]),
        right=notice["laboratory"]["name"],
        foot=say("notice.foot"),
        number=say("foot.page"),
        language=language,
    )
    return document([*notice_page(notice, say), *reserved(notice["signatures"])], frame)
