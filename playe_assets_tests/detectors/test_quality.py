"""How well a finding is seen: what is larger, sharper and frontal ranks higher."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from playe_assets.core.values import Detection
from playe_assets.detectors.quality import quality

FRONTAL = ((60.0, 60.0), (100.0, 60.0), (80.0, 82.0), (65.0, 105.0), (95.0, 105.0))
BOX = Detection("face", 30, 30, 100, 100, 0.9)


def scene(side=160, seed=2):
    """Edges of all directions and contrasts: random blocks, softened by one px."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(40, 210, (side // 10, side // 10)), np.ones((10, 10)))
    picture = cv2.GaussianBlur(blocks, (0, 0), 0.8)
    return np.repeat(picture[:, :, np.newaxis], 3, axis=2).clip(0, 255).astype(np.uint8)


def test_a_blurred_finding_is_less_sharp_the_more_it_is_blurred():
    sharp = [quality(cv2.GaussianBlur(scene(), (0, 0), s) if s else scene(), BOX) for s in (0, 1, 2, 4, 8)]
    for key in ("sharpness", "overall"):
        values = [q[key] for q in sharp]
        assert values == sorted(values, reverse=True) and values[-1] < 0.7 * values[0]


def test_contrast_and_brightness_do_not_make_it_sharper():
    one = quality(scene(), BOX)["sharpness"]
    flat = (scene() * 0.4 + 90).astype(np.uint8)
    assert quality(flat, BOX)["sharpness"] == pytest.approx(one, rel=0.08)


def test_noise_does_not_make_it_much_sharper():
    soft = cv2.GaussianBlur(scene(), (0, 0), 3)
    noisy = np.clip(soft + np.random.default_rng(1).normal(0, 8, soft.shape), 0, 255).astype(np.uint8)
    clean, seen = quality(soft, BOX)["sharpness"], quality(noisy, BOX)["sharpness"]
    assert seen < clean * 1.25
    assert seen < quality(scene(), BOX)["sharpness"]


def test_faint_texture_does_not_rank_like_a_thing():
    """Asphalt that a box of motion held after the car had left came out best of its track before."""
    asphalt = np.clip(100 + np.random.default_rng(1).normal(0, 4, (160, 160, 1)), 0, 255)
    softened = cv2.GaussianBlur(asphalt, (0, 0), 0.7)[:, :, np.newaxis].astype(np.uint8)
    assert quality(softened, BOX)["overall"] < 0.5 * quality(scene(), BOX)["overall"]


def test_of_the_same_thing_the_larger_picture_of_it_ranks_higher():
    small = cv2.resize(scene(), None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    near, far = quality(scene(), BOX), quality(small, Detection("face", 12, 12, 40, 40, 0.9))
    assert (near["size"], far["size"]) == (100.0, 40.0)
    assert far["overall"] < 0.8 * near["overall"]


def turned(points, degrees):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return tuple((float(x), float(y)) for x, y in (np.array(points) - 80) @ turn.T + 80)


def face(points):
    return Detection("face", 30, 30, 100, 100, 0.9, points)


def test_pose_is_one_from_the_front_and_falls_as_the_nose_goes_aside():
    nose = [(*FRONTAL[:2], (80.0 + aside, 82.0), *FRONTAL[3:]) for aside in (0, 5, 10, 20, 30)]
    found = [quality(scene(), face(points)) for points in nose]
    assert [q["pose"] for q in found] == [1.0, 0.75, 0.5, 0.0, 0.0]
    assert [q["overall"] for q in found[:4]] == sorted((q["overall"] for q in found[:4]), reverse=True)


def test_a_head_leaned_aside_keeps_its_pose():
    for degrees in (20, -45, 90):
        assert quality(scene(), face(turned(FRONTAL, degrees)))["pose"] == pytest.approx(1.0, abs=1e-3)


def test_eyes_close_together_are_a_face_from_the_side():
    aside = tuple((80 + (x - 80) * 0.3, y) for x, y in FRONTAL)
    assert quality(scene(), face(aside))["pose"] < 0.4
    assert quality(scene(), face(((80.0, 60.0),) * 5))["pose"] == 0.0


def test_without_five_landmarks_there_is_no_pose():
    assert set(quality(scene(), BOX)) == {"size", "sharpness", "overall"}
    assert "pose" not in quality(scene(), face(FRONTAL[:2]))


def test_in_a_corrupt_frame_nothing_is_well_seen():
    found = quality(scene(), BOX, corrupt=True)
    assert found["overall"] == 0.0 and found["sharpness"] > 0


@pytest.mark.parametrize("fill", [0, 255])
def test_a_flat_picture_is_not_sharp(fill):
    assert quality(np.full((60, 60, 1), fill, np.uint8), BOX)["sharpness"] == 0.0


@pytest.mark.parametrize(
    "box", [(0, 0, 0.1, 0.1), (150, 3, 9, 150), (3, 150, 150, 9), (159.9, 159.9, 0.1, 0.1)]
)
def test_every_value_is_finite_and_overall_lies_within_its_range(box):
    found = quality(scene(), Detection("motion", *box, 0.5))
    assert all(np.isfinite(v) and v >= 0 for v in found.values()) and found["overall"] <= 1


def test_eight_and_sixteen_bits_grey_and_grey_in_colour_are_the_same():
    picture = scene()
    assert quality(picture, BOX) == quality(picture[:, :, :1], BOX)
    assert quality(picture, BOX) == quality(picture.astype(np.uint16) << 8, BOX)
