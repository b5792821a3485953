"""What is written is what was handed in: pixels, order and times, in the same bytes each time."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from playe_assets.core.errors import IntegrityError, PresetError
from playe_assets.media.clip import read_clip
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.ledger import read_ledger
from playe_assets.media.pixel_digest import PixelDigest
from playe_assets.media.proxy import ProxyWriter
from playe_assets_tests.media.samples import BASE, OUTPUT, VFR, noise, ramp


def _write(writer_class, path, frames, pts=VFR, base=BASE, output=OUTPUT):
    with writer_class(path, base, output) as writer:
        for pixels, time in zip(frames, pts, strict=False):
            writer.add_pixels(pixels, time)
    return writer.report


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(48, 64), (49, 33), (1, 1), (3, 2)])
def test_the_master_gives_back_the_same_pixels(tmp_path, size, channels, deep):
    frames = [noise(*size, channels, deep, seed) for seed in range(3)]
    report = _write(ClipWriter, tmp_path / "m.mkv", frames)
    digest = PixelDigest()
    for number, back in enumerate(read_clip(tmp_path / "m.mkv")):
        assert back.index == number
        assert back.pixels.dtype == frames[number].dtype
        assert np.array_equal(back.pixels, frames[number])
        digest.update(back.pixels)
    assert digest.frames == 3
    assert digest.hexdigest() == report.pixel_sha256


@pytest.mark.parametrize(("writer", "suffix"), [(ClipWriter, ".mkv"), (ProxyWriter, ".mp4")])
def test_writing_again_gives_the_same_bytes(tmp_path, writer, suffix):
    frames = [ramp(shift=n) for n in range(6)]
    for name in ("one", "two"):
        _write(writer, tmp_path / (name + suffix), frames)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_the_masters_bytes_do_not_depend_on_the_number_of_threads(tmp_path, monkeypatch):
    frames, found = [noise(64, 64, seed=n) for n in range(3)], set()
    for threads in (1, 2, 4):
        monkeypatch.setattr(ClipWriter, "_threads", lambda self, n=threads: n)
        _write(ClipWriter, tmp_path / "m.mkv", frames)
        found.add(hashlib.sha256((tmp_path / "m.mkv").read_bytes()).hexdigest())
    assert len(found) == 1


def test_every_source_time_stands_in_the_ledger_beside_the_written_one(tmp_path):
    report = _write(ClipWriter, tmp_path / "m.mkv", [ramp()] * 6)
    rows, base = read_ledger(report.ledger(BASE))
    assert base == BASE
    assert tuple(r.pts for r in rows) == VFR
    written = [f.pts for f in read_clip(tmp_path / "m.mkv")]
    assert [r.written_pts for r in rows] == written == [round(p * BASE * 10**6) for p in VFR]
    assert [round(w * report.written_time_base / BASE) for w in written] == list(VFR)
    assert report.deviations() == ()


def test_whole_milliseconds_are_carried_without_a_deviation(tmp_path):
    report = _write(
        ClipWriter, tmp_path / "m.mkv", [ramp()] * 6, pts=(0, 40, 80, 1000), base=Fraction(1, 1000)
    )
    assert report.deviations() == ()


def test_the_viewing_copy_keeps_the_exact_times_and_looks_the_same(tmp_path):
    frames = [ramp(shift=n) for n in range(6)]
    report = _write(ProxyWriter, tmp_path / "p.mp4", frames)
    reader = read_clip(tmp_path / "p.mp4")
    back = list(reader)
    assert tuple(f.pts for f in back) == VFR
    assert report.deviations() == ()
    assert all(np.abs(b.pixels.astype(int) - a).mean() < 4 for a, b in zip(frames, back, strict=True))
    assert reader.report.conversion.matrix == "bt709"
    assert not reader.report.conversion.matrix_assumed


def test_an_odd_size_is_padded_in_the_viewing_copy_and_said_so(tmp_path):
    report = _write(ProxyWriter, tmp_path / "p.mp4", [ramp(49, 65)] * 2)
    assert (report.width, report.height, report.padded) == (66, 50, (1, 1))
    assert [d.code for d in report.deviations()] == ["padded"]
    assert next(iter(read_clip(tmp_path / "p.mp4"))).pixels.shape == (50, 66, 3)


def test_times_before_zero_are_shifted_and_said_so(tmp_path):
    report = _write(ClipWriter, tmp_path / "m.mkv", [ramp()] * 3, pts=(-480, 0, 480), base=Fraction(1, 48000))
    assert [f.pts for f in read_clip(tmp_path / "m.mkv")] == [0, 10000, 20000]
    assert report.shift_s == Fraction(1, 100)
    assert [d.code for d in report.deviations()] == ["timing_shifted"]


def test_times_that_do_not_advance_are_moved_and_counted(tmp_path):
    report = _write(ProxyWriter, tmp_path / "p.mp4", [ramp()] * 4, pts=(0, 512, 512, 400))
    assert report.moved == 2
    assert [f.pts for f in read_clip(tmp_path / "p.mp4")] == [0, 512, 513, 514]


def test_a_clock_finer_than_mp4_keeps_is_rounded_and_said_so(tmp_path):
    pts, base = (0, 33_333_333, 66_666_666), Fraction(1, 10**9)
    report = _write(ProxyWriter, tmp_path / "p.mp4", [ramp()] * 3, pts=pts, base=base)
    assert report.written_time_base == Fraction(1, 90000)
    assert [f.pts for f in read_clip(tmp_path / "p.mp4")] == [0, 3000, 6000]
    assert "timing_rounded" in [d.code for d in report.deviations()]


def test_a_frame_of_another_shape_is_refused(tmp_path):
    with (
        pytest.raises(IntegrityError, match="frame 1"),
        ClipWriter(tmp_path / "m.mkv", BASE, OUTPUT) as writer,
    ):
        writer.add_pixels(ramp(), 0)
        writer.add_pixels(ramp(50, 64), 512)


def test_a_slice_count_that_ffv1_cannot_lay_out_is_refused_with_those_it_can(tmp_path):
    with pytest.raises(PresetError, match="4, 6, 9"):
        _write(ClipWriter, tmp_path / "m.mkv", [ramp()], output=replace(OUTPUT, ffv1_slices=5))


@pytest.mark.parametrize("slices", [4, 6, 9, 12, 15, 16, 20, 24])
def test_every_slice_count_on_the_list_is_encodable(tmp_path, slices):
    _write(ClipWriter, tmp_path / "m.mkv", [noise()], output=replace(OUTPUT, ffv1_slices=slices))
    assert np.array_equal(next(iter(read_clip(tmp_path / "m.mkv"))).pixels, noise())
