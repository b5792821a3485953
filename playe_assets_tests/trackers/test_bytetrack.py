"""ByteTrack on the scenes of the core tracker, where they apply: it knows no seconds and no appearance."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from playe_assets_tests.trackers.scenarios import box, centres, look

if any(importlib.util.find_spec(name) is None for name in ("torch", "ultralytics")):
    pytest.skip("extra yolo is not installed", allow_module_level=True)

from playe_assets.inference.ultralytics_tracking import lapjv
from playe_assets.trackers.bytetrack import ByteTrack, ByteTrackParams

STEP = Fraction(1, 5)


def follow(looks, **other):
    given = {"high_score": 0.5, "low_score": 0.1, "new_score": 0.6, "match_cost": 0.8, "fuse_score": True,
             "buffer": 10, "smooth_s": 0.5}  # fmt: skip
    return ByteTrack(ByteTrackParams(**{**given, **other})).follow(looks, 640, 360)


def test_two_things_that_cross_keep_their_numbers():
    looks = [look(n, n * STEP, [box(100 + 6 * n), box(340 - 6 * n, y=110)]) for n in range(41)]
    one, two = follow(looks)
    assert centres(looks, one) == [(100 + 6 * n, 100) for n in range(41)]
    assert centres(looks, two) == [(340 - 6 * n, 110) for n in range(41)]


def test_a_thing_hidden_for_less_than_the_buffer_goes_on_and_for_longer_is_another():
    looks = [look(n, n * STEP, [] if 6 <= n < 12 else [box(50 + 4 * n)]) for n in range(20)]
    assert [len(t.members) for t in follow(looks)] == [14]
    assert [len(t.members) for t in follow(looks, buffer=3)] == [6, 8]


def test_a_cut_ends_tracks():
    looks = [look(n, n * STEP, [box(100)], shot=n // 5) for n in range(10)]
    assert [[p for p, _ in t.members] for t in follow(looks)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_weak_finding_goes_on_with_a_track_but_begins_none():
    weak = [
        look(n, n * STEP, [box(100, score=0.3 if n >= 3 else 0.9), box(400, score=0.3)]) for n in range(8)
    ]
    (trail,) = follow(weak)
    assert trail.members == tuple((n, 0) for n in range(8))


def test_the_first_look_of_a_track_that_waits_for_its_second_is_a_member_too():
    looks = [look(n, n * STEP, [box(100)] if n >= 3 else []) for n in range(6)]
    assert [t.members for t in follow(looks)] == [((3, 0), (4, 0), (5, 0))]


def test_scores_beyond_one_count_as_one():
    looks = [look(n, n * STEP, [box(100, score=7.5)]) for n in range(4)]
    assert [len(t.members) for t in follow(looks)] == [4]


def test_the_order_of_findings_within_a_look_does_not_matter_and_runs_do_not_meet():
    def whole(looks):
        return sorted((tuple(centres(looks, t)), tuple(p for p, _ in t.members)) for t in follow(looks))

    rng = np.random.default_rng(5)
    found = [[box(float(x), y=float(y)) for x, y in rng.integers(40, 300, (4, 2))] for _ in range(12)]
    looks = [look(n, n * STEP, f) for n, f in enumerate(found)]
    mixed = [look(n, n * STEP, [f[i] for i in rng.permutation(4)]) for n, f in enumerate(found)]
    assert whole(looks) == whole(mixed) == whole(looks)


def test_no_looks_and_empty_looks_give_no_trails():
    assert follow([]) == [] and follow([look(n, n * STEP) for n in range(5)]) == []


def test_the_stand_in_for_lap_leaves_alone_what_costs_more_than_the_limit():
    cost = np.array([[0.1, 0.9, 0.3], [0.2, 0.95, 0.8]], np.float32)
    total, columns, rows = lapjv(cost, cost_limit=0.55)
    assert columns.tolist() == [2, 0] and rows.tolist() == [1, -1, 0] and total == pytest.approx(0.5)
    assert lapjv(cost, cost_limit=0.15)[1].tolist() == [0, -1]


def test_the_process_is_as_before_and_no_lap_of_ours_is_left():
    before = dict(os.environ)
    assert len(follow([look(n, n * STEP, [box(100)]) for n in range(4)])) == 1
    assert dict(os.environ) == before
    assert getattr(sys.modules.get("lap"), "lapjv", None) is not lapjv


def test_where_the_extra_is_absent_it_is_named(tmp_path):
    for name in ("torch", "ultralytics"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('No module named {name}')")
    code = """
from playe_assets.core.errors import MissingResourceError
from playe_assets_tests.trackers.scenarios import look
from playe_assets.trackers.bytetrack import ByteTrack, ByteTrackParams
try:
    ByteTrack(ByteTrackParams(0.5, 0.1, 0.6, 0.8, True, 10, 0.5))
except MissingResourceError as error:
    print(error.code, "yolo" in error.message("en"), "yolo" in error.message("ru"))
"""
    paths = os.pathsep.join([str(tmp_path), str(Path.cwd())])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": paths})  # fmt: skip
    assert done.stdout == "trackers.extra_yolo True True\n", done.stderr
