"""The letterbox keeps proportions, and a point comes back to where it was."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.inference.objects.letterbox import GREY, letterbox


@pytest.mark.parametrize(
    "size", [(480, 640), (640, 480), (1, 1), (3, 2000), (2000, 3), (640, 640), (333, 77)]
)
def test_any_size_fits_its_longer_side_and_the_margin_is_grey(size):
    height, width = size
    square = letterbox(np.full((height, width, 3), 255, np.uint8), 640)
    seen = square.pixels[:, :, 0] == 255
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    high, wide = len(rows), len(columns)
    assert max(high, wide) == 640 and min(high, wide) >= 1
    assert (square.pixels[~seen] == GREY).all()
    assert (rows[0], columns[0]) == (square.top, square.left)
    assert (640 - high) - 2 * square.top in (0, 1) and (640 - wide) - 2 * square.left in (0, 1)
    assert (square.across, square.down) == (wide / width, high / height)


def test_the_corners_of_the_picture_come_back_to_its_corners():
    square = letterbox(np.zeros((333, 77, 3), np.uint8), 640)
    inside = np.array([[square.left, square.top, 640 - square.left, 640]], np.float32)
    inside[0, 2] = square.left + round(77 * square.across)
    np.testing.assert_allclose(square.outside(inside), [[0, 0, 77, 333]], atol=1e-4)


def test_the_tensor_is_rgb_planes_from_zero_to_one():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[..., 0] = 255
    tensor = letterbox(picture, 4).tensor
    assert tensor.shape == (1, 3, 4, 4) and tensor.dtype == np.float32 and tensor.flags.c_contiguous
    assert (tensor[0, 0] == 1).all() and (tensor[0, 1:] == 0).all()
