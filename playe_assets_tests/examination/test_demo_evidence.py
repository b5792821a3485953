"""The demo's evidence is what it says: seeded, the same each time, with a truth that fits."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Frame
from playe_assets.core.presets import load_preset
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.fusion import Fusion, FusionParams
from playe_assets.examination import demo_evidence
from playe_assets.examination.case_file import read_case_file
from playe_assets_tests.plugins import FACTS


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "drop"
    demo_evidence.write_demo(folder)
    return folder


def decoded(path):
    import av

    with av.open(str(path)) as container:
        return [(f.pts, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def test_the_case_file_is_accepted_and_lists_every_file_with_its_size(demo):
    case = read_case_file(demo)
    files = {p.relative_to(demo).as_posix(): p.stat().st_size for p in demo.rglob("*") if p.is_file()}
    files.pop("case.yaml")
    assert {listed.name: listed.size for listed in case.exhibits or ()} == files
    assert case.case_id == demo_evidence.CASE_ID and case.preset == "forensic_safe"
    assert dict(case.references) == {demo_evidence.CLIP: demo_evidence.TRUTH}


def test_the_same_bytes_are_written_each_time(demo, tmp_path):
    demo_evidence.write_demo(tmp_path)
    for path in sorted(p for p in demo.rglob("*") if p.is_file()):
        other = tmp_path / path.relative_to(demo)
        assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()


def test_the_photographs_have_the_faults_that_were_put_in(demo):
    with Image.open(demo / "astronaut_rotated.jpg") as rotated:
        assert rotated.getexif()[0x0112] == 6 and rotated.getexif()[0x010F] == "PLAYE"
    with Image.open(demo / "cameraman_dark_16bit.png") as dark:
        samples = np.asarray(dark)
    assert samples.dtype == np.uint16 and len(np.unique(samples)) > 2000 and samples.mean() < 0.2 * 65535
    with Image.open(demo / "chelsea_compressed.jpg") as compressed:
        assert compressed.size == (451, 300)


def test_clip_and_truth_have_the_same_frames_and_the_truth_is_lossless(demo):
    clip = decoded(demo / demo_evidence.CLIP)
    truth = decoded(demo / demo_evidence.TRUTH)
    assert len(clip) == len(truth) == demo_evidence.FRAMES
    for (_, kept), true in zip(truth, demo_evidence.true_frames(), strict=True):
        assert np.array_equal(kept, true)
    small = cv2.resize(truth[20][1], demo_evidence.EXHIBIT_SIZE, interpolation=cv2.INTER_AREA)
    error = clip[20][1].astype(float) - small
    assert 3.0 < error.std() < 9.0 and abs(error.mean()) < 1.0


def test_the_known_shake_is_what_fusion_measures_on_the_compressed_clip(demo):
    (use,) = (u for u in load_preset("forensic_safe").steps[MediaKind.CLIP] if u.name == "fusion")
    fusion = Fusion(FusionParams(**use.given), FACTS)
    clip = decoded(demo / demo_evidence.CLIP)[:24]
    done = list(fusion.stream(Frame(i, pts, pixels) for i, (pts, pixels) in enumerate(clip)))
    true = np.hypot(*np.diff(demo_evidence.camera_path()[:24], axis=0).T) / 2.0

    def of(name: str) -> list[float]:
        return [frame.numbers[name] for frame in done if name in frame.numbers]

    assert np.mean(of("shift_mean_px")) == pytest.approx(true.mean(), abs=0.03)
    assert max(of("shift_max_px")) == pytest.approx(true.max(), abs=0.1)
    assert np.mean(of("contributors_mean")) > 3.5
