"""The viewing copy is made of a checked master: times, tags and sound as the source's, the same bytes each time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import StreamFacts
from playe_assets.media.clip import read_clip
from playe_assets.media.clip_join import join_clips
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.light import FURTHER, LIGHTEST, MASTERING
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.proxy import make_proxy
from playe_assets.media.proxy_pixels import ten_bit_420
from playe_assets_tests.media.samples import BASE, OUTPUT, VFR, ramp, write_m4a

FACTS = StreamFacts("mov", "h264", "yuv420p", 8, 64, 48, time_base=str(BASE), start_pts=0, duration_ticks=9512,
                    sample_aspect_ratio="4:3", colour_primaries="bt709", colour_transfer="bt709")  # fmt: skip
HDR = replace(FACTS, bit_depth=10, colour_primaries="bt2020", colour_transfer="smpte2084", codec="hevc")


def _frames(deep=False):
    frames = [ramp(shift=n) for n in range(6)]
    return [f.astype(np.uint16) * 257 for f in frames] if deep else frames


def _master(tmp_path, frames, facts=FACTS, pts=VFR):
    part = tmp_path / "part.mkv"
    with ClipWriter(part, BASE, OUTPUT, facts) as writer:
        for pixels in frames:
            writer.add_pixels(pixels, 0)
    rows = [(p, False) for p in pts]
    join_clips([part], tmp_path / "m.mkv", rows, base=BASE, output=OUTPUT, facts=facts, audio_from=None)
    return tmp_path / "m.mkv"


def _proxy(
    tmp_path, frames, facts=FACTS, name="p.mp4", pts=VFR, audio=None, expected=None, output=OUTPUT, **more
):
    master = _master(tmp_path, frames, facts, pts)
    if expected is None:
        expected = [frame_sha256(f) for f in frames]
    return make_proxy(master, tmp_path / name, pts, base=BASE, output=output, facts=facts, audio_from=audio,
                      expected=expected, **more)  # fmt: skip


def test_the_viewing_copy_keeps_times_length_shape_and_tags(tmp_path):
    report = _proxy(tmp_path, _frames())
    assert [f.pts for f in read_clip(tmp_path / "p.mp4")] == list(VFR)
    assert report.deviations() == ()
    with av.open(str(tmp_path / "p.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert stream.time_base == BASE
        assert stream.duration == 9512
        assert stream.sample_aspect_ratio == Fraction(4, 3)
        assert (context.color_primaries, context.color_trc, context.colorspace, context.color_range) == (
            1,
            1,
            1,
            1,
        )
    assert (report.encoder["matrix"], report.encoder["range"]) == ("bt709", "limited")


@pytest.mark.parametrize("deep", [False, True])
def test_making_it_again_gives_the_same_bytes(tmp_path, deep):
    facts = HDR if deep else FACTS
    output = replace(OUTPUT, proxy_threads=2)
    for name in ("one.mp4", "two.mp4"):
        _proxy(tmp_path, _frames(deep), facts, name, output=output)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_deeper_material_becomes_hevc_of_ten_bits_with_its_tags(tmp_path):
    stated = {
        MASTERING: "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)",
        LIGHTEST: "1000,400",
    }
    facts = replace(HDR, exif=stated)
    report = _proxy(tmp_path, _frames(deep=True), facts)
    assert report.deviations() == ()
    with av.open(str(tmp_path / "p.mp4")) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        assert (stream.codec_context.name, frame.format.name) == ("hevc", "yuv420p10le")
        assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == (9, 16, 9, 1)
        assert {frame.side_data[n].type.name for n in range(len(frame.side_data))} >= {
            "MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"}  # fmt: skip
        from playe_assets.media.light import light_of

        assert light_of(frame) == stated
    back = list(read_clip(tmp_path / "p.mp4"))
    assert [f.pts for f in back] == list(VFR)
    for found, made in zip(back, _frames(deep=True), strict=True):
        assert np.abs(found.pixels.astype(int) - made).mean() < 4 * 257


def test_what_is_stated_about_light_and_cannot_be_carried_is_listed(tmp_path):
    stated = {MASTERING: "G(1,1)B(1,1)R(1,1)WP(1,1)L(2,1)", FURTHER: "DOVI_METADATA"}
    report = _proxy(tmp_path, _frames(), replace(FACTS, exif=stated))
    (found,) = report.deviations()
    assert (found.code, found.facts["what"]) == ("light_not_carried", "mastering display, DOVI_METADATA")


def test_white_black_and_grey_of_ten_bits_are_where_the_standard_puts_them():
    """H.273: 64 and 940 of 1023 in luma, 512 in chroma."""
    for level, luma in ((0, 64), (65535, 940), (32768, 502)):
        made = ten_bit_420(np.full((4, 6, 3), level, np.uint16), "bt709")
        assert made.shape == (6, 6)
        assert set(made[:4].ravel()) == {luma}
        assert set(made[4:].ravel()) == {512}
    red = ten_bit_420(np.broadcast_to(np.array([65535, 0, 0], np.uint16), (2, 2, 3)), "bt709")
    assert red[2].tolist() == [round(512 - 896 * 0.2126 / 1.8556), 960]


def test_a_frame_of_the_master_that_is_not_what_was_written_is_named(tmp_path):
    frames = _frames()
    expected = [frame_sha256(f) for f in frames]
    expected[3] = "0" * 64
    with pytest.raises(IntegrityError, match=r"m\.mkv: frame 3"):
        _proxy(tmp_path, frames, expected=expected)


def test_a_master_that_was_damaged_on_the_disk_is_refused(tmp_path):
    frames = _frames()
    master = _master(tmp_path, frames)
    data = bytearray(master.read_bytes())
    data[len(data) // 2] ^= 0x10
    master.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"m\.mkv"):
        make_proxy(master, tmp_path / "p.mp4", VFR, base=BASE, output=OUTPUT, facts=FACTS, audio_from=None,
                   expected=[frame_sha256(f) for f in frames])  # fmt: skip


@pytest.mark.parametrize("count", [5, 7])
def test_another_number_of_frames_is_refused(tmp_path, count):
    frames = _frames()
    expected = [*(frame_sha256(f) for f in frames), "0" * 64][:count]
    with pytest.raises(IntegrityError, match=f"{count} were written"):
        make_proxy(_master(tmp_path, frames), tmp_path / "p.mp4", (*VFR, 9500)[:count], base=BASE, output=OUTPUT,
                   facts=FACTS, audio_from=None, expected=expected)  # fmt: skip


def test_a_master_whose_frames_stand_at_other_times_is_refused(tmp_path):
    frames = _frames()
    master = _master(tmp_path, frames)
    with pytest.raises(IntegrityError, match="frame 2 of the lossless master stands at 66667"):
        make_proxy(master, tmp_path / "p.mp4", (0, 512, 1030, 3000, 3001, 9000), base=BASE, output=OUTPUT,
                   facts=FACTS, audio_from=None, expected=[frame_sha256(f) for f in frames])  # fmt: skip


def test_progress_is_told_after_each_frame(tmp_path):
    seen = []
    _proxy(tmp_path, _frames(), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(n, 6) for n in range(1, 7)]


def test_sound_is_copied_and_begins_where_it_did(tmp_path):
    sound = write_m4a(tmp_path / "s.m4a")
    report = _proxy(tmp_path, _frames(), audio=sound, pts=tuple(p + 20000 for p in VFR))
    assert report.encoder["audio_streams_copied"] == 1
    found = []
    for path in (sound, tmp_path / "p.mp4"):
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            found.append([(p.pts * stream.time_base, bytes(p)) for p in container.demux(stream) if p.size])
    assert found[0] == found[1]
    assert [f.pts for f in read_clip(tmp_path / "p.mp4")] == [p + 20000 for p in VFR]


def test_a_wait_before_the_first_frame_keeps_the_ticks_exactly(tmp_path):
    """MP4 keeps it in the movie's clock, which is 1 ms unless it is told."""
    pts = tuple(p + 1001 for p in VFR)
    _proxy(tmp_path, _frames(), pts=pts)
    assert [f.pts for f in read_clip(tmp_path / "p.mp4")] == list(pts)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("pts", "shown"),
    [(VFR, VFR), (tuple(p - 700 for p in VFR), VFR), ((0, 512, 512, 400, 3001, 9000), (0, 512, 513, 514, 3001, 9000))],
)  # fmt: skip
def test_the_finished_files_packets_are_read_again_for_its_own_account_of_time(tmp_path, deep, pts, shown):
    report = _proxy(tmp_path, _frames(deep), HDR if deep else FACTS, pts=pts)
    assert report.written_time_base == BASE
    assert report.read_back.tolist() == list(shown) == [r.written_pts for r in report.rows]
    assert report.moved == sum(report.recovered(s, BASE) != p for s, p in zip(shown, pts, strict=True))


def test_a_viewing_copy_that_lacks_a_frame_is_refused(tmp_path, monkeypatch):
    from playe_assets.media.proxy import ProxyWriter

    class Loses:
        """The container, but for the third picture."""

        def __init__(self, target):
            self.target, self.count = target, 0

        def mux(self, packet):
            self.count += 1
            if self.count != 3:
                self.target.mux(packet)

        def close(self):
            self.target.close()

    opened = ProxyWriter._open

    def loses(writer, pixels, pts):
        opened(writer, pixels, pts)
        writer._target = Loses(writer._target)

    monkeypatch.setattr(ProxyWriter, "_open", loses)
    with pytest.raises(IntegrityError, match=r"p\.mp4: the viewing copy holds 5 frames, but 6 were written"):
        _proxy(tmp_path, _frames())
