"""FastestDet finds on its authors' three pictures what a person sees there."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Frame
from playe_assets.detectors.fastestdet import FastestDet, FastestDetParams
from playe_assets_tests.detectors.objects import OnnxModel, scenes
from playe_assets_tests.plugins import FACTS, with_size


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "weights" / "fastestdet"


@pytest.fixture(scope="module")
def model(folder):
    return OnnxModel(folder / "example" / "onnx-runtime" / "FastestDet.onnx")


def detect(model, pixels, **given):
    params = FastestDetParams(**scenes(**given), nms_iou=0.45, max_found=100)
    return FastestDet(params, with_size(pixels, FACTS), {"fastestdet": model}).detect(Frame(0, 0, pixels))


def picture(folder, number):
    return np.asarray(Image.open(folder / "data" / f"{number}.jpg").convert("RGB"))


def inside(item, x, y):
    return item.x < x < item.x + item.width and item.y < y < item.y + item.height


def test_the_bus_fills_its_box(folder, model):
    (bus,) = detect(model, picture(folder, 1), least=0.65)
    assert bus.label == "bus" and bus.score > 0.9
    # Read off the picture by eye: the bus from its rear bumper to its mirror, px.
    for found, seen in zip(
        (bus.x, bus.y, bus.x + bus.width, bus.y + bus.height), (50, 85, 590, 420), strict=True
    ):
        assert abs(found - seen) < 25


def test_pitcher_batter_catcher_and_umpire_are_people_and_the_bat_is_a_bat(folder, model):
    found = detect(model, picture(folder, 0))
    assert Counter(item.label for item in found)["baseball_bat"] == 1
    people = [item for item in found if item.label == "person"]
    assert 4 <= len(people) <= 5
    for x, y in ((213, 60), (395, 270), (310, 380), (390, 380)):
        assert any(inside(item, x, y) for item in people), (x, y)


def test_three_of_the_four_people_in_the_room_are_found_and_the_hidden_one_is_missed(folder, model):
    people = detect(model, picture(folder, 2), least=0.65)
    assert [item.label for item in people] == ["person"] * 3
    for x, y in ((150, 230), (285, 200), (410, 230)):
        assert any(inside(item, x, y) for item in people), (x, y)


def test_the_scene_chooses_thresholds_and_classes(folder, model):
    baseball = picture(folder, 0)
    given = {"street_people": 0.85, "street_carried": 1.0, "night_people": 0.5, "least": 1.0}
    street, night, document = (
        detect(model, baseball, scene=s, **given) for s in ("street", "night", "document")
    )
    assert {item.label for item in street} == {"person"} == {item.label for item in night}
    assert len(street) < len(night) and all(item.score > 0.85 for item in street)
    assert street == night[: len(street)]
    assert document == []


def test_grey_and_16_bit_frames_give_what_their_8_bit_colour_copy_gives(folder, model):
    grey = picture(folder, 1)[:, :, :1].copy()
    expected = detect(model, np.repeat(grey, 3, axis=2))
    assert expected and detect(model, grey) == expected
    assert detect(model, grey.astype(np.uint16) * 257) == expected
