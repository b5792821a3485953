"""Over the shared clips: the source's times and sound, through parts, master and viewing copy.

Frames are cut to a corner of 32 x 32 before they are written, since only times are looked at here; that the master
gives the same samples back is `test_clip_join.py`'s.
"""

from __future__ import annotations

import hashlib
import re
from fractions import Fraction

import pytest

from playe_assets.media.clip import read_clip
from playe_assets.media.clip_join import join_clips
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.containers import open_container
from playe_assets.media.ledger import read_ledger
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.probe import Prober
from playe_assets.media.proxy import make_proxy
from playe_assets.media.time_ledger import LedgerFrame, write_time_ledger
from playe_assets_tests.media.samples import OUTPUT

pytestmark = pytest.mark.shared_data

MP4 = tuple(f"mp4/{n}.mp4" for n in (
    "bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec", "bbb_800x640_768kbps_30fps_avc_pyramid_3b",
    "edit_list_positive_shift", "h265_bframes", "hlg10-color-test", "sample_15fps_720p_1s",
    "sample_2_byte_NAL_length", "sample_android_slow_motion", "sample_edit_list", "sample_empty_track",
    "sample_fragmented", "sample_gamma2.2", "sample_missing_stsd", "sample_no_bframes",
    "sample_rotate_and_reflect", "sample_shorter_audio", "sample_srgb", "sample_video_only",
    "sample_with_color_info", "sample_with_increasing_timestamps",
    "sample_with_increasing_timestamps_320w_240h_5s", "sample_with_increasing_timestamps_320w_240h_fragmented",
    "sample_with_invalid_nalu", "sample_with_metadata", "sample_without_stss",
))  # fmt: skip
CLIPS = (
    "mkv/bbb_642x642_768kbps_30fps_vp9.webm", "mkv/sample_with_htc_rotation_track_name.mkv",
    "mkv/sample_with_multiple_key_frames.mkv", "mp4/bbb_176x144_128kbps_15fps_h263.3gp", *MP4,
    "ts/sample_h264_iframes_only.ts", "ts/sample_with_junk",
)  # fmt: skip
"""Every clip of `video_structure`; each decodes."""
PICTURES = ("mp4/testvid_1022ms_000.png", "mp4/testvid_1022ms_016.png")
DUMPED = ("sample_android_slow_motion", "sample_empty_track", "sample_fragmented", "sample_rotate_and_reflect",
          "sample_with_color_info", "sample_with_invalid_nalu")  # fmt: skip
"""Those of which another demuxer's time stamps are known."""
DAMAGED = {"mp4/sample_with_invalid_nalu.mp4": (30, 29), "ts/sample_with_junk": (9, 3)}
"""Packets, and the frames that the decoder makes of them: it refuses a unit; junk cuts pictures apart."""
SOUND_NOT_COPIED = {"mp4/sample_missing_stsd.mp4": "audio_not_in_master"}
"""Its audio has no sample description, so nobody can know the codec."""
OTHERS = ("cctv_dvrscan/traffic_camera.mp4", "cctv_intel/car-detection.mp4")
CORNER = 32
FRAMES = 30
"""Of each clip at most; the audio is copied whole."""


@pytest.fixture(scope="module")
def prober():
    with Prober() as found:
        yield found


class Copied:
    """One clip through parts of 13 frames, master and ledger."""

    def __init__(self, prober, path, folder):
        self.path, self.probe = path, prober.probe(path)
        self.facts = self.probe.facts
        self.base = Fraction(self.facts.time_base)
        self.rows, self.digests, self.outputs = [], [], []
        parts, writer = [], None
        with read_clip(path, self.facts) as reader:
            for frame in reader:
                if frame.index == FRAMES:
                    break
                if frame.index % 13 == 0:
                    if writer is not None:
                        writer.__exit__(None, None, None)
                    parts.append(folder / f"part{len(parts)}.mkv")
                    writer = ClipWriter(parts[-1], self.base, OUTPUT, self.facts, digest=False)
                corner = frame.pixels[:CORNER, :CORNER]
                writer.add_pixels(corner, frame.pts, frame.corrupt)
                self.rows.append((frame.pts, frame.corrupt))
                self.digests.append(frame_sha256(frame.pixels))
                self.outputs.append(frame_sha256(corner))
        writer.__exit__(None, None, None)
        self.master = folder / "master.mkv"
        self.shared = {"base": self.base, "output": OUTPUT, "facts": self.facts, "audio_from": path}
        self.report = join_clips(parts, self.master, self.rows, **self.shared)
        self.ledger = write_time_ledger(
            (LedgerFrame(n, self.report.recovered(row.written_pts, self.base), row.written_pts, row.pts, source, out)
             for n, (row, source, out) in enumerate(zip(self.report.rows, self.digests, self.outputs, strict=True))),
            self.base, shift=self.report.shift_s,
        )  # fmt: skip


