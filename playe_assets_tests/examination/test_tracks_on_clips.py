"""Tracks on a real clip whose content was looked at: six persons, one after the other, at one table."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.params import parse
from playe_assets.core.presets import load_preset
from playe_assets.core.tracks import Track
from playe_assets.core.values import ExhibitDetections, FrameDetections, MediaKind
from playe_assets.detectors import DETECTORS
from playe_assets.examination.plan import check
from playe_assets.examination.seen import SeenIn
from playe_assets.examination.tracks import Watched, tracker_method, tracks_of, traits_of
from playe_assets_tests.onnx_models import real_model
from playe_assets_tests.plugins import with_size

pytestmark = pytest.mark.slow

THERE = ((7, 19), (23, 44), (50, 69), (75, 86), (93, 119), (124, 135))
"""Seconds in which each of the six stands before the camera, by eye."""


@pytest.fixture(scope="module")
def made():
    return check(load_preset("forensic_safe"))


@pytest.fixture(scope="module")
def found(made, shared_data):
    """FastestDet as `balanced` uses it on streets, one frame a second."""
    use = next(u for u in load_preset("balanced").detectors[MediaKind.CLIP] if u.name == "fastestdet")
    cls = DETECTORS.get("fastestdet")
    params = parse(cls.Params, use.given, use.where)
    frames, traits, detector = [], [], None
    with av.open(str(shared_data / "media/cctv_intel/one-by-one-person-detection.mp4")) as clip:
        base = Fraction(clip.streams.video[0].time_base)
        for number, frame in enumerate(clip.decode(video=0)):
            if number % 10:
                continue
            pixels = frame.to_ndarray(format="rgb24")
            models = (
                {m.name: real_model(m.name, shared_data) for m in cls.needs(params)}
                if detector is None
                else {}
            )
            detector = detector or cls(params, with_size(pixels), models)
            item = Frame(number, frame.pts, pixels)
            people = tuple(d for d in detector.detect(item) if d.label == "person")
            frames.append(FrameDetections("fastestdet", number, frame.pts, people))
            traits.append(traits_of(item, people))
    tracks = tracks_of([Watched(frames, traits, 2)], made, 768, 432, (), base)
    return ExhibitDetections("E001", "0" * 64, 768, 432, len(frames), tuple(f for f in frames if f.found), tracks,
                             (tracker_method(made, base),))  # fmt: skip


def seconds(track: Track) -> tuple[int, int]:
    return track.first_frame // 10, track.last_frame // 10


def test_each_of_the_six_has_one_track_for_as_long_as_they_are_there(found):
    assert len(found.tracks) == 6
    for track, (come, gone) in zip(found.tracks, THERE, strict=True):
        assert seconds(track) == (pytest.approx(come, abs=1), pytest.approx(gone, abs=1))


def test_two_of_them_in_black_seen_from_behind_are_not_taken_for_one(found):
    assert [t.rejoined for t in found.tracks] == [0] * 6


def test_they_stand_in_every_frame_between_the_samples_too(found):
    seen = SeenIn(found)
    for track, (come, gone) in zip(found.tracks, THERE, strict=True):
        for frame in range(10 * come + 10, 10 * gone - 10):
            assert [s.track for s in seen.at(frame)] == [track.number]


def test_best_frames_show_the_person_whole_and_apart_from_each_other(found):
    for track in found.tracks:
        assert len(track.best_frames) == 3
        first, *_ = sorted(track.best_frames)
        assert max(track.best_frames) - first >= (track.last_frame - track.first_frame) / 3
