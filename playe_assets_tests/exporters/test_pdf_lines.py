"""The report's account of time says how many lines were interpolated, and only where some were."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from playe_assets.core.canonical import digest
from playe_assets.exporters.pdf import render_pdf
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.report_model import build_report
from playe_assets.exporters.report_schema import validate_report
from playe_assets_tests.exporters.report_sample import sample_parts
from playe_assets_tests.exporters.test_pdf import pages


def told(language: str, measured: dict[str, float]) -> str:
    parts, pictures = sample_parts(language, 2, withhold=None)
    entries: list[Any] = []
    for entry in parts.enhanced.entries:
        first = dataclasses.replace(entry.steps[0], use="deinterlace", measured=measured)
        entries.append(dataclasses.replace(entry, steps=(first, *entry.steps[1:])))
    enhanced = dataclasses.replace(parts.enhanced, entries=tuple(entries))
    changed = dataclasses.replace(
        parts,
        report_id="CASE-7-R01",
        enhanced=enhanced,
        metrics=dataclasses.replace(parts.metrics, enhanced=digest(enhanced)),
    )
    report = build_report(changed)
    validate_report(report)
    return " ".join(pages(render_pdf(report, pictures, language)))


@pytest.mark.parametrize(("language", "share"), [("en", "0.5"), ("ru", "0,5")])
def test_the_account_of_time_states_the_share_of_interpolated_lines(language: str, share: str) -> None:
    say = Say(language)
    text = told(language, {"deinterlaced": 748.0, "interpolated_lines_share": 0.5})
    assert say("video.lines_share", share=share) in text
    text = told(language, {"deinterlaced": 0.0, "interpolated_lines_share": 0.0})
    assert say("video.lines") not in text
