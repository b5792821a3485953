"""Frames that are coded otherwise than a clip's first, and what no derivative carries, are said in the report."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from playe_assets.examination.enhance import enhance
from playe_assets.media.clip import read_clip
from playe_assets_tests.examination.clips.jobs import HEIGHT, WIDTH, cut, fake, job_for, taken_in, worked
from playe_assets_tests.plugins import scene

FRAMES, GREY = 10, 4


def _night_and_day(path: Path, colour_first: bool = False) -> Path:
    """Motion JPEG of a camera that changes from night (grey) to day (colour) at frame `GREY`, or the other way."""
    import av
    from PIL import Image

    with av.open(str(path), "w", format="avi") as target:
        stream = target.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        target.start_encoding()
        for n in range(FRAMES):
            picture = Image.fromarray(
                np.ascontiguousarray(scene(HEIGHT, WIDTH + FRAMES, seed=5)[:, n : n + WIDTH])
            )
            held = io.BytesIO()
            (picture if colour_first == (n < GREY) else picture.convert("L")).save(held, "JPEG", quality=92)
            packet = av.Packet(held.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, n, n, Fraction(1, 25)
            packet.is_keyframe = True
            target.mux(packet)
    return path


@pytest.mark.parametrize("colour_first", [False, True])
@pytest.mark.parametrize("start", [0, 2, 7])
def test_they_are_counted_from_the_clips_first_frame_wherever_reading_begins(tmp_path, colour_first, start):
    reader = read_clip(_night_and_day(tmp_path / "clip.avi", colour_first), start=start)
    assert [f.index for f in reader] == list(range(start, FRAMES))
    assert reader.report.other_form == FRAMES - GREY


def test_segments_count_each_of_them_once(tmp_path):
    path, steps = _night_and_day(tmp_path / "clip.avi"), (fake(1),)
    for border in range(1, FRAMES):
        parts = worked(job_for(path, steps, FRAMES), steps, cut(border, frames=FRAMES), tmp_path / str(border),
                       apart=True)  # fmt: skip
        assert sum(p.other_form for p in parts) == FRAMES - GREY, f"cut before frame {border}"


def _missing(laboratory, drop):
    stage = laboratory.stage("CLIP-1", threads=1)
    (entry,) = enhance(stage, *taken_in(stage, drop)).manifest.entries
    assert entry.failure is None
    return {r.code: dict(r.facts) for r in entry.missing}


def test_the_colour_of_a_clip_that_begins_grey_is_not_lost_in_silence(laboratory, tmp_path):
    (tmp_path / "CLIP-1").mkdir()
    _night_and_day(tmp_path / "CLIP-1" / "clip.avi")
    assert _missing(laboratory, tmp_path / "CLIP-1") == {"frames_other_form": {"count": FRAMES - GREY}}


def test_transparency_is_not_lost_in_silence(laboratory, tmp_path):
    import av

    (tmp_path / "CLIP-1").mkdir()
    with av.open(str(tmp_path / "CLIP-1" / "clip.mkv"), "w") as target:
        stream = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuva420p"
        for n in range(6):
            frame = av.VideoFrame.from_ndarray(scene(HEIGHT, WIDTH, seed=n), format="rgb24")
            frame = frame.reformat(format="yuva420p")
            frame.pts = n
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    assert _missing(laboratory, tmp_path / "CLIP-1") == {"alpha_left": {"pixel_format": "yuva420p"}}
