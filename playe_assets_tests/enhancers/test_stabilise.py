"""Stabilisation takes shake out, keeps pans, states every movement and invents nothing at the rim."""

from __future__ import annotations

import cmath
import dataclasses
import math

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.enhancers.motion import STILL, Motion, motion_between
from playe_assets.enhancers.registration import small_grey
from playe_assets.enhancers.stabilise import Stabilise, StabiliseParams
from playe_assets_tests.enhancers.temporal import assert_same, assert_window_pure, noisy, texture, with_cut
from playe_assets_tests.plugins import FACTS

PARAMS = StabiliseParams(
    model="similarity", radius=8, register_max_side_px=640, min_likeness=0.5, max_shift_px=32.0,
    min_shift_px=0.1, max_correction_px=24.0,
)  # fmt: skip
HEIGHT, WIDTH, MARGIN = 120, 160, 48
GROUND = texture(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN, 4)


def shaken(count: int, shake_px: float, turn_deg: float = 0.0, zoom: float = 0.0, pan: float = 0.0, seed=3):
    """Clean frames, and for each how the picture moved from the first place: v at rest lies at P(v)."""
    rng = np.random.default_rng(seed)
    path, frames = [], []
    for i in range(count):
        move = complex(*rng.uniform(-shake_px, shake_px, 2)) + pan * i
        turn = math.radians(rng.uniform(-turn_deg, turn_deg))
        path.append(Motion(move, cmath.rect(1.0 + rng.uniform(-zoom, zoom), turn)))
        matrix = path[-1].matrix(HEIGHT, WIDTH)
        inverse = cv2.invertAffineTransform(matrix) + np.array([[0, 0, MARGIN], [0, 0, MARGIN]])
        way = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frames.append(cv2.warpAffine(GROUND, inverse, (WIDTH, HEIGHT), flags=way))
    return frames, path


def steadied(source, params=PARAMS):
    return list(Stabilise(params, FACTS).stream(iter(source)))


def applied(frame: Frame) -> Motion:
    n = frame.numbers
    turn = cmath.rect(n["scale"], math.radians(n["rotation_deg"]))
    return Motion(complex(n["dx_px"], n["dy_px"]), turn)


def jerk(path) -> float:
    """Root mean square of the second difference of where a corner lies, px."""
    corner = complex(WIDTH / 2, HEIGHT / 2)
    places = np.array([m.move + m.turn * corner for m in path])
    return float(np.sqrt(np.mean(np.abs(np.diff(places, 2)) ** 2)))


def gap(one: Motion, other: Motion) -> float:
    """The largest distance between where two motions put a corner, px."""
    return one.then(other.inverse).largest_px(HEIGHT, WIDTH)


@pytest.mark.parametrize("sigma", [0.0, 6.0])
@pytest.mark.parametrize(
    ("model", "turn", "zoom"), [("translation", 0, 0), ("rotation", 1.5, 0), ("similarity", 1.5, 0.01)]
)
def test_measured_movements_agree_with_the_truth(model, turn, zoom, sigma):
    cleans, path = shaken(6, 3.0, turn, zoom)
    greys = [small_grey(f.pixels, 640)[0] for f in noisy(cleans, sigma)]
    for one, other, before, after in zip(greys, greys[1:], path, path[1:], strict=False):
        found = motion_between(one, other, model)
        assert gap(found.motion, before.inverse.then(after)) < 0.2
        assert found.residual_px < 1.0 and found.likeness > 0.6


@pytest.mark.parametrize(
    ("model", "turn", "zoom", "pan"),
    [("translation", 0, 0, 0.0), ("translation", 0, 0, 0.8), ("similarity", 0.8, 0.005, 0.0)],
)
def test_a_shaking_clip_becomes_at_least_four_times_steadier(model, turn, zoom, pan):
    cleans, path = shaken(30, 3.0, turn, zoom, pan)
    out = steadied(noisy(cleans, 3.0), dataclasses.replace(PARAMS, model=model))
    laid = [p.then(applied(f)) for p, f in zip(path, out, strict=True)]
    assert jerk(path) > 4.0 * jerk(laid)
    if pan:  # a pan is no shake: the frames stay on the average where they were
        moved = np.mean([applied(f).move for f in out])
        assert abs(moved) < 1.5


