"""The golden tiles: the same everywhere, and what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.inference.golden import FLAT, golden_tiles


@pytest.mark.parametrize(("height", "width"), [(96, 96), (64, 112), (112, 112), (240, 320)])
def test_the_tiles_are_pictures_of_the_size_and_always_the_same(height, width):
    tiles = golden_tiles(height, width)
    assert set(tiles) == {"photo", "text", "face", "noise", "colour", "black", "white", "grey"}
    for name, pixels in tiles.items():
        assert pixels.shape == (height, width, 3)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, golden_tiles(height, width)[name])


def test_flat_tiles_are_flat_and_the_others_are_not():
    for name, pixels in golden_tiles(96, 96).items():
        if name in FLAT:
            assert pixels.min() == pixels.max() == FLAT[name]
        else:
            assert pixels.std() > 20, name


def test_the_colour_tile_is_fully_saturated():
    colour = golden_tiles(96, 96)["colour"]
    assert (colour.max(axis=2) == 255).all()
    assert (colour.min(axis=2) == 0).all()


def test_the_text_is_dark_on_light_above_and_light_on_dark_below():
    text = golden_tiles(96, 96)["text"]
    assert np.median(text[:60]) > 200
    assert np.median(text[-20:]) < 60
