"""The core tracker on things whose paths are known."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.contracts_tracks import Look
from playe_assets.trackers.kalman import Motion, Noise
from playe_assets.trackers.kalman_iou import KalmanIou
from playe_assets_tests.trackers.scenarios import box, centres, look, preset_params

STEP = Fraction(1, 5)


def follow(looks, **params):
    return KalmanIou(preset_params(**params)).follow(looks, 640, 360)


def rows(trails):
    return [t.members for t in trails]


def test_two_things_that_cross_keep_their_numbers():
    looks = [look(n, n * STEP, [box(100 + 12 * n), box(340 - 12 * n)]) for n in range(21)]
    one, two = follow(looks)
    assert centres(looks, one) == [(100 + 12 * n, 100) for n in range(21)]
    assert centres(looks, two) == [(340 - 12 * n, 100) for n in range(21)]


def test_two_things_that_meet_and_turn_back_are_told_apart_by_their_looks():
    def place(n):
        return abs(10 - n) * 12 + 3

    looks = [look(n, n * STEP, [box(200 - place(n)), box(200 + place(n))], seeds=[1, 2]) for n in range(21)]
    one, two = follow(looks)
    assert centres(looks, one) == [(200 - place(n), 100) for n in range(21)]
    assert centres(looks, two) == [(200 + place(n), 100) for n in range(21)]


def test_a_thing_hidden_for_a_while_goes_on_where_its_velocity_leads():
    hidden = range(6, 13)
    looks = [look(n, n * STEP, [] if n in hidden else [box(50 + 20 * n)]) for n in range(20)]
    (trail,) = follow(looks)
    assert len(trail.members) == 13 and trail.rejoined == 0


def test_a_thing_missed_for_longer_than_the_gap_is_two_tracks_without_appearance():
    looks = [look(n, n * STEP, [] if 5 <= n < 20 else [box(100)]) for n in range(25)]
    assert [len(m) for m in rows(follow(looks))] == [5, 5]
    assert [len(m) for m in rows(follow(looks, max_gap_s=5.0))] == [10]


def test_one_look_may_always_be_bridged_to_the_next_however_far_apart_they_are():
    looks = [look(n, Fraction(10 * n), [box(100)]) for n in range(4)]
    assert [len(m) for m in rows(follow(looks))] == [4]


def test_a_cut_ends_tracks():
    looks = [look(n, n * STEP, [box(100)], shot=n // 5) for n in range(10)]
    assert [[p for p, _ in m] for m in rows(follow(looks))] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def returning(seed, shot=0, x=500):
    """Something leaves to the left and half a minute later something comes from the right."""
    first = [look(n, n * STEP, [box(100 - 5 * n)], seeds=[1]) for n in range(6)]
    nothing = [look(6 + n, 2 + n, [], seeds=[]) for n in range(28)]
    return [
        *first,
        *nothing,
        *(look(34 + n, 30 + n * STEP, [box(x - 5 * n)], shot, [seed]) for n in range(6)),
    ]


def test_a_thing_that_returns_is_rejoined_and_counted():
    (trail,) = follow(returning(1))
    assert len(trail.members) == 12 and trail.rejoined == 1


def test_a_thing_that_returns_after_a_cut_is_rejoined_and_counted():
    (trail,) = follow(returning(1, shot=1))
    assert len(trail.members) == 12 and trail.rejoined == 1


def test_another_thing_that_looks_different_is_not_rejoined():
    trails = follow(returning(2))
    assert [len(t.members) for t in trails] == [6, 6] and all(t.rejoined == 0 for t in trails)


def test_a_thing_of_another_size_is_not_rejoined():
    looks = returning(1)
    grown = [replace(k, found=tuple(box(500, width=160, height=320) for _ in k.found)) if k.time >= 30 else k
             for k in looks]  # fmt: skip
    assert [t.rejoined for t in follow(grown)] == [0, 0]


def test_of_two_that_look_alike_neither_is_rejoined():
    both = [replace(k, found=(*k.found, box(k.found[0].x, y=300)), appearance=k.appearance * 2)
            if k.found and k.time >= 30 else k for k in returning(1)]  # fmt: skip
    assert [t.rejoined for t in follow(both)] == [0, 0, 0]
    first = [replace(k, found=(*k.found, box(k.found[0].x, y=300)), appearance=k.appearance * 2)
             if k.found and k.time < 30 else k for k in returning(1)]  # fmt: skip
    assert [t.rejoined for t in follow(first)] == [0, 0, 0]


def test_nothing_is_rejoined_after_too_long_or_where_it_is_switched_off():
    assert [t.rejoined for t in follow(returning(1), rejoin_gap_s=20.0)] == [0, 0]
    assert [t.rejoined for t in follow(returning(1), rejoin_gap_s=0.0)] == [0, 0]
    assert [t.rejoined for t in follow(returning(1), rejoin_members=7)] == [0, 0]


def test_uneven_looks_are_followed_by_their_times():
    times = [Fraction(t, 100) for t in (0, 4, 30, 33, 90, 95, 100, 180, 260, 262, 300)]
    looks = [
        look(n, t, [box(100 + 100 * float(t)), box(400 - 100 * float(t), y=110)]) for n, t in enumerate(times)
    ]
    one, two = follow(looks)
    assert centres(looks, one) == [(round(100 + 100 * float(t), 3), 100) for t in times]
    assert len(two.members) == len(times)


def test_two_steps_of_time_are_the_same_as_one():
    noise = Noise(1.0, 1.0, 0.3, 0.1)
    moving = Motion.of(box(100), noise).after(0.2).seen(box(120))
    once, twice = moving.after(0.7), moving.after(0.3).after(0.4)
    for name in ("at", "rate", "paa", "par", "prr"):
        assert getattr(once.scale, name) == pytest.approx(getattr(twice.scale, name), rel=1e-12)
    assert once.cx.at == pytest.approx(twice.cx.at)


def test_a_thing_of_another_size_starts_a_track_of_its_own():
    looks = [look(0, Fraction(0), [box(100)]), look(1, STEP, [box(100, width=120, height=240)])]
    assert len(follow(looks)) == 2


def test_no_looks_and_empty_looks_give_no_trails():
    assert follow([]) == []
    assert follow([look(n, n * STEP) for n in range(5)]) == []


coordinate = st.integers(0, 400).map(float)
finding = st.tuples(
    coordinate, st.integers(50, 60).map(float), st.integers(20, 60).map(float), st.integers(1, 3)
)
scene = st.lists(
    st.tuples(st.integers(1, 300), st.integers(0, 9).map(lambda n: n == 0), st.lists(finding, max_size=5)),
    max_size=14,
)


def looks_of(steps):
    looks, time, shot = [], Fraction(0), 0
    for n, (ticks, cut, found) in enumerate(steps):
        time, shot = time + Fraction(ticks, 100), shot + cut
        # A detector gives no two findings that are the same in everything.
        unique = list(dict.fromkeys(found))
        looks.append(look(n, time, [box(x, y, s, s) for x, y, s, _ in unique], shot, [k for *_, k in unique]))
    return looks


@settings(max_examples=60, deadline=None)
@given(scene)
def test_every_finding_is_in_one_trail_and_members_follow_the_looks(steps):
    looks = looks_of(steps)
    trails = follow(looks, rejoin_members=1)
    members = [m for t in trails for m in t.members]
    assert sorted(members) == [(p, i) for p, k in enumerate(looks) for i in range(len(k.found))]
    assert [t.members[0] for t in trails] == sorted(t.members[0] for t in trails)
    for trail in trails:
        positions = [p for p, _ in trail.members]
        assert positions == sorted(set(positions))
        breaks = sum(looks[a].shot != looks[b].shot for a, b in pairwise(positions))
        assert breaks <= trail.rejoined


@settings(max_examples=40, deadline=None)
@given(scene, st.randoms(use_true_random=False))
def test_the_order_of_findings_within_a_look_does_not_matter(steps, random):
    looks = looks_of(steps)
    mixed = []
    for k in looks:
        order = list(range(len(k.found)))
        random.shuffle(order)
        mixed.append(Look(k.frame, k.time, k.shot, tuple(k.found[i] for i in order),
                          tuple(k.appearance[i] for i in order)))  # fmt: skip
    assert whole(looks) == whole(mixed)


def whole(looks):
    """The trails as a set of what they hold, whatever the indices."""
    trails = follow(looks, rejoin_members=1)
    return sorted(
        repr([(p, looks[p].found[i], looks[p].appearance[i].tobytes().hex()) for p, i in t.members])
        + str(t.rejoined)
        for t in trails
    )
