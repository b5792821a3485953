"""A clip that a threshold could not judge is said to be so: a remark in plain words that withholds nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playe_assets.core.presets import Threshold
from playe_assets.core.tracks import Shot
from playe_assets.core.values import AiClass, MediaKind, Step
from playe_assets.exporters.pdf_say import Say
from playe_assets.gates import GATES
from playe_assets_tests.gates.test_gates import good  # noqa: F401  (the fixture)

COLUMN = "warped_error_ratio"


def _judged(evidence, column=COLUMN, media=MediaKind.CLIP, compared=3):
    """The verdicts about a column that has no value for the photograph and none for the clip."""
    rows = [{**row, column: None} for row in evidence.metrics.rows]
    rows[1]["frames_compared"] = compared
    changed = replace(
        evidence,
        metrics=replace(evidence.metrics, rows=tuple(rows)),
        thresholds=(*evidence.thresholds, Threshold(column, media, None, 1.25, "withhold")),
    )
    return [v for v in GATES.get("metrics_in_bounds")().judge(changed) if v.expectation == column]


def _shots(evidence, *bounds):
    shots = tuple(Shot(n, first, last) for n, (first, last) in enumerate(bounds))
    found = replace(evidence.detections["E002"], shots=shots)
    return replace(evidence, detections={**evidence.detections, "E002": found})


def _stabilised(evidence):
    step = Step(1, "stabilise", "1", {}, AiClass.NONE, "-", {"frames_moved": 4.0}, {})
    first, second = evidence.enhanced.entries
    entries = (first, replace(second, steps=(step,)))
    return replace(evidence, enhanced=replace(evidence.enhanced, entries=entries))


@pytest.mark.parametrize("media", [None, MediaKind.CLIP])
def test_a_clip_without_a_value_gives_a_warning_that_names_column_and_derivative(good, media):  # noqa: F811
    (verdict,) = _judged(good, media=media)
    assert (verdict.passed, verdict.on_fail) == (False, "warn")
    assert (verdict.exhibit, verdict.derivative, verdict.expectation) == ("E002", "D002", COLUMN)
    assert verdict.observed.startswith("not judged: no two neighbouring frames could be compared")
    assert verdict.allowed == "- .. 1.25"


def test_photographs_and_columns_that_cannot_apply_give_none(good):  # noqa: F811
    assert _judged(good, media=MediaKind.PHOTO) == []
    assert _judged(good, column="psnr_gain_reference") == []
    assert _judged(good, column="identity_distance") == []


def test_a_column_without_a_threshold_gives_none(good):  # noqa: F811
    verdicts = GATES.get("metrics_in_bounds")().judge(good)
    assert all(v.passed for v in verdicts)
    assert {v.expectation for v in verdicts if v.exhibit} == {"consistency_psnr"}


@pytest.mark.parametrize(
    ("shots", "compared"), [(((0, 0),), 1), (((0, 4),), 1), (((0, 0), (1, 1), (2, 2)), 2)]
)
def test_one_frame_or_none_beside_another_in_a_shot_is_too_few(good, shots, compared):  # noqa: F811
    (verdict,) = _judged(_shots(good, *shots), compared=compared)
    assert "too few frames to judge" in verdict.observed


def test_a_clip_that_was_stabilised_is_said_to_have_been_moved(good):  # noqa: F811
    (verdict,) = _judged(_stabilised(_shots(good, (0, 4))))
    assert "a step moved the picture" in verdict.observed


def test_another_column_is_said_to_be_measured_in_no_frame(good):  # noqa: F811
    (verdict,) = _judged(good, column="sharpness_ratio", compared=1)
    assert verdict.observed == "not judged: measured in no frame"


def test_every_such_sentence_is_there_in_both_languages(good):  # noqa: F811
    said = {v.observed for given in (
        _judged(good), _judged(good, compared=1), _judged(_stabilised(good)), _judged(good, column="sharpness_ratio"),
    ) for v in given}  # fmt: skip
    assert len(said) == 4
    for sentence in said:
        assert len(sentence) <= 120 and len(Say("ru").figure(sentence)) <= 120, (
            "no cell of the report cuts it off"
        )
        assert Say("en").figure(sentence) == sentence
        assert Say("ru").figure(sentence).startswith("не оценено: ")
