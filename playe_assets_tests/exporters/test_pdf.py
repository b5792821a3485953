"""The PDF: every section in both languages, the same bytes each time, and no layout that breaks."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from playe_assets.core.errors import MissingResourceError
from playe_assets.core.texts import catalogue
from playe_assets.exporters import pdf_style
from playe_assets.exporters.pdf import render_notice_pdf, render_pdf
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.report_model import build_notice, build_report
from playe_assets.exporters.report_parts import Attempt, Override, ReportParts
from playe_assets_tests.exporters.report_sample import sample_notice, sample_parts, with_exhibits


def pages(data: bytes) -> list[str]:
    """The text of each page, line ends as blanks."""
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    found = [" ".join(p.get_textpage().get_text_bounded().replace("\ufffe", "").split()) for p in document]
    document.close()
    return found


def rendered(parts: ReportParts, pictures: Mapping[str, bytes]) -> bytes:
    report = build_report(dataclasses.replace(parts, report_id="CASE-7-R01"))
    return render_pdf(report, pictures, parts.case.language)


def full(language: str) -> tuple[ReportParts, dict[str, bytes]]:
    """The sample with an attempt, an override and an earlier report, so that every section has content."""
    parts, pictures = sample_parts(language)
    attempt = Attempt("enhanced_frames: enhance", "failed", "2026-01-05T08:30:00Z", "run-0", "E001")
    override = Override("timing", "причина / reason", "ivanova", "petrov", "2026-01-05T10:00:00Z", "E001")
    return dataclasses.replace(parts, attempts=(attempt,), overrides=(override,)), pictures


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return {language: " ".join(pages(rendered(*full(language)))) for language in ("en", "ru")}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_section_is_rendered_and_no_key_is_missing(texts: dict[str, str], language: str) -> None:
    say = Say(language)
    for number in range(1, 11):
        assert say(f"s{number}") in texts[language]
    stray = set(re.findall(r"\b(?:report|gate|metric|detector|step)\.[a-z_.]+", texts[language]))
    assert stray - {"report.json", "step.started"} == set()


def test_no_english_sentence_stands_in_the_russian_report(texts: dict[str, str]) -> None:
    sentences = {
        key: entry["en"]
        for key, entry in catalogue().items()
        if key.startswith(("report.", "step.", "metric.", "detector.")) and entry["en"] != entry["ru"]
    }
    leaked = {
        key: piece.strip()
        for key, english in sentences.items()
        for piece in re.split(r"\{[^}]*\}", english)
        if len(piece.strip()) > 11 and piece.strip() in texts["ru"]
    }
    assert leaked == {}


def test_every_sentence_that_the_pdf_asks_for_is_there_in_both_languages() -> None:
    folder = Path(pdf_style.__file__).parent
    source = "".join(p.read_text(encoding="utf-8") for p in sorted(folder.glob("pdf*.py")))
    asked = set(re.findall(r'\bsay\(\s*"([a-z0-9_.]+)"', source))
    assert len(asked) > 120
    missing = {k for k in asked if set(catalogue().get(f"report.{k}", ())) != {"en", "ru"}}
    assert missing == set()


def test_the_same_report_gives_the_same_bytes_in_this_process_and_in_another() -> None:
    script = (
        "import hashlib; from playe_assets_tests.exporters.test_pdf import full, rendered;"
        "print(hashlib.sha256(rendered(*full('ru'))).hexdigest())"
    )
    here = hashlib.sha256(rendered(*full("ru"))).hexdigest()
    assert here == hashlib.sha256(rendered(*full("ru"))).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    there = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        timeout=120,
    )
    assert there.stdout.strip() == here


@pytest.mark.parametrize(("language", "word"), [("en", "page {n} of {m}"), ("ru", "страница {n} из {m}")])
def test_every_page_bears_its_number_the_report_and_the_findings_digest(language: str, word: str) -> None:
    parts, pictures = sample_parts(language)
    report = build_report(dataclasses.replace(parts, report_id="CASE-7-R01"))
    found = pages(render_pdf(report, pictures, language))
    assert len(found) > 5
    for number, text in enumerate(found, start=1):
        assert word.format(n=number, m=len(found)) in text
        assert "CASE-7-R01" in text
        assert report["findings_sha256"][:16] in text


def test_names_are_shown_as_they_are_and_never_read_as_markup(texts: dict[str, str]) -> None:
    for name in ("камера 3/двор <b>&.mp4", "evil\\xff\\x0a.mp4", "EOS <i>R5</i>", "Yard camera & <photo>"):
        assert name in texts["en"]
        assert name in texts["ru"]


@pytest.mark.parametrize(
    "name",
    [
        "a" * 4096,
        "x y " * 900,
        "<font size=99>&" * 90,
        "</para><img src='/etc/hostname'/>",
        "\u202egpj.exe",
        "名前.jpg",
        "&#0;",
    ],
    ids=["long", "blanks", "font", "tags", "bidi", "cjk", "entity"],
)
def test_no_name_breaks_the_layout(name: str) -> None:
    parts, pictures = sample_parts(count=2, names=(name,))
    text = " ".join(pages(rendered(parts, pictures)))
    assert "\u202e" not in text
    if name == "\u202egpj.exe":
        assert "\\u202egpj.exe" in text
    if name == "名前.jpg":
        assert "\\u540d\\u524d.jpg" in text


def test_texts_of_any_length_break_no_layout() -> None:
    parts, pictures = sample_parts(count=1)
    exhibit = parts.ingest.exhibits[0]
    assert exhibit.facts is not None
    exif = {f"Key{i}": "v" * 3000 for i in range(300)}
    facts = dataclasses.replace(exhibit.facts, exif=exif, decoder="d" * 2000, codec="c" * 2000)
    parts = with_exhibits(parts, dataclasses.replace(exhibit, facts=facts))
    case = dataclasses.replace(parts.case, title="T" * 3000, request="word " * 3000, customer="c" * 3000)
    laboratory = dataclasses.replace(parts.laboratory, name="L" * 3000)
    attempt = Attempt("a" * 3000, "failed", "2026-01-05T09:00:00Z", "r")
    log = tuple({**line, "event": "custody." + "e" * 500, "step": "s" * 500} for line in parts.log)
    parts = dataclasses.replace(parts, case=case, laboratory=laboratory, attempts=(attempt,), log=log)
    found = pages(rendered(parts, pictures))
    assert any("… and 276 further entries in report.json." in text for text in found)


def test_a_withheld_derivative_gets_a_notice_and_no_picture(texts: dict[str, str]) -> None:
    assert "Derivative withheld" in texts["en"]
    assert "18.25" in texts["en"]
    parts, pictures = sample_parts(count=2)
    hidden = {
        p.sha256[:16]
        for p in parts.pictures
        if p.exhibit == "E002" and p.role != "before" and p.track is None
    }
    assert len(hidden) == 3
    text = " ".join(pages(rendered(parts, pictures)))
    assert not any(digits in text for digits in hidden)


def test_a_picture_that_is_not_at_hand_is_said_to_be_missing() -> None:
    parts, _ = sample_parts(count=1)
    assert f"The picture {parts.pictures[0].sha256[:16]}… is not at hand." in " ".join(
        pages(rendered(parts, {}))
    )


def test_many_exhibits_render_with_reduced_pictures() -> None:
    parts, pictures = sample_parts(count=30)
    found = " ".join(pages(rendered(parts, pictures)))
    assert "E030" in found
    assert "they are shown here at no more than 480 px" in found


@pytest.mark.slow
def test_two_hundred_exhibits_render() -> None:
    parts, pictures = sample_parts("ru", count=200)
    assert "E200" in " ".join(pages(rendered(parts, pictures)))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_notice_is_one_page_however_much_failed(language: str) -> None:
    notice = build_notice(dataclasses.replace(sample_notice(language, failures=60), notice_id="CASE-7-N01"))
    found = pages(render_notice_pdf(notice, language))
    assert len(found) == 1
    for word in (
        Say(language)("notice.title"),
        "E001",
        Say(language).gate("exhibits_intact"),
        "playe case verify CASE-7",
    ):
        assert word in found[0]


def test_a_notice_of_a_long_case_title_is_still_one_page() -> None:
    parts = sample_notice(failures=60)
    case = dataclasses.replace(parts.case, title="word " * 400, request="r" * 3000)
    bad = tuple(dataclasses.replace(v, observed="o" * 900, allowed="a" * 900) for v in parts.verdicts)
    notice = build_notice(dataclasses.replace(parts, case=case, verdicts=bad, notice_id="CASE-7-N01"))
    assert len(pages(render_notice_pdf(notice, "en"))) == 1


def test_a_missing_font_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    from reportlab.pdfbase import pdfmetrics

    monkeypatch.setattr(pdfmetrics, "getRegisteredFontNames", list)
    real = importlib.util.find_spec

    def absent(name: str, *rest: Any) -> Any:
        return None if name == "matplotlib" else real(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", absent)
    with pytest.raises(MissingResourceError, match=r"DejaVuSans\.ttf.*pip install matplotlib"):
        pdf_style.register_fonts()
