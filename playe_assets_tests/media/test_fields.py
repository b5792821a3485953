"""Interlaced clips: no colour of one field reaches the other, for the whole clip and stated; others as ever."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.enhancers.deinterlace import Deinterlace, DeinterlaceParams
from playe_assets.media.clip import read_clip
from playe_assets.media.colour import ToRgb, conversion_of
from playe_assets.media.fields import as_stated, lacks_chroma
from playe_assets.media.probe import Prober

WIDTH, HEIGHT, COUNT = 128, 96, 10
BARS = ((0.9, 0.1, 0.1), (0.1, 0.2, 0.9), (0.1, 0.8, 0.2), (0.9, 0.8, 0.1))
"""RGB, 0..1: neighbours differ far more in colour than in brightness."""


def picture(y, x, t):
    """RGB (…, 3), 0..1, at line `y`, column `x`, field `t`: slanted bars, moving 7 lines a field."""
    place = (y + 0.4 * x + 7.0 * t) / 26.0
    bar, within = np.floor(place).astype(int), place - np.floor(place)
    # Edges 10 lines wide: what is finer, a field's chroma, with a sample every fourth line, cannot carry.
    blend = np.clip((within - 0.6) / 0.4, 0.0, 1.0)[..., None]
    colours = np.array(BARS)
    return colours[bar % 4] * (1 - blend) + colours[(bar + 1) % 4] * blend


def ycbcr(rgb):
    """BT.601, limited range, 8-bit units."""
    y = rgb @ np.array([0.299, 0.587, 0.114])
    return np.stack(
        [16 + 219 * y, 128 + 112 * (rgb[..., 2] - y) / 0.886, 128 + 112 * (rgb[..., 0] - y) / 0.701], axis=-1
    )


def chroma_sample(t, first, rows, columns, n=4):
    """Means over each chroma sample's own area, which lies in one field: H.264 figure 6-2, sited left."""
    line, column = np.arange(rows), 2.0 * np.arange(columns)
    centre = 4 * (line // 2) + np.where(line % 2 == 0, 0.5, 2.5)
    total = np.zeros((rows, columns, 2))
    for dy in (np.arange(n) + 0.5) / n * 4 - 2:
        for dx in (np.arange(n) + 0.5) / n * 2 - 1:
            y = np.broadcast_to((centre + dy)[:, None], (rows, columns))
            x = np.broadcast_to((column + dx)[None, :], (rows, columns))
            moment = np.where(line % 2 == first, 2 * t, 2 * t + 1)[:, None]
            total += ycbcr(picture(y, x, moment))[..., 1:]
    return total / n**2


def coded(t, first=0, depth=8, height=HEIGHT, width=WIDTH):
    """The `t`th frame of two fields as `av.VideoFrame`, 4:2:0, made by the formulas alone."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    luma = ycbcr(picture(y, x, np.where(np.arange(height) % 2 == first, 2 * t, 2 * t + 1)[:, None]))[..., 0]
    chroma = chroma_sample(t, first, -(-height // 2), -(-width // 2))
    frame = av.VideoFrame(width, height, "yuv420p" if depth == 8 else f"yuv420p{depth}le")
    dtype = np.uint8 if depth == 8 else np.uint16
    for plane, values in zip(frame.planes, (luma, chroma[..., 0], chroma[..., 1]), strict=True):
        padded = np.zeros((plane.height, plane.line_size // np.dtype(dtype).itemsize), dtype)
        padded[:, : values.shape[1]] = np.rint(values * (1 << (depth - 8)))
        plane.update(padded.tobytes())
    frame.colorspace, frame.color_range = 5, 1
    frame.pts, frame.time_base = t, Fraction(1, 25)
    return as_stated(frame, True)


def truth(t, height=HEIGHT, width=WIDTH):
    """RGB in 8-bit units at the moment that the first field of frame `t` was taken."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    return 255 * picture(y, x, 2 * t)


CODECS = {
    "mpeg2video": ("yuv420p", {"flags": "+ilme+ildct", "qmin": "1", "qscale": "1", "b": "20M"}),
    "libx264": ("yuv420p", {"crf": "4"}),
    "ffv1": ("yuv420p10le", {}),
}


def write(path, codec, first=0, flags=None):
    pixel_format, options = CODECS[codec]
    if codec == "libx264":
        options = {**options, "x264-params": ("tff=1", "bff=1")[first]}
    with av.open(str(path), "w", format="matroska") as target:
        stream = target.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace, stream.codec_context.color_range = 5, 1
        for t in range(COUNT):
            frame = coded(t, first, 10 if pixel_format.endswith("10le") else 8)
            target.mux(stream.encode(as_stated(frame, flags is None or flags[t])))
        target.mux(stream.encode(None))
    return path


def colour_error(frames, first=0):
    """Mean difference of Cb and Cr from the truth, in 8-bit levels, without a rim of 4 samples."""
    errors = []
    for t, frame in enumerate(frames):
        unit = 255 if frame.pixels.dtype == np.uint8 else 65535
        there, known = ycbcr(frame.pixels / unit), ycbcr(truth(t) / 255)
        errors.append(np.abs(there - known)[4:-4, 4:-4, 1:].mean())
    return float(np.mean(errors))


def facts_of(path):
    with Prober() as prober:
        return prober.probe(path).facts


@pytest.mark.parametrize(("codec", "first"), [("mpeg2video", 0), ("libx264", 0), ("libx264", 1), ("ffv1", 0)])
def test_moving_colour_of_an_encoded_interlaced_clip_is_nearer_to_the_truth_than_with_fields_mixed(
    tmp_path, codec, first
):
    path = write(tmp_path / "i.mkv", codec, first)
    facts = facts_of(path)
    assert facts.interlaced
    facts = dataclasses.replace(facts, field_order=("tt", "bb")[first])
    made = {}
    for kind, told in (("apart", facts), ("mixed", dataclasses.replace(facts, interlaced=False))):
        reader = read_clip(path, told)
        decoded = list(reader)
        assert reader.report.conversion.interlaced == (kind == "apart")
        made[kind] = colour_error(list(Deinterlace(DeinterlaceParams(), facts).stream(iter(decoded))))
    assert made["apart"] < 0.2 * made["mixed"]
    assert made["apart"] < 2.0


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("height", [1, 2, 3, 5, 6, 7, 18, 26, 96])
def test_no_line_depends_on_the_other_field_at_any_height(depth, height):
    one, other = coded(0, depth=depth, height=height), coded(0, depth=depth, height=height)
    conversion = conversion_of(one, "h264")
    assert conversion.interlaced == (height > 1)
    assert lacks_chroma(one) == (height in (2, 6, 18, 26))
    before = ToRgb(conversion).pixels(one)
    for plane in other.planes:  # the lower field black and green
        lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size).copy()
        lines[1::2] = 0
        plane.update(lines.tobytes())
    after = ToRgb(conversion).pixels(other)
    assert before.shape == after.shape == (height, WIDTH, 3)
    assert np.array_equal(before[::2], after[::2])
    if height > 3:
        assert not np.array_equal(before[1::2], after[1::2])
    assert np.array_equal(ToRgb(conversion).pixels(one), before)


