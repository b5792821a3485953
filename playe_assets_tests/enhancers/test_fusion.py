"""Fusion removes noise and nothing else: objects, cuts and corrupt frames survive it."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.presets import load_preset
from playe_assets.core.tracks import Seen
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.fusion import Fusion, FusionParams
from playe_assets_tests.enhancers.temporal import assert_same, assert_window_pure, summary, with_cut
from playe_assets_tests.enhancers.test_registration import waves
from playe_assets_tests.plugins import FACTS

(_USE,) = (u for u in load_preset("forensic_safe").steps[MediaKind.CLIP] if u.name == "fusion")
PARAMS = FusionParams(**_USE.given)
HEIGHT, WIDTH = 120, 160


def scene(dx: float = 0.0, dy: float = 0.0, channels: int = 3):
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    return np.stack([waves(x - dx + 9 * c, y - dy) for c in range(channels)], axis=2) * 0.5 + 60


def frames(cleans, sigma: float, seed: int = 11, dtype=np.uint8):
    rng = np.random.default_rng(seed)
    unit = 1 if dtype is np.uint8 else 257
    for i, clean in enumerate(cleans):
        picture = np.clip(np.rint((clean + rng.normal(0, sigma, clean.shape)) * unit), 0, 255 * unit)
        yield Frame(i, 40 * i, picture.astype(dtype))


def fused(cleans, sigma: float, params: FusionParams = PARAMS, **kwargs):
    out = list(Fusion(params, FACTS).stream(frames(cleans, sigma, **kwargs)))
    return out, summary(Fusion, out)


def rms(pixels, clean, unit: float = 1.0) -> float:
    return float(np.sqrt(np.mean((pixels / unit - clean) ** 2)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_static_noisy_scene_gains_nearly_the_square_root_of_the_number_of_frames(dtype, channels):
    sigma, unit = 6.0, 1.0 if dtype is np.uint8 else 257.0
    clean = scene(channels=channels)
    out, measured = fused([clean] * 9, sigma, dtype=dtype)
    error = rms(out[4].pixels[8:-8, 8:-8], clean[8:-8, 8:-8], unit)
    # 5 frames: sqrt(5) = 2.236 at best; 20 log10 gives 7 dB, of which at least 6.3 must arrive.
    assert 20 * np.log10(sigma / error) > 6.3
    assert measured["noise_sigma_mean"] == pytest.approx(sigma, rel=0.06)
    assert out[4].pixels.dtype == dtype


def test_sub_pixel_shake_is_undone_before_averaging():
    rng = np.random.default_rng(2)
    path = np.cumsum(rng.uniform(-1.5, 1.5, (9, 2)), axis=0)
    cleans = [scene(*p) for p in path]
    out, measured = fused(cleans, 6.0)
    inner = np.s_[12:-12, 12:-12]
    assert 20 * np.log10(6.0 / rms(out[4].pixels[inner], cleans[4][inner])) > 6.0
    steps = np.hypot(*np.diff(path, axis=0).T)
    assert measured["shift_mean_px"] == pytest.approx(steps.mean(), abs=0.03)
    assert measured["shift_max_px"] == pytest.approx(steps.max(), abs=0.08)
    assert measured["frames_without_neighbours"] == 0


def crossing(contrast: float, sigma: float, path):
    """Nine frames of a static scene; in frames 3..5 an object of 14 x 14 px lies at `path`."""
    cleans = [scene() for _ in range(9)]
    for index, (top, left) in path.items():
        cleans[index][top : top + 14, left : left + 14] += contrast
    return cleans, fused(cleans, sigma)[0]


@pytest.mark.parametrize("contrast_sigmas", [1.5, 3.0, 12.0])
def test_an_object_that_crosses_in_three_frames_survives_without_a_ghost(contrast_sigmas):
    sigma = 4.0
    path = {3: (50, 40), 4: (50, 70), 5: (50, 100)}
    cleans, out = crossing(contrast_sigmas * sigma, sigma, path)
    for index, (top, left) in path.items():
        inside = np.s_[top + 1 : top + 13, left + 1 : left + 13]
        bias = float(np.mean(out[index].pixels[inside] - cleans[index][inside]))
        assert abs(bias) < 0.08 * contrast_sigmas * sigma + 0.3  # the object kept its brightness
        assert np.percentile(out[index].side["contributors"][inside], 90) == 1
    for index in range(1, 8):  # every frame that could see the object in a neighbour
        for seen_at, (top, left) in path.items():
            if index == seen_at:
                continue
            trail = np.s_[top : top + 14, left : left + 14]
            ghost = float(np.mean(out[index].pixels[trail] - cleans[index][trail]))
            assert abs(ghost) < 0.06 * contrast_sigmas * sigma + 0.3


def test_a_thin_line_that_appears_in_one_frame_keeps_most_of_its_contrast():
    sigma, contrast = 4.0, 20.0
    cleans = [scene() for _ in range(7)]
    cleans[3][60, 30:130] += contrast
    out, _ = fused(cleans, sigma)
    line = out[3].pixels[60, 30:130] - cleans[3][60, 30:130]
    assert abs(float(line.mean())) < 0.05 * contrast
    for other in (2, 4):
        assert (
            abs(float(np.mean(out[other].pixels[60, 30:130] - cleans[other][60, 30:130]))) < 0.05 * contrast
        )


def test_nothing_is_fused_across_a_shot_cut():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    other = np.repeat((90 + 60 * (((x // 13) + (y // 29)) % 2))[:, :, None], 3, axis=2)
    cleans = [scene()] * 5 + [other] * 5
    out, measured = fused(cleans, 4.0)
    assert measured["pairs_not_registered"] == 1
    alone = [fused([c] * 5, 4.0)[0] for c in (scene(), other)]
    assert [int(f.side["contributors"].max()) for f in out] == [3, 4, 5, 4, 3, 3, 4, 5, 4, 3]
    assert np.array_equal(out[4].pixels, alone[0][4].pixels)  # as if the clip had ended at the cut


def test_the_count_map_says_how_many_frames_stand_behind_each_pixel():
    out, measured = fused([scene()] * 6, 5.0)
    counts = [f.side["contributors"] for f in out]
    assert all(c.dtype == np.uint8 and c.shape == (HEIGHT, WIDTH, 1) and c.min() >= 1 for c in counts)
    assert [int(c.max()) for c in counts] == [3, 4, 5, 5, 4, 3]
    assert measured["contributors_mean"] == pytest.approx(np.mean([c.mean() for c in counts]))
    where_alone = counts[2][:, :, 0] == 1
    source = list(frames([scene()] * 6, 5.0))[2].pixels
    assert np.array_equal(out[2].pixels[where_alone], source[where_alone])


def test_what_left_the_picture_does_not_contribute_at_the_border():
    cleans = [scene(12.0 * i, 0.0) for i in range(5)]
    out, _ = fused(cleans, 4.0)
    counts = out[2].side["contributors"][:, :, 0]
    # Content moves right by 12 px a frame: the left 8 px of frame 2 are in later frames only.
    assert counts[:, :8].max() <= 3 and counts[:, 60:100].max() == 5


def test_a_corrupt_frame_neither_gives_nor_takes():
    source = list(frames([scene()] * 5, 4.0))
    broken = Frame(2, source[2].pts, np.full_like(source[2].pixels, 128), corrupt=True)
    out = list(Fusion(PARAMS, FACTS).stream(iter([*source[:2], broken, *source[3:]])))
    assert np.array_equal(out[2].pixels, broken.pixels) and out[2].corrupt
    assert int(out[1].side["contributors"].max()) == 2
    assert int(out[2].side["contributors"].max()) == 1


def test_never_more_frames_are_taken_than_the_window_holds():
    taken = 0

    def source():
        nonlocal taken
        for frame in frames([scene(channels=1)] * 20, 4.0):
            taken += 1
            yield frame

    for given, frame in enumerate(Fusion(PARAMS, FACTS).stream(source())):
        assert frame.index == given
        assert taken <= given + PARAMS.radius + 1


@pytest.mark.parametrize("cut", [None, 7])
def test_any_part_with_reach_frames_of_context_gives_the_same_bits_as_the_whole(cut):
    source = list(frames([scene(0.3 * i, 0.2 * i) for i in range(14)], 5.0))
    source[10] = dataclasses.replace(source[10], corrupt=True)
    assert_window_pure(lambda: Fusion(PARAMS, FACTS), with_cut(source, cut), Fusion.reach(PARAMS))


def test_nothing_is_fused_across_a_known_cut_even_where_the_pictures_are_alike():
    source = with_cut(list(frames([scene()] * 8, 4.0)), 4)
    out = list(Fusion(PARAMS, FACTS).stream(iter(source)))
    assert [f.fused_from for f in out] == [3, 4, 4, 3, 3, 4, 4, 3]
    for part in (source[:4], source[4:]):
        for alone in Fusion(PARAMS, FACTS).stream(iter(part)):
            assert_same(alone, out[alone.index])
    assert summary(Fusion, out)["pairs_not_registered"] == 0


def test_shot_tracks_and_the_kind_of_each_frame_are_handed_on():
    seen = (Seen(1, "face", 1.0, 2.0, 3.0, 4.0),)
    source = [dataclasses.replace(f, seen=seen) for f in with_cut(list(frames([scene()] * 4, 4.0)), 3)]
    out = list(Fusion(PARAMS, FACTS).stream(iter(source)))
    assert [(f.shot, f.seen, f.index, f.pts) for f in out] == [
        (f.shot, f.seen, f.index, f.pts) for f in source
    ]
    assert [(f.kind, f.fused_from) for f in out] == [*[("fused", 3)] * 3, ("kept", 1)]
    assert set(out[1].numbers) == set(Fusion.summaries)
    assert "shift_mean_px" not in out[0].numbers and "noise_sigma_mean" not in out[3].numbers


def test_two_runs_and_any_number_of_threads_give_the_same_pixels():
    cleans = [scene(0.4 * i, -0.3 * i) for i in range(6)]
    before = cv2.getNumThreads()
    runs = []
    try:
        for threads in (1, 2, 2):
            cv2.setNumThreads(threads)
            runs.append(fused(cleans, 5.0)[0])
    finally:
        cv2.setNumThreads(before)
    for other in runs[1:]:
        for one, two in zip(runs[0], other, strict=True):
            assert np.array_equal(one.pixels, two.pixels)
            assert np.array_equal(one.side["contributors"], two.side["contributors"])


def test_too_large_a_shift_and_too_little_likeness_leave_the_frame_alone():
    cleans = [scene(6.0 * i, 0.0) for i in range(5)]
    for change in ({"max_shift_px": 3.0}, {"min_likeness": 1.0}):
        out, measured = fused(cleans, 15.0, dataclasses.replace(PARAMS, **change))
        source = list(frames(cleans, 15.0))
        assert measured["frames_without_neighbours"] == 5
        assert all(np.array_equal(o.pixels, s.pixels) for o, s in zip(out, source, strict=True))


def test_a_scene_without_structure_has_no_known_shift_and_is_left_alone():
    flat = np.full((HEIGHT, WIDTH, 3), 120.0)
    out, measured = fused([flat] * 4, 5.0)
    assert measured["pairs_not_registered"] == 3
    assert all(int(f.side["contributors"].max()) == 1 for f in out)
