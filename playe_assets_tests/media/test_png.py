"""PNG as we write it is read back by two independent decoders with the same samples, profile and words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from playe_assets.media.photo import read_photo
from playe_assets.media.png import png_bytes, write_png
from playe_assets_tests.media.samples import noise, ramp


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(130, 7), (1, 1), (64, 65)])
def test_samples_come_back(tmp_path, size, channels, alpha, deep):
    pixels = noise(*size, channels, deep)
    cover = noise(*size, 1, deep, seed=9) if alpha else None
    write_png(tmp_path / "x.png", pixels, cover)
    back = read_photo(tmp_path / "x.png")
    assert back.pixels.dtype == pixels.dtype
    assert np.array_equal(back.pixels, pixels)
    assert (back.alpha is None) if cover is None else np.array_equal(back.alpha, cover)
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == size[::-1]
        if not deep:
            shown = np.asarray(image).reshape(*size, -1)
            assert np.array_equal(shown[:, :, :channels], pixels)


def test_profile_words_and_resolution_are_carried(tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    write_png(tmp_path / "x.png", ramp(), None, icc, {"PLAYE": '{"метод":1}'}, 9, (300, 300))
    with Image.open(tmp_path / "x.png") as image:
        assert image.info["icc_profile"] == icc
        assert image.text["PLAYE"] == '{"метод":1}'
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_a_profile_for_other_channels_is_refused():
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with pytest.raises(ValueError, match="1 channel"):
        b"".join(png_bytes(noise(channels=1), icc=icc))


def test_the_same_pixels_give_the_same_bytes_and_stay_unchanged():
    pixels = ramp()
    before = pixels.copy()
    assert b"".join(png_bytes(pixels)) == b"".join(png_bytes(pixels.copy()))
    assert np.array_equal(pixels, before)
