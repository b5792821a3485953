"""The report's pages on clips: times, plots, tracks with pictures, fused tracks, in both languages."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import pytest

from playe_assets.core.canonical import digest
from playe_assets.core.values import Verdict
from playe_assets.exporters.pdf import render_pdf
from playe_assets.exporters.pdf_say import Say
from playe_assets.exporters.pdf_video_charts import Clock, stamp
from playe_assets.exporters.pictures import picture_of, track_picture
from playe_assets.exporters.report_model import build_report
from playe_assets.exporters.report_parts import ReportParts
from playe_assets.exporters.report_schema import validate_report
from playe_assets.exporters.report_video import ClipParts, thinned
from playe_assets_tests.exporters.report_sample import rendered, sample_parts
from playe_assets_tests.exporters.test_pdf import pages


def made(language: str = "en", **changes: Any) -> tuple[dict[str, Any], str]:
    parts, pictures = sample_parts(language, 2, withhold=None)
    report = build_report(dataclasses.replace(parts, report_id="CASE-7-R01", **changes))
    validate_report(report)
    return report, " ".join(pages(render_pdf(report, pictures, language)))


def sample() -> ReportParts:
    return sample_parts("en", 2, withhold=None)[0]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_clip_is_told_over_time(language: str) -> None:
    say = Say(language)
    _, text = made(language)
    for key in ("video", "video.time_title", "video.timeline", "video.flicker", "video.events", "video.tracks",
                "video.fused_what", "video.fused_not", "video.pts.equal", "video.tracks_note"):  # fmt: skip
        assert say(key) in text, key
    assert "00:04.000" in text  # the first event, frame 100 at 25 frames a second
    assert say("video.fused_frames_of", n=13, first="00:07.840", last="00:09.760") in text
    assert say("video.sampled_of", n=60, all=748) in text
    assert say.number(0.62) in text


def test_the_json_holds_what_the_pages_draw() -> None:
    report, _ = made()
    (clip,) = report["findings"]["video"]
    assert clip["ledger"]["kinds"] == {"kept": 8, "fused": 740}
    assert clip["flicker"]["columns"][0] == "pts"
    assert all(len(p) == len(clip["flicker"]["columns"]) for p in clip["flicker"]["points"])
    assert [100, 51200] in clip["times"]
    found = next(d for d in report["findings"]["detections"] if d["exhibit"] == clip["exhibit"])
    assert [t["best_frames"] for t in found["tracks"]] == [[220, 232, 160], [450]]
    assert found["tracks"][0]["quality"]["pose"] == pytest.approx(0.91)
    assert len(found["events"]) == 4 and len(found["shots"]) == 2
    step = next(s for s in report["findings"]["steps"] if s["exhibit"] == clip["exhibit"])
    assert (step["segments"], step["fused"][0]["refused"]) == (6, {"residual": 3, "registration": 1})


def test_audio_is_what_the_master_s_writer_states() -> None:
    parts = sample()
    exhibit = parts.ingest.exhibits[1]
    assert exhibit.facts is not None
    derivatives = tuple(
        dataclasses.replace(d, encoder={**(d.encoder or {}), "audio_streams_copied": 2})
        if d.kind == "master" else d
        for d in parts.enhanced.derivatives
    )  # fmt: skip
    enhanced = dataclasses.replace(parts.enhanced, derivatives=derivatives)
    from playe_assets.exporters.report_video import video_findings

    (clip,) = video_findings(dataclasses.replace(parts, enhanced=enhanced))
    assert clip["audio"] == {"streams": 0, "carried": 2}


def test_a_clip_that_was_not_surveyed_says_that_it_has_no_plot() -> None:
    _, text = made(clips={"E002": ClipParts()})
    assert Say("en")("video.no_times") in text
    assert Say("en")("video.ledger.none") in text


def test_a_withheld_fused_track_is_not_pictured_and_says_so() -> None:
    bad = Verdict("derivation", "quality", False, "E002", "D006", "x", "1", "2", "withhold")
    report, text = made(verdicts=(bad,))
    shown = [p["role"] for p in report["sections"]["pictures"]["items"] if p["track"] == 1]
    assert shown == ["best_1", "best_2", "best_3"]
    assert Say("en")("withheld.title") in text


def test_a_thinned_series_keeps_its_peaks_and_its_gaps() -> None:
    times = list(range(1000))
    values: list[float | None] = [1.0] * 1000
    values[501] = 9.0
    assert len(thinned([times, values], 100)) == 100
    assert max(v for _, v in thinned([times, values], 100)) == 9.0  # type: ignore[type-var]
    assert thinned([times[:3], [1.0, None, 3.0]]) == ((0, 1.0), (1, None), (2, 3.0))
    assert thinned([[], []]) == ()


def test_places_in_time_follow_the_time_stamps_and_not_a_rate() -> None:
    clock = Clock(Fraction(1, 1000), [(0, 500), (10, 900), (20, 5900)])
    assert clock.length == 5.4
    assert clock.of_frame(5) == pytest.approx(0.2)
    assert clock.of_frame(15) == pytest.approx(2.9)
    assert clock.exactly(10) == "00:00.400"
    assert clock.exactly(11) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00.000"), (61.5, "01:01.500"), (3599.9996, "1:00:00.000"), (-0.04, "-00:00.040")],
)
def test_a_moment_is_written_as_minutes_and_milliseconds(seconds: float, text: str) -> None:
    assert stamp(seconds) == text


def test_two_marks_of_one_clip_are_told_apart_with_their_own_pictures() -> None:
    parts, pictures = sample_parts("en", 2, withhold=None)
    entries = [
        dataclasses.replace(e, fused=tuple(dataclasses.replace(f, track=n, label="plate")
                                           for f in e.fused for n in (0, -1)))
        for e in parts.enhanced.entries
    ]  # fmt: skip
    others = []
    for picture in (
        p for p in parts.pictures if p.track == 1 and p.role in ("single", "fused", "uncertainty")
    ):
        data = track_picture(rendered(90 + len(others), 60, 60), picture.role, picture.scale)
        others += [
            dataclasses.replace(picture, track=0),
            picture_of(picture.exhibit, data, picture.frame, -1),
        ]
        pictures[others[-1].sha256] = data
    enhanced = dataclasses.replace(parts.enhanced, entries=tuple(entries))
    changed = dataclasses.replace(
        parts,
        report_id="CASE-7-R01",
        enhanced=enhanced,
        metrics=dataclasses.replace(parts.metrics, enhanced=digest(enhanced)),
        pictures=(*(p for p in parts.pictures if p not in others), *others),
    )
    report = build_report(changed)
    validate_report(report)
    text = " ".join(pages(render_pdf(report, pictures, "en")))
    say = Say("en")
    places = [text.index(say("video.fused_mark", n=n, label=say.word("label", "plate"))) for n in (1, 2)]
    assert places[0] < places[1]
    for place, end, track in ((places[0], places[1], 0), (places[1], len(text), -1)):
        here = text[place:end]
        for p in others:
            assert (p.sha256[:16] in here) == (p.track == track), (p.role, p.track)
