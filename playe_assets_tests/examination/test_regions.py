"""Marks labelled `region` limit motion detection; the others are followed."""

from __future__ import annotations

import pytest

from playe_assets.core.presets import load_preset, preset_names
from playe_assets.core.tracks import Mark
from playe_assets.core.values import Exhibit, ExhibitStatus, MediaKind, Role
from playe_assets.examination.plan import check
from playe_assets.examination.regions import detectors_for, followed_of

PLATE = Mark("plate", 4, 5, 20, 10, frame=7)
DOOR = Mark("region", 64, 24, 32, 72, frame=0)
DESK = Mark("region", 0, 0, 160, 120, time="5/2")


def exhibit(*marks: Mark, media: MediaKind = MediaKind.CLIP) -> Exhibit:
    return Exhibit(
        "E001", "61", "a", "0" * 64, 1, 1, Role.EXHIBIT, ExhibitStatus.ACCEPTED, media, marks=marks
    )


@pytest.mark.parametrize("name", preset_names())
def test_without_a_region_the_presets_detectors_are_used_as_they_stand(name):
    made = check(load_preset(name))
    assert detectors_for(made, exhibit(PLATE), 160, 120) == made.detectors[MediaKind.CLIP]
    assert detectors_for(made, exhibit(media=MediaKind.PHOTO), 160, 120) == made.detectors[MediaKind.PHOTO]


@pytest.mark.parametrize("name", preset_names())
def test_each_region_has_a_motion_detector_of_its_own_and_the_others_look_everywhere(name):
    made = check(load_preset(name))
    found = detectors_for(made, exhibit(PLATE, DOOR, DESK), 160, 120)
    others = [d for d in made.detectors[MediaKind.CLIP] if d.cls.name != "mog2_motion"]
    assert [d for d in found if d.cls.name != "mog2_motion"] == others
    motion = [d.params for d in found if d.cls.name == "mog2_motion"]
    assert [(p.region_left, p.region_top, p.region_right, p.region_bottom) for p in motion] == [
        (0.4, 0.2, 0.6, 0.8), (0.0, 0.0, 1.0, 1.0)
    ]  # fmt: skip


def test_regions_are_not_followed():
    assert followed_of(exhibit(DOOR, PLATE, DESK)) == (PLATE,)


def test_a_region_up_to_the_frames_border_does_not_pass_it_by_rounding():
    made = check(load_preset("forensic_safe"))
    for width in range(16, 400, 7):
        mark = Mark("region", width / 3, 0, width - width / 3, 9, frame=0)
        (params,) = (
            d.params for d in detectors_for(made, exhibit(mark), width, 9) if d.cls.name == "mog2_motion"
        )
        assert params.region_left < params.region_right <= 1.0
