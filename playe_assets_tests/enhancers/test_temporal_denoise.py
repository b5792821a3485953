"""Temporal denoising follows what moves, and what is there for a frame or three survives it."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from playe_assets.core.presets import load_preset
from playe_assets.core.tracks import Seen
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.fusion import Fusion, FusionParams
from playe_assets.enhancers.temporal_denoise import TemporalDenoise, TemporalDenoiseParams
from playe_assets_tests.enhancers.temporal import (
    assert_same,
    assert_window_pure,
    moving_things,
    noisy,
    psnr,
    summary,
    texture,
    with_cut,
)
from playe_assets_tests.plugins import FACTS

PARAMS = TemporalDenoiseParams(
    radius=2, flow_max_side_px=640, flow_smooth_px=1.0, flow_finest_scale=1, flow_iterations=12,
    flow_refinements=5, occlusion_px=1.5, min_shift_px=0.1, sigma_min=0.5, sigma_max=20.0, sigma_spatial=1.5,
    pixel_sigmas=3.5,
    patch_px=7, patch_ratio=1.6, mean_sigmas=4.0, min_agreement=0.3,
)  # fmt: skip
(_USE,) = (u for u in load_preset("forensic_safe").steps[MediaKind.CLIP] if u.name == "fusion")
HEIGHT, WIDTH = 120, 160


def denoised(source, params=PARAMS):
    return list(TemporalDenoise(params, FACTS).stream(iter(source)))


@pytest.mark.parametrize(("dtype", "sigma"), [(np.uint8, 4.0), (np.uint8, 10.0), (np.uint16, 10.0)])
def test_where_things_move_by_themselves_it_gains_more_than_fusion_by_translation(dtype, sigma):
    cleans = moving_things(180, 320, 7)
    source = noisy(cleans, sigma, dtype=dtype)
    own = psnr(source[3].pixels, cleans[3])
    followed = psnr(denoised(source)[3].pixels, cleans[3])
    fused = list(Fusion(FusionParams(**_USE.given), FACTS).stream(iter(source)))
    assert followed > psnr(fused[3].pixels, cleans[3]) + 1.5
    assert followed > own + 4.0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_still_scene_gains_nearly_the_square_root_of_the_number_of_frames(channels):
    clean = texture(HEIGHT, WIDTH, 2, channels)
    out = denoised(noisy([clean] * 7, 6.0))
    assert psnr(out[3].pixels, clean) - 20 * np.log10(255 / 6.0) > 6.0  # of 7.0 dB at best
    assert summary(TemporalDenoise, out)["noise_sigma_mean"] == pytest.approx(6.0, rel=0.08)
    assert [int(f.side["contributors"].max()) for f in out] == [3, 4, 5, 5, 5, 4, 3]


def planted(contrast: float, places, pan: float = 0.0):
    """Nine noisy frames; in frames 3.. an object of 14 x 14 px lies at `places`."""
    ground = texture(HEIGHT, WIDTH + 40, 2)
    cleans = [ground[:, 4 + round(pan * i) : 4 + round(pan * i) + WIDTH].copy() for i in range(9)]
    without = [c.copy() for c in cleans]
    for index, (top, left) in places.items():
        cleans[index][top : top + 14, left : left + 14] += contrast
    return cleans, without


@pytest.mark.parametrize("pan", [0.0, 2.0])
@pytest.mark.parametrize("contrast", [8.0, 16.0, 48.0, -32.0])
@pytest.mark.parametrize(
    "places",
    [{4: (50, 70)}, {3: (50, 40), 4: (50, 70), 5: (50, 100)}, {3: (50, 60), 4: (50, 66), 5: (50, 72)}],
)
def test_an_object_that_is_there_for_one_to_three_frames_survives_without_a_ghost(places, contrast, pan):
    sigma = 4.0
    cleans, without = planted(contrast, places, pan)
    out = denoised(noisy(cleans, sigma))
    allowed = 0.08 * abs(contrast) + 0.3
    for index, (top, left) in places.items():
        inside = np.s_[top + 1 : top + 13, left + 1 : left + 13]
        assert abs(float(np.mean(out[index].pixels[inside] - cleans[index][inside]))) < allowed
    for index in range(1, 8):
        for seen_at, (top, left) in places.items():
            trail = np.s_[top : top + 14, left : left + 14]
            if index == seen_at or not np.array_equal(cleans[index][trail], without[index][trail]):
                continue  # the object itself stands there
            assert abs(float(np.mean(out[index].pixels[trail] - cleans[index][trail]))) < allowed


def test_what_is_hidden_or_does_not_agree_keeps_its_own_value():
    source = noisy(moving_things(HEIGHT, WIDTH, 5), 5.0)
    out = denoised(source)[2]
    alone = out.side["contributors"][:, :, 0] == 1
    assert 0.0 < alone.mean() < 0.5
    assert np.array_equal(out.pixels[alone], source[2].pixels[alone])
    assert 0.0 < out.numbers["hidden_share"] < 0.5
    assert out.kind == "fused" and out.fused_from == 5


@pytest.mark.parametrize("cut", [None, 5])
def test_any_part_with_reach_frames_of_context_gives_the_same_bits_as_the_whole(cut):
    source = with_cut(noisy(moving_things(64, 96, 11, (0.7, 0.3)), 5.0), cut)
    source[8] = dataclasses.replace(source[8], corrupt=True)
    assert_window_pure(lambda: TemporalDenoise(PARAMS, FACTS), source, TemporalDenoise.reach(PARAMS))


def test_nothing_is_used_across_a_cut_and_corrupt_frames_neither_give_nor_take():
    seen = (Seen(1, "face", 1.0, 2.0, 3.0, 4.0),)
    source = with_cut(noisy([texture(HEIGHT, WIDTH, 2)] * 8, 4.0), 4)
    source = [dataclasses.replace(f, seen=seen) for f in source]
    out = denoised(source)
    assert [f.fused_from for f in out] == [3, 4, 4, 3, 3, 4, 4, 3]
    assert all(f.seen == seen and f.shot == s.shot for f, s in zip(out, source, strict=True))
    for alone in denoised(source[:4]):
        assert_same(alone, out[alone.index])
    broken = [*source[:2], dataclasses.replace(source[2], corrupt=True), source[3]]
    out = denoised(broken)
    assert np.array_equal(out[2].pixels, broken[2].pixels) and out[2].kind == "kept"
    assert [f.fused_from for f in out] == [2, 3, 1, 2]


def test_two_runs_and_any_number_of_threads_give_the_same_pixels():
    source = noisy(moving_things(HEIGHT, WIDTH, 5), 5.0)
    before = cv2.getNumThreads()
    runs = []
    try:
        for threads in (1, 2, 2):
            cv2.setNumThreads(threads)
            runs.append(denoised(source))
    finally:
        cv2.setNumThreads(before)
    for other in runs[1:]:
        for one, two in zip(runs[0], other, strict=True):
            assert_same(one, two)


def test_a_picture_too_small_for_flow_is_left_alone():
    source = noisy([texture(12, 40, 2)] * 3, 4.0)
    out = denoised(source)
    assert all(
        np.array_equal(o.pixels, s.pixels) and o.kind == "kept" for o, s in zip(out, source, strict=True)
    )
    assert out[1].numbers == {"frames": 1.0, "frames_without_neighbours": 1.0, "contributors_mean": 1.0}


def test_a_flow_found_on_a_reduced_copy_still_gains():
    cleans = moving_things(180, 320, 7)
    source = noisy(cleans, 8.0)
    out = denoised(source, dataclasses.replace(PARAMS, flow_max_side_px=160))
    assert psnr(out[3].pixels, cleans[3]) > psnr(source[3].pixels, cleans[3]) + 4.0
