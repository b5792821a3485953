"""Photographs of every kind become grey or RGB samples; what is converted or missing is said."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from playe_assets.core.errors import EvidenceLimitError, UndecodableError
from playe_assets.media.photo import read_photo
from playe_assets_tests.media.samples import noise, ramp


def _saved(path, mode, **options):
    Image.fromarray(ramp(96, 128)).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(("mode", "suffix", "channels", "alpha"), [
    ("RGB", "png", 3, False), ("L", "png", 1, False), ("1", "png", 1, False), ("P", "png", 3, False),
    ("LA", "png", 1, True), ("RGBA", "png", 3, True), ("RGB", "bmp", 3, False), ("RGB", "tif", 3, False),
    ("RGB", "webp", 3, False), ("RGB", "gif", 3, False), ("L", "jpg", 1, False), ("RGB", "avif", 3, False),
    ("RGB", "jp2", 3, False),
])  # fmt: skip
def test_each_mode_becomes_grey_or_rgb_with_alpha_apart(tmp_path, mode, suffix, channels, alpha):
    photo = read_photo(_saved(tmp_path / f"x.{suffix}", mode))
    assert photo.pixels.shape == (96, 128, channels)
    assert photo.pixels.dtype == np.uint8
    assert (photo.alpha is not None) == alpha
    assert photo.missing == ()


def test_lossless_pictures_come_back_exactly(tmp_path):
    assert np.array_equal(read_photo(_saved(tmp_path / "x.png", "RGB")).pixels, ramp(96, 128))


def test_a_16_bit_grey_tiff_keeps_its_bits(tmp_path):
    pixels = noise(40, 30, 1, deep=True)
    Image.fromarray(pixels[:, :, 0]).save(tmp_path / "x.tif")
    assert np.array_equal(read_photo(tmp_path / "x.tif").pixels, pixels)


def test_a_cmyk_jpeg_becomes_rgb_and_says_by_which_formula(tmp_path):
    photo = read_photo(_saved(tmp_path / "x.jpg", "CMYK", quality=95))
    assert photo.pixels.shape == (96, 128, 3)
    assert [n.code for n in photo.notes] == ["converted_to_srgb"]
    assert np.abs(photo.pixels.astype(int) - ramp(96, 128)).mean() < 6


def test_a_truncated_jpeg_names_the_rows_that_are_missing(tmp_path):
    path = _saved(tmp_path / "x.jpg", "RGB", quality=95)
    whole = read_photo(path).pixels
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    photo = read_photo(path)
    (lost,) = photo.missing
    assert lost.code == "rows_missing"
    assert lost.facts["rows_total"] == 96
    first = lost.facts["first"]
    assert 8 <= first < 88
    assert lost.facts["rows"] == 96 - first
    assert np.array_equal(photo.pixels[: first - 8], whole[: first - 8])
    assert not photo.pixels[first:].any()
    assert np.array_equal(read_photo(path).pixels, photo.pixels)


def test_a_truncated_progressive_jpeg_is_coarser_and_says_so(tmp_path):
    path = _saved(tmp_path / "x.jpg", "RGB", quality=95, progressive=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    photo = read_photo(path)
    assert [m.code for m in photo.missing] == ["scans_missing"]
    assert photo.pixels.mean() > 40


def test_the_same_truncated_png_is_partial_too(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(noise(200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:60_000])
    (lost,) = read_photo(path).missing
    assert lost.code == "rows_missing"
    assert 50 < lost.facts["first"] < 150


def test_floating_point_samples_are_refused_because_they_have_no_range(tmp_path):
    Image.fromarray(np.ones((8, 8), np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(UndecodableError) as caught:
        read_photo(tmp_path / "x.tif")
    assert caught.value.code == "media.samples"


def test_more_pixels_than_granted_are_refused_before_decoding(tmp_path):
    with pytest.raises(EvidenceLimitError) as caught:
        read_photo(_saved(tmp_path / "x.png", "RGB"), max_pixels=1000)
    assert (caught.value.facts["width"], caught.value.facts["limit"]) == (128, 1000)


def test_a_format_off_the_list_is_not_opened(tmp_path):
    out = io.BytesIO()
    Image.fromarray(ramp()).save(out, "PCX")
    (tmp_path / "x.png").write_bytes(out.getvalue())
    with pytest.raises(UndecodableError, match=r"x\.png|media.undecodable"):
        read_photo(tmp_path / "x.png")
