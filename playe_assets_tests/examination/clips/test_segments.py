"""Segments depend on frames, size and preset only, and hold every frame once."""

from __future__ import annotations

import pytest

from playe_assets.core.presets import Segments
from playe_assets.examination.clips.segments import frames_of, runs_of, segments_of


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 15, 16, 17, 250, 1000])
@pytest.mark.parametrize("params", [Segments(0.01, 1, 1), Segments(1.0, 4, 10), Segments(16.0, 8, 250)])
def test_every_frame_lies_in_one_segment(frames, params):
    found = segments_of(frames, 320, 180, params)
    assert [i for s in found for i in range(s.first_frame, s.last_frame + 1)] == list(range(frames))
    assert [s.number for s in found] == list(range(1, len(found) + 1))
    assert [s.last for s in found] == [False] * (len(found) - 1) + [True]


def test_no_segment_is_shorter_than_the_least_unless_the_clip_is():
    for frames in range(1, 60):
        found = segments_of(frames, 320, 180, Segments(0.576, 4, 100))
        assert all(s.frames >= min(4, frames) for s in found)
        assert all(s.frames == 10 for s in found[:-1])


def test_the_length_follows_the_size_within_its_bounds():
    params = Segments(16.0, 8, 250)
    assert frames_of(320, 180, params) == 250
    assert frames_of(640, 480, params) == 52
    assert frames_of(1920, 1080, params) == 8


def test_a_clip_without_promised_frames_is_one_open_segment():
    (only,) = segments_of(0, 320, 180, Segments(16.0, 8, 250))
    assert (only.first_frame, only.last) == (0, True)


def test_runs_are_as_long_as_they_can_be():
    found = segments_of(100, 320, 180, Segments(0.576, 4, 100))
    left = [s for s in found if s.number not in (3, 4, 8)]
    assert [[s.number for s in run] for run in runs_of(left)] == [[1, 2], [5, 6, 7], [9, 10]]
