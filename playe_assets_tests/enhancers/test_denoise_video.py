"""Denoising over five frames: which frames the network sees, what it is told, and segments as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.tracks import Shot
from playe_assets.enhancers.denoise_video import DenoiseVideo, DenoiseVideoParams, five
from playe_assets_tests.plugins import FACTS, scene
from playe_assets_tests.stand_ins import StandIn

PARAMS = DenoiseVideoParams("fastdvdnet", sigma=0.0, sigma_factor=1.5, strength=1.0, apply_from_sigma=3.0,
                            apply_to_sigma=55.0, apply_below_px=10**6)  # fmt: skip
SHOT = Shot(0, 0, 99, luma_mean=100.0, noise_sigma=10.0)


class Watching(StandIn):
    """Remembers the first sample of each frame and the noise; answers with the mean of the frames."""

    def __init__(self):
        super().__init__("fastdvdnet")
        self.seen, self.told = [], []

    def window(self, frames, noise):
        self.seen.append([int(f[0, 0, 0]) for f in frames])
        self.told.append(noise)
        return super().window(frames, noise)


def clip(count=8, shot=SHOT, size=(24, 32), corrupt=()):
    return [Frame(i, 3 * i, np.full((*size, 3), i, np.uint8), i in corrupt, shot=shot) for i in range(count)]


def worker(model=None, **changes):
    params = DenoiseVideoParams(**{**vars(PARAMS), **changes})
    return DenoiseVideo(params, FACTS, {"fastdvdnet": model or Watching()})


def seen(frames, **changes):
    model = Watching()
    done = list(worker(model, **changes).stream(iter(frames)))
    assert [(f.index, f.pts) for f in done] == [(f.index, f.pts) for f in frames]
    return model, done


def test_the_window_is_five_frames_and_at_the_ends_the_nearest_stands_in():
    model, done = seen(clip(5))
    assert model.seen == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 4], [1, 2, 3, 4, 4], [2, 3, 4, 4, 4]]
    assert [f.numbers["frames_seen"] for f in done] == [3, 4, 5, 4, 3]
    assert [f.fused_from for f in done] == [3, 4, 5, 4, 3] and {f.kind for f in done} == {"fused"}
    model, done = seen(clip(1))
    assert model.seen == [[0] * 5] and done[0].kind == "kept" and done[0].fused_from == 1


def test_no_frame_of_another_shot_is_seen():
    frames = [
        *clip(3),
        *(Frame(f.index, f.pts, f.pixels, shot=Shot(1, 3, 9, 100.0, 20.0)) for f in clip(6)[3:]),
    ]
    model, _ = seen(frames)
    assert model.seen == [[0, 0, 0, 1, 2], [0, 0, 1, 2, 2], [0, 1, 2, 2, 2],
                          [3, 3, 3, 4, 5], [3, 3, 4, 5, 5], [3, 4, 5, 5, 5]]  # fmt: skip
    assert model.told == [15.0] * 3 + [30.0] * 3


def test_a_corrupt_frame_neither_gives_nor_takes_and_another_size_is_not_seen():
    model, done = seen(clip(5, corrupt={1}))
    assert model.seen == [[0, 0, 0, 0, 2], [0, 2, 2, 3, 4], [2, 2, 3, 4, 4], [2, 3, 4, 4, 4]]
    assert done[1].numbers == {"applied": 0.0} and np.array_equal(done[1].pixels, clip(2)[1].pixels)
    odd = clip(3)
    odd[2] = Frame(2, 6, scene(30, 32), shot=SHOT)
    assert [f.index for f in five(odd, 1)] == [0, 0, 1, 1, 1]


def test_it_is_told_the_shot_s_noise_or_the_stated_one_and_the_shot_decides():
    assert seen(clip(2))[0].told == [15.0, 15.0]
    assert seen(clip(2), sigma=7.0)[0].told == [7.0, 7.0]
    for sigma, count in ((2.9, 0), (3.0, 2), (56.0, 0)):
        model, done = seen(clip(2, Shot(0, 0, 9, 0.0, sigma)))
        assert len(model.told) == count
        assert [f.numbers["applied"] for f in done] == [float(count > 0)] * 2
    assert seen(clip(2), apply_below_px=24 * 32 - 1)[0].told == []
    noise = np.random.default_rng(0).normal(0, 12, (64, 64, 1)).repeat(3, 2)
    alone = Frame(0, 0, np.rint(100 + noise).clip(0, 255).astype(np.uint8))
    assert seen([alone])[0].told[0] == pytest.approx(18.0, rel=0.15)  # nobody looked for shots: its own


def test_strength_is_the_share_that_is_taken():
    frames = clip(5)
    frames[2] = Frame(2, 6, np.full((24, 32, 3), 100, np.uint8), shot=SHOT)
    full, half = (seen(frames, strength=s)[1][2].pixels for s in (1.0, 0.5))
    assert np.unique(full) == [21] and np.unique(half) == [60]  # (0 + 1 + 100 + 3 + 4) / 5, and half-way


def test_a_pass_that_starts_within_reach_of_a_segment_gives_its_frames_bit_for_bit():
    frames = [Frame(i, i, scene(24, 32, seed=i), i == 5, shot=SHOT) for i in range(12)]
    whole = list(worker().stream(iter(frames)))
    reach = DenoiseVideo.reach(PARAMS)
    assert reach == 2
    for first in (1, 4, 6, 9):
        last = min(11, first + 2)
        part = frames[max(0, first - reach) : last + reach + 1]
        found = {f.index: f for f in worker().stream(iter(part))}
        for index in range(first, last + 1):
            assert np.array_equal(found[index].pixels, whole[index].pixels)
            assert found[index].numbers == whole[index].numbers


def test_without_the_model_it_says_which_one_it_lacks_and_every_number_has_its_summary():
    with pytest.raises(MissingResourceError, match="fastdvdnet"):
        list(DenoiseVideo(PARAMS, FACTS).stream(iter(clip(1))))
    assert all(set(f.numbers) <= set(DenoiseVideo.summaries) for f in seen(clip(3))[1])
