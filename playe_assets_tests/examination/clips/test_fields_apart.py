"""An interlaced clip: the survey, the frames that are worked and the record mean the same pixels, and say how."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from playe_assets.core.values import DetectionManifest, ExhibitDetections
from playe_assets.examination.detect import detect
from playe_assets.examination.enhance import enhance
from playe_assets.examination.ingest import ingest
from playe_assets.media.clip import read_clip
from playe_assets.media.fields import as_stated
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.survey import read_survey
from playe_assets_tests.examination.clips.jobs import WIDTH
from playe_assets_tests.plugins import scene

FRAMES, HEIGHT = 8, 38  # 38 lines: the lower field has 19 and only 9 of chroma


def _clip(path: Path) -> Path:
    """FFV1 in 4:2:0 whose first two frames are flagged whole and the others by fields."""
    import av

    wide = scene(HEIGHT, WIDTH + 4 * FRAMES, seed=5)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n in range(FRAMES):
            pixels = np.ascontiguousarray(wide[:, 4 * n : 4 * n + WIDTH])
            pixels[1::2] = wide[1::2, 4 * n + 2 : 4 * n + 2 + WIDTH]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            target.mux(stream.encode(as_stated(frame, n > 1)))
        target.mux(stream.encode(None))
    return path


def test_fields_are_kept_apart_in_every_pass_and_the_report_says_so(laboratory, tmp_path):
    (tmp_path / "CLIP-1").mkdir()
    _clip(tmp_path / "CLIP-1" / "clip.mkv")
    stage = laboratory.stage("CLIP-1", threads=1)
    taken = ingest(stage, tmp_path / "CLIP-1", None, in_place=True)
    (exhibit,) = taken.manifest.exhibits
    assert exhibit.facts.interlaced
    detected = detect(stage, taken.sha256)
    enhanced = enhance(stage, taken.sha256, detected.sha256).manifest
    (entry,) = enhanced.entries
    assert entry.failure is None
    assert "colour_by_field" in {r.code for r in entry.deviations}

    reader = read_clip(stage.store.path(exhibit.sha256), exhibit.facts)
    expected = [frame_sha256(f.pixels) for f in reader]
    assert reader.report.conversion is not None and reader.report.conversion.interlaced
    manifest = stage.manifest(DetectionManifest, detected.sha256)
    found = stage.manifest(ExhibitDetections, manifest.entries[0].sha256)
    surveyed = read_survey(stage.store.get_bytes(found.survey))[0]
    assert [row.sha256 for row in surveyed] == expected
    (ledger,) = (d for d in enhanced.derivatives if d.kind == "ledger")
    held = read_ledger_columns(stage.store.get_bytes(ledger.sha256))
    assert [sha256.tobytes().hex() for sha256 in held.source_sha256] == expected
