"""Events out of tracks: when a thing came and left, and how sure that is."""

from __future__ import annotations

from fractions import Fraction

from playe_assets.core.tracks import Event, Track
from playe_assets.core.values import FrameDetections
from playe_assets.examination.events import JOIN_S, events_of

BASE = Fraction(1, 1000)


def track(number: int, frames, label: str = "person", detector: str = "hog_people") -> Track:
    members = tuple((f, 0) for f in frames)
    return Track(number, detector, label, members[0][0], members[-1][0], members, members[0][0])


def events(tracks, frames: int = 200, every: int = 5, pts=None):
    pts = pts or [40 * n for n in range(frames)]
    looked = [FrameDetections("", n, pts[n], ()) for n in range(0, frames, every)]
    return events_of(tracks, dict.fromkeys({t.detector for t in tracks}, looked), pts, BASE)


def test_a_track_appears_and_leaves_and_the_sampling_says_how_sure_that_is():
    assert events([track(1, range(20, 61, 5))]) == (
        Event("appear", 1, "person", 20, 800, 200),
        Event("leave", 1, "person", 60, 2400, 200),
    )


def test_what_is_there_from_the_first_to_the_last_sample_is_bounded_by_the_clip():
    first, last = events([track(1, range(0, 200, 5))])
    assert (first.frame, first.uncertain_ticks) == (0, 0)
    assert (last.frame, last.uncertain_ticks) == (195, 4 * 40)


def test_a_rejoined_track_left_and_came_again():
    there = [*range(0, 31, 5), *range(150, 181, 5)]
    found = events([track(1, there)])
    assert [(e.kind, e.frame) for e in found] == [
        ("appear", 0), ("leave", 30), ("appear", 150), ("leave", 180)
    ]  # fmt: skip
    assert {e.track for e in found} == {1}


def test_a_short_miss_is_no_leaving():
    assert len(events([track(1, [0, 5, 50, 55])])) == 2
    assert (50 - 5) * 40 * BASE < JOIN_S


def test_slow_sampling_is_no_absence():
    found = events([track(1, range(0, 500, 100))], frames=600, every=100)
    assert [(e.kind, e.frame, e.uncertain_ticks) for e in found] == [
        ("appear", 0, 0), ("leave", 400, 100 * 40)
    ]  # fmt: skip


def motion(number: int, frames) -> Track:
    return track(number, frames, "motion", "mog2_motion")


def test_motion_is_one_presence_over_many_tracks_and_short_pauses():
    found = events([motion(1, [10, 15, 20]), motion(2, [15, 40]), motion(3, [25, 30]), motion(4, [95, 100])])
    assert [(e.kind, e.track, e.frame) for e in found] == [
        ("appear", 1, 10), ("leave", 4, 100)
    ]  # fmt: skip


def test_motion_that_pauses_for_as_long_as_stated_or_longer_is_two():
    pause = int(JOIN_S / (40 * BASE))
    for more, count in ((-1, 2), (0, 4), (50, 4)):
        start = 20 + pause + more
        assert len(events([motion(1, [10, 15, 20]), motion(2, [start, start + 5])])) == count


def test_pauses_are_measured_in_time_and_not_in_frames():
    tracks = [motion(1, [5, 10, 15]), motion(2, [60, 65])]
    assert len(events(tracks, pts=[40 * n for n in range(200)])) == 2
    assert len(events(tracks, pts=[80 * n for n in range(200)])) == 4


def test_motion_does_not_join_other_things_and_events_come_in_order_of_time():
    found = events([track(1, [50, 55]), motion(2, [10, 15]), motion(3, [70, 75])])
    assert [(e.kind, e.label, e.frame) for e in found] == [
        ("appear", "motion", 10), ("appear", "person", 50), ("leave", "person", 55), ("leave", "motion", 75)
    ]  # fmt: skip


def test_no_track_gives_no_event():
    assert events([]) == ()
