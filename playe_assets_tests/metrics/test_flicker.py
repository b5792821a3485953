"""Flicker: what a derivative adds between frames is found, what the source does itself is not."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Pair
from playe_assets.metrics.flicker import Flicker, FlickerParams

PARAMS = FlickerParams(480, 0.01, 0.5, 0.2, 16, 0.5, 0.25)
SIZE = (120, 160)


def view(at: float, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A textured scene seen by a camera that moved `at` px to the right, (120, 160, 3) uint8."""
    rng = np.random.default_rng(7)
    wide = cv2.GaussianBlur(rng.random((SIZE[0] + 40, SIZE[1] + 120, 3)), (0, 0), 2.5)
    wide = (wide - wide.min()) / (wide.max() - wide.min()) * 200 + 25
    moved = cv2.warpAffine(
        wide, np.float32([[1, 0, -at - 20], [0, 1, -20]]), SIZE[::-1], flags=cv2.INTER_CUBIC
    )
    moved += np.random.default_rng(seed).normal(0, 1, moved.shape) * noise
    return np.clip(np.rint(moved), 0, 255).astype(np.uint8)


def whole(
    sources: list[np.ndarray], made: list[np.ndarray], params: FlickerParams = PARAMS
) -> dict[str, float]:
    """The metric's row: means of every step (the largest of `_worst`), and what `finish` replaces."""
    metric = Flicker(params)
    steps = []
    for i in range(1, len(sources)):
        before = Pair(sources[i - 1], made[i - 1], None)
        steps.append(metric.measure(Pair(sources[i], made[i], None, previous=before)))
    row = {k: float(np.mean([s[k] for s in steps])) for k in steps[0]}
    row["luma_flicker_worst"] = max(s["luma_flicker_worst"] for s in steps)
    return {**row, **metric.finish()}


PAN = [view(3.0 * i, noise=2.0, seed=i) for i in range(5)]


