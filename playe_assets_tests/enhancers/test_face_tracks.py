"""Faces on clips: one path of alignment a track, nothing of one track in another, no leaps into view."""

from __future__ import annotations

import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.tracks import Seen, Shot
from playe_assets.enhancers.face_restoration import FaceRestoration
from playe_assets.enhancers.face_tracks import faded, limited, on_frame
from playe_assets.inference.faces.align import FFHQ, FFHQ_SIDE
from playe_assets_tests.enhancers.test_face_restoration import PARAMS, Finder, Restorer, points
from playe_assets_tests.plugins import FACTS, scene

HEIGHT, WIDTH, EYES = 200, 320, 40.0
SHOT = Shot(0, 0, 99)


def seen(track, x, y, eyes=EYES, jitter=None, label="face"):
    places = points(x, y, eyes) + (0.0 if jitter is None else jitter)
    return Seen(track, label, x - eyes, y - eyes, 2 * eyes, 2 * eyes, tuple(map(tuple, places.tolist())))


def worker(answer, **changes):
    params = dataclasses.replace(PARAMS, **{"min_face_px": 20, **changes})
    facts = dataclasses.replace(FACTS, width=WIDTH, height=HEIGHT)
    network = Restorer(answer)
    return FaceRestoration(params, facts, {params.detector: Finder(), params.model: network}), network


def frames(paths, count=8, shot=SHOT, picture=None):
    """`paths`: functions from the frame's index to what is seen there, None for nothing."""
    flat = np.full((HEIGHT, WIDTH, 3), 100, np.uint8) if picture is None else picture
    there = [[path(i) for path in paths] for i in range(count)]
    return [Frame(i, i, flat, seen=tuple(s for s in each if s), shot=shot) for i, each in enumerate(there)]


def spot(given):
    """Adds a bright dot at the tip of the nose."""
    y, x = np.mgrid[0:FFHQ_SIDE, 0:FFHQ_SIDE]
    return given + 0.8 * np.exp(-((x - FFHQ[2][0]) ** 2 + (y - FFHQ[2][1]) ** 2) / (2 * 12.0**2))


def dot(frame):
    change = frame.pixels[:, :, 0].astype(float) - 100
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.array([(columns * change).sum(), (rows * change).sum()]) / change.sum()


def test_along_the_smoothed_path_a_face_trembles_less_than_by_each_frame_s_own_points():
    rng = np.random.default_rng(2)
    raw = [rng.normal(0, 1.5, (5, 2)) for _ in range(12)]
    smooth = [np.mean(raw[max(0, i - 3) : i + 4], axis=0) for i in range(12)]
    tremble = {}
    for name, jitter in (("raw", raw), ("path", smooth)):
        work, _ = worker(spot)
        done = list(
            work.stream(iter(frames([lambda i, j=jitter: seen(7, 100 + 2 * i, 90, jitter=j[i])], 12)))
        )
        steps = np.diff([dot(f) for f in done], axis=0) - (2, 0)
        tremble[name] = np.sqrt(np.mean(np.square(steps)))
    assert tremble["path"] < 0.45 * tremble["raw"]


