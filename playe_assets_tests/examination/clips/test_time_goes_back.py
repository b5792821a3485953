"""Recordings joined end to end, whose clock begins anew: said of that exhibit, and the others go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from playe_assets.core.texts import reason_text
from playe_assets.examination.detect import detect
from playe_assets.examination.enhance import enhance
from playe_assets.examination.ingest import ingest
from playe_assets.examination.judge import Manifests, judge, passed
from playe_assets_tests.laboratory import write_clip
from playe_assets_tests.plugins import scene

FRAMES = 10


def _transport_stream(path: Path) -> bytes:
    import av

    wide = scene(64, 96 + FRAMES, seed=5)
    with av.open(str(path), "w", format="mpegts") as target:
        stream = target.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for n in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(wide[:, n : n + 96]), format="rgb24")
            frame.pts = n
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path.read_bytes()


def test_a_clip_whose_clock_goes_back_fails_alone_and_says_where(laboratory, tmp_path):
    drop = tmp_path / "CLIP-1"
    write_clip(drop / "a_sound.mp4", FRAMES)
    (drop / "b_joined.ts").write_bytes(_transport_stream(tmp_path / "one.ts") * 2)
    stage = laboratory.stage("CLIP-1", threads=1)
    taken = ingest(stage, drop, None, in_place=True)
    seen = detect(stage, taken.sha256)
    done = enhance(stage, taken.sha256, seen.sha256)
    sound, joined = done.manifest.entries
    assert sound.failure is None and sound.frames_out == FRAMES
    assert joined.failure is not None and joined.failure.code == "clips.time_goes_back"
    assert joined.failure.facts["frame"] == str(FRAMES)
    said = reason_text(joined.failure.code, "en", **joined.failure.facts)
    assert f"goes back by 0.36 s at frame {FRAMES} of {2 * FRAMES}" in said
    verdicts = judge(stage, "enhanced_frames", Manifests(taken.manifest, seen.manifest, done.manifest))
    assert all(passed(v) for v in verdicts.values())
