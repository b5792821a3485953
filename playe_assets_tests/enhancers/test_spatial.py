"""Denoising, scaling and contrast: what each must do, with figures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.tracks import Shot
from playe_assets.enhancers.lanczos import Lanczos, LanczosParams
from playe_assets.enhancers.local_contrast import LocalContrast, LocalContrastParams
from playe_assets.enhancers.nlm import NlmParams, NonLocalMeans
from playe_assets_tests.plugins import FACTS


def noisy(level: float, sigma: float, dtype, channels: int = 3):
    unit = 1.0 if dtype is np.uint8 else 257.0
    clean = np.full((72, 72, channels), level * unit)
    clean[:, 36:] += 60 * unit
    rng = np.random.default_rng(3)
    return clean, np.rint(clean + rng.normal(0, sigma * unit, clean.shape)).astype(dtype), unit


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_nlm_takes_away_noise_and_keeps_the_edge_at_either_depth(dtype, channels):
    clean, pixels, unit = noisy(80, 5.0, dtype, channels)
    result = NonLocalMeans(NlmParams(7.0, 7.0, 5, 15, 0.0), FACTS).frame(pixels)
    left = (result.astype(float) - clean)[:, :36] / unit
    assert left.std() < 0.45 * 5.0
    step = (result[:, 38].astype(float).mean() - result[:, 33].astype(float).mean()) / unit
    assert step == pytest.approx(60, abs=1.5)


def test_nlm_means_about_the_same_strength_at_both_depths():
    _, eight, _ = noisy(80, 5.0, np.uint8, 1)
    params = NlmParams(5.0, 5.0, 5, 11, 0.0)
    one = NonLocalMeans(params, FACTS).frame(eight)[:, :30].astype(float).std()
    deep = NonLocalMeans(params, FACTS).frame(eight.astype(np.uint16) * 257)[:, :30] / 257.0
    assert deep.std() == pytest.approx(one, rel=0.2)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nlm_of_strength_zero_changes_no_sample(dtype):
    pixels = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (20, 20, 3), dtype, endpoint=True)
    assert np.array_equal(NonLocalMeans(NlmParams(0.0, 0.0, 3, 5, 0.0), FACTS).frame(pixels), pixels)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_lanczos_keeps_places_and_mean(scale):
    y, x = np.mgrid[0:40, 0:60]
    hill = (128 + 80 * np.sin(x / 6.0) * np.cos(y / 5.0)).astype(np.uint8)[:, :, None]
    large = Lanczos(LanczosParams(scale, 10**6), FACTS).frame(hill)
    assert large.shape == (40 * scale, 60 * scale, 1)
    back = cv2.resize(large, (60, 40), interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(int) - hill[:, :, 0]).max() <= 4


def test_counts_are_repeated_and_never_interpolated():
    from playe_assets.core.contracts import Frame

    counts = np.array([[1, 5], [3, 2]], np.uint8)[:, :, None]
    frame = Frame(0, 0, np.zeros((2, 2, 3), np.uint8), False, {"contributors": counts})
    (given,) = Lanczos(LanczosParams(3, 10**6), FACTS).stream(iter([frame]))
    assert np.array_equal(given.side["contributors"][:, :, 0], np.kron(counts[:, :, 0], np.ones((3, 3))))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_local_contrast_spreads_a_flat_picture_and_blend_zero_changes_nothing(dtype):
    unit = 1 if dtype is np.uint8 else 257
    ramp = (np.linspace(110, 140, 128) * unit).astype(dtype)
    pixels = np.repeat(np.tile(ramp, (128, 1))[:, :, None], 3, axis=2)
    more = LocalContrast(LocalContrastParams(2.0, 4, 0.5), FACTS).frame(pixels)
    assert more.astype(float).std() > 1.05 * pixels.astype(float).std()
    assert np.array_equal(LocalContrast(LocalContrastParams(2.0, 4, 0.0), FACTS).frame(pixels), pixels)


def test_local_contrast_is_as_strong_for_16_bit_as_for_8():
    eight = np.random.default_rng(2).integers(60, 160, (96, 96, 1), np.uint8)
    eight = cv2.GaussianBlur(eight, (0, 0), 3)[:, :, None]
    change = LocalContrast(LocalContrastParams(1.5, 4, 0.5), FACTS)
    one = change.frame(eight).astype(float)
    deep = change.frame(eight.astype(np.uint16) * 257) / 257.0
    assert np.abs(one - deep).mean() < 0.6


def test_colour_differences_survive_local_contrast():
    pixels = np.random.default_rng(2).integers(90, 160, (64, 64, 3), np.uint8)
    result = LocalContrast(LocalContrastParams(1.5, 4, 0.5), FACTS).frame(pixels).astype(int)
    inside = (result.min(axis=2) > 0) & (result.max(axis=2) < 255)
    before = pixels.astype(int)
    for one, other in ((0, 1), (1, 2)):
        moved = (result[..., one] - result[..., other]) - (before[..., one] - before[..., other])
        assert np.abs(moved[inside]).max() <= 1


def test_a_shot_without_noise_is_left_as_it_is_and_one_with_noise_is_denoised():
    pixels = noisy(80, 8.0, np.uint8)[1]
    quiet, loud = Shot(0, 0, 0, noise_sigma=0.5), Shot(1, 1, 1, noise_sigma=6.0)
    step = NonLocalMeans(NlmParams(5.0, 5.0, 3, 7, 4.0), FACTS)
    left, done, unknown = step.stream(
        iter([Frame(0, 0, pixels, shot=quiet), Frame(1, 1, pixels, shot=loud), Frame(2, 2, pixels)])
    )
    assert np.array_equal(left.pixels, pixels) and left.numbers == {"applied": 0.0}
    assert not np.array_equal(done.pixels, pixels) and done.numbers == {"applied": 1.0}
    assert np.array_equal(unknown.pixels, pixels)


def test_a_picture_that_is_large_enough_is_not_enlarged():
    pixels = noisy(80, 8.0, np.uint8)[1]
    assert np.array_equal(Lanczos(LanczosParams(2, 72 * 72 - 1), FACTS).frame(pixels), pixels)
    assert Lanczos(LanczosParams(2, 72 * 72), FACTS).frame(pixels).shape == (144, 144, 3)