def _sound(path):
    """Of each audio stream: the rate, and (time, sha256 of the payload) of every packet."""
    with path.open("rb") as file, open_container(file) as container:
        count = len(container.streams.audio)
    found = []
    for index in range(count):
        with path.open("rb") as file, open_container(file) as container:
            stream = container.streams.audio[index]
            if stream.codec_context is None:
                continue
            packets = [(p.pts * stream.time_base, hashlib.sha256(bytes(p)).hexdigest())
                       for p in container.demux(stream) if p.size]  # fmt: skip
            found.append((stream.codec_context.sample_rate, packets))
    return found


def _sound_agrees(source, derivative, shift):
    theirs, ours = _sound(source), _sound(derivative)
    assert len(theirs) == len(ours)
    for (rate, one), (_, two) in zip(theirs, ours, strict=True):
        assert [digest for _, digest in one] == [digest for _, digest in two]
        # Frames stand at the source's times plus the shift, so this is the offset of sound against picture.
        assert max(abs(b - a - shift) * rate for (a, _), (b, _) in zip(one, two, strict=True)) < 1


@pytest.mark.parametrize("name", CLIPS)
def test_the_masters_times_and_sound_are_the_sources(shared_data, tmp_path, prober, name):
    clip = Copied(prober, shared_data / "media" / "video_structure" / name, tmp_path)
    intake, base = read_ledger(clip.probe.ledger)
    held = read_ledger_columns(clip.ledger)
    assert held.clock.time_base == base == clip.base
    expected, ours = [row.pts for row in intake], held.source_pts.tolist()
    if name in DAMAGED:
        assert (len(expected), len(ours)) == DAMAGED[name]
        remaining = iter(expected)
        assert all(any(pts == found for pts in remaining) for found in ours)
    else:
        assert ours == expected[:FRAMES]
    written = [frame.pts for frame in read_clip(clip.master)]
    assert written == held.written_pts.tolist()
    codes = {d.code for d in clip.report.deviations()}
    if clip.base >= Fraction(2, 10**6):
        assert [clip.report.recovered(w, clip.base) for w in written] == ours
        assert "timing_rounded" not in codes
    else:
        assert name.endswith(".webm")
        assert "timing_rounded" in codes
        assert clip.report.max_deviation_s <= Fraction(1, 2 * 10**6)
    assert codes & {"audio_not_in_master"} == {SOUND_NOT_COPIED[name]} if name in SOUND_NOT_COPIED else True
    _sound_agrees(clip.path, clip.master, clip.report.shift_s)


@pytest.mark.parametrize("name", DUMPED)
def test_the_ledgers_source_times_are_another_demuxers(shared_data, tmp_path, prober, name):
    """Its microseconds are cut down, and it keeps hidden samples; where a fragmented file begins is a convention."""
    media = shared_data / "media"
    dump = (media / "video_structure_dumps" / f"{name}.mp4.0.dump").read_text(encoding="utf-8")
    track = next(t for t in re.split(r"\ntrack \d+:", dump) if "sampleMimeType = video" in t)
    theirs = sorted(int(t) for t in re.findall(r"\n    time = (-?\d+)", track))
    clip = Copied(prober, media / "video_structure" / "mp4" / f"{name}.mp4", tmp_path)
    ours = [pts * clip.base * 10**6 for pts in read_ledger_columns(clip.ledger).source_pts.tolist()]
    shift = theirs[0] - ours[0]
    assert abs(shift) <= Fraction(1001, 30000) * 2 * 10**6
    assert len(theirs) - len(ours) == (1 if name == "sample_with_invalid_nalu" else 0)
    left = list(theirs)
    for time in ours:
        nearest = min(left, key=lambda t, at=time + shift: abs(t - at))
        assert abs(nearest - time - shift) <= 1
        left.remove(nearest)


def test_the_list_names_every_clip_and_the_rest_is_no_clip(shared_data, prober):
    folder = shared_data / "media" / "video_structure"
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert there == {*CLIPS, *PICTURES}
    assert {prober.probe(folder / name).media.value for name in PICTURES} == {"photo"}


@pytest.mark.parametrize("name", ["video_structure/mp4/edit_list_positive_shift.mp4",
                                  "video_structure/mp4/sample_fragmented.mp4",
                                  "video_structure/mp4/sample_2_byte_NAL_length.mp4",
                                  "video_structure/mp4/sample_edit_list.mp4",
                                  "video_structure/mkv/sample_with_htc_rotation_track_name.mkv",
                                  "video_structure/ts/sample_with_junk", *OTHERS])  # fmt: skip
def test_the_viewing_copys_times_and_sound_are_the_sources(shared_data, tmp_path, prober, name):
    clip = Copied(prober, shared_data / "media" / name, tmp_path)
    proxy = tmp_path / "proxy.mp4"
    pts = [p for p, _ in clip.rows]
    report = make_proxy(clip.master, proxy, pts, expected=clip.outputs, **clip.shared)
    with proxy.open("rb") as file, open_container(file) as container:
        stream = container.streams.video[0]
        seen = [f.pts * stream.time_base for f in container.decode(stream)]
    assert [round((time - report.shift_s) / clip.base) for time in seen] == pts
    _sound_agrees(clip.path, proxy, report.shift_s)
    _sound_agrees(clip.path, clip.master, clip.report.shift_s)
