"""Tracks join boxes that overlap from one sampled frame to the next."""

from __future__ import annotations

from playe_assets.core.values import Detection, FrameDetections
from playe_assets.detectors.view import overlap
from playe_assets.examination.tracks import build_tracks


def box(x, y=0.0, size=10.0, score=1.0, label="face"):
    return Detection(label, x, y, size, size, score)


def seen(*frames, detector="d", step=5):
    return [FrameDetections(detector, i * step, i, tuple(found)) for i, found in enumerate(frames)]


def test_two_things_that_move_apart_are_two_tracks():
    frames = seen([box(0), box(50)], [box(2), box(48)], [box(47), box(4)])
    one, two = build_tracks(frames, iou=0.3, min_frames=2)
    assert one.members == ((0, 0), (5, 0), (10, 1))
    assert two.members == ((0, 1), (5, 1), (10, 0))
    assert (one.number, two.number, one.first_frame, one.last_frame) == (1, 2, 0, 10)


def test_one_missed_frame_is_bridged_and_two_are_not():
    bridged = seen([box(0)], [], [box(1)])
    assert len(build_tracks(bridged, iou=0.3, min_frames=1)) == 1
    broken = seen([box(0)], [], [], [box(1)])
    assert [t.members for t in build_tracks(broken, iou=0.3, min_frames=1)] == [((0, 0),), ((15, 0),)]


def test_short_tracks_are_dropped():
    assert build_tracks(seen([box(0)], [box(80)]), iou=0.3, min_frames=2) == ()


def test_the_best_frame_has_the_largest_box_times_score():
    frames = seen([box(0, size=10, score=0.9)], [box(0, size=12, score=0.9)], [box(0, size=12, score=0.5)])
    (track,) = build_tracks(frames, iou=0.3, min_frames=1)
    assert track.best_frame == 5


def test_detectors_and_labels_are_never_joined():
    frames = [*seen([box(0)], [box(0)]), *seen([box(0)], [box(0, label="person")], detector="e")]
    found = build_tracks(frames, iou=0.1, min_frames=1)
    assert [(t.detector, t.label, len(t.members)) for t in found] == [
        ("d", "face", 2),
        ("e", "face", 1),
        ("e", "person", 1),
    ]


def test_the_better_overlap_wins_and_the_order_of_frames_does_not_matter():
    frames = seen([box(0), box(4)], [box(4)])
    one, two = build_tracks(list(reversed(frames)), iou=0.1, min_frames=1)
    assert one.members == ((0, 0),) and two.members == ((0, 1), (5, 0))


def test_nothing_gives_no_tracks():
    assert build_tracks([], iou=0.3, min_frames=1) == ()
    assert build_tracks(seen([], []), iou=0.3, min_frames=1) == ()


def test_overlap_is_intersection_over_union():
    assert overlap(box(0), box(0)) == 1.0
    assert overlap(box(0), box(5)) == 50 / 150
    assert overlap(box(0), box(10)) == 0.0
