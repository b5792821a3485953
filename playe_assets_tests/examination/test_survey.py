"""What the survey measures: noise, motion beyond noise and coding, digests of every frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.presets import load_preset
from playe_assets.examination.shots import ContentScore
from playe_assets.examination.survey import SMALL_PX, Surveyor, moving_share, sampled_noise, small_copy
from playe_assets.media.clip import read_clip
from playe_assets.media.pixel_digest import pixel_sha256
from playe_assets.media.proxy import ProxyWriter
from playe_assets_tests.media.samples import BASE, OUTPUT
from playe_assets_tests.plugins import scene

MOVING = load_preset("forensic_safe").video.shots.moving_share


def rows(pictures):
    surveyor = Surveyor(ContentScore(27.0))
    return [surveyor.look(Frame(n, 7 * n, p, corrupt=n == 2)).row for n, p in enumerate(pictures)]


def noisy(picture, sigma: float, seed: int):
    values = picture + np.random.default_rng(seed).normal(0, sigma, picture.shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def still(count: int, sigma: float = 4.0):
    ground = cv2.GaussianBlur(scene(180, 320), (0, 0), 3).astype(float) * 0.6 + 50
    return [noisy(ground, sigma, n) for n in range(count)]


def test_each_frame_has_its_digest_time_and_mark():
    pictures = still(4)
    found = rows(pictures)
    assert [r.sha256 for r in found] == [pixel_sha256(p) for p in pictures]
    assert [(r.frame, r.pts, r.corrupt) for r in found] == [
        (0, 0, False), (1, 7, False), (2, 14, True), (3, 21, False)
    ]  # fmt: skip
    assert (found[0].motion_share, found[0].cut_score) == (0.0, 0.0)
    assert found[1].luma_mean == pytest.approx(
        float(cv2.cvtColor(pictures[1], cv2.COLOR_RGB2GRAY).mean()), abs=1.0
    )


@pytest.mark.parametrize("sigma", [0.0, 2.0, 8.0, 20.0])
def test_noise_alone_is_no_motion(sigma):
    assert max(r.motion_share for r in rows(still(8, sigma))) < MOVING


def test_a_thing_that_walks_is_motion_of_about_its_size():
    pictures = still(8)
    for n, picture in enumerate(pictures):
        picture[60:120, 40 + 12 * n : 70 + 12 * n] = 230
    found = [r.motion_share for r in rows(pictures)][1:]
    swept = 2 * 12 * 60 / (180 * 320)  # uncovered behind it and covered before it
    assert all(swept / 2 < share < swept * 2 for share in found)


def test_a_change_of_all_brightness_is_no_motion():
    pictures = [np.clip(p.astype(int) + 9 * (n % 2), 0, 255).astype(np.uint8) for n, p in enumerate(still(6))]
    assert max(r.motion_share for r in rows(pictures)) < MOVING


def test_lossy_coding_of_a_still_scene_is_no_motion_key_frames_too(tmp_path: Path):
    with ProxyWriter(tmp_path / "still.mp4", BASE, OUTPUT) as out:
        for n, picture in enumerate(still(24, 6.0)):
            out.add_pixels(picture, 512 * n)
    found = rows(f.pixels for f in read_clip(tmp_path / "still.mp4"))
    assert len(found) == 24
    assert max(r.motion_share for r in found) < MOVING


def test_a_pan_moves_nearly_everything_even_though_most_differences_are_large():
    wide = scene(180, 900, seed=3)
    found = rows(np.ascontiguousarray(wide[:, 9 * n : 9 * n + 320]) for n in range(6))
    assert min(r.motion_share for r in found[1:]) > 0.2


@pytest.mark.parametrize("sigma", [3.0, 10.0])
def test_noise_is_measured_near_its_truth_at_any_size(sigma):
    for height, width in ((90, 160), (720, 1280)):
        ground = np.full((height, width, 3), 120.0)
        luma_sigma = sigma * np.sqrt(0.299**2 + 0.587**2 + 0.114**2)
        assert sampled_noise(noisy(ground, sigma, 1)) == pytest.approx(luma_sigma, rel=0.15)


def test_16_bit_frames_measure_as_8_bit_ones():
    pictures = still(4)
    eight = rows(pictures)
    deep = rows(p.astype(np.uint16) * 257 for p in pictures)
    for one, other in zip(eight, deep, strict=True):
        assert other.luma_mean == pytest.approx(one.luma_mean, abs=1.0)
        assert other.noise_sigma == pytest.approx(one.noise_sigma, rel=0.05)
        assert other.motion_share == pytest.approx(one.motion_share, abs=0.001)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 700, 1), (1080, 1920, 3), (641, 333, 3), (320, 320, 1)])
def test_the_small_copy_is_small_and_never_empty(shape):
    small = small_copy(np.full(shape, 77, np.uint8))
    assert small.ndim == 3 and small.shape[2] == 3 and small.dtype == np.uint8
    assert 1 <= max(small.shape[:2]) <= SMALL_PX + 1 and min(small.shape[:2]) >= 1
    assert (small == 77).all()


def test_frames_without_motion_at_all_are_still():
    flat = np.full((50, 60), 128, np.uint8)
    assert moving_share(flat, flat) == 0.0


def test_the_same_frames_give_the_same_rows():
    assert rows(still(5)) == rows(still(5))
