"""Clips are read with their own times, damage is counted, and nothing is followed out of the file."""

from __future__ import annotations

import re
from fractions import Fraction

import av
import numpy as np
import pytest

from playe_assets.core.errors import UndecodableError
from playe_assets.media.clip import read_clip
from playe_assets.media.clip_facts import ORIENTATIONS
from playe_assets.media.pixel_digest import PixelDigest
from playe_assets.media.probe import Prober
from playe_assets_tests.media.samples import VFR, ramp, write_mkv, write_mp4


def test_times_of_a_variable_frame_rate_come_back_exactly(tmp_path):
    frames = list(read_clip(write_mp4(tmp_path / "v.mp4")))
    assert tuple(f.pts for f in frames) == VFR
    assert [f.index for f in frames] == [0, 1, 2, 3, 4, 5]
    assert not any(f.corrupt for f in frames)


def test_reading_twice_gives_the_same_pixels(tmp_path):
    digests = set()
    for _ in range(2):
        digest = PixelDigest()
        for frame in read_clip(write_mp4(tmp_path / "v.mp4")):
            digest.update(frame.pixels)
        digests.add(digest.hexdigest())
    assert len(digests) == 1


def test_a_reader_may_be_left_early(tmp_path):
    with read_clip(write_mkv(tmp_path / "v.mkv")) as reader:
        first = next(iter(reader))
    assert first.pts == 0
    assert list(reader) == []


@pytest.mark.parametrize("offset", [0.1, 0.4, 0.8, 0.99])
def test_a_damaged_slice_of_a_master_is_marked_though_the_decoder_conceals_it(tmp_path, offset):
    path = write_mkv(tmp_path / "v.mkv")
    whole = [f.pixels for f in read_clip(path)]
    with av.open(str(path)) as container:
        place, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][2]
    data = bytearray(path.read_bytes())
    data[place + 8 + int((size - 8) * offset)] ^= 0x10
    path.write_bytes(data)
    reader = read_clip(path)
    back = list(reader)
    assert reader.report.frames_corrupt + reader.report.packets_refused == 1
    for frame in back:
        assert frame.corrupt or any(np.array_equal(frame.pixels, w) for w in whole)


