"""Registration against rendered truth; the warp against a picture known between its pixels too."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.enhancers.registration import Shift, correlate, register, shifted, small_grey


def waves(x, y):
    """A band-limited scene that can be sampled anywhere exactly."""
    total = 128.0
    rng = np.random.default_rng(5)
    for _ in range(60):
        fx, fy, phase = rng.uniform(-0.7, 0.7), rng.uniform(-0.7, 0.7), rng.uniform(0, 6.28)
        total = total + 5.0 * np.sin(fx * x + fy * y + phase)
    return total


def sampled(dx: float, dy: float, sigma: float = 0.0, seed: int = 0, height=180, width=320):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = waves(x - dx, y - dy) + np.random.default_rng(seed).normal(0, sigma, (height, width))
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)[:, :, None]


@pytest.mark.parametrize("sigma", [0.0, 5.0, 15.0])
def test_sub_pixel_shake_is_registered_to_a_small_part_of_a_pixel(sigma):
    errors = []
    rng = np.random.default_rng(7)
    for trial in range(6):
        true = Shift(*rng.uniform(-3, 3, 2))
        one = small_grey(sampled(0, 0, sigma, 2 * trial), 640)[0]
        other = small_grey(sampled(true.dx, true.dy, sigma, 2 * trial + 1), 640)[0]
        found, likeness = register(one, other)
        assert likeness > 0.8
        errors.append((found + -true).length)
    assert np.mean(errors) < 0.05


def test_correlating_leaves_the_planes_as_they_were():
    one, other = (small_grey(sampled(d, 0), 640)[0] for d in (0, 1))
    kept = one.copy(), other.copy()
    correlate(one, other)
    assert np.array_equal(one, kept[0]) and np.array_equal(other, kept[1])


def test_pictures_that_share_nothing_but_their_lighting_are_not_alike():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        light = np.linspace(40, 210, 320, dtype=np.float32)
        noise = [(light + rng.normal(0, 20, (180, 320))).astype(np.float32) for _ in range(2)]
        assert register(*noise)[1] < 0.15


@pytest.mark.parametrize("size", [(1, 1), (4, 4), (15, 200)])
def test_pictures_too_small_to_register_are_not_alike(size):
    tiny = np.zeros(size, np.float32)
    assert register(tiny, tiny) == (Shift(0.0, 0.0), 0.0)


@pytest.mark.parametrize(
    "shift", [(0.0, 0.0), (2.0, -3.0), (0.4, 0.0), (0.0, -0.7), (3.3, -2.6), (-5.5, 8.25)]
)
def test_warping_reads_the_right_place_and_only_what_was_seen(shift):
    move = Shift(*shift)
    here, there = sampled(0, 0), sampled(*shift)
    moved, rows, columns = shifted(there, move)
    assert moved.shape[:2] == here[rows, columns].shape[:2]
    assert moved.shape[0] >= 180 - abs(shift[1]) - 8 and moved.shape[1] >= 320 - abs(shift[0]) - 8
    assert np.abs(moved.astype(int) - here[rows, columns]).max() <= 2


def test_a_shift_larger_than_the_picture_gives_nothing():
    moved, rows, columns = shifted(sampled(0, 0, height=20, width=20), Shift(40.5, 0.5))
    assert moved.size == 0 and rows == columns == slice(0, 0)


def test_a_large_picture_is_registered_on_a_small_copy_in_its_own_pixels():
    one = small_grey(np.kron(sampled(0, 0)[:, :, 0], np.ones((2, 2), np.uint8))[:, :, None], 320)
    assert one[0].shape == (180, 320) and one[1:] == (2.0, 2.0)
