"""Interlaced streams become whole frames, one for one; every other stream passes through untouched."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import av
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.enhancers.deinterlace import Deinterlace, DeinterlaceParams
from playe_assets.media.clip import read_clip
from playe_assets_tests.enhancers.temporal import (
    assert_same,
    assert_window_pure,
    moving_things,
    psnr,
    summary,
    with_cut,
)
from playe_assets_tests.plugins import FACTS

HEIGHT, WIDTH, COUNT = 96, 128, 10
INTERLACED = dataclasses.replace(FACTS, interlaced=True, field_order="tt", height=HEIGHT, width=WIDTH)


def woven(first: int, dtype=np.uint8, channels: int = 3):
    """Interlaced frames, and the whole pictures at the moment of each first field (8-bit units)."""
    unit = 1 if dtype is np.uint8 else 257
    moments = [m[:, :, :channels] for m in moving_things(HEIGHT, WIDTH, 2 * COUNT)]
    pictures = [np.rint(np.clip(m, 0, 255) * unit).astype(dtype) for m in moments]
    frames = []
    for i in range(COUNT):
        picture = pictures[2 * i].copy()
        picture[1 - first :: 2] = pictures[2 * i + 1][1 - first :: 2]
        frames.append(Frame(i, 7 * i * i, picture))
    return frames, moments[::2]


def whole(source, facts=INTERLACED):
    return list(Deinterlace(DeinterlaceParams(), facts).stream(iter(source)))


def gains(source, out, truth, first: int):
    """dB that each frame is nearer to the truth than the first field with its lines repeated."""
    doubled = [np.repeat(f.pixels[first::2], 2, axis=0) for f in source]
    return [psnr(o.pixels, t) - psnr(d, t) for o, d, t in zip(out, doubled, truth, strict=True)]


@pytest.mark.parametrize(("order", "first"), [("tt", 0), ("bt", 0), ("bb", 1), ("tb", 1)])
@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.uint8, 3), (np.uint8, 1), (np.uint16, 3), (np.uint16, 1)]
)
def test_the_first_field_keeps_its_lines_and_the_others_are_better_than_doubled_ones(
    order, first, dtype, channels
):
    source, truth = woven(first, dtype, channels)
    out = whole(source, dataclasses.replace(INTERLACED, field_order=order))
    assert [(f.index, f.pts, f.kind) for f in out] == [(f.index, f.pts, "fused") for f in source]
    for taken, given in zip(source, out, strict=True):
        assert given.pixels.dtype == dtype and given.pixels.shape == taken.pixels.shape
        assert np.array_equal(given.pixels[first::2], taken.pixels[first::2])
    assert min(gains(source, out, truth, first)) > 0.0
    assert np.mean(gains(source, out, truth, first)) > 3.0
    assert psnr(out[5].pixels, truth[5]) > psnr(source[5].pixels, truth[5]) + 6.0
    assert summary(Deinterlace, out) == {"deinterlaced": COUNT, "interpolated_lines_share": 0.5}


@pytest.mark.parametrize(("order", "first"), [("tt", 0), ("bb", 1)])
def test_a_stream_that_was_encoded_interlaced_comes_out_whole(tmp_path, order, first):
    source, truth = woven(first)
    path = tmp_path / "interlaced.mkv"
    options = {"crf": "6", "x264-params": {"tt": "tff=1", "bb": "bff=1"}[order]}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.codec_context.thread_count = 1
        for item in source:
            frame = av.VideoFrame.from_ndarray(item.pixels, format="rgb24").reformat(format="yuv444p")
            frame.pts, frame.time_base = item.index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    decoded = list(read_clip(path))
    out = whole(decoded, dataclasses.replace(INTERLACED, field_order=order))
    assert [f.pts for f in out] == [f.pts for f in decoded]
    assert np.mean(gains(decoded, out, truth, first)) > 2.5


@pytest.mark.parametrize("change", [{"interlaced": False}, {"field_order": None}])
def test_a_stream_that_is_not_interlaced_passes_bit_by_bit_and_says_so(change):
    source, _ = woven(0)
    facts = dataclasses.replace(INTERLACED, **change)
    out = whole(source, facts)
    for taken, given in zip(source, out, strict=True):
        assert_same(dataclasses.replace(taken, numbers=given.numbers), given)
        assert given.numbers == {"deinterlaced": 0.0, "interpolated_lines_share": 0.0}
    assert not Deinterlace(DeinterlaceParams(), facts).touched()


@pytest.mark.parametrize("cut", [None, 4])
def test_any_part_with_reach_frames_of_context_gives_the_same_bits_as_the_whole(cut):
    source = with_cut(woven(0)[0], cut)
    source[7] = dataclasses.replace(source[7], corrupt=True)
    assert_window_pure(
        lambda: Deinterlace(DeinterlaceParams(), INTERLACED), source, Deinterlace.reach(DeinterlaceParams())
    )


def test_no_line_is_interpolated_across_a_cut_or_from_a_corrupt_frame():
    source = with_cut(woven(0)[0], 5)
    out = whole(source)
    for alone in (*whole(source[:5]), *whole(source[5:])):
        assert_same(alone, out[alone.index])
    broken = [
        *source[:2],
        dataclasses.replace(source[2], corrupt=True, pixels=np.zeros_like(source[2].pixels)),
        *source[3:5],
    ]
    out = whole(broken)
    assert np.array_equal(out[2].pixels, broken[2].pixels) and out[2].numbers["deinterlaced"] == 0.0
    for alone in (*whole(broken[:2]), *whole(broken[3:])):
        assert_same(alone, out[alone.index])


def test_a_frame_counts_the_frames_that_it_was_made_of_within_its_shot():
    source = with_cut(woven(0)[0], 4)
    source[8] = dataclasses.replace(source[8], corrupt=True)
    source[5] = dataclasses.replace(source[5], kind="fused", fused_from=3)
    out = whole(source)
    assert [f.fused_from for f in out] == [2, 3, 3, 2, 2, 5, 3, 2, 1, 1]
    assert [f.kind for f in out] == ["fused"] * 8 + ["kept"] * 2  # corrupt; alone behind it
    for index, frame in enumerate(out[:4]):  # as many as really take part in it
        changed = [
            [dataclasses.replace(f, pixels=255 - f.pixels) if f.index == other else f for f in source]
            for other in range(len(source))
        ]
        looked_at = [
            n
            for n, frames in enumerate(changed)
            if not np.array_equal(whole(frames)[index].pixels, frame.pixels)
        ]
        assert len(looked_at) == frame.fused_from, (index, looked_at)


def test_no_more_than_two_frames_are_held():
    taken = 0

    def source():
        nonlocal taken
        for frame in woven(0)[0]:
            taken += 1
            yield frame

    for given, frame in enumerate(Deinterlace(DeinterlaceParams(), INTERLACED).stream(source())):
        assert frame.index == given
        assert taken <= given + 2


@pytest.mark.parametrize("size", [(1, 1), (3, 8), (4, 3), (5, 7)])
def test_the_smallest_pictures_are_made_whole_or_left_alone(size):
    rng = np.random.default_rng(1)
    source = [Frame(i, i, rng.integers(0, 255, (*size, 3), dtype=np.uint8)) for i in range(3)]
    out = whole(source)
    large = size[0] >= 4 and size[1] >= 3
    assert [f.numbers["deinterlaced"] for f in out] == [float(large)] * 3
    if size[0] == 5:
        assert out[0].numbers["interpolated_lines_share"] == pytest.approx(0.4)