@pytest.mark.parametrize("depth", [8, 10])
def test_chroma_lies_a_quarter_and_three_quarters_of_a_fields_line_below_the_luma(depth):
    """A field of colour that rises evenly from line to line comes back even, line by line of the frame."""
    height, scale = 96, 1 << (depth - 8)
    frame = coded(0, depth=depth, height=height)
    dtype = np.uint8 if depth == 8 else np.uint16
    for number, plane in enumerate(frame.planes):
        lines = np.full((plane.height, plane.line_size // np.dtype(dtype).itemsize), 128 * scale, dtype)
        if number == 2:
            line = np.arange(plane.height)
            lines[:] = (100 * scale + (4 * (line // 2) + np.where(line % 2 == 0, 0.5, 2.5)) * scale)[:, None]
        plane.update(lines.tobytes())
    made = ToRgb(conversion_of(frame, "h264")).pixels(frame)
    red = made[:, WIDTH // 2, 0] / (1 if depth == 8 else 257)
    expected = (128 - 16) * 255 / 219 + (100 + np.arange(height) - 128) * 255 / 224 * 1.402
    inner = slice(8, 60)  # beyond, red is cut off at white
    assert np.abs(red - expected)[inner].max() < (1.6 if depth == 8 else 0.6)


def test_every_frame_is_treated_alike_whatever_its_own_flag_says():
    frame = coded(3)
    for stated in (True, False):
        conversion = conversion_of(frame, "h264", stated)
        assert conversion.interlaced == stated
        made = [ToRgb(conversion).pixels(as_stated(frame, flag)) for flag in (True, False)]
        assert np.array_equal(*made)
    assert frame.interlaced_frame  # as it came


@pytest.mark.parametrize("name", ["yuv422p", "yuv444p", "yuv422p10le", "gray", "gbrp", "yuv411p", "yuyv422"])
def test_where_every_line_has_its_own_colour_there_is_nothing_to_keep_apart(name):
    frame = coded(0).reformat(format=name)
    frame.color_range = 1 if "g" not in name else 2
    conversion = conversion_of(frame, "h264", True)
    assert not conversion.interlaced
    made = [ToRgb(conversion).pixels(as_stated(frame, flag)) for flag in (True, False)]
    assert np.array_equal(*made)


def test_a_progressive_stream_is_read_as_libswscale_reads_it():
    frame = as_stated(coded(0), False)
    conversion = conversion_of(frame, "h264", False)
    assert conversion == dataclasses.replace(conversion_of(frame, "h264"), interlaced=False)
    assert not conversion.interlaced


def test_a_clip_of_which_some_pictures_are_coded_by_fields_is_interlaced_for_every_frame(tmp_path):
    path = write(tmp_path / "m.mkv", "ffv1", flags=[t >= 3 for t in range(COUNT)])
    mixed, facts = path, facts_of(path)
    assert (facts.interlaced, facts.field_order) == (True, "tt")
    same = [f.pixels for f in read_clip(write(tmp_path / "i.mkv", "ffv1"), facts)]
    assert all(np.array_equal(a.pixels, b) for a, b in zip(read_clip(mixed, facts), same, strict=True))
    assert not facts_of(write(tmp_path / "p.mkv", "ffv1", flags=[False] * COUNT)).interlaced


@pytest.mark.parametrize("start", [1, 4, 9])
def test_a_part_of_an_interlaced_clip_has_the_same_bits_as_the_whole(tmp_path, start):
    path = write(tmp_path / "i.mkv", "ffv1", flags=[t % 2 == 0 for t in range(COUNT)])
    facts = facts_of(path)
    whole: list[Frame] = list(read_clip(path, facts))[start:]
    part = read_clip(path, facts, start)
    for a, b in zip(part, whole, strict=True):
        assert (a.index, a.pts) == (b.index, b.pts)
        assert np.array_equal(a.pixels, b.pixels)
    assert part.report.conversion is not None and part.report.conversion.interlaced
