"""Findings of one clip made into the manifest's tracks."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from playe_assets.core.canonical import to_plain
from playe_assets.core.contracts import Frame
from playe_assets.core.presets import load_preset
from playe_assets.core.tracks import Shot
from playe_assets.core.values import Detection, ExhibitDetections, FrameDetections, MediaKind
from playe_assets.examination.plan import check
from playe_assets.examination.seen import SeenIn
from playe_assets.examination.tracks import Traits, Watched, best_frames, tracker_method, tracks_of, traits_of

BASE = Fraction(1, 100)
STEP = 20  # ticks between samples, 0.2 s


@pytest.fixture(scope="module")
def made():
    return check(load_preset("forensic_safe"))


def box(x, y=0.0, size=40.0, score=1.0, label="face"):
    return Detection(label, x, y, size, size, score)


def shown(seed):
    vector = np.random.default_rng(seed).random(64) ** 6
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def watched(*frames, detector="d", least=1, seeds=None, worth=None):
    found = tuple(FrameDetections(detector, i * 5, i * STEP, tuple(f)) for i, f in enumerate(frames))
    traits = tuple(
        tuple(Traits(shown(seeds[i][n] if seeds else 0),
                     {"size": d.width, "sharpness": 0.3, "overall": worth[i] if worth else 0.5})
              for n, d in enumerate(f.found))
        for i, f in enumerate(found)
    )  # fmt: skip
    return Watched(found, traits, least)


def tracks(made, *seen, shots=()):
    return tracks_of(seen, made, 640, 360, shots, BASE)


def test_two_things_that_move_are_two_tracks_with_the_indices_that_their_findings_have(made):
    one, two = tracks(made, watched([box(0), box(200)], [box(8), box(192)], [box(184), box(16)]))
    assert one.members == ((0, 0), (5, 0), (10, 1))
    assert two.members == ((0, 1), (5, 1), (10, 0))
    assert (one.number, two.number, one.first_frame, one.last_frame) == (1, 2, 0, 10)


def test_short_tracks_are_dropped_and_the_others_numbered_without_gaps(made):
    seen = watched([box(0), box(300)], [box(0)], [box(0)], least=2)
    assert [(t.number, len(t.members)) for t in tracks(made, seen)] == [(1, 3)]


def test_detectors_and_labels_are_never_joined(made):
    first = watched([box(0), box(0, label="person")], [box(0, label="person"), box(0)])
    found = tracks(made, first, watched([box(0)], [box(0)], detector="e"))
    assert [(t.number, t.detector, t.label, t.members) for t in found] == [
        (1, "d", "face", ((0, 0), (5, 1))),
        (2, "d", "person", ((0, 1), (5, 0))),
        (3, "e", "face", ((0, 0), (5, 0))),
    ]


def test_shots_are_told_to_the_tracker(made):
    frames = [[box(0)] for _ in range(8)]
    assert len(tracks(made, watched(*frames))) == 1
    cut = (Shot(0, 0, 17), Shot(1, 18, 40))
    apart = tracks(made, watched(*frames, seeds=[[i // 4 * 7] for i in range(8)]), shots=cut)
    assert [(t.first_frame, t.last_frame, t.rejoined) for t in apart] == [(0, 15, 0), (20, 35, 0)]
    (joined,) = tracks(made, watched(*frames), shots=cut)
    assert joined.rejoined == 1


def test_times_are_exact_seconds_of_the_stream(made):
    """The same frames at a hundredth of the rate: what is missed for 40 looks is then missed for too long."""
    frames = [[box(0)], *([] for _ in range(4)), [box(0)]]
    seen = watched(*frames)
    assert len(tracks(made, seen)) == 1
    assert len(tracks_of([seen], made, 640, 360, (), BASE * 100)) == 2


def test_a_track_lists_its_members_quality_and_its_best_frames(made):
    worth = [0.1, 0.9, 0.88, 0.2, 0.5, 0.87, 0.1]
    seen = watched(*([box(0, size=40 + i)] for i in range(7)), worth=worth)
    (track,) = tracks(made, seen)
    assert track.quality == {"size": tuple(40.0 + i for i in range(7)), "sharpness": (0.3,) * 7,
                             "overall": tuple(worth)}  # fmt: skip
    assert made.preset.video.best_frames == 3
    assert track.best_frames == (5, 10, 25) and track.best_frame == 5


def test_best_frames_are_not_neighbours_that_show_the_same():
    frames = list(range(0, 100))
    overall = [1 - abs(f - 50) / 100 for f in frames]
    assert best_frames(frames, overall, 3) == (50, 33, 67)
    assert best_frames([7], [0.0], 3) == (7,)
    assert best_frames([0, 10], [0.5, 0.5], 1) == (0,)


def test_the_pose_is_a_column_only_where_every_member_has_one(made):
    seen = watched([box(0)], [box(0)])
    with_pose = tuple(tuple(replace(t, quality={**t.quality, "pose": 0.7}) for t in f) for f in seen.traits)
    (track,) = tracks(made, replace(seen, traits=with_pose))
    assert track.quality["pose"] == (0.7, 0.7)
    (track,) = tracks(made, replace(seen, traits=(with_pose[0], seen.traits[1])))
    assert "pose" not in track.quality


def test_nothing_gives_no_tracks(made):
    assert tracks(made) == ()
    assert tracks(made, watched()) == () and tracks(made, watched([], [])) == ()


def test_the_method_names_the_tracker_and_how_far_it_bridges(made):
    method = tracker_method(made, Fraction(1, 90000))
    params = made.preset.video.tracker.given
    assert (method["name"], method["params"]) == (made.preset.video.tracker.name, dict(params))
    slowest = max(d.use.still_every_s for d in made.detectors[MediaKind.CLIP])
    assert method["bridges_ticks"] == max(params["max_gap_s"], slowest) * 90000
    assert method["smooth_ticks"] == params["smooth_s"] * 90000
    assert to_plain(method) == method


def test_what_is_seen_between_the_samples_follows_from_tracks_and_method(made):
    seen = watched([box(0)], [box(10)], [], [box(30)])
    found = ExhibitDetections("E001", "0" * 64, 640, 360, 4, tuple(f for f in seen.found if f.found),
                              tracks(made, seen), (tracker_method(made, BASE),))  # fmt: skip
    assert [(s.x, s.found) for f in (5, 10, 12) for s in SeenIn(found).at(f)] == [
        (10.0, True), (20.0, False), (24.0, False)]  # fmt: skip


def test_traits_are_of_the_findings_pixels():
    pixels = np.random.default_rng(1).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    frame = Frame(0, 0, pixels)
    one, two = traits_of(frame, [box(0), box(60)])
    assert one.appearance.dtype == np.float32 and not np.array_equal(one.appearance, two.appearance)
    assert one.quality["size"] == 40.0 and one.quality["overall"] > 0
    assert traits_of(replace(frame, corrupt=True), [box(0)])[0].quality["overall"] == 0.0


def test_moving_regions_have_no_looks_and_are_never_rejoined(made):
    moving = [box(0, label="motion")]
    frame = Frame(0, 0, np.zeros((90, 120, 3), np.uint8))
    (trait,) = traits_of(frame, moving)
    assert trait.appearance is None and trait.quality["size"] == 40.0
    frames = [moving if n < 4 or n > 30 else [] for n in range(36)]
    seen = watched(*frames)
    bare = tuple(tuple(replace(t, appearance=None) for t in f) for f in seen.traits)
    assert [t.rejoined for t in tracks(made, seen)] == [1]
    assert [t.rejoined for t in tracks(made, replace(seen, traits=bare))] == [0, 0]


def test_a_clock_that_goes_back_between_two_looks_fails_no_tracker(made):
    seen = watched(*([box(8 * n)] for n in range(40)))
    joined = [replace(f, pts=f.pts % (20 * STEP)) for f in seen.found]
    (track,) = tracks(made, replace(seen, found=tuple(joined)))
    assert len(track.members) == 40
