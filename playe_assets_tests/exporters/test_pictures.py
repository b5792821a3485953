"""The report's pictures: small, deterministic, and stating what their captions must state."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.exporters.pictures import (
    DIFFERENCE_GAIN,
    LONG_SIDE,
    SCALE_COLOURS,
    make_pictures,
    picture_of,
    reduced,
)
from playe_assets_tests.exporters.report_sample import rendered


def opened(data: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


def test_equal_pixels_give_equal_bytes() -> None:
    counts = np.full((90, 120), 3, np.uint8)
    first = make_pictures(rendered(1), rendered(2), counts)
    assert first == make_pictures(rendered(1).copy(), rendered(2).copy(), counts.copy())
    assert list(first) == ["before", "after", "difference", "contributors"]


def test_a_small_exhibit_is_shown_pixel_for_pixel() -> None:
    found = make_pictures(rendered(1), rendered(2))
    assert np.array_equal(opened(found["before"]), rendered(1))
    assert np.array_equal(opened(found["after"]), rendered(2))


def test_the_difference_is_the_largest_over_the_channels_times_the_gain() -> None:
    before = np.full((20, 30, 3), 100, np.uint8)
    after = before.copy()
    after[5, 7] = (100, 97, 110)
    after[6, 7] = (0, 100, 100)
    found = make_pictures(before, after)
    shown = opened(found["difference"])
    assert shown[5, 7] == 10 * DIFFERENCE_GAIN
    assert shown[6, 7] == 255
    assert shown.sum() == 10 * DIFFERENCE_GAIN + 255
    assert picture_of("E001", found["difference"]).scale == {"gain": 8.0, "unit_max": 100.0}


def test_a_derivative_of_another_scale_is_compared_at_the_exhibits_scale() -> None:
    before = rendered(1)
    found = make_pictures(before, np.repeat(np.repeat(before, 2, axis=0), 2, axis=1))
    assert opened(found["difference"]).max() == 0
    assert opened(found["after"]).shape == (180, 240, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bit_and_grey_pixels_are_shown_in_eight_bit_colour(channels: int) -> None:
    before = np.full((10, 12, channels), 257 * 40, np.uint16)
    found = make_pictures(before, before)
    assert np.array_equal(opened(found["before"]), np.full((10, 12, 3), 40, np.uint8))


def test_no_side_is_longer_than_the_limit() -> None:
    tall = np.zeros((2400, 300, 3), np.uint8)
    for png in make_pictures(tall, tall, np.ones((2400, 300, 1), np.uint8)).values():
        entry = picture_of("E001", png)
        assert max(entry.width, entry.height) == LONG_SIDE


def test_the_contributors_run_from_dark_alone_to_light_all() -> None:
    counts = np.ones((10, 10, 1), np.uint8)
    counts[4:, :] = 5
    found = make_pictures(rendered(1, 10, 10), rendered(2, 10, 10), counts)
    shown = opened(found["contributors"])
    assert tuple(shown[0, 0]) == SCALE_COLOURS[0]
    assert tuple(shown[9, 9]) == SCALE_COLOURS[-1]
    assert picture_of("E001", found["contributors"], 7).scale == {"high": 5.0}


def test_the_reports_entry_states_role_digest_size_and_frame() -> None:
    png = make_pictures(rendered(1), rendered(2))["after"]
    entry = picture_of("E003", png, 12)
    assert (entry.exhibit, entry.role, entry.frame, entry.width, entry.height) == (
        "E003",
        "after",
        12,
        120,
        90,
    )
    assert entry.sha256 == hashlib.sha256(png).hexdigest()


def test_views_of_other_proportions_are_refused() -> None:
    with pytest.raises(IntegrityError, match=r"120x90 px and 90x120 px"):
        make_pictures(rendered(1), np.rot90(rendered(1)).copy())


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_other_bytes_are_no_picture_of_a_report(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        picture_of("E001", data)


def test_an_odd_size_of_one_pixel_has_pictures() -> None:
    dot = np.full((1, 1, 3), 9, np.uint8)
    assert opened(make_pictures(dot, np.full((3, 3, 3), 9, np.uint8))["difference"]).tolist() == [[0]]


def test_a_reduced_picture_keeps_colour_and_proportions() -> None:
    red = np.zeros((300, 600, 3), np.uint8)
    red[..., 0] = 200
    found = opened(reduced(make_pictures(red, red)["before"], 100))
    assert found.shape == (50, 100, 3)
    assert np.abs(found[10, 10].astype(int) - (200, 0, 0)).max() <= 2


def test_a_picture_that_is_small_enough_is_not_touched() -> None:
    png = make_pictures(rendered(1), rendered(2))["before"]
    assert reduced(png, 120) is png