def test_the_points_are_those_of_the_track_and_nothing_is_searched_for():
    work, network = worker(spot)
    found = list(
        work.stream(iter(frames([lambda i: seen(1, 100, 90), lambda i: seen(2, 220, 90, label="person")], 2)))
    )
    assert len(network.given) == 2
    for frame in found:
        assert np.abs(dot(frame) - points(100, 90, EYES)[2]).max() < 0.3
        assert (
            frame.numbers["applied"] == frame.numbers["faces_restored"] == frame.numbers["faces_found"] == 1.0
        )
        assert set(frame.numbers) == set(FaceRestoration.summaries)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_path_follows_a_frame_that_was_turned_upright_and_enlarged(scale, orientation):
    params = dataclasses.replace(PARAMS, min_face_px=20)
    stored = (HEIGHT, WIDTH) if orientation == 6 else (WIDTH, HEIGHT)
    facts = dataclasses.replace(FACTS, width=stored[0], height=stored[1], orientation=orientation)
    work = FaceRestoration(params, facts, {params.detector: Finder(), params.model: Restorer(spot)})
    large = np.full((HEIGHT * scale, WIDTH * scale, 3), 100, np.uint8)
    (found,) = work.stream(iter([Frame(0, 0, large, seen=(seen(1, 100, 90),))]))
    small = found.pixels.reshape(HEIGHT, scale, WIDTH, scale, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(dot(dataclasses.replace(found, pixels=small)) - points(100, 90, EYES)[2]).max() < 0.3


def test_a_track_without_points_stays_as_it_is_and_is_counted():
    bare = Seen(3, "face", 60, 50, 80, 80)
    work, network = worker(spot)
    given = frames([lambda i: bare], 3)
    for before, after in zip(given, work.stream(iter(given)), strict=True):
        assert np.array_equal(before.pixels, after.pixels)
        assert after.numbers["faces_without_points"] == 1.0
        assert after.numbers["applied"] == after.numbers["faces_restored"] == 0.0
    assert network.given == []


def test_two_faces_that_cross_keep_their_own_attributes():
    """The network makes red faces redder and blue ones bluer; paths cross in the middle of the clip."""
    red, blue = (200, 60, 60), (60, 60, 200)
    answers = []

    def tint(given):
        warm = given[0, 0, 200:300, 200:300].mean() > given[0, 2, 200:300, 200:300].mean()
        answers.append(warm)
        return given + np.array((0.3, 0, 0) if warm else (0, 0, 0.3), np.float32).reshape(1, 3, 1, 1)

    given = []
    for i in range(9):
        picture = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
        ends = ((60 + 25 * i, red), (260 - 25 * i, blue))
        for x, colour in ends:
            cv2.circle(picture, (x, 100), 45, colour, -1)
        both = (seen(1, ends[0][0], 100), seen(2, ends[1][0], 100))
        given.append(Frame(i, i, picture, seen=both if i != 4 else both[1:], shot=SHOT))
    work, _ = worker(tint, smooth_radius=2, smooth_agreement=64.0)
    for before, after in zip(given, work.stream(iter(given)), strict=True):
        change = after.pixels.astype(int) - before.pixels
        for track, (x, channel) in {1: (60 + 25 * before.index, 0), 2: (260 - 25 * before.index, 2)}.items():
            if 3 <= before.index <= 5:
                continue  # they cover each other there
            here = change[85:115, max(0, x - 15) : x + 15]
            assert here[:, :, channel].mean() > 25, track
            assert np.abs(here[:, :, 2 - channel]).max() <= 1, track


def test_what_a_network_draws_anew_in_each_frame_is_calmed_and_a_changed_face_keeps_its_own():
    def boiling():
        rng = np.random.default_rng(3)
        return lambda given: given + rng.normal(0, 0.2, (1, 1, 64, 64)).repeat(8, 2).repeat(8, 3)

    spread = {}
    for radius in (0, 2):
        work, _ = worker(boiling(), smooth_radius=radius)
        done = list(work.stream(iter(frames([lambda i: seen(1, 160, 100)], 9))))
        spread[radius] = np.mean(
            [np.abs(b.pixels.astype(int) - a.pixels).mean() for a, b in itertools.pairwise(done)]
        )
        assert [f.fused_from for f in done] == ([1] * 9 if radius == 0 else [3, 4, 5, 5, 5, 5, 5, 4, 3])
    assert spread[2] < 0.5 * spread[0]
    # From the fifth frame on another picture stands there: nothing of the earlier frames is taken over.
    given = frames([lambda i: seen(1, 160, 100)], 8)
    other = scene(HEIGHT, WIDTH, 3, seed=9)
    given = [f if f.index < 4 else dataclasses.replace(f, pixels=other) for f in given]
    alone, _ = worker(lambda x: -x, smooth_radius=0)
    calm, _ = worker(lambda x: -x, smooth_radius=2)
    for one, two in zip(alone.stream(iter(given)), calm.stream(iter(given)), strict=True):
        apart = np.abs(one.pixels.astype(int) - two.pixels)
        assert np.percentile(apart, 99) <= 1


def test_a_track_fades_in_and_out_but_not_at_a_cut_or_at_the_clip_s_ends():
    def level(there, shots=None):
        work, _ = worker(lambda x: x + 0.4, fade_frames=3)
        given = frames([lambda i: seen(1, 160, 100) if there(i) else None], 12)
        if shots:
            given = [dataclasses.replace(f, shot=shots(f.index)) for f in given]
        return [int(f.pixels.max()) - 100 for f in work.stream(iter(given))]

    assert level(lambda i: True) == [51] * 12
    assert level(lambda i: i >= 4) == [0] * 4 + [13, 26, 38, *[51] * 5]
    assert level(lambda i: i < 6) == [51, 51, 51, 38, 26, 13, *[0] * 6]
    cut = level(lambda i: i >= 4, lambda i: Shot(int(i >= 4), 0, 0))
    assert cut == [0] * 4 + [51] * 8


def test_a_face_that_wavers_around_a_limit_does_not_blink():
    sizes = [20 + 0.5 * (i % 2) for i in range(8)]  # the box is twice that
    levels = {}
    for soft in (0.0, 0.25):
        work, _ = worker(lambda x: x + 0.4, min_face_px=41, fade_share=soft)
        done = work.stream(iter(frames([lambda i: seen(1, 160, 100, sizes[i])], 8)))
        levels[soft] = [int(f.pixels.max()) - 100 for f in done]
    assert max(np.abs(np.diff(levels[0.0]))) > 45 and max(np.abs(np.diff(levels[0.25]))) <= 3


def test_a_pass_that_starts_within_reach_of_a_segment_gives_its_frames_bit_for_bit():
    def path(i):
        return seen(1, 60 + 9 * i, 90 + i, jitter=np.full((5, 2), 0.3 * (i % 3))) if i != 5 else None

    rng = np.random.default_rng(5)
    pictures = [
        cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2) for _ in range(12)
    ]
    given = [dataclasses.replace(f, pixels=pictures[f.index]) for f in frames([path], 12)]
    changes = {"fade_frames": 2, "smooth_radius": 1, "smooth_agreement": 64.0}
    whole = list(worker(lambda x: -x, **changes)[0].stream(iter(given)))
    reach = FaceRestoration.reach(dataclasses.replace(PARAMS, **changes))
    assert reach == 2
    for first in (2, 4, 7):
        part = worker(lambda x: -x, **changes)[0].stream(iter(given[first - reach : first + 3 + reach]))
        found = {f.index: f for f in part}
        for index in range(first, first + 3):
            assert np.array_equal(found[index].pixels, whole[index].pixels)
            assert found[index].numbers == whole[index].numbers


def test_the_rules_by_themselves():
    assert faded([True, True, True], 1, 1) == 1.0
    assert faded([False, True, True, True], 1, 1) == 0.5
    assert faded([False, True], 1, 0) == 1.0
    assert limited(10.0, 10.0, 0.0) == 1.0 and limited(9.9, 10.0, 0.0) == 0.0
    assert limited(11.0, 10.0, 0.2) == 0.5 and limited(-9.0, -10.0, 0.2) == 0.5
    face = on_frame(seen(1, 99.5, 49.5), (200, 100), (400, 200))
    assert face.x == 2 * (99.5 - EYES) and np.allclose(
        face.landmarks[2], 2 * (points(99.5, 49.5, EYES)[2] + 0.5) - 0.5
    )
