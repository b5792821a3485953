"""The door for evidence: facts or a reason, whatever the file does to the child process behind it."""

from __future__ import annotations

import os
import signal
import socket
import time
import wave
import zlib
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.values import ExhibitStatus, MediaKind
from playe_assets.media.clip import read_clip
from playe_assets.media.ledger import read_ledger
from playe_assets.media.limits import Limits
from playe_assets.media.probe import Prober
from playe_assets.media.probe import probe as probe_once
from playe_assets_tests.media import samples


@pytest.fixture(scope="module")
def prober():
    with Prober() as shared:
        yield shared


def _bomb(path):
    """A real 30000 x 30000 picture of one bit a pixel: 110 KB that would take 900 MB as bytes."""
    packer, row = zlib.compressobj(9), bytes(1 + 3750)
    body = b"".join(packer.compress(row) for _ in range(30000)) + packer.flush()

    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    size = (30000).to_bytes(4, "big") * 2
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + bytes([1, 0, 0, 0, 0]))
                     + chunk(b"IDAT", body) + chunk(b"IEND", b""))  # fmt: skip
    return path


def test_a_clip_comes_with_facts_and_a_ledger(tmp_path, prober):
    found = prober.probe(samples.write_mp4(tmp_path / "v.mp4"))
    assert (found.status, found.media) == (ExhibitStatus.ACCEPTED, MediaKind.CLIP)
    facts = found.facts
    assert (facts.codec, facts.width, facts.height, facts.frame_count) == ("h264", 64, 48, 6)
    assert (facts.timing, facts.time_base, facts.start_pts) == ("variable", "1/15360", 0)
    assert (facts.colour_matrix, facts.colour_range) == ("bt709", "limited")
    rows, base = read_ledger(found.ledger)
    assert tuple(r.pts for r in rows) == samples.VFR
    assert base == samples.BASE
    assert rows[0].key


def test_an_even_clock_is_constant_and_a_rounded_one_too(tmp_path, prober):
    even = prober.probe(samples.write_mp4(tmp_path / "a.mp4", [n * 512 for n in range(10)]))
    assert even.facts.timing == "constant"
    rounded = prober.probe(samples.write_mkv(tmp_path / "b.mkv", [n * 512 for n in range(10)]))
    assert rounded.facts.time_base == "1/1000000"
    assert rounded.facts.timing == "constant"


@pytest.mark.parametrize(("turn", "orientation"), [
    ((0, False, False), 1), ((0, True, False), 2), ((180, False, False), 3), ((0, False, True), 4),
    ((-90, False, False), 6), ((90, False, False), 8),
])  # fmt: skip
def test_a_rotated_clip_states_its_orientation_and_is_read_as_stored(tmp_path, prober, turn, orientation):
    """`turn`: degrees counter-clockwise, mirrored left to right, upside down."""
    path = samples.write_tail_index_mp4(tmp_path / "r.mp4", turn)
    facts = prober.probe(path).facts
    assert facts.orientation == orientation
    assert next(iter(read_clip(path, facts))).pixels.shape == (48, 64, 3)