def test_the_pictures_are_where_the_numbers_say():
    cleans, path = shaken(20, 3.0, 0.8, 0.004)
    out = steadied(noisy(cleans, 0.0))
    for clean_path, frame in list(zip(path, out, strict=True))[6:14]:
        laid = clean_path.then(applied(frame))
        inverse = cv2.invertAffineTransform(laid.matrix(HEIGHT, WIDTH)) + np.array([[0, 0, MARGIN]] * 2)
        truth = cv2.warpAffine(GROUND, inverse, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
        shown = frame.side["coverage"][:, :, 0] > 0
        assert shown.mean() > 0.85 and frame.numbers["coverage"] == pytest.approx(shown.mean())
        assert np.abs(frame.pixels[shown] - truth[shown]).mean() < 1.5
        assert frame.pixels[~shown].max(initial=0) == 0


def test_a_still_clip_stays_bit_by_bit_and_so_does_a_noisy_one():
    for sigma in (0.0, 4.0):
        source = noisy([GROUND[:HEIGHT, :WIDTH]] * 8, sigma)
        for taken, given in zip(source, steadied(source), strict=True):
            assert np.array_equal(taken.pixels, given.pixels)
            assert given.numbers["frames_moved"] == 0.0 and given.numbers["coverage"] == 1.0
            assert given.side["coverage"].min() == 255 and given.kind == "kept"


@pytest.mark.parametrize("cut", [None, 5])
def test_any_part_with_reach_frames_of_context_gives_the_same_bits_as_the_whole(cut):
    params = dataclasses.replace(PARAMS, radius=2)
    source = with_cut(noisy(shaken(11, 2.0, 0.5)[0], 3.0), cut)
    source[8] = dataclasses.replace(source[8], corrupt=True)
    assert_window_pure(lambda: Stabilise(params, FACTS), source, Stabilise.reach(params))


def test_the_path_ends_at_cuts_and_where_the_movement_is_not_known():
    cleans = shaken(6, 2.0)[0] + [np.full((HEIGHT, WIDTH, 3), 120.0)] + shaken(5, 2.0, seed=8)[0]
    source = noisy(cleans, 3.0)
    out = steadied(source)
    assert np.array_equal(out[6].pixels, source[6].pixels)  # nothing can be known of a flat picture
    assert [f.numbers["motion_unknown"] for f in out] == [0.0] * 6 + [1.0, 1.0] + [0.0] * 4
    cut = with_cut(source, 6)
    out = steadied(cut)
    for alone in (*steadied(cut[:6]), *steadied(cut[6:])):
        assert_same(alone, out[alone.index])
    assert out[6].numbers["motion_unknown"] == 0.0


def test_other_planes_move_along_and_are_never_mixed():
    source = noisy(shaken(9, 3.0)[0], 2.0)
    board = np.where(np.indices((HEIGHT, WIDTH)).sum(axis=0) // 8 % 2, 9, 2).astype(np.uint8)[:, :, None]
    source = [dataclasses.replace(f, side={"contributors": board}) for f in source]
    for frame in steadied(source):
        moved, shown = frame.side["contributors"], frame.side["coverage"] > 0
        assert set(np.unique(moved[shown])) <= {2, 9}
        assert frame.numbers["frames_moved"] == 0.0 or not np.array_equal(moved, board)


def test_no_corner_is_moved_further_than_allowed():
    params = dataclasses.replace(PARAMS, max_correction_px=1.0)
    out = steadied(noisy(shaken(12, 4.0)[0], 2.0), params)
    assert max(f.numbers["correction_px"] for f in out) == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_and_sixteen_bit_frames_are_steadied_as_well(dtype):
    cleans = [c[:, :, :1] for c in shaken(9, 3.0)[0]]
    out = steadied(noisy(cleans, 2.0, dtype=dtype))
    assert all(f.pixels.dtype == dtype and f.pixels.shape == (HEIGHT, WIDTH, 1) for f in out)
    assert sum(f.numbers["frames_moved"] for f in out) > 5


def test_motions_compose_and_go_back():
    one, other = Motion(3 + 2j, cmath.rect(1.02, 0.03)), Motion(-1 + 5j, cmath.rect(0.99, -0.05))
    back = one.then(other).then(other.inverse).then(one.inverse)
    assert back.largest_px(HEIGHT, WIDTH) < 1e-9 and STILL.largest_px(HEIGHT, WIDTH) == 0.0
    point = one.matrix(HEIGHT, WIDTH) @ [(WIDTH - 1) / 2 + 7, (HEIGHT - 1) / 2 - 4, 1]
    expected = complex((WIDTH - 1) / 2, (HEIGHT - 1) / 2) + one.move + one.turn * (7 - 4j)
    assert complex(*point) == pytest.approx(expected)
