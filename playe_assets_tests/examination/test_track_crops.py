"""Crops of tracks and marks: taken where the thing stands, within the shot, never more than the bounds allow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.tracks import Mark, Shot, Track
from playe_assets.core.values import Detection, ExhibitDetections, FrameDetections
from playe_assets.examination.seen import SeenIn
from playe_assets.examination.track_crops import WantedMark, WantedTrack, boxes_of, collect
from playe_assets_tests.fusers.parameters import fuser
from playe_assets_tests.rendered_clips import Scene, render


@pytest.fixture(scope="module")
def plate():
    return render(Scene("plate", frames=12, seed=7))


def _frames(made):
    return [Frame(n, n, p) for n, p in enumerate(made.pixels)]


def _mark(made, frame, shots=(), time=None, **changed):
    mark = Mark("plate", *made.boxes[frame], frame=None if time else frame, time=time)
    return WantedMark(mark, shots, Fraction(1, 25), fuser(**changed).params)


def test_a_mark_is_followed_to_both_sides_within_half_a_pixel(plate):
    mark = _mark(plate, 5)
    collect(_frames(plate), None, [], [mark], {}, 0.25)
    assert sorted(c.frame for c in mark.crops) == list(range(12))
    for crop in mark.crops:
        x, y, w, h = plate.boxes[crop.frame]
        own = plate.pixels[crop.frame]
        high, wide = crop.pixels.shape[:2]
        places = np.lib.stride_tricks.sliding_window_view(own, (high, wide, 3))[:, :, 0]
        (top, left) = np.argwhere((places == crop.pixels).all(axis=(2, 3, 4)))[0]
        assert abs(left + crop.x + crop.width / 2 - (x + w / 2)) < 0.5
        assert abs(top + crop.y + crop.height / 2 - (y + h / 2)) < 0.5
    assert max(mark.crops, key=lambda c: c.quality).frame == 5


def test_a_mark_by_time_stands_in_the_last_frame_not_later(plate):
    mark = _mark(plate, 4, time="9/50")  # 4.5 frames of 1/25 s
    collect(_frames(plate), None, [], [mark], {}, 0.25)
    assert mark.frame == 4


def test_a_shot_s_ends_are_never_crossed(plate):
    shots = (Shot(0, 0, 2), Shot(1, 3, 7), Shot(2, 8, 11))
    mark = _mark(plate, 5, shots)
    collect(_frames(plate), None, [], [mark], {}, 0.25)
    assert sorted(c.frame for c in mark.crops) == [3, 4, 5, 6, 7]


def test_following_ends_where_the_thing_is_gone(plate):
    frames = _frames(plate)
    rng = np.random.default_rng(3)
    for n in range(8, 12):
        frames[n] = Frame(n, n, rng.integers(60, 150, plate.pixels[n].shape, np.uint8))
    mark = _mark(plate, 5, follow_gap=2)
    collect(frames, None, [], [mark], {}, 0.25)
    assert mark.ended and mark.last == 7


def test_no_more_crops_are_held_than_the_bounds_allow(plate):
    mark = _mark(plate, 5, most_crops=4)
    collect(_frames(plate), None, [], [mark], {}, 0.25)
    assert len(mark.crops) == 4 and 5 in {c.frame for c in mark.crops}


def _found(made):
    members = tuple((n, 0) for n in range(0, 12, 3))
    seen = tuple(FrameDetections("d", n, n, (Detection("plate", *made.boxes[n], 0.9),)) for n, _ in members)
    track = Track(1, "d", "plate", 0, 9, members, 6, (6, 0), {"overall": (0.2, 0.4, 0.9, 0.3)})
    return ExhibitDetections("E001", "0" * 64, 144, 96, 4, seen, (track,), ())


def test_a_track_gives_crops_between_its_members_too_and_pictures_of_its_best_frames(plate):
    found = _found(plate)
    (track,) = found.tracks
    here = {(f.detector, f.frame): f for f in found.frames}
    wanted = WantedTrack.of(track, (), boxes_of(track, here), fuser(most_crops=6).params)
    assert len(wanted.quality) == 6 and wanted.quality[6] == 0.9
    pictures = collect(_frames(plate), SeenIn(found), [wanted], [], {6: [(1, 1)], 0: [(1, 2)]}, 0.25)
    assert set(pictures) == {(1, 1), (1, 2)}
    assert sorted(c.frame for c in wanted.crops) == sorted(wanted.quality)
    assert max(wanted.crops, key=lambda c: c.quality).frame == 6


def test_the_pass_ends_with_the_last_frame_that_is_waited_for(plate):
    taken = []

    def frames():
        for frame in _frames(plate):
            taken.append(frame.index)
            yield frame

    collect(frames(), SeenIn(_found(plate)), [], [], {3: [(1, 1)]}, 0.25)
    assert taken == [0, 1, 2, 3]


def test_frames_in_which_a_rejoined_track_was_away_take_no_places():
    frames = [0, 5, 10, 400, 405, 410]  # it was away between 10 and 400, and best just before and after
    found = ExhibitDetections(
        "E001", "", 640, 360, 6,
        tuple(FrameDetections("d", f, f, (Detection("plate", 10.0, 10.0, 60.0, 20.0, 1.0),)) for f in frames),
        (Track(1, "d", "plate", 0, 410, tuple((f, 0) for f in frames), 10, (10,),
               {"overall": (0.5, 0.6, 0.9, 0.9, 0.6, 0.5)}, rejoined=1),),
        ({"bridges_ticks": 10, "smooth_ticks": 0},),
    )  # fmt: skip
    seen = SeenIn(found)
    assert seen.stretches(1) == [(0, 10), (400, 410)]
    params = fuser(most_crops=12).params
    wanted = WantedTrack.of(found.tracks[0], (), [(60.0, 20.0)], params, seen.stretches(1))
    assert len(wanted.quality) == 12
    assert all(seen.at(f, f) for f in wanted.quality)
    within = WantedTrack.of(found.tracks[0], (Shot(0, 0, 402),), [(60.0, 20.0)], params, seen.stretches(1))
    assert set(within.quality) < {*range(11), 400, 401, 402}