def test_a_clip_cut_off_before_its_index_is_quarantined_with_that_reason(tmp_path, prober):
    path = samples.write_tail_index_mp4(tmp_path / "cut.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = prober.probe(path)
    assert (found.status, found.reason.code) == (ExhibitStatus.QUARANTINED, "index_missing")


def test_a_clip_cut_off_after_its_index_is_partial_and_says_how_many_frames_are_there(tmp_path, prober):
    path = samples.write_mp4(tmp_path / "cut.mp4", [n * 512 for n in range(30)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    found = prober.probe(path)
    assert found.status is ExhibitStatus.PARTIAL
    absent = next(m for m in found.missing if m.code == "frames_absent")
    assert absent.facts["promised"] == 30
    assert absent.facts["found"] == found.facts.frame_count < 30


def test_sound_alone_is_quarantined_as_sound(tmp_path, prober):
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(16000))
    for path in (tmp_path / "a.wav", samples.write_m4a(tmp_path / "a.m4a")):
        assert prober.probe(path).reason.code == "media.audio_only"


def test_streams_beside_picture_and_sound_are_named(tmp_path, prober):
    path = tmp_path / "positions.ts"
    with av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        positions = target.add_data_stream("klv")
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(samples.ramp(shift=number), format="rgb24")
            frame.pts = number
            target.mux(stream.encode(frame))
            packet = av.Packet(b"59.93 N 30.31 E")
            packet.stream, packet.pts, packet.dts = positions, number, number
            packet.time_base = Fraction(1, 25)
            target.mux(packet)
        target.mux(stream.encode(None))
    found = prober.probe(path)
    assert [(n.code, dict(n.facts)) for n in found.notes] == [("further_streams", {"streams": "data 1"})]
    assert not prober.probe(samples.write_mp4(tmp_path / "plain.mp4")).notes


@pytest.mark.parametrize("text", [
    "ffconcat version 1.0\nfile secret.mp4\n", "\ufeff#EXTM3U\n#EXTINF:1,\nsecret.mp4\n",
    "file 'secret.mp4'\n",
    "[playlist]\nFile1=secret.mp4\n",
])  # fmt: skip
def test_a_text_that_names_other_files_is_quarantined_unread(tmp_path, prober, text):
    samples.write_mp4(tmp_path / "secret.mp4")
    (tmp_path / "x.mp4").write_text(text, encoding="utf-8")
    found = prober.probe(tmp_path / "x.mp4")
    assert (found.status, found.reason.code) == (ExhibitStatus.QUARANTINED, "names_other_files")
    assert found.facts is None


def test_a_30000_by_30000_bomb_is_refused_before_it_is_decoded(tmp_path, prober):
    began = time.monotonic()
    found = prober.probe(_bomb(tmp_path / "bomb.png"))
    assert found.reason.code == "media.pixels"
    assert found.reason.facts["width"] == 30000
    assert time.monotonic() - began < 5
    assert prober.peak_rss_bytes < 300 << 20


def test_an_animated_gif_is_a_clip_with_its_own_times(tmp_path, prober):
    pictures = [Image.fromarray(samples.ramp(shift=n)) for n in (0, 5, 9)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[50, 200, 100])
    found = prober.probe(tmp_path / "a.gif")
    assert (found.media, found.facts.frame_count, found.facts.timing) == (MediaKind.CLIP, 3, "variable")
    frames = list(read_clip(tmp_path / "a.gif", found.facts))
    assert [f.pts for f in frames] == [0, 5, 25]
    # 256 colours: alike within the palette's steps
    assert all(np.abs(f.pixels.astype(int) - samples.ramp(shift=n)).mean() < 6
               for f, n in zip(frames, (0, 5, 9), strict=True))  # fmt: skip


def test_a_still_gif_is_a_photograph(tmp_path, prober):
    Image.fromarray(samples.ramp()).save(tmp_path / "s.gif")
    assert prober.probe(tmp_path / "s.gif").media is MediaKind.PHOTO


def test_further_pictures_make_a_file_partial(tmp_path, prober):
    pages = [Image.fromarray(samples.ramp(shift=n)) for n in range(3)]
    pages[0].save(tmp_path / "p.tif", save_all=True, append_images=pages[1:])
    found = prober.probe(tmp_path / "p.tif")
    assert found.status is ExhibitStatus.PARTIAL
    assert found.missing[0].facts == {"count": 2, "total": 3}


def test_exif_is_kept_as_printable_text_and_orientation_as_a_number(tmp_path, prober):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Cam\x01<b>&\u202egpj"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(samples.ramp()).save(tmp_path / "e.jpg", exif=exif)
    facts = prober.probe(tmp_path / "e.jpg").facts
    assert facts.orientation == 6
    assert facts.exif["GPS GPSLatitudeRef"] == "N"
    assert "\\x01" in facts.exif["Make"]
    assert all(c.isprintable() for value in facts.exif.values() for c in value)


def test_bytes_behind_a_jpeg_are_noted(tmp_path, prober):
    path = tmp_path / "motion.jpg"
    Image.fromarray(samples.ramp()).save(path)
    path.write_bytes(path.read_bytes() + samples.write_mp4(tmp_path / "v.mp4").read_bytes())
    (note,) = prober.probe(path).notes
    assert (note.code, note.facts["found"]) == ("trailing_data", "ISO media (a clip)")


def test_memory_beyond_the_limit_quarantines_and_the_next_file_is_read(tmp_path):
    Image.new("RGB", (9000, 9000)).save(tmp_path / "large.png")
    Image.new("RGB", (90, 90)).save(tmp_path / "small.png")
    with Prober(Limits(max_memory_bytes=450 << 20)) as prober:
        found = prober.probe(tmp_path / "large.png")
        assert (found.reason.code, found.reason.facts["limit_mib"]) == ("media.memory", 450)
        assert prober.probe(tmp_path / "small.png").status is ExhibitStatus.ACCEPTED


def test_time_beyond_the_limit_quarantines(tmp_path):
    Image.new("RGB", (90, 90)).save(tmp_path / "small.png")
    with Prober(Limits(max_wall_s=0.001)) as prober:
        assert prober.probe(tmp_path / "small.png").reason.code == "media.time"


def test_a_crash_of_the_decoder_quarantines_one_file_only(tmp_path, monkeypatch):
    Image.new("RGB", (90, 90)).save(tmp_path / "small.png")
    with Prober() as prober:
        prober.probe(tmp_path / "small.png")
        with monkeypatch.context() as patch:
            patch.setattr(socket, "send_fds", lambda *_: os.kill(prober._child.pid, signal.SIGSEGV))
            found = prober.probe(tmp_path / "small.png")
        assert (found.reason.code, found.reason.facts["how"]) == ("decoder_crashed", "SIGSEGV")
        assert prober.probe(tmp_path / "small.png").status is ExhibitStatus.ACCEPTED


def test_one_file_needs_no_context_manager(tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "small.png")
    assert probe_once(tmp_path / "small.png").facts.pixel_format == "L"


def test_a_cut_out_h264_stream_has_assumed_times_and_says_so(tmp_path, prober):
    path = tmp_path / "cut.h264"
    with av.open(str(path), "w", format="h264") as target:
        stream = target.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(samples.ramp(shift=number), format="rgb24")
            frame.pts = number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    found = prober.probe(path)
    assert found.facts.frame_count == 12
    assert "timing_assumed" in [n.code for n in found.notes]
    assert len(list(read_clip(path, found.facts))) == 12


@pytest.mark.shared_data
def test_real_hostile_files_stay_below_1_gib_and_10_seconds_each(shared_data):
    """Every file of four collections, as facts or a reason; the child survives them all."""
    folders = ("hostile_pillow", "hostile_exiv2", "video_structure", "exif_samples")
    files = [p for f in folders for p in sorted((shared_data / "media" / f).rglob("*")) if p.is_file()]
    assert len(files) > 150
    with Prober(Limits(max_memory_bytes=1 << 30)) as prober:
        for path in files:
            began = time.monotonic()
            found = prober.probe(path)
            assert time.monotonic() - began < 10, path.name
            assert (found.facts is None) == (found.status is ExhibitStatus.QUARANTINED), path.name
            if found.reason is not None:
                assert found.reason.code not in ("decoder_crashed", "media.time", "media.memory"), path.name
        assert 0 < prober.peak_rss_bytes < 1 << 30
