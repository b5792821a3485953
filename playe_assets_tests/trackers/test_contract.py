"""Every registered tracker keeps the contract of core/contracts_tracks.py."""

from __future__ import annotations

import dataclasses
import importlib.util
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from playe_assets.core.errors import PresetError
from playe_assets.core.presets import load_preset, preset_names
from playe_assets.examination.plan import check
from playe_assets.trackers import TRACKERS
from playe_assets.trackers.bytetrack import ByteTrackParams
from playe_assets.trackers.overlap import OverlapParams
from playe_assets_tests.plugins import heavy_modules_after_listing, out_of_range, rebuilt, survives_the_record
from playe_assets_tests.trackers.scenarios import box, look, preset_params

NAMES = TRACKERS.names()
PARAMS = {
    "kalman_iou": preset_params(),
    "bytetrack": ByteTrackParams(0.5, 0.1, 0.6, 0.8, True, 5, 0.5),
    "overlap": OverlapParams(0.3, 5, 0.5),
}


def built(name):
    extra = name == "bytetrack"
    if extra and any(importlib.util.find_spec(m) is None for m in ("torch", "ultralytics")):
        pytest.skip("extra yolo is not installed")
    return TRACKERS.get(name)(PARAMS[name])


def crowd(shots=2):
    """Five things walking with jitter, now and then missed, over `shots` shots."""
    rng = np.random.default_rng(4)
    looks = []
    for n in range(40):
        found = [box(60 + 100 * k + 4 * n * (-1) ** k + rng.normal(0, 1), y=100 + 10 * k) for k in range(5)]
        kept = [(k, d) for k, d in enumerate(found) if rng.random() > 0.1]
        looks.append(look(n, Fraction(n, 5), [d for _, d in kept], n * shots // 40, [k for k, _ in kept]))
    return looks


def test_the_registry_names_exactly_these_trackers():
    assert NAMES == ("kalman_iou", "bytetrack", "overlap")


def test_listing_the_registry_loads_no_image_library():
    assert heavy_modules_after_listing("playe_assets.trackers", "TRACKERS") == set()


def test_every_preset_follows_with_the_core_tracker_that_needs_no_extra():
    assert {check(load_preset(name)).tracker.cls.name for name in preset_names()} == {"kalman_iou"}


@pytest.mark.parametrize("name", NAMES)
def test_it_says_its_name_version_and_reference_and_has_a_smoothing_window(name):
    cls = TRACKERS.get(name)
    assert (cls.name, bool(cls.version), len(cls.reference) > 20) == (name, True, True)
    assert {f.name for f in dataclasses.fields(cls.Params)} > {"smooth_s"}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_out_of_range_are_refused_and_those_in_range_survive_the_record(name):
    params = PARAMS[name]
    assert survives_the_record(params)
    for key, value in out_of_range(params):
        with pytest.raises(PresetError):
            rebuilt(params, key, value)


@pytest.mark.parametrize("name", NAMES)
def test_no_finding_is_in_two_trails_and_trails_come_by_their_first_member(name):
    looks = crowd()
    trails = built(name).follow(looks, 640, 360)
    members = [m for t in trails for m in t.members]
    assert len(members) == len(set(members)) and members
    assert [t.members[0] for t in trails] == sorted(t.members[0] for t in trails)
    for trail in trails:
        assert all(a < b for (a, _), (b, _) in pairwise(trail.members))
        assert all(0 <= i < len(looks[p].found) for p, i in trail.members)


@pytest.mark.parametrize("name", NAMES)
def test_five_things_in_one_shot_are_five_trails(name):
    assert len(built(name).follow(crowd(shots=1), 640, 360)) == 5


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_is_crossed_only_by_what_was_rejoined(name):
    looks = crowd()
    for trail in built(name).follow(looks, 640, 360):
        crossed = sum(looks[a].shot != looks[b].shot for (a, _), (b, _) in pairwise(trail.members))
        assert crossed <= trail.rejoined


@pytest.mark.parametrize("name", NAMES)
def test_it_bridges_what_it_says(name):
    tracker = built(name)
    bridged = Fraction(str(tracker.bridges_s(0.2)))
    looks = [dataclasses.replace(k, appearance=()) for k in crowd(shots=1)]
    for trail in tracker.follow(looks, 640, 360):
        gaps = [looks[b].time - looks[a].time for (a, _), (b, _) in pairwise(trail.members)]
        assert max(gaps) <= bridged


@pytest.mark.parametrize("name", NAMES)
def test_the_same_looks_give_the_same_trails_from_a_used_and_a_new_tracker(name):
    tracker = built(name)
    first = tracker.follow(crowd(), 640, 360)
    assert tracker.follow(crowd(), 640, 360) == first == built(name).follow(crowd(), 640, 360)
