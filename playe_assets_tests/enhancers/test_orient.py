"""Orientation 1..8 against the standard's own words: where row 0 and column 0 of the stored picture lie."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from playe_assets.enhancers.orient import Orient, OrientParams
from playe_assets_tests.plugins import FACTS

# Exif 2.32, tag 274: the visual side of the stored 0th row, then of the stored 0th column.
SIDES = {
    1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
    5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
}  # fmt: skip


def side(pixels, name):
    return {"top": pixels[0], "bottom": pixels[-1], "left": pixels[:, 0], "right": pixels[:, -1]}[name]


@pytest.mark.parametrize("value", range(1, 9))
def test_row_and_column_zero_go_where_the_standard_says(value):
    stored = np.arange(5 * 7, dtype=np.uint8).reshape(5, 7, 1)
    upright = Orient(OrientParams(), dataclasses.replace(FACTS, orientation=value)).frame(stored)
    row, column = SIDES[value]
    assert sorted(side(upright, row).ravel()) == sorted(stored[0].ravel())
    assert sorted(side(upright, column).ravel()) == sorted(stored[:, 0].ravel())
    assert sorted(upright.ravel()) == sorted(stored.ravel())
    assert upright.shape[:2] == ((5, 7) if value < 5 else (7, 5))