def test_a_concealed_frame_of_h264_is_marked(tmp_path):
    path = write_mp4(tmp_path / "v.mp4", height=96, width=128)
    with av.open(str(path)) as container:
        place, size = [(p.pos, p.size) for p in container.demux(video=0) if p.size][2]
    data = bytearray(path.read_bytes())
    data[place + size // 3 : place + size] = b"\x00" * (size - size // 3)
    path.write_bytes(data)
    reader = read_clip(path)
    marked = [f.index for f in reader if f.corrupt]
    assert reader.report.frames_corrupt == len(marked)
    assert marked or reader.report.packets_refused


def test_a_concat_text_named_mp4_is_not_followed(tmp_path):
    write_mp4(tmp_path / "secret.mp4")
    (tmp_path / "x.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n", encoding="ascii")
    with pytest.raises(UndecodableError):
        list(read_clip(tmp_path / "x.mp4"))


@pytest.mark.shared_data
@pytest.mark.parametrize("name", [
    "sample_android_slow_motion.mp4", "sample_empty_track.mp4", "sample_fragmented.mp4",
    "sample_rotate_and_reflect.mp4", "sample_with_color_info.mp4", "sample_with_invalid_nalu.mp4",
])  # fmt: skip
def test_times_agree_with_an_independent_demuxer(shared_data, name):
    """The dumps are of another demuxer, in microseconds cut down, and keep hidden samples before an edit."""
    media = shared_data / "media"
    dump = (media / "video_structure_dumps" / f"{name}.0.dump").read_text(encoding="utf-8")
    with Prober() as prober:
        facts = prober.probe(media / "video_structure" / "mp4" / name).facts
    track = next(t for t in re.split(r"\ntrack \d+:", dump) if "sampleMimeType = video" in t)
    theirs = sorted(int(t) for t in re.findall(r"\n    time = (-?\d+)", track))
    reader = read_clip(media / "video_structure" / "mp4" / name)
    ours = [frame.pts * Fraction(facts.time_base) * 10**6 for frame in reader]
    refused = reader.report.packets_refused
    assert len(ours) == len(theirs) - refused
    shift = theirs[0] - ours[0]
    assert abs(shift) <= Fraction(1001, 30000) * 2 * 10**6  # where a fragmented file begins is a convention
    left = list(theirs)
    for time in ours:
        nearest = min(left, key=lambda t, at=time + shift: abs(t - at))
        assert abs(nearest - time - shift) <= 1
        left.remove(nearest)
    assert len(left) == refused


@pytest.mark.shared_data
def test_the_display_matrix_agrees_with_an_independent_demuxer(shared_data):
    """90 degrees and mirrored is a transposition (5); 90 degrees alone is 6."""
    folder = shared_data / "media" / "video_structure" / "mp4"
    with Prober() as prober:
        assert prober.probe(folder / "sample_rotate_and_reflect.mp4").facts.orientation == 5
        assert prober.probe(folder / "sample_with_color_info.mp4").facts.orientation == 6


@pytest.mark.parametrize(("matrix", "orientation"), ORIENTATIONS.items())
def test_each_display_matrix_puts_the_corners_where_its_orientation_says(matrix, orientation):
    """EXIF 2.32, tag 0x0112: where row 0 and column 0 of the stored picture are shown."""
    a, b, c, d = matrix
    corner = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    shown = [(a * x + c * y, b * x + d * y) for x, y in ((0, 0), (1, 0), (0, 1), (1, 1))]
    low = (min(p[0] for p in shown), min(p[1] for p in shown))
    assert (shown[0][0] - low[0], shown[0][1] - low[1]) == corner[orientation]
    assert (a == 0) == (orientation >= 5)


@pytest.mark.shared_data
def test_a_real_variable_rate_recording_keeps_its_times(shared_data):
    path = shared_data / "media" / "cctv_dvrscan" / "traffic_camera_vfr.mp4"
    with Prober() as prober:
        found = prober.probe(path)
    assert (found.facts.timing, found.facts.frame_count) == ("variable", 576)
    assert found.ledger.count(b"\n") == 577
    with read_clip(path) as reader:
        first = [frame.pts for frame, _ in zip(reader, range(40), strict=False)]
    lines = found.ledger.decode().splitlines()[1:41]
    assert first == [int(line.split(",")[1]) for line in lines]


@pytest.mark.parametrize("start", [0, 1, 4, 6, 9])
def test_frames_before_the_start_are_decoded_and_not_handed_out(tmp_path, start):
    path = write_mp4(tmp_path / "a.mp4")
    whole, late = read_clip(path), read_clip(path, start=start)
    expected = list(whole)[start:]
    found = list(late)
    assert [(f.index, f.pts) for f in found] == [(f.index, f.pts) for f in expected]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(found, expected, strict=True))
    assert late.report == whole.report


def _interlaced(path, order):
    """A picture that moves between its two fields, coded as MPEG-2 with the given field first."""
    with av.open(str(path), "w", format="matroska") as target:
        stream = target.add_stream("mpeg2video", rate=25, options={"flags": "+ilme+ildct"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=64, height=48, format=av.VideoFormat("yuv420p"), time_base=Fraction(1, 25)
        )
        graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(ramp(shift=number), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph.vpush(frame)
            target.mux(stream.encode(graph.vpull()))
        target.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("order", "expected"), [("tff", "tt"), ("bff", "bb")])
def test_an_interlaced_clip_states_which_field_is_shown_first(tmp_path, order, expected):
    with Prober() as prober:
        facts = prober.probe(_interlaced(tmp_path / "i.mkv", order)).facts
        whole = prober.probe(write_mp4(tmp_path / "p.mp4")).facts
    assert (facts.interlaced, facts.field_order) == (True, expected)
    assert (whole.interlaced, whole.field_order) == (False, None)
