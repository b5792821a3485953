"""The identity gate withholds what was not judged, and warns where a face holds too little to judge."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playe_assets.core.contracts import Evidence
from playe_assets.core.presets import Threshold
from playe_assets.core.texts import catalogue
from playe_assets.core.values import (
    AiClass,
    Derivative,
    Detection,
    Enhanced,
    EnhancedManifest,
    ExhibitDetections,
    FrameDetections,
    IngestManifest,
    MediaKind,
    MetricsManifest,
    PresetRef,
    Step,
)
from playe_assets.examination.judge import SUITES, passed
from playe_assets.gates import GATES
from playe_assets.gates.identity import FACE_DETECTORS

POINTS = ((1.0, 1.0), (9.0, 1.0), (5.0, 5.0), (2.0, 9.0), (8.0, 9.0))
FACE = Detection("face", 2.0, 3.0, 10.0, 10.0, 0.9, POINTS)
BOUND = Threshold("identity_distance", None, None, 0.6, "withhold")


def evidence(ai_class=AiClass.GENERATIVE, faces=(FACE,), methods=({"name": "yunet"},), distance=0.2, judged=1,
             unjudged=0, thresholds=(BOUND,), restored=1.0, media="photo"):  # fmt: skip
    """A case of one photograph with one learned derivative whose face kept its identity, but for what is given."""
    derivative = Derivative("D001", "E001", "photo", "0" * 64, 1, "image/png", (), ai_class)
    step = Step(1, "face_restoration", "1", {}, ai_class, "-", {"faces_restored": restored}, {})
    entry = Enhanced("E001", (step,), ("D001",), 1, 1, 0, 1)
    row = {"exhibit": "E001", "derivative": "D001", "media": media, "frames_compared": 1,
           "identity_distance": distance, "identity_faces": judged, "identity_unjudged": unjudged}  # fmt: skip
    frames = (FrameDetections("yunet", 0, None, tuple(faces)),) if faces else ()
    return Evidence(
        objects=None,
        ingest=IngestManifest("C1", "X-1", PresetRef("p", "1", "0" * 64), (), (), (), {}),
        suites=SUITES,
        detections={"E001": ExhibitDetections("E001", "0" * 64, 96, 64, 1, frames, (), tuple(methods))},
        enhanced=EnhancedManifest("C1", "X-1", "i", "d", (entry,), (derivative,)),
        metrics=MetricsManifest("C1", "X-1", "e", "t", (), (row,), ()),
        thresholds=thresholds,
    )


def judge(given):
    verdicts = GATES.get("identity")().judge(given)
    assert verdicts and all(v.gate == "identity" and v.kind == "quality" and v.expectation for v in verdicts)
    return verdicts


def refusal(given):
    (verdict,) = judge(given)
    assert not verdict.passed and verdict.on_fail == "withhold"
    assert (verdict.exhibit, verdict.derivative) == ("E001", "D001")
    return verdict


def test_a_face_that_kept_its_identity_passes_with_its_distance_and_the_bound():
    (verdict,) = judge(evidence())
    assert verdict.passed and verdict.observed == "0.2" and verdict.allowed == "<= 0.6"


@pytest.mark.parametrize("ai_class", [AiClass.FIDELITY, AiClass.GENERATIVE])
def test_a_distance_above_the_bound_withholds_the_derivative(ai_class):
    assert refusal(evidence(ai_class, distance=0.61)).observed == "0.61"


def test_signal_processing_is_not_judged():
    (verdict,) = judge(evidence(AiClass.NONE, distance=1.9, methods=()))
    assert verdict.passed and verdict.derivative is None


def test_a_learned_derivative_without_faces_passes():
    (verdict,) = judge(evidence(faces=(), restored=0.0, judged=0, distance=None))
    assert verdict.passed and verdict.observed == "no face was found"
    person = replace(FACE, label="person")
    assert passed(judge(evidence(faces=(person,), restored=0.0, judged=0, distance=None)))


def test_faces_too_small_to_judge_warn_and_do_not_withhold():
    (verdict,) = judge(evidence(distance=None, judged=0, unjudged=2))
    assert not verdict.passed and verdict.on_fail == "warn"
    assert verdict.observed == "too little information to judge 2 of 2 faces"


def test_one_face_judged_and_one_too_small_are_two_verdicts():
    kept, small = judge(evidence(unjudged=1))
    assert kept.passed and not small.passed and small.on_fail == "warn"
    changed, _ = judge(evidence(distance=0.9, unjudged=1))
    assert not changed.passed and changed.on_fail == "withhold"


def test_without_an_identity_metric_or_a_row_a_learned_derivative_with_faces_is_refused():
    given = evidence()
    row = {k: v for k, v in given.metrics.rows[0].items() if not k.startswith("identity")}
    for rows in ((), (row,)):
        assert (
            "no identity metric"
            in refusal(replace(given, metrics=replace(given.metrics, rows=rows))).observed
        )


@pytest.mark.parametrize("thresholds", [
    (), (replace(BOUND, high=None, low=0.1),), (replace(BOUND, on_fail="warn"),),
    (replace(BOUND, media=MediaKind.CLIP),), (replace(BOUND, column="identity_faces"),),
])  # fmt: skip
def test_without_a_bound_that_withholds_it_is_refused(thresholds):
    assert "no upper bound" in refusal(evidence(thresholds=thresholds)).observed


def test_the_bound_of_its_own_media_and_the_lowest_of_several_count():
    own = replace(BOUND, media=MediaKind.PHOTO, high=0.3)
    assert passed(judge(evidence(thresholds=(own, BOUND))))
    assert refusal(evidence(distance=0.4, thresholds=(own, BOUND))).allowed == "<= 0.3"


def test_an_exhibit_that_no_face_detector_searched_is_refused():
    given = evidence(faces=(), restored=0.0)
    assert "not searched" in refusal(replace(given, detections={})).observed
    assert "no face detector" in refusal(evidence(faces=(), methods=({"name": "mog2_motion"},))).observed


def test_a_face_that_was_restored_but_never_reported_or_compared_is_refused():
    assert (
        "no detector of the preset reported" in refusal(evidence(faces=(), judged=0, distance=None)).observed
    )
    assert "more faces were restored" in refusal(evidence(restored=2.0)).observed
    assert passed(judge(evidence(restored=50.0, media="clip")))  # there the frames are counted together


def test_faces_without_landmarks_are_no_small_faces_and_are_refused():
    bare = replace(FACE, landmarks=())
    assert "no landmarks" in refusal(evidence(faces=(bare,), distance=None, judged=0, unjudged=1)).observed


def test_faces_that_no_compared_frame_shows_are_refused():
    assert (
        "no compared frame" in refusal(evidence(distance=None, judged=0, unjudged=0, media="clip")).observed
    )


def test_without_manifests_it_refuses_and_says_what_is_missing():
    (verdict,) = GATES.get("identity")().judge(replace(evidence(), metrics=None))
    assert not verdict.passed and verdict.observed and verdict.on_fail == "withhold"


def test_every_detector_that_labels_faces_is_known_to_it():
    from playe_assets.detectors import DETECTORS

    assert set(FACE_DETECTORS) <= set(DETECTORS)
    described = {n for n in DETECTORS if catalogue()[f"detector.{n}"]["en"].startswith("Faces")}
    assert described == set(FACE_DETECTORS)


def of_tracks(distance, worst, judged=2, unjudged=0):
    given = evidence(distance=distance, judged=judged, unjudged=unjudged, restored=40.0, media="clip")
    row = {**given.metrics.rows[0], "identity_worst_track": worst}
    return replace(given, metrics=replace(given.metrics, rows=(row,)))


def test_of_a_clip_the_worst_track_is_judged_and_named():
    (kept,) = judge(of_tracks(0.21, 3.0))
    assert kept.passed and kept.observed == "0.21 (track 3, the furthest of 2)"
    assert refusal(of_tracks(0.9, 7.0)).observed == "0.9 (track 7, the furthest of 2)"
    assert refusal(of_tracks(0.9, None)).observed == "0.9 (a face without a track)"
    _, small = judge(of_tracks(0.21, 3.0, unjudged=1))
    assert small.on_fail == "warn"
    assert small.observed == "too little information to judge 1 of 3 face tracks"


def test_what_it_says_of_tracks_is_said_in_both_languages():
    from playe_assets.exporters.pdf_say import Say

    for verdict in (*judge(of_tracks(0.21, 3.0, unjudged=1)), refusal(of_tracks(0.9, None))):
        said = Say("ru").figure(verdict.observed)
        assert any("а" <= letter <= "я" for letter in said) and "{" not in said
        assert any("а" <= letter <= "я" for letter in Say("ru").expected(verdict.expectation))
    assert Say("en").figure("0.21 (track 3, the furthest of 2)") == "0.21 (track 3, the furthest of 2)"
