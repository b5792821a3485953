"""Agreement with the evidence: what is explained by size, noise and brightness, and what is not."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.media import evidence
from playe_assets.media.evidence import as_map, disagreement, shrunk, summary, unexplained
from playe_assets_tests.plugins import scene


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_repeated_samples_agree_with_the_evidence_everywhere(scale, channels, dtype):
    pixels = scene(30, 41, channels, dtype)
    assert disagreement(pixels, pixels.repeat(scale, 0).repeat(scale, 1)).max() == 0.0


def test_the_difference_is_in_8_bit_units_at_either_depth():
    pixels = np.full((20, 20, 1), 100, np.uint8)
    assert disagreement(pixels, pixels + 12) == pytest.approx(12.0)
    deep = pixels.astype(np.uint16) * 257
    assert disagreement(deep, deep + np.uint16(12 * 257)) == pytest.approx(12.0)
    assert disagreement(pixels, np.repeat(pixels + 12, 3, axis=2)) == pytest.approx(12.0)


@pytest.mark.parametrize("measure", [disagreement, lambda a, b: np.stack(unexplained(a, b))])
def test_bands_of_rows_give_what_the_whole_gives(measure, monkeypatch):
    before, after = scene(61, 50, seed=1), scene(122, 100, seed=2)
    whole = measure(before, after)
    monkeypatch.setattr(evidence, "_BAND_PX", 7 * 50)
    np.testing.assert_allclose(measure(before, after), whole, atol=2e-3)


def test_noise_explains_its_own_size_and_not_a_stroke():
    rng = np.random.default_rng(4)
    clean = np.full((80, 80, 1), 120, np.uint8)
    noisy = np.rint(clean + rng.normal(0, 8, clean.shape)).astype(np.uint8)
    assert summary(disagreement(noisy, clean))[0] > 6
    assert summary(disagreement(noisy, clean, 8.0))[0] < 0.4
    noisy[30:36] = 200
    assert disagreement(noisy, clean, 8.0)[31:35].min() > 60


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_brightness_and_contrast_are_explained_and_invented_or_lost_texture_is_not(dtype):
    unit = np.iinfo(dtype).max // 255
    pixels = (scene(64, 72) // 2).astype(dtype) * unit
    brighter = (pixels * 1.7 + 20 * unit).astype(dtype)
    added, lost = unexplained(pixels, brighter)
    assert added.max() < 1.5 and lost.max() < 1.5
    invented = brighter.copy()
    invented[20:40, 20:40] = scene(20, 20, seed=9).astype(dtype) * unit
    added, _ = unexplained(pixels, invented)
    assert added[26:34, 26:34].min() > 5 and added[:10].max() < 1.5
    erased = pixels.copy()
    erased[20:40, 20:40] = 60 * unit
    added, lost = unexplained(pixels, erased)
    assert lost[26:34, 26:34].min() > 3 and added[26:34, 26:34].max() < 1.5


def test_a_map_shows_eight_steps_for_one_and_stops_at_white():
    plane = np.array([[0.0, 1.0], [10.0, 50.0]], np.float32)
    assert as_map(plane, 2, 2)[:, :, 0].tolist() == [[0, 8], [80, 255]]
    assert as_map(plane, 4, 6).shape == (4, 6, 1)


def test_a_result_of_another_shape_is_brought_to_the_evidences_size():
    pixels = scene(40, 30)
    assert disagreement(pixels, shrunk(pixels, 25, 47)).shape == (40, 30)
    assert shrunk(pixels, 40, 30) is pixels
