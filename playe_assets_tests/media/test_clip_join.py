"""Parts joined are the master that one undivided pass would have given, byte for byte, with the source's sound."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import StreamFacts
from playe_assets.media.clip import read_clip
from playe_assets.media.clip_join import join_clips
from playe_assets.media.clip_write import ClipWriter
from playe_assets_tests.media.samples import BASE, OUTPUT, noise, ramp, write_m4a

FACTS = StreamFacts("mov", "h264", "yuv420p", 8, 64, 48, time_base=str(BASE), start_pts=0, duration_ticks=9512,
                    sample_aspect_ratio="4:3", colour_primaries="bt709", colour_transfer="bt709")  # fmt: skip
PTS = (0, 512, 1024, 3000, 3001, 9000)


def _part(path, frames, output=OUTPUT, facts=FACTS):
    with ClipWriter(path, BASE, output, facts, digest=False) as writer:
        for pixels in frames:
            writer.add_pixels(pixels, 0)
    return path


def _joined(tmp_path, frames, cuts, pts=PTS, base=BASE, audio=None, name="m.mkv"):
    bounds = [0, *cuts, len(frames)]
    parts = [_part(tmp_path / f"part{n}.mkv", frames[a:b]) for n, (a, b) in enumerate(pairwise(bounds))]
    rows = [(p, False) for p in pts]
    report = join_clips(parts, tmp_path / name, rows, base=base, output=OUTPUT, facts=FACTS, audio_from=audio)
    return report, (tmp_path / name).read_bytes()


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_parts_give_the_bytes_of_one_undivided_pass(tmp_path, channels, deep):
    frames = [noise(48, 64, channels, deep, seed) for seed in range(6)]
    made = {_joined(tmp_path, frames, cuts)[1] for cuts in ((), (1,), (3, 5), (1, 2, 3, 4, 5))}
    assert len(made) == 1
    back = list(read_clip(tmp_path / "m.mkv"))
    assert [np.array_equal(b.pixels, f) for b, f in zip(back, frames, strict=True)] == [True] * 6


def test_every_stamp_gives_the_sources_tick_back(tmp_path):
    report, _ = _joined(tmp_path, [ramp()] * 6, (2,))
    assert [report.recovered(f.pts, BASE) for f in read_clip(tmp_path / "m.mkv")] == list(PTS)
    assert [r.pts for r in report.rows] == list(PTS)
    assert report.deviations() == ()


@pytest.mark.parametrize("base", [Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 200000), Fraction(1, 1000),
                                  Fraction(1, 11456), Fraction(1, 500000)])  # fmt: skip
def test_no_clock_of_two_microseconds_or_coarser_loses_a_tick_in_many_hours(base):
    """The arithmetic alone: 40 hours in uneven steps."""
    from playe_assets.media.write_report import WriteReport

    report = WriteReport(shift_s=Fraction(10667, 500000))
    pts = 0
    for step in accumulate(range(1, 2000)):
        pts += step % 97 + int(Fraction(72) / base)
        assert report.recovered(report.written(pts, base, 0), base) == pts
    assert report.deviations()[0].code == "timing_shifted"
    assert len(report.deviations()) == 1


def test_a_clip_that_begins_after_many_hours_keeps_its_ticks_and_can_be_sought(tmp_path):
    import av

    start = 36 * 3600 * 15360
    pts = [start + p for p in PTS]
    report, _ = _joined(tmp_path, [noise(seed=n) for n in range(6)], (4,), pts=pts)
    assert [report.recovered(f.pts, BASE) for f in read_clip(tmp_path / "m.mkv")] == pts
    with av.open(str(tmp_path / "m.mkv")) as container:
        stream = container.streams.video[0]
        assert stream.time_base == Fraction(1, 10**6)
        for row in report.rows[3:]:
            container.seek(row.written_pts, stream=stream)
            assert next(container.decode(stream)).pts == row.written_pts


def test_the_masters_length_is_the_sources(tmp_path):
    import av

    _joined(tmp_path, [ramp()] * 6, (2,))
    with av.open(str(tmp_path / "m.mkv")) as container:
        assert container.duration == round(9512 * BASE * 10**6)
        assert container.streams.video[0].metadata["DURATION"] == "00:00:00.619271000"
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert container.streams.video[0].codec_context.color_trc == 1


def test_a_part_that_was_coded_differently_is_refused_by_its_name(tmp_path):
    frames = [noise(seed=n) for n in range(2)]
    one = _part(tmp_path / "one.mkv", frames)
    other = _part(tmp_path / "other.mkv", frames, replace(OUTPUT, ffv1_slices=9))
    rows = [(n, False) for n in range(4)]
    with pytest.raises(IntegrityError, match=r"other\.mkv.*extradata"):
        join_clips(
            [one, other], tmp_path / "m.mkv", rows, base=BASE, output=OUTPUT, facts=None, audio_from=None
        )


@pytest.mark.parametrize("count", [3, 5])
def test_parts_of_another_number_of_frames_are_refused(tmp_path, count):
    part = _part(tmp_path / "one.mkv", [noise()] * 4)
    rows = [(n, False) for n in range(count)]
    with pytest.raises(IntegrityError, match=f"{count} were expected"):
        join_clips([part], tmp_path / "m.mkv", rows, base=BASE, output=OUTPUT, facts=None, audio_from=None)


def test_sound_is_copied_beside_the_frames_and_the_bytes_stay_the_same(tmp_path):
    sound = write_m4a(tmp_path / "s.m4a")
    frames = [ramp(shift=n) for n in range(6)]
    report, one = _joined(tmp_path, frames, (2,), audio=sound)
    _, two = _joined(tmp_path, frames, (), audio=sound, name="n.mkv")
    assert one == two
    assert report.encoder["audio_streams_copied"] == 1


def test_sound_that_is_none_is_listed_and_the_frames_are_written(tmp_path):
    """A stream without sample descriptions, as in `sample_missing_stsd.mp4`."""
    sound = tmp_path / "s.m4a"
    sound.write_bytes(write_m4a(sound).read_bytes().replace(b"stsd", b"xtsd"))
    report, _ = _joined(tmp_path, [ramp()] * 6, (2,), audio=sound)
    assert [d.code for d in report.deviations()] == ["audio_not_in_master"]
    assert len(list(read_clip(tmp_path / "m.mkv"))) == 6


def test_a_turned_clip_has_its_sample_aspect_ratio_turned_too(tmp_path):
    turned = replace(FACTS, orientation=6)
    _part(tmp_path / "as_stored.mkv", [ramp(48, 64)], facts=turned)
    _part(tmp_path / "upright.mkv", [ramp(64, 48)], facts=turned)
    _part(tmp_path / "mirrored.mkv", [ramp(48, 64)], facts=replace(FACTS, orientation=2))
    import av

    found = {}
    for path in tmp_path.glob("*.mkv"):
        with av.open(str(path)) as container:
            found[path.stem] = container.streams.video[0].sample_aspect_ratio
    assert found == {"as_stored": Fraction(4, 3), "upright": Fraction(3, 4), "mirrored": Fraction(4, 3)}


def _opus(path):
    """A second of a tone as Opus in Matroska, which states a delay of 6.5 ms that readers take off."""
    import av

    with av.open(str(path), "w", format="matroska", options={"fflags": "+bitexact"}) as target:
        stream = target.add_stream("libopus", rate=48000, layout="mono", options={"flags": "+bitexact"})
        for start in range(0, 48000, 960):
            tone = np.sin((start + np.arange(960)) / 20).astype(np.float32)[None] * 0.5
            frame = av.AudioFrame.from_ndarray(tone, format="flt", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def _sound(path):
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [(p.pts * stream.time_base, bytes(p)) for p in container.demux(stream) if p.size]


def test_a_delay_that_readers_take_off_is_counted_once(tmp_path):
    sound = _opus(tmp_path / "s.mka")
    report, _ = _joined(tmp_path, [ramp(shift=n) for n in range(6)], (2,), audio=sound)
    theirs, ours = _sound(sound), _sound(tmp_path / "m.mkv")
    assert [p for _, p in theirs] == [p for _, p in ours]
    assert max(abs(b - a - report.shift_s) for (a, _), (b, _) in zip(theirs, ours, strict=True)) < Fraction(
        1, 48000
    )


def test_sound_that_breaks_off_is_carried_as_far_as_it_reads(tmp_path):
    whole = _opus(tmp_path / "whole.mka")
    cut = tmp_path / "cut.mka"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    report, _ = _joined(tmp_path, [ramp(shift=n) for n in range(6)], (2,), audio=cut)
    carried = [p for _, p in _sound(tmp_path / "m.mkv")]
    assert 20 < len(carried) < len(_sound(whole))
    assert carried == [p for _, p in _sound(whole)][: len(carried)]
    assert len(list(read_clip(tmp_path / "m.mkv"))) == 6
    assert report.encoder["audio_streams_copied"] == 1


def test_every_audio_stream_is_copied(tmp_path):
    import av

    both = tmp_path / "both.mka"
    with av.open(str(both), "w", format="matroska") as target:
        sources = [av.open(str(p)) for p in (_opus(tmp_path / "a.mka"), write_m4a(tmp_path / "b.m4a"))]
        streams = [target.add_stream_from_template(s.streams.audio[0]) for s in sources]
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux(source.streams.audio[0]):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
            source.close()
    report, _ = _joined(tmp_path, [ramp()] * 6, (), audio=both)
    assert report.encoder["audio_streams_copied"] == 2
    with av.open(str(tmp_path / "m.mkv")) as container:
        assert [s.codec_context.name for s in container.streams.audio] == ["opus", "aac"]