def brighter(picture: np.ndarray, gain: float) -> np.ndarray:
    return np.clip(np.rint(picture * gain), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_derivative_that_is_the_source_has_ratio_one_and_adds_nothing(scale: int):
    made = [np.repeat(np.repeat(p, scale, axis=0), scale, axis=1) for p in PAN]
    row = whole(PAN, made)
    assert row["warped_error_ratio"] == row["luma_flicker_ratio"] == 1.0
    assert row["warped_error_added"] == row["luma_flicker_added"] == row["luma_flicker_worst"] == 0.0
    assert 1.0 < row["warped_error_before"] < 4.0


def test_a_pan_of_the_camera_is_no_flicker():
    still = [view(0.0, noise=2.0, seed=i) for i in range(5)]
    pan, rest = whole(PAN, PAN), whole(still, still)
    assert pan["warped_error_before"] < 1.4 * rest["warped_error_before"]
    assert pan["luma_flicker_before"] < rest["luma_flicker_before"] + 0.3
    gained = whole(PAN, [brighter(p, 1.1) for p in PAN])  # one gain for all frames
    assert gained["luma_flicker_added"] < 0.1


def test_brightness_that_alternates_is_found_as_luma_flicker():
    row = whole(PAN, [brighter(p, 1.0 + 0.03 * (i % 2)) for i, p in enumerate(PAN)])
    assert row["luma_flicker_ratio"] > 5
    assert 2.5 < row["luma_flicker_added"] < 4.5  # 3% of a mean of 120
    assert row["luma_flicker_worst"] >= row["luma_flicker_added"]


def test_one_jump_shows_in_the_worst_step():
    row = whole(PAN, [brighter(p, 1.05 if i == 2 else 1.0) for i, p in enumerate(PAN)])
    assert row["luma_flicker_worst"] > 1.5 * row["luma_flicker_added"]


def test_brightness_that_alternates_in_one_corner_is_found_too():
    made = [p.copy() for p in PAN]
    for p in made[::2]:
        p[:60, :80] = brighter(p[:60, :80], 1.06)
    assert whole(PAN, made)["luma_flicker_ratio"] > 3


def test_texture_that_each_frame_invents_anew_is_found_as_warped_error_and_not_as_luma_flicker():
    made = [
        np.clip(p + np.random.default_rng(50 + i).normal(0, 6, p.shape), 0, 255).astype(np.uint8)
        for i, p in enumerate(PAN)
    ]
    row = whole(PAN, made)
    assert row["warped_error_ratio"] > 2.0
    assert row["warped_error_added"] > 3.0
    assert row["luma_flicker_added"] < 0.5


def test_a_steadier_derivative_has_a_ratio_below_one():
    row = whole(PAN, [cv2.GaussianBlur(p, (0, 0), 1.5) for p in PAN])
    assert row["warped_error_ratio"] < 0.6
    assert row["warped_error_added"] < 0


def test_a_still_source_without_noise_is_divided_by_the_stated_floor():
    still = [view(0.0)] * 3
    assert whole(still, still)["warped_error_ratio"] == 1.0
    made = [brighter(p, 1.0 + 0.02 * (i % 2)) for i, p in enumerate(still)]
    row = whole(still, made)
    assert row["luma_flicker_ratio"] == pytest.approx(row["luma_flicker_after"] / PARAMS.luma_floor)


def test_what_a_moving_object_uncovers_is_masked_out():
    def with_object(i: int) -> np.ndarray:
        picture = view(0.0)
        cv2.rectangle(picture, (20 + 6 * i, 40), (60 + 6 * i, 90), (240, 30, 30), -1)
        return picture

    moving = [with_object(i) for i in range(4)]
    bare = [b.astype(float) - a for a, b in itertools.pairwise(moving)]
    unmasked = float(np.mean([np.sqrt(np.mean(d**2)) for d in bare]))
    assert whole(moving, moving)["warped_error_before"] < 0.75 * unmasked


def test_without_a_frame_before_it_in_the_shot_nothing_is_said():
    metric = Flicker(PARAMS)
    assert set(metric.measure(Pair(PAN[0], PAN[0], None)).values()) == {None}
    assert metric.finish() == {}


def test_frames_that_share_nothing_are_not_compared():
    rng = np.random.default_rng(3)
    one, other = (rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for _ in range(2))
    strict = dataclasses.replace(PARAMS, min_valid=0.95)
    found = Flicker(strict).measure(Pair(one, one, None, previous=Pair(other, other, None)))
    assert set(found.values()) == {None}


def test_grey_sixteen_bit_and_colour_agree():
    grey = [p[:, :, 1:2] for p in PAN]
    deep = [p.astype(np.uint16) * 257 for p in grey]
    assert whole(deep, deep)["warped_error_before"] == pytest.approx(
        whole(grey, grey)["warped_error_before"], rel=1e-3
    )
    assert whole(grey, PAN)["warped_error_ratio"] < 1.3


def test_the_number_of_threads_changes_nothing():
    noisy = [view(2.0 * i, noise=8.0, seed=i) for i in range(2)]
    threads = cv2.getNumThreads()
    try:
        found = []
        for count in (1, 2, 7):
            cv2.setNumThreads(count)
            found.append(whole(noisy, [cv2.GaussianBlur(p, (0, 0), 1) for p in noisy]))
    finally:
        cv2.setNumThreads(threads)
    assert found[0] == found[1] == found[2]


def test_a_frame_too_small_for_the_flow_is_not_judged():
    tiny = PAN[0][:20, :20]
    found = Flicker(PARAMS).measure(Pair(tiny, tiny, None, previous=Pair(tiny, tiny, None)))
    assert set(found.values()) == {None}


def test_a_stabilised_derivative_is_not_held_against_the_motion_of_its_source():
    previous = Pair(PAN[0], PAN[0], None)
    moved = Pair(PAN[1], PAN[1], None, previous=previous, measured={"frames_moved": 3.0})
    assert set(Flicker(PARAMS).measure(moved).values()) == {None}
