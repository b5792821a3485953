"""The detect stage on clips: survey, shots, tracks, events and what the record says of them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from playe_assets.core.values import ExhibitDetections, IngestManifest, MediaKind
from playe_assets.examination import detect as stage_of_detection
from playe_assets.examination.detect import detect
from playe_assets.examination.found import found_in
from playe_assets.examination.ingest import ingest
from playe_assets.media.clip import read_clip
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.proxy import ProxyWriter
from playe_assets.media.survey import read_survey
from playe_assets_tests.laboratory import OUTPUT, TestLaboratory, opened
from playe_assets_tests.plugins import scene

BASE = Fraction(1, 1000)
FRAMES = 75


def walking(second: bool):
    """25 frames of one room, 50 of another with a bright box that walks in after ten and out before the end."""
    for index in range(FRAMES):
        cut = index >= 25
        picture = (
            scene(120, 160, seed=2 if cut and second else 1) // 2 + (60 if cut and second else 20)
        ).astype(np.int16)
        picture += np.random.default_rng(index).normal(0, 2, picture.shape).astype(np.int16)
        left = 4 * (index - 35)
        if cut and 0 <= left <= 100:
            picture[40:90, left : left + 36] = 250
        yield np.clip(picture, 0, 255).astype(np.uint8)


def examined(laboratory: TestLaboratory, folder: Path, case_id: str = "CLIP-1", marks: str = ""):
    """Intake and detection of `folder`; the clips' findings, the stage and the log."""
    (folder / "case.yaml").write_text(
        f"case: {case_id}\ntitle: t\noperator: o\ncustomer: c\n{marks}", encoding="utf-8"
    )
    stage = laboratory.stage(case_id)
    taken = ingest(stage, folder, "forensic_safe")
    found = detect(stage, taken.sha256)
    assert [e.failure for e in found.manifest.entries] == [None] * len(found.manifest.entries)
    return [stage.manifest(ExhibitDetections, str(e.sha256)) for e in found.manifest.entries], stage, found


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """One clip of two shots with uneven time stamps, detected on once; tests only read it."""
    root = tmp_path_factory.mktemp("detected")
    folder = root / "CLIP-1"
    folder.mkdir()
    with ProxyWriter(folder / "walk.mp4", BASE, OUTPUT) as out:
        for number, picture in enumerate(walking(second=True)):
            out.add_pixels(picture, pts_of(number))
    with opened(root / "laboratory") as laboratory:
        (found,), stage, made = examined(laboratory, folder)
        yield laboratory, found, stage, made


def pts_of(number: int) -> int:
    return 40 * number + 7 * (number % 3)


def test_every_decoded_frame_has_its_row_in_the_survey(case):
    _, found, stage, _ = case
    survey, base = read_survey(stage.store.get_bytes(found.survey))
    decoded = list(read_clip(stage.store.path(found.source_sha256)))
    assert [r.sha256 for r in survey] == [frame_sha256(f.pixels) for f in decoded]
    assert [r.pts * base for r in survey] == [pts_of(n) * BASE for n in range(FRAMES)]


def test_shots_end_at_the_cut_and_every_shots_first_frame_was_looked_at(case):
    _, found, _, _ = case
    assert [(s.first_frame, s.last_frame) for s in found.shots] == [(0, 24), (25, 74)]
    assert all(s.luma_mean > 0 for s in found.shots)


def test_what_walks_through_is_a_presence_of_motion_with_its_times(case):
    _, found, stage, _ = case
    survey, base = read_survey(stage.store.get_bytes(found.survey))
    appear, leave = (e for e in found.events if e.label == "motion")
    assert (appear.kind, leave.kind) == ("appear", "leave")
    # It is there from frame 35 to 60; one sample and its surroundings are what the sampling leaves open.
    assert -0.05 <= (appear.pts - survey.pts[35]) * base <= 0.3
    assert abs((leave.pts - survey.pts[60]) * base) <= 0.3
    assert 0 < appear.uncertain_ticks * base <= 0.3
    assert {t.number for t in found.tracks} >= {appear.track, leave.track}


def test_the_record_names_the_survey_the_sampling_and_the_shots(case):
    laboratory, found, _, made = case
    start, end = [e for e in laboratory.log("CLIP-1") if e["event"] == "processing.detect"]
    params = start["params"]
    assert params["mog2_motion"]["every_s"] == 0.2 and params["haar_face"]["still_every_s"] == 2.0
    assert params["shots"]["threshold"] == 27.0
    assert end["metrics"]["shots"] == 2 and end["metrics"]["events"] == len(found.events)
    assert end["metrics"]["frames_sampled"] == found.frames_seen
    assert end["output_sha256"] == [made.manifest.entries[0].sha256, found.survey]
    assert [m["name"] for m in found.methods][-2:] == ["shots", "kalman_iou"]


def test_the_same_clip_again_gives_the_same_findings(case):
    laboratory, _, _, made = case
    stage = laboratory.stage("CLIP-1")
    found_in(stage.folder.root, stage.store).discard()  # or it would not be looked for again
    again = detect(stage, made.manifest.ingest)
    assert again.sha256 == made.sha256


