"""Detectors find what is there and nothing where nothing is."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import PresetError
from playe_assets.core.tracks import Shot
from playe_assets.detectors import DETECTORS
from playe_assets.detectors.haar_face import HaarFaceParams
from playe_assets.detectors.hog_people import HogPeopleParams
from playe_assets.detectors.mog2_motion import Mog2MotionParams
from playe_assets.detectors.yunet import YuNetParams
from playe_assets_tests.detectors.test_contract import SHARED, models_of
from playe_assets_tests.plugins import FACTS

_DATA = Path(importlib.util.find_spec("skimage").origin).parent / "data"
FACE = (177, 66, 95, 95)
"""Of scikit-image's astronaut, px."""


def astronaut():
    return np.asarray(Image.open(_DATA / "astronaut.png"))


def detect(name, params, pixels):
    cls = DETECTORS.get(name)
    return cls(params, FACTS, models_of(cls, params)).detect(Frame(0, 0, pixels))


def covers(found, box):
    x, y, width, height = box
    centre = (x + width / 2, y + height / 2)
    return any(
        f.x < centre[0] < f.x + f.width and f.y < centre[1] < f.y + f.height and 0.5 < f.width / width < 2.0
        for f in found
    )


@pytest.mark.parametrize("max_side", [320, 1600])
def test_the_frontal_cascade_finds_the_astronaut_whatever_the_working_size(max_side):
    found = detect("haar_face", HaarFaceParams("frontal", 1.1, 6, 40, max_side), astronaut())
    assert covers(found[:1], FACE)


def test_the_profile_cascade_sees_both_sides_of_a_face():
    half = astronaut()[40:190, 140:300]
    params = HaarFaceParams("profile", 1.05, 1, 30, 1600)
    one = detect("haar_face", params, half)
    mirrored = detect("haar_face", params, half[:, ::-1].copy())
    back = sorted((half.shape[1] - f.x - f.width, f.y, f.width) for f in mirrored)
    assert sorted((f.x, f.y, f.width) for f in one) == back


def test_a_smaller_face_than_asked_for_is_not_reported():
    assert detect("haar_face", HaarFaceParams("frontal", 1.1, 6, 200, 1600), astronaut()) == []


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "faces"), [("obama.jpg", 1), ("knn_examples/test/obama_and_biden.jpg", 3)])
def test_yunet_finds_each_face_with_five_landmarks_inside_it(name, faces):
    # The second picture shows two men in front and a child at the right, who has a face too.
    path = SHARED / "media" / "faces_officials" / "examples" / name
    if not path.is_file():
        pytest.skip("set PLAYE_TEST_DATA to the laboratory's test data")
    found = detect("yunet", YuNetParams(0.7, 0.3, 5000, 1280), np.asarray(Image.open(path).convert("RGB")))
    assert len(found) == faces
    for face in found:
        assert face.label == "face" and 0.7 <= face.score <= 1.0 and len(face.landmarks) == 5
        assert all(face.x <= x <= face.x + face.width for x, _ in face.landmarks)
        assert all(face.y <= y <= face.y + face.height for _, y in face.landmarks)


def test_yunet_maps_boxes_back_to_the_frame_from_a_smaller_working_size():
    large = detect("yunet", YuNetParams(0.6, 0.3, 5000, 2000), astronaut())
    small = detect("yunet", YuNetParams(0.6, 0.3, 5000, 300), astronaut())
    assert covers(large, FACE) and covers(small, FACE)


def test_nobody_is_found_in_an_empty_picture():
    flat = np.full((480, 640, 3), 90, np.uint8)
    assert detect("hog_people", HogPeopleParams(8, 8, 1.05, 0.0, 800), flat) == []
    assert detect("haar_face", HaarFaceParams("frontal", 1.1, 3, 40, 1600), flat) == []


def moving(frames: int, shake: bool = False):
    rng = np.random.default_rng(4)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (180, 320, 3), np.uint8), (0, 0), 1)
    for index in range(frames):
        picture = np.roll(ground, 11 * index, axis=1) if shake else ground.copy()
        picture = np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255).astype(np.uint8)
        left = 20 + 14 * index
        picture[80:110, left : left + 24] = (230, 40, 40)
        yield Frame(index, index, picture), left


PARAMS = Mog2MotionParams(120, 25.0, 0.02, 5, 3, 120, 0.5, 480, 0.0, 0.0, 1.0, 1.0)


def test_motion_before_a_fixed_camera_is_boxed_where_it_is_and_not_while_it_learns():
    detector = DETECTORS.get("mog2_motion")(PARAMS, FACTS)
    for frame, left in moving(14):
        found = detector.detect(frame)
        if frame.index < PARAMS.warm_up_frames:
            assert found == []
            continue
        best = min(found, key=lambda f: abs(f.x - left))
        assert best.label == "motion" and 0 < best.score <= 1
        assert abs(best.x - left) <= 2 and abs(best.width - 24) <= 4 and abs(best.y - 80) <= 2


def test_a_camera_that_moves_reports_no_motion():
    detector = DETECTORS.get("mog2_motion")(PARAMS, FACTS)
    assert all(detector.detect(frame) == [] for frame, _ in moving(10, shake=True))


def test_a_region_limits_where_motion_is_looked_for_and_boxes_stay_in_px_of_the_frame():
    right = DETECTORS.get("mog2_motion")(replace(PARAMS, region_left=0.5), FACTS)
    below = DETECTORS.get("mog2_motion")(replace(PARAMS, region_top=0.7), FACTS)
    seen = [(right.detect(f), below.detect(f), at) for f, at in moving(18)]
    assert all(found == [] for found, _, at in seen if at + 24 < 160)
    assert all(found == [] for _, found, _ in seen), "it passes above this region"
    inside = [(found, at) for found, _, at in seen if at > 170]
    assert inside
    for found, at in inside:
        best = min(found, key=lambda f: abs(f.x - at))
        assert abs(best.x - at) <= 2 and abs(best.width - 24) <= 4 and abs(best.y - 80) <= 2
        assert min(f.x for f in found) >= 160


def test_an_empty_region_is_refused_with_its_borders():
    with pytest.raises(PresetError, match=r"left 0\.6"):
        DETECTORS.get("mog2_motion")(replace(PARAMS, region_left=0.6, region_right=0.5), FACTS)


def test_the_background_is_learned_anew_after_a_cut():
    detector = DETECTORS.get("mog2_motion")(PARAMS, FACTS)
    other = np.full((180, 320, 3), 200, np.uint8)
    for frame, _ in moving(10):
        detector.detect(replace(frame, shot=Shot(0, 0, frame.index)))
    for index in range(10, 20):
        assert detector.detect(Frame(index, index, other, shot=Shot(1, 10, index))) == []
    other[80:110, 40:64] = 20
    found = detector.detect(Frame(20, 20, other, shot=Shot(1, 10, 20)))
    assert [(f.x, f.y) for f in found] == [(40, 80)]
