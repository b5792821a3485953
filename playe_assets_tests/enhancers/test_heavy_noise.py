"""The footage that needs fusion most: noise stronger than the scene's details, and a camera that shakes."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.presets import load_preset
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.fusion import Fusion, FusionParams
from playe_assets.enhancers.registration import ENOUGH, register, small_grey
from playe_assets_tests.enhancers.temporal import summary
from playe_assets_tests.plugins import FACTS

(_USE,) = (u for u in load_preset("forensic_safe").steps[MediaKind.CLIP] if u.name == "fusion")
PARAMS = FusionParams(**_USE.given)
HEIGHT, WIDTH, RIM = 240, 400, 40
INNER = np.s_[12:-12, 12:-12]


def world(seed: int) -> np.ndarray:
    """A ground and boxes of low contrast, four times as fine as the frames and with a rim around them."""
    rng = np.random.default_rng(seed)
    tall, wide = 4 * (HEIGHT + 2 * RIM), 4 * (WIDTH + 2 * RIM)
    ground = cv2.GaussianBlur(rng.normal(0, 1, (tall, wide)), (0, 0), 28)
    ground = ground / ground.std() * 9 + 120
    for _ in range(90):
        x, y, w, h = rng.integers(0, wide), rng.integers(0, tall), *rng.integers(30, 240, 2)
        ground[y : y + h, x : x + w] += rng.uniform(-28, 28)
    return cv2.GaussianBlur(ground, (0, 0), 2.0)


def view(of: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """(h, w, 3) where what lay at (x, y) lies at (x + dx, y + dy); whole quarters of a px."""
    left, top = round(4 * (RIM - dx)), round(4 * (RIM - dy))
    part = np.ascontiguousarray(of[top : top + 4 * HEIGHT, left : left + 4 * WIDTH])
    grey = cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.stack([grey - 10, grey, grey + 10], axis=2)


def noisy(clean: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    picture = clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def shaken(sigma: float, count: int = 7):
    """The path in px, the clean pictures and the noisy ones."""
    path = np.round(np.cumsum(np.random.default_rng(2).uniform(-3, 3, (count, 2)), axis=0) * 4) / 4
    scene = world(3)
    cleans = [view(scene, *p) for p in path]
    return path, cleans, [noisy(c, sigma, 50 + n) for n, c in enumerate(cleans)]


def psnr_gain(out: np.ndarray, source: np.ndarray, clean: np.ndarray) -> float:
    before, after = (float(np.mean((p[INNER] - clean[INNER]) ** 2)) for p in (source, out))
    return float(10 * np.log10(before / after))


@pytest.mark.parametrize("sigma", [25, 40])
def test_shaken_pairs_register_though_noise_hides_their_details(sigma):
    path, _, pictures = shaken(sigma)
    planes = [small_grey(p, 640)[0] for p in pictures]
    fine = [register(one, other, -1.0)[1] for one, other in pairwise(planes)]
    assert sigma < 40 or max(fine) < ENOUGH, "the details alone would not do"
    for n, step in enumerate(np.diff(path, axis=0)):
        shift, likeness = register(planes[n], planes[n + 1])
        assert likeness >= ENOUGH
        assert np.hypot(shift.dx - step[0], shift.dy - step[1]) < 0.3


@pytest.mark.parametrize("sigma", [25, 40])
def test_what_is_drowned_in_noise_is_fused(sigma):
    _, cleans, pictures = shaken(sigma)
    out = list(Fusion(PARAMS, FACTS).stream(Frame(n, 40 * n, p) for n, p in enumerate(pictures)))
    measured = summary(Fusion, out)
    assert measured["pairs_not_registered"] == 0
    assert measured["contributors_mean"] >= 3
    # Single frames show it too, so the noise is believed beyond `sigma_max`; clipping takes a little of it.
    assert measured["noise_sigma_mean"] == pytest.approx(sigma, rel=0.12)
    assert psnr_gain(out[3].pixels, pictures[3], cleans[3]) > 5.0


@pytest.mark.parametrize("sigma", [25, 40])
def test_a_cut_between_noisy_scenes_is_not_fused_across(sigma):
    one, other = view(world(3), 0, 0), view(world(4), 0, 0)
    pictures = [noisy(one if n < 4 else other, sigma, 90 + n) for n in range(8)]
    out = list(Fusion(PARAMS, FACTS).stream(Frame(n, 40 * n, p) for n, p in enumerate(pictures)))
    assert summary(Fusion, out)["pairs_not_registered"] == 1
    assert [int(f.side["contributors"].max()) for f in out] == [3, 4, 4, 3, 3, 4, 4, 3]


def test_unrelated_noisy_scenes_are_never_alike_at_any_scale():
    planes = [small_grey(noisy(view(world(s), 0, 0), 25, s), 640)[0] for s in range(5)]
    found = [register(a, b) for n, a in enumerate(planes) for b in planes[n + 1 :]]
    assert max(likeness for _, likeness in found) < 0.35


@pytest.mark.parametrize("sigma", [25, 40])
def test_an_object_in_heavy_noise_survives_without_a_ghost(sigma):
    clean = view(world(3), 0, 0)
    cleans = [clean.copy() for _ in range(7)]
    boxes = {3: np.s_[100:124, 80:104], 4: np.s_[100:124, 130:154]}
    for n, box in boxes.items():
        cleans[n][box] += 3.0 * sigma
    source = [noisy(c, sigma, 30 + n) for n, c in enumerate(cleans)]
    out = list(Fusion(PARAMS, FACTS).stream(Frame(n, 40 * n, p) for n, p in enumerate(source)))
    for seen, (rows, columns) in boxes.items():
        inside = np.s_[rows.start + 2 : rows.stop - 2, columns.start + 2 : columns.stop - 2]
        for n in range(1, 6):  # against the same noise without fusion, so that clipping counts for both
            bias = float(np.mean(out[n].pixels[inside].astype(float) - np.clip(cleans[n][inside], 0, 255)))
            own = float(np.mean(source[n][inside].astype(float) - np.clip(cleans[n][inside], 0, 255)))
            assert abs(bias - own) < 0.12 * 3.0 * sigma, (seen, n)


def test_noise_that_only_motion_makes_is_not_believed():
    # The whole picture flickers between two textures of one place: single frames show next to no noise.
    rng = np.random.default_rng(8)
    clean = view(world(3), 0, 0)
    grain = [cv2.GaussianBlur(rng.normal(0, 1, clean.shape[:2]), (0, 0), 6)[:, :, None] for _ in range(6)]
    pictures = [noisy(clean + g / g.std() * 45, 2, n) for n, g in enumerate(grain)]
    loose = FusionParams(**{**_USE.given, "min_likeness": 0.0})
    out = list(Fusion(loose, FACTS).stream(Frame(n, 40 * n, p) for n, p in enumerate(pictures)))
    assert summary(Fusion, out).get("noise_sigma_mean", 0.0) <= PARAMS.sigma_max
