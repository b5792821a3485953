"""Cuts of rendered scenes: hard cuts wherever they lie, flashes that are none, fades, cameras that take turns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.presets import Shots, load_preset, preset_names
from playe_assets.examination.shots import ContentScore, in_shots, quiet_bgr, shots_of
from playe_assets.examination.survey import Surveyor
from playe_assets.media.clip import read_clip
from playe_assets.media.proxy import ProxyWriter
from playe_assets.media.survey import Survey
from playe_assets_tests.media.samples import BASE, OUTPUT

WANTED = Shots(threshold=27.0, min_frames=8, moving_share=0.002)


def room(seed: int, count: int, height: int = 90, width: int = 160):
    """A blurred ground of its own colours, a box that walks, and noise."""
    rng = np.random.default_rng(seed)
    ground = cv2.GaussianBlur(rng.integers(0, 256, (height, width, 3)).astype(np.float32), (0, 0), 12)
    spread = (ground - ground.mean()) / ground.std() * 30 + np.random.default_rng(seed).uniform(40, 200, 3)
    for index in range(count):
        picture = spread + rng.normal(0, 3, spread.shape)
        picture[30:60, 10 + index % 60 : 30 + index % 60] = (200, 60, 60)
        yield np.clip(picture, 0, 255).astype(np.uint8)


def found(pictures: Iterable[np.ndarray], wanted: Shots = WANTED):
    """First frames of the shots, and the shots."""
    change = ContentScore(wanted.threshold)
    frames = (Frame(n, n, p) for n, p in enumerate(pictures))
    survey, starts, numbers = Survey(), [], []
    for item in in_shots(map(Surveyor(change).look, frames), change, wanted):
        survey.append(item.looked.row)
        numbers.append(item.shot)
        starts += [item.looked.row.frame] if item.starts else []
    shots = shots_of(starts, survey)
    assert [n for s in shots for n in [s.number] * (s.last_frame - s.first_frame + 1)] == numbers
    return starts, shots


def test_the_presets_ask_for_what_is_tested_here():
    assert {load_preset(name).video.shots for name in preset_names()} == {WANTED}


def test_hard_cuts_are_found_on_their_frame_and_shots_lie_end_to_end():
    starts, shots = found([*room(1, 20), *room(2, 15), *room(3, 25)])
    assert starts == [0, 20, 35]
    assert [(s.number, s.first_frame, s.last_frame) for s in shots] == [(0, 0, 19), (1, 20, 34), (2, 35, 59)]


@pytest.mark.parametrize("lengths", [(2, 20), (20, 2), (20, 3, 20), (1, 1, 1, 20), (20, 1)])
def test_cuts_near_each_other_and_near_the_ends_are_cuts_too(lengths):
    # PySceneDetect's own filter gives none of these within 8 frames.
    pictures = [p for seed, count in enumerate(lengths, 1) for p in room(seed, count)]
    assert found(pictures)[0] == [0, *np.cumsum(lengths)[:-1].tolist()]


@pytest.mark.parametrize("length", [1, 3, 8])
def test_a_flash_is_no_cut_where_the_scene_comes_back_within_the_presets_frames(length):
    pictures = list(room(1, 40))
    pictures[20 : 20 + length] = [np.clip(p.astype(int) + 180, 0, 255).astype(np.uint8)
                                  for p in pictures[20 : 20 + length]]  # fmt: skip
    assert found(pictures)[0] == [0]


def test_what_stays_away_longer_than_a_flash_is_two_cuts():
    pictures = list(room(1, 50))
    pictures[20:29] = [np.full_like(p, 250) for p in pictures[20:29]]
    assert found(pictures)[0] == [0, 20, 29]


def test_a_flash_after_which_another_scene_follows_is_a_cut():
    starts, _ = found([*room(1, 20), np.full((90, 160, 3), 255, np.uint8), *room(2, 20)])
    assert starts == [0, 20, 21]


def test_of_cameras_that_take_turns_each_turn_but_the_first_is_a_shot():
    # The first turn and return cannot be told from a flash; from then on every change is a cut.
    one, two = list(room(1, 40)), list(room(2, 40))
    starts, _ = found([one[n] if n // 4 % 2 == 0 else two[n] for n in range(40)])
    assert starts == [0, *range(12, 40, 4)]


def test_a_slow_fade_between_scenes_is_no_cut_and_a_fast_one_is():
    one, two = next(room(1, 1)).astype(float), next(room(2, 1)).astype(float)

    def fade(length: int):
        for share in np.linspace(0, 1, length):
            yield np.rint(one * (1 - share) + two * share).astype(np.uint8)

    assert found([*room(1, 15), *fade(30), *room(2, 15)])[0] == [0]
    assert len(found([*room(1, 15), *fade(3), *room(2, 15)])[0]) > 1


def test_a_pan_is_no_cut():
    wide = next(room(4, 1, 90, 700))
    assert found(wide[:, 8 * n : 8 * n + 160] for n in range(60))[0] == [0]


def test_grey_and_deep_scenes_are_cut_alike():
    pictures = [*room(1, 12), *room(2, 12)]
    deep = [p.astype(np.uint16) * 257 for p in pictures]
    assert found(deep)[0] == found(pictures)[0] == [0, 12]
    grey = [np.full((90, 160, 1), 30 if n < 12 else 220, np.uint8) for n in range(24)]
    assert found(grey)[0] == [0, 12]


def test_red_and_blue_are_not_mixed_up():
    bgr = quiet_bgr(np.full((32, 32, 3), (250, 10, 10), np.uint8))
    assert cv2.cvtColor(bgr, cv2.COLOR_BGR2HSV)[0, 0].tolist()[0] == 0, "red is hue 0"


@pytest.mark.parametrize(("level", "sigma"), [(25, 5), (40, 10), (120, 20)])
def test_noise_of_a_colourless_scene_is_no_cut(level, sigma):
    # Hue and saturation of grey px are noise; PySceneDetect alone cuts the first of these at every frame.
    noisy = [np.clip(np.random.default_rng(n).normal(level, sigma, (96, 160, 3)), 0, 255).astype(np.uint8)
             for n in range(30)]  # fmt: skip
    assert found(noisy)[0] == [0]


@pytest.mark.parametrize("sigma", [33, 55])
@pytest.mark.parametrize("size", [(216, 384), (144, 256)])
def test_heavy_noise_in_brightness_and_colour_is_no_cut_and_hides_none(size, sigma):
    def heavy(seed: int, count: int):
        rng = np.random.default_rng(seed)
        half = (size[1] // 2, size[0] // 2)
        for picture in room(seed, count, *size):
            luma = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(np.float64)
            grain = [rng.normal(0, sigma, size)]  # colour is stored for every second px each way
            grain += [cv2.resize(rng.normal(0, sigma, half[::-1]), size[::-1]) for _ in "rb"]
            coded = np.clip(np.rint(luma + np.stack(grain, 2)), 0, 255).astype(np.uint8)
            yield cv2.cvtColor(coded, cv2.COLOR_YCrCb2RGB)

    assert found([*heavy(1, 14), *heavy(2, 12)])[0] == [0, 14]


def test_a_run_in_which_every_frame_changes_is_one_shot():
    # No copy, however averaged, is calm in the end: a picture that breaks up, strobes or drowns in noise.
    def wild(seed: int, count: int):
        rng = np.random.default_rng(seed)
        for _ in range(count):
            coarse = rng.integers(0, 256, (3, 5, 3)).astype(np.uint8)
            yield cv2.resize(coarse, (160, 90), interpolation=cv2.INTER_NEAREST)

    starts, shots = found(wild(5, 60))
    assert starts == [0] and len(shots) == 1
    # Where it begins and ends, at most its rim is told apart: the scenes around it stay whole.
    starts, shots = found([*room(1, 30), *wild(5, 40), *room(2, 30)])
    assert len(shots) <= 10 and starts[-1] <= 70
    assert any(s.last_frame - s.first_frame + 1 >= 30 and s.first_frame in (0, 30) for s in shots)


def test_grey_scenes_of_one_brightness_are_cut_by_their_shapes():
    one, two = (cv2.cvtColor(next(room(seed, 1)), cv2.COLOR_RGB2GRAY) for seed in (1, 2))
    alike = [
        np.repeat(((p - p.mean()) / p.std() * 40 + 120).clip(0, 255).astype(np.uint8)[:, :, None], 3, 2)
        for p in (one, two)
    ]
    assert found([alike[0]] * 10 + [alike[1]] * 10)[0] == [0, 10]


def test_a_shots_figures_are_the_medians_of_its_frames():
    dark = [np.clip(np.random.default_rng(n).normal(40, 5, (96, 160, 3)), 0, 255).astype(np.uint8)
            for n in range(11)]  # fmt: skip
    bright = [np.full((96, 160, 3), 200, np.uint8)] * 20
    bright[13] = np.full((96, 160, 3), 90, np.uint8)  # a flash to the dark does not move the median
    _, shots = found([*dark, *bright])
    assert [round(s.luma_mean) for s in shots] == [40, 200]
    # Luma of three channels of sigma 5 each: sqrt(.299^2 + .587^2 + .114^2) * 5 = 3.3.
    assert 2.6 < shots[0].noise_sigma < 4.0
    assert shots[1].noise_sigma == 0.0


def test_frames_come_out_in_order_and_few_are_held_back():
    change = ContentScore(27.0)
    given = []

    def frames():
        for n, p in enumerate([*room(1, 20), *room(2, 20)]):
            given.append(n)
            yield Frame(n, n, p)

    late = 0
    for place, item in enumerate(in_shots(map(Surveyor(change).look, frames()), change, WANTED)):
        assert item.looked.row.frame == place
        late = max(late, len(given) - place - 1)
    assert late == WANTED.min_frames


def test_no_frame_gives_no_shot():
    assert found([]) == ([], ())


def test_cuts_are_the_same_at_any_frame_rate_and_survive_lossy_coding(tmp_path: Path):
    pictures = [*room(1, 20, 96, 160), *room(2, 15, 96, 160), *room(3, 12, 96, 160)]
    even = [512 * n for n in range(47)]
    uneven = [512 * n + (n % 5) * 90 + 4000 * (n > 10) for n in range(47)]
    starts = []
    for name, times in (("even.mp4", even), ("uneven.mp4", uneven)):
        with ProxyWriter(tmp_path / name, BASE, OUTPUT) as out:
            for picture, pts in zip(pictures, times, strict=True):
                out.add_pixels(picture, pts)
        frames = list(read_clip(tmp_path / name))
        assert [f.pts for f in frames] == times
        starts.append(found(f.pixels for f in frames)[0])
    assert starts == [[0, 20, 35]] * 2