def test_a_still_scene_is_looked_at_less_often_by_all_but_the_background_model(laboratory, tmp_path: Path):
    folder = tmp_path / "CLIP-1"
    folder.mkdir()
    picture = scene(96, 128)
    with ProxyWriter(folder / "still.mp4", BASE, OUTPUT) as out:
        for number in range(126):
            out.add_pixels(picture, 40 * number)
    (found,), *_ = examined(laboratory, folder)
    assert found.frames_seen == 26  # the background model's: every 0.2 s of 5 s
    assert found.events == () and len(found.shots) == 1


def test_motion_is_looked_for_in_each_region_that_the_operator_marked_and_nowhere_else(laboratory, tmp_path):
    folder = tmp_path / "CLIP-1"
    folder.mkdir()
    with ProxyWriter(folder / "walk.mp4", BASE, OUTPUT) as out:
        for number, picture in enumerate(walking(second=True)):
            out.add_pixels(picture, pts_of(number))
    marks = "".join(
        f"  - {{file: walk.mp4, frame: 30, box: [{x}, {y}, {w}, 50], label: region}}\n"
        for x, y, w in ((60, 40, 100), (0, 0, 30))
    )
    (found,), stage, _ = examined(laboratory, folder, marks=f"marks:\n{marks}")
    motion = {m["label"]: m for m in found.methods if m["name"] == "mog2_motion"}
    assert set(motion) == {"mog2_motion.1", "mog2_motion.2"}
    assert motion["mog2_motion.1"]["params"]["region_left"] == 60 / 160
    seen = [d for f in found.frames if f.detector == "mog2_motion.1" for d in f.found]
    assert seen and min(d.x for d in seen) >= 60 and min(d.y for d in seen) >= 40
    # It comes into the right region six frames later than into the picture.
    survey, base = read_survey(stage.store.get_bytes(found.survey))
    first = {t.detector: t.first_frame for t in reversed(found.tracks) if t.label == "motion"}
    assert survey.pts[first["mog2_motion.1"]] * base > survey.pts[35 + 6] * base
    start, _ = [e for e in laboratory.log("CLIP-1") if e["event"] == "processing.detect"]
    assert [m["x"] for m in start["params"]["regions"]] == [60, 0]


def test_a_failing_detector_fails_the_exhibit_and_leaves_no_thread(laboratory, tmp_path, monkeypatch):
    import threading

    from playe_assets.detectors.hog_people import HogPeople

    def broken(self, frame):
        if frame.index > 20:
            raise ValueError("broken")
        return []

    monkeypatch.setattr(HogPeople, "detect", broken)
    folder = tmp_path / "CLIP-1"
    folder.mkdir()
    with ProxyWriter(folder / "walk.mp4", BASE, OUTPUT) as out:
        for number, picture in enumerate(walking(second=False)):
            out.add_pixels(picture, pts_of(number))
    (folder / "case.yaml").write_text("case: CLIP-1\ntitle: t\noperator: o\ncustomer: c\n", encoding="utf-8")
    stage = laboratory.stage("CLIP-1")
    before = threading.active_count()
    found = detect(stage, ingest(stage, folder, "forensic_safe").sha256)
    assert found.manifest.entries[0].failure is not None
    assert threading.active_count() == before


DOCUMENTED = ((10, 148), (359, 490), (543, 575))
"""Frames of traffic_camera.txt, at 25 frames a second, within x, y, w, h = 631, 532, 210, 127 of 1280 x 720."""
HOLD = 50
"""DVR-Scan, which wrote them, keeps an event open for its `time-post-event` of 2.0 s after the last movement (or
to the clip's end): 148 is 98 + 50, 490 is 440 + 50. Seen in the pictures: the last cars are gone at 99, 441, 553."""


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["traffic_camera.mp4", "traffic_camera_vfr.mp4"])
def test_the_documented_motion_of_the_traffic_clips_is_found_within_a_second(
    name, laboratory, shared_data, tmp_path, monkeypatch
):
    """The preset's own detector, tracker and sampling, in the documented region as an operator marks it; the clip
    at variable rate shows the same frames, some of them twice as long, so that its events lie at other times."""
    source = shared_data / "media" / "cctv_dvrscan" / name
    if not source.is_file():
        pytest.skip(f"{source} is not there")
    folder = tmp_path / "CLIP-1"
    folder.mkdir()
    shutil.copy(source, folder)
    whole = stage_of_detection.Stage.planned

    def motion_alone(self, taken: IngestManifest):
        made = whole(self, taken)
        (motion,) = (d for d in made.detectors[MediaKind.CLIP] if d.cls.name == "mog2_motion")
        return replace(made, detectors={**made.detectors, MediaKind.CLIP: (motion,)})

    monkeypatch.setattr(stage_of_detection.Stage, "planned", motion_alone)
    (found,), stage, _ = examined(
        laboratory,
        folder,
        marks=f"marks:\n  - {{file: {name}, frame: 0, box: [631, 532, 210, 127], label: region}}\n",
    )
    survey, base = read_survey(stage.store.get_bytes(found.survey))
    assert [(s.first_frame, s.last_frame) for s in found.shots] == [(0, 575)]

    def seconds(frame: int) -> Fraction:
        return (survey.pts[frame] - survey.pts[0]) * base

    assert [e.kind for e in found.events] == ["appear", "leave"] * len(DOCUMENTED)
    for (start, end), appear, leave in zip(DOCUMENTED, found.events[::2], found.events[1::2], strict=True):
        assert abs(seconds(appear.frame) - seconds(start)) <= 1
        assert abs(seconds(min(leave.frame + HOLD, 575)) - seconds(end)) <= 1
