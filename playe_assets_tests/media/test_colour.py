"""Samples become RGB by the formulas of ITU-T H.273, with matrix and range stated or openly assumed."""

from __future__ import annotations

import av
import numpy as np
import pytest

from playe_assets.core.errors import UndecodableError
from playe_assets.media.colour import ToRgb, conversion_of

CODES = {"bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 6, "smpte240m": 7, "bt2020nc": 9}
LUMA = {"bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "bt470bg": (0.299, 0.114),
        "smpte170m": (0.299, 0.114), "smpte240m": (0.212, 0.087), "bt2020nc": (0.2627, 0.0593)}  # fmt: skip


def _frame(depth: int, matrix: int, full: bool) -> tuple[av.VideoFrame, np.ndarray]:
    rng, scale = np.random.default_rng(1), 1 << (depth - 8)
    planes = [
        rng.integers(16 * scale, 235 * scale, (16, 32)),
        *rng.integers(96 * scale, 160 * scale, (2, 16, 32)),
    ]
    planes[0][0], planes[0][1] = 235 * scale, 16 * scale
    for chroma in planes[1:]:
        chroma[:2] = 128 * scale
    frame = av.VideoFrame(32, 16, "yuv444p" if depth == 8 else f"yuv444p{depth}le")
    for plane, values in zip(frame.planes, planes, strict=True):
        item = 1 if depth == 8 else 2
        padded = np.zeros((16, plane.line_size // item), np.uint8 if depth == 8 else np.uint16)
        padded[:, :32] = values
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = matrix, 2 if full else 1
    return frame, np.stack(planes).astype(np.float64)


def _truth(planes: np.ndarray, depth: int, name: str, full: bool) -> np.ndarray:
    scale, top, half = 1 << (depth - 8), (1 << depth) - 1, 1 << (depth - 1)
    y = planes[0] / top if full else (planes[0] - 16 * scale) / (219 * scale)
    cb, cr = ((p - half) / (top if full else 224 * scale) for p in planes[1:])
    kr, kb = LUMA[name]
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    return np.clip(np.stack([red, (y - kr * red - kb * blue) / (1 - kr - kb), blue], axis=-1), 0, 1)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", CODES)
def test_8_bit_samples_follow_the_standard_to_half_a_level(name, full):
    frame, planes = _frame(8, CODES[name], full)
    conversion = conversion_of(frame, "h264")
    assert (conversion.matrix, conversion.matrix_assumed, conversion.full_range) == (name, False, full)
    made = ToRgb(conversion).pixels(frame)
    assert made.dtype == np.uint8
    assert np.abs(made - _truth(planes, 8, name, full) * 255).max() <= 0.52


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("depth", [10, 12])
def test_deeper_samples_become_16_bits_without_losing_white(depth, full):
    frame, planes = _frame(depth, CODES["bt2020nc"], full)
    made = ToRgb(conversion_of(frame, "hevc")).pixels(frame)
    assert made.dtype == np.uint16
    assert np.abs(made - _truth(planes, depth, "bt2020nc", full) * 65535).max() <= 0.51
    if not full:
        assert made[0].min() == 65535
        assert made[1].max() == 0


@pytest.mark.parametrize(("width", "height", "expected"), [(640, 480, "smpte170m"), (1280, 720, "bt709")])
def test_an_unstated_matrix_is_assumed_by_size_and_said_to_be(width, height, expected):
    conversion = conversion_of(av.VideoFrame(width, height, "yuv420p"), "h264")
    assert (conversion.matrix, conversion.matrix_assumed) == (expected, True)
    assert (conversion.full_range, conversion.range_assumed) == (False, True)


def test_limited_grey_reaches_black_and_white():
    frame = av.VideoFrame.from_ndarray(np.arange(256, dtype=np.uint8).reshape(16, 16), format="gray")
    frame.color_range = 1
    made = ToRgb(conversion_of(frame, "h264")).pixels(frame)
    assert made.shape == (16, 16, 1)
    assert made.ravel()[[0, 16, 126, 235, 255]].tolist() == [0, 0, 128, 255, 255]


def test_rgb_passes_untouched():
    array = np.random.default_rng(2).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    frame = av.VideoFrame.from_ndarray(array, format="gbrp")
    assert np.array_equal(ToRgb(conversion_of(frame, "ffv1")).pixels(frame), array)


def test_a_matrix_without_a_way_to_rgb_is_refused_by_name():
    frame = av.VideoFrame(64, 48, "yuv420p")
    frame.colorspace = 8
    with pytest.raises(UndecodableError, match="ycgco"):
        conversion_of(frame, "h264")
