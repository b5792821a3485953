"""Sampling by motion between two bounds, by exact time stamps."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from playe_assets.core.presets import load_preset, preset_names
from playe_assets.core.values import MediaKind
from playe_assets.examination.sampling import Sampling, sampling_of

MOVING = 0.002


def taken(times, motion=lambda n: 0.0, starts=(0,), every="0.5", still="2"):
    sampling = Sampling(Fraction(every), Fraction(still), MOVING)
    return [n for n, at in enumerate(times) if sampling.takes(at, motion(n), n in starts)]


def at_rate(count: int, rate: Fraction = Fraction(25)):
    return [n / rate for n in range(count)]


def test_a_still_scene_is_looked_at_at_the_slow_rate():
    assert taken(at_rate(201)) == [0, 50, 100, 150, 200]


def test_a_moving_scene_is_looked_at_at_the_fast_rate():
    assert taken(at_rate(61), lambda _: MOVING) == [0, 13, 26, 39, 52]


def test_motion_in_any_frame_since_the_last_look_counts_even_where_it_has_stopped():
    assert taken(at_rate(80), lambda n: 0.5 if n == 3 else 0.0) == [0, 13, 63]


def test_motion_that_begins_after_the_fast_interval_is_looked_at_at_once():
    assert taken(at_rate(80), lambda n: 0.5 if n == 30 else 0.0) == [0, 30]


def test_a_shots_first_frame_is_always_looked_at():
    assert taken(at_rate(60), starts=(0, 3, 4, 30)) == [0, 3, 4, 30]


def test_rates_that_no_decimal_fraction_says_do_not_drift():
    ntsc = Fraction(30000, 1001)
    times = at_rate(30_000, ntsc)
    found = taken(times, lambda _: 1.0, every="0.2", still="0.2")
    assert found == list(range(0, 30_000, 6))


def test_uneven_times_are_sampled_by_time_and_never_by_count():
    times = [Fraction(n, 25) for n in range(50)] + [2 + Fraction(n, 2) for n in range(1, 8)]
    found = taken(times, lambda _: 1.0)
    assert found == [0, 13, 26, 39, 50, 51, 52, 53, 54, 55, 56]
    looks = [times[n] for n in found]
    assert all(later - earlier >= Fraction(1, 2) for earlier, later in pairwise(looks))


def test_what_is_sampled_of_uneven_times_is_what_is_sampled_of_even_ones_where_they_agree():
    even = at_rate(100)
    uneven = [t for n, t in enumerate(even) if n % 13 == 0 or n % 3]  # frames left out, none moved in time
    one = [even[n] for n in taken(even, lambda _: 1.0)]
    other = [uneven[n] for n in taken(uneven, lambda _: 1.0)]
    assert one == other


@pytest.mark.parametrize("name", preset_names())
def test_presets_look_less_often_at_still_scenes_but_teach_backgrounds_evenly(name):
    for use in load_preset(name).detectors[MediaKind.CLIP]:
        sampling = sampling_of(use, MOVING)
        assert sampling.every == Fraction(str(use.every_s))
        if use.name == "mog2_motion":
            assert sampling.still_every == sampling.every
        else:
            assert sampling.still_every > sampling.every


def test_a_clock_that_goes_back_blinds_nobody():
    times = at_rate(100) + at_rate(100)  # two recordings of one still camera, joined end to end
    assert taken(times) == [0, 50, 100, 150]
    assert taken(times, lambda _: MOVING, still="0.5") == [0, 13, 26, 39, 52, 65, 78, 91,
                                                           100, 113, 126, 139, 152, 165, 178, 191]  # fmt: skip
