"""Steps over time on a real clip: any part of it gives the bits of the whole; one after the other as well."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from playe_assets.enhancers import ENHANCERS
from playe_assets.media.clip import read_clip
from playe_assets_tests.enhancers.temporal import assert_same, assert_window_pure, with_cut
from playe_assets_tests.enhancers.test_contract import samples
from playe_assets_tests.plugins import FACTS


@pytest.fixture
def traffic(shared_data):
    """Twelve frames of a camera above a road, a part of the picture through which cars drive."""
    path = shared_data / "media" / "cctv_dvrscan" / "traffic_camera.mp4"
    with read_clip(path) as reader:
        taken = list(itertools.islice(reader, 90, 102))
    return [
        dataclasses.replace(f, index=i, pixels=np.ascontiguousarray(f.pixels[300:396, 560:688]))
        for i, f in enumerate(taken)
    ]


def chain(names):
    return [(cls, samples(name)[0]) for name in names for cls in [ENHANCERS.get(name)]]


@pytest.mark.parametrize("name", ["fusion", "temporal_denoise", "stabilise", "deinterlace"])
def test_any_part_of_a_real_clip_gives_the_bits_of_the_whole(traffic, name):
    ((cls, params),) = chain([name])
    facts = dataclasses.replace(FACTS, interlaced=True, field_order="tt")
    assert_window_pure(lambda: cls(params, facts), with_cut(traffic, 6), cls.reach(params))


def test_a_chain_of_steps_needs_the_sum_of_their_reaches_and_no_more(traffic):
    steps = chain(["orient", "fusion", "nlm", "local_contrast"])

    def made(part):
        frames = iter(part)
        for cls, params in steps:
            frames = cls(params, FACTS).stream(frames)
        return list(frames)

    reach = sum(cls.reach(params) for cls, params in steps)
    whole = made(traffic)
    border = 5
    before, after = made(traffic[: border + reach]), made(traffic[border - reach :])
    for frame in (*before[:border], *after[reach:]):
        assert_same(frame, whole[frame.index])
