"""Optical flow finds known movements, says what it cannot see, and never crashes on odd sizes."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from playe_assets.enhancers.flow import consistent, enlarged, flow_between, flow_plane, warped
from playe_assets_tests.enhancers.temporal import texture


@dataclass(frozen=True)
class Settings:
    flow_max_side_px: int = 640
    flow_smooth_px: float = 0.0
    flow_finest_scale: int = 1
    flow_iterations: int = 12
    flow_refinements: int = 5


def moved(picture, dx: float, dy: float):
    matrix = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])
    return cv2.warpAffine(picture, matrix, picture.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=2)


def pair(dx: float, dy: float, dtype=np.uint8):
    whole = texture(140, 200, 3)
    unit = 1 if dtype is np.uint8 else 257
    return [np.rint(np.clip(p, 0, 255) * unit).astype(dtype) for p in (whole, moved(whole, dx, dy))]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("side", [640, 100])
def test_a_known_movement_is_found_and_undone(side, dtype):
    one, other = pair(4.3, -2.6, dtype)
    settings = Settings(flow_max_side_px=side)
    small = flow_between(flow_plane(one, settings), flow_plane(other, settings), settings)
    flow = enlarged(small, *one.shape[:2])
    inner = np.s_[20:-20, 20:-20]
    off = np.hypot(flow[..., 0][inner] - 4.3, flow[..., 1][inner] + 2.6)
    assert np.median(off) < (0.15 if side == 640 else 0.3)
    back, mask = warped(other, flow)
    unit = 1 if dtype is np.uint8 else 257
    before = np.abs(one[inner].astype(float) - other[inner]).mean() / unit
    after = np.abs(one[inner].astype(float) - back[inner]).mean() / unit
    assert back.dtype == dtype and back.shape == one.shape
    assert after < 0.2 * before
    assert mask[:, -3:].max() == 0  # what moved in from outside the picture was not seen


def test_what_is_covered_in_the_other_frame_does_not_come_back():
    ground, thing = texture(140, 200, 3), texture(60, 60, 9)
    frames = []
    for left in (60, 68):
        picture = ground.copy()
        picture[40:100, left : left + 60] = thing
        frames.append(np.rint(picture).astype(np.uint8))
    settings = Settings(flow_finest_scale=0)
    planes = [flow_plane(f, settings) for f in frames]
    there, back = flow_between(*planes, settings), flow_between(*planes[::-1], settings)
    seen = consistent(there, back, 1.5)
    assert seen[50:90, 121:127].mean() < 0.7 * 255  # ground that the thing covers next
    assert seen[50:90, 66:112].mean() > 0.9 * 255
    assert seen[110:, :].mean() > 0.95 * 255


def test_any_number_of_threads_gives_the_same_flow():
    one, other = pair(3.0, 2.0)
    settings = Settings()
    planes = [flow_plane(p, settings) for p in (one, other)]
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 2, 5):
            cv2.setNumThreads(threads)
            found.append(flow_between(*planes, settings))
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(found[0], f) for f in found[1:])


@pytest.mark.parametrize("size", [(1, 1), (8, 300), (12, 40), (15, 64), (16, 16), (24, 200), (31, 17)])
@pytest.mark.parametrize("finest", [0, 1, 2, 3])
def test_small_and_flat_pictures_are_searched_or_left_but_never_crash(size, finest):
    rng = np.random.default_rng(1)
    one, other = (rng.integers(0, 255, size, dtype=np.uint8) for _ in range(2))
    found = flow_between(one, other, Settings(flow_finest_scale=finest))
    assert (found is None) == (min(size) < 8 << finest)
    assert found is None or found.shape == (*size, 2)
