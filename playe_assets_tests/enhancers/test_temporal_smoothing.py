"""Learned steps over time: less flicker, nothing smeared, nothing across a cut, segments as in one piece."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.params import parse
from playe_assets.core.tracks import Shot
from playe_assets.enhancers import ENHANCERS
from playe_assets_tests.enhancers.test_learned_steps import GIVEN, Formula
from playe_assets_tests.plugins import FACTS, WHERE, scene

LONG = Shot(0, 0, 99, luma_mean=40.0, noise_sigma=10.0)
HEIGHT, WIDTH, SPEED = 96, 160, 2
FROM_X, SIDE = 20, 24


class Boiling(Formula):
    """Adds texture that is another for each picture, as a network does that guesses frame by frame."""

    def __init__(self, name, strength=6.0):
        super().__init__(name, self.boil)
        self.strength = strength

    def boil(self, pixels):
        rng = np.random.default_rng(int(pixels.astype(np.uint64).sum()))
        grown = pixels.repeat(self.scale, 0).repeat(self.scale, 1)
        cells = rng.normal(0, self.strength, (-(-grown.shape[0] // 3), -(-grown.shape[1] // 3), 1))
        texture = cells.repeat(3, 0).repeat(3, 1)[: grown.shape[0], : grown.shape[1]]
        unit = np.iinfo(pixels.dtype).max / 255
        return np.clip(grown + texture * unit, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)


def step(name, radius, **changes):
    cls = ENHANCERS.get(name)
    params = parse(cls.Params, {**GIVEN[name], "smooth_radius": radius, **changes}, WHERE)
    return cls(params, FACTS, {params.model: Boiling(params.model)})


def clip(count=8, noise=1.0, dtype=np.uint8):
    """A background that pans by 2 px a frame and a bright square that runs the other way over it."""
    wide = cv2.GaussianBlur(scene(HEIGHT, WIDTH + SPEED * count, 3, seed=4), (0, 0), 1.2)
    frames = []
    for index in range(count):
        picture = wide[:, SPEED * index : SPEED * index + WIDTH].astype(np.float64).copy()
        left = FROM_X + 5 * index
        picture[40 : 40 + SIDE, left : left + SIDE] = (235, 220, 30)
        picture += np.random.default_rng(index).normal(0, noise, picture.shape)
        top = np.iinfo(dtype).max
        frames.append(
            Frame(index, index, np.rint(picture.clip(0, 255) * (top / 255)).astype(dtype), shot=LONG)
        )
    return frames


def warped_error(frames):
    """Mean difference of each frame to the one before, panned along with the background (square left out)."""
    found = []
    for one, other in itertools.pairwise(frames):
        scale = one.pixels.shape[1] // WIDTH
        shift = SPEED * scale
        now, before = other.pixels[:, :-shift].astype(float), one.pixels[:, shift:].astype(float)
        found.append(np.abs(now - before)[: 30 * scale].mean())
    return float(np.mean(found))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("super_resolution", {"apply_below_px": 10**6}),
        ("deblur", {"apply_below_px": 10**6}),
        ("denoise_learned", {"remove": "all", "apply_to_sigma": 100.0}),
        ("low_light", {"max_side_px": 512}),
    ],
)
def test_a_network_that_guesses_frame_by_frame_flickers_much_less_when_smoothed(name, changes):
    plain, calm = (list(step(name, radius, **changes).stream(iter(clip()))) for radius in (0, 2))
    assert warped_error(calm) < 0.62 * warped_error(plain)
    assert all(f.numbers["applied"] == 1.0 for f in plain + calm)
    assert all(0.5 < f.numbers["smoothed_share"] <= 1.0 for f in calm)
    assert all(f.kind == "kept" and f.fused_from == 1 for f in plain)
    assert [f.fused_from for f in calm] == [3, 4, 5, 5, 5, 5, 4, 3]


def test_what_moves_against_the_background_is_not_smeared_and_the_given_picture_stays():
    given = clip(noise=0.0)
    still = step("deblur", 2, apply_below_px=10**6)
    still.models["nafnet_gopro_64"].answer = lambda pixels: np.clip(pixels.astype(int) + 20, 0, 255).astype(
        np.uint8
    )
    for before, after in zip(given, still.stream(iter(given)), strict=True):
        wanted = np.clip(before.pixels.astype(int) + 20, 0, 255)
        # Where a sample was clipped in one frame and not in its neighbour the change itself differs by the clipping.
        unclipped = cv2.dilate((before.pixels > 230).max(axis=2).astype(np.uint8), np.ones((9, 9))) == 0
        assert np.abs(after.pixels.astype(int) - wanted)[unclipped].max() <= 1
    noisy = step("denoise_learned", 2, remove="all")
    noisy.models["dncnn_25"].answer = lambda pixels: pixels
    for before, after in zip(given, noisy.stream(iter(given)), strict=True):
        apart = np.abs(after.pixels.astype(int) - before.pixels.astype(int))
        left = FROM_X + 5 * before.index
        # Results are averaged here; the square's edges, which run against everything around them, stay where they are.
        around = apart[34 : 46 + SIDE, max(0, left - 6) : left + SIDE + 6]
        assert around.mean() < 2.0 and apart.mean() < 1.0


def test_sixteen_bit_frames_are_smoothed_the_same():
    eight, sixteen = (
        list(step("deblur", 1, apply_below_px=10**6).stream(iter(clip(4, dtype=dtype))))
        for dtype in (np.uint8, np.uint16)
    )
    assert sixteen[1].pixels.dtype == np.uint16
    assert sixteen[1].numbers["smoothed_share"] == pytest.approx(eight[1].numbers["smoothed_share"], abs=0.02)


@pytest.mark.parametrize("name", ["super_resolution", "denoise_learned"])
def test_a_pass_that_starts_within_reach_of_a_segment_gives_its_frames_bit_for_bit(name):
    changes = {"apply_below_px": 10**6}
    whole = list(step(name, 2, **changes).stream(iter(clip(10))))
    reach = type(step(name, 2)).reach(step(name, 2).params)
    assert reach == 2
    for first in (1, 3, 6):
        last = min(9, first + 2)
        part = clip(10)[max(0, first - reach) : last + reach + 1]
        found = {f.index: f for f in step(name, 2, **changes).stream(iter(part))}
        for index in range(first, last + 1):
            assert np.array_equal(found[index].pixels, whole[index].pixels)
            assert found[index].numbers == whole[index].numbers
            assert found[index].fused_from == whole[index].fused_from


def test_nothing_is_averaged_across_a_cut_nor_from_a_corrupt_frame():
    frames = clip(6)
    other = Shot(1, 3, 5, 40.0, 10.0)
    cut = [f if f.index < 3 else Frame(f.index, f.pts, 255 - f.pixels, shot=other) for f in frames]
    alone = list(step("deblur", 2, apply_below_px=10**6).stream(iter(cut[:3])))
    both = list(step("deblur", 2, apply_below_px=10**6).stream(iter(cut)))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(alone, both, strict=False))
    broken = [Frame(f.index, f.pts, f.pixels, f.index == 1, shot=f.shot) for f in frames[:3]]
    plain = list(step("deblur", 0, apply_below_px=10**6).stream(iter(broken)))
    found = list(step("deblur", 2, apply_below_px=10**6).stream(iter(broken)))
    assert np.array_equal(found[1].pixels, plain[1].pixels) and found[1].kind == "kept"
    assert found[0].fused_from == 2


@pytest.mark.parametrize(
    ("name", "field", "low", "high"),
    [("low_light", "luma_mean", 54.0, 56.0), ("denoise_learned", "noise_sigma", 2.0, 4.0)],
)
def test_the_shot_decides_and_not_the_frame(name, field, low, high):
    def applied(shot, level):
        noise = np.random.default_rng(1).normal(0, level / 8, (48, 64, 1))
        pixels = np.rint(np.clip(level + noise, 0, 255)).astype(np.uint8)
        (found,) = step(name, 0).stream(iter([Frame(0, 0, pixels, shot=shot)]))
        return found.numbers["applied"]

    for level in (20, 100):
        values = [
            applied(Shot(0, 0, 9, **{"luma_mean": 0.0, "noise_sigma": 0.0, field: v}), level)
            for v in (low, high)
        ]
        assert values == ([1.0, 0.0] if name == "low_light" else [0.0, 1.0])
    assert applied(None, 20) != applied(None, 100) or name == "denoise_learned"


def test_a_step_keeps_what_is_known_of_the_frame():
    (given,) = clip(1)
    for radius in (0, 2):
        (found,) = step("super_resolution", radius, apply_below_px=10**6).stream(iter([given]))
        assert found.shot is LONG and found.pixels.shape[0] == 2 * HEIGHT
        assert set(found.numbers) <= set(ENHANCERS.get("super_resolution").summaries)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_every_number_of_a_frame_says_how_it_becomes_one_of_the_record(name):
    changes = {"apply_below_mean": 255.0} if name == "low_light" else {}
    (found, *_) = step(name, 1, **changes).stream(iter(clip(3, noise=8.0)))
    assert set(found.numbers) <= set(ENHANCERS.get(name).summaries)
    assert set(ENHANCERS.get(name).summaries.values()) <= {"mean", "max", "sum"}
