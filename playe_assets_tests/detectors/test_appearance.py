"""One vector of what a finding looks like: steady under small changes, different for different things."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from playe_assets.core.values import Detection
from playe_assets.detectors.appearance import LENGTH, appearance

BOX = Detection("person", 40, 20, 60, 120, 0.9)


def figure(upper, lower, shape=(160, 140), at=(40, 20), size=(60, 120), seed=0):
    """Somebody with a coat of one colour and trousers of another before a wall, drawn by formula."""
    rng = np.random.default_rng(seed)
    height, width = shape
    picture = np.full((height, width, 3), (150, 150, 140), np.float64)
    x, y, w, h = (*at, *size)
    picture[y : y + h // 2, x + w // 6 : x + w - w // 6] = upper
    picture[y + h // 2 : y + h, x + w // 4 : x + w - w // 4] = lower
    picture += rng.normal(0, 3, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1.0), 0, 255).astype(np.uint8)


RED_BLUE, GREEN_BLACK = ((170, 40, 40), (40, 50, 140)), ((50, 130, 60), (25, 25, 25))


def like(one, other):
    return float(one @ other)


def test_it_is_a_unit_vector_and_the_same_again():
    picture = figure(*RED_BLUE)
    one = appearance(picture, BOX)
    assert (one.shape, one.dtype) == ((LENGTH,), np.float32)
    assert float((one.astype(np.float64) ** 2).sum()) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(one, appearance(picture.copy(), BOX)) and one.min() >= 0


def test_small_changes_of_light_scale_place_and_noise_change_it_little():
    picture = figure(*RED_BLUE)
    one = appearance(picture, BOX)
    for light in (0.9, 1.1):
        assert like(one, appearance(np.clip(picture * light, 0, 255).astype(np.uint8), BOX)) > 0.98
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert like(one, appearance(half, Detection("person", 20, 10, 30, 60, 0.9))) > 0.98
    assert like(one, appearance(picture, Detection("person", 43, 22, 60, 118, 0.9))) > 0.98
    assert like(one, appearance(figure(*RED_BLUE, seed=9), BOX)) > 0.99


def test_other_clothes_and_clothes_turned_upside_down_look_different():
    one = appearance(figure(*RED_BLUE), BOX)
    assert like(one, appearance(figure(*GREEN_BLACK), BOX)) < 0.8
    assert like(one, appearance(figure(*reversed(RED_BLUE)), BOX)) < 0.85


def test_grey_pictures_are_told_apart_by_luma():
    def grey(colours):
        return cv2.cvtColor(figure(*colours), cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]

    dark, bright = ((30, 30, 30), (20, 20, 20)), ((220, 220, 220), (60, 60, 60))
    one = appearance(grey(dark), BOX)
    assert like(one, appearance(np.clip(grey(dark) * 1.1, 0, 255).astype(np.uint8), BOX)) > 0.98
    assert like(one, appearance(grey(bright), BOX)) < 0.9


def test_sixteen_bits_look_like_their_upper_eight():
    picture = figure(*RED_BLUE)
    deep = (picture.astype(np.uint16) << 8) + 77
    assert np.array_equal(appearance(picture, BOX), appearance(deep, BOX))


@pytest.mark.parametrize("fill", [0, 128, 255])
def test_a_flat_picture_has_an_appearance_too(fill):
    found = appearance(np.full((50, 50, 3), fill, np.uint8), Detection("person", 5, 5, 30, 40, 0.5))
    assert np.isfinite(found).all() and like(found, found) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    "box", [(0, 0, 0.4, 0.3), (139.5, 159.5, 0.5, 0.5), (100, 100, 80, 90), (-5, -9, 30, 30)]
)
def test_tiny_boxes_and_boxes_at_the_border_are_looked_at_where_there_are_pixels(box):
    found = appearance(figure(*RED_BLUE), Detection("face", *box, 0.5))
    assert np.isfinite(found).all()


def test_the_picture_is_left_as_it_was():
    picture = figure(*RED_BLUE)
    before = picture.copy()
    appearance(picture, BOX)
    assert np.array_equal(picture, before)


def test_the_count_of_threads_does_not_change_a_bit():
    picture, threads = figure(*RED_BLUE), cv2.getNumThreads()
    try:
        found = []
        for count in (1, 4):
            cv2.setNumThreads(count)
            found.append(appearance(picture, BOX))
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*found)


def test_a_thing_that_returns_in_drawn_frames_is_rejoined_and_another_is_not():
    """The whole way from pixels to trails: coats are what the tracker knows."""
    from playe_assets.core.contracts_tracks import Look
    from playe_assets.trackers.kalman_iou import KalmanIou
    from playe_assets_tests.trackers.scenarios import preset_params

    looks = []
    for n in range(60):
        here = n < 8 or n >= 40
        colours = RED_BLUE if n < 8 or n >= 50 else GREEN_BLACK
        at = (20 + 2 * (n % 10), 20)
        picture = figure(*colours, at=at, seed=n)
        found = (Detection("person", *map(float, (*at, 60, 120)), 0.9),) if here and n not in (48, 49) else ()
        looks.append(Look(n, Fraction(n, 2), 0, found, tuple(appearance(picture, d) for d in found)))
    trails = KalmanIou(preset_params(max_gap_s=0.0)).follow(looks, 140, 160)
    assert [(t.members[0][0], t.members[-1][0], t.rejoined) for t in trails] == [(0, 59, 1), (40, 47, 0)]
