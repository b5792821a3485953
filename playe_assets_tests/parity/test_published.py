"""Figures of published tables, reached by our engines. Tolerances are half of the tables' last digit or stated."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Frame
from playe_assets.detectors.yunet import YuNet, YuNetParams
from playe_assets_tests.parity.engines import ANIME, ENGINES, GENERAL, loaded
from playe_assets_tests.parity.published import mean_score, read, set5, set12
from playe_assets_tests.plugins import FACTS

pytestmark = pytest.mark.shared_data
# 0.005 dB is the rounding of two decimals; as much again for the order of sums in three engines.
DB, SSIM = 0.01, 0.0002
SUPER_RESOLUTION = {
    "rlfn_x4": (32.10, 0.8939),
    GENERAL: (26.64, 0.8256),
    ANIME: (28.23, 0.8268),
}
NOISE = 25.0 / 255.0


def test_our_metrics_give_the_papers_figures_for_bicubic_on_set5(shared_data):
    pairs = [
        (np.asarray(Image.fromarray(low).resize(high.shape[1::-1], Image.Resampling.BICUBIC)), high)
        for low, high in set5(shared_data)
    ]
    found = mean_score(pairs, border=4)
    assert found == pytest.approx(
        (28.42, 0.8104), abs=0.03
    )  # Pillow mirrors nothing at the edge, MATLAB does
    assert abs(found[1] - 0.8104) < 0.001


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SUPER_RESOLUTION)
def test_super_resolution_of_set5_reaches_its_published_figures(shared_data, graphs, name, engine):
    model = loaded(name, shared_data, graphs, engine)
    decibels, similar = mean_score([(model.picture(low), high) for low, high in set5(shared_data)], border=4)
    assert decibels == pytest.approx(SUPER_RESOLUTION[name][0], abs=DB)
    assert similar == pytest.approx(SUPER_RESOLUTION[name][1], abs=SSIM)


def denoised(model, truth):
    """As KAIR's test does it: noise of numpy's seed 0 for each picture, neither clipped nor rounded."""
    clean = truth.astype(np.float32) / np.float32(255.0)
    noisy = (clean + np.random.RandomState(0).normal(0.0, NOISE, clean.shape)).astype(np.float32)
    made = model.batch(noisy.transpose(2, 0, 1)[None])[0][0].transpose(1, 2, 0)
    return np.clip(np.rint(made * 255.0), 0, 255).astype(np.uint8)


def test_dncnn_25_denoises_the_cameraman_as_its_table_says(shared_data, graphs):
    model = loaded("dncnn_25", shared_data, graphs, "onnxruntime")
    (truth, *_) = set12(shared_data)
    # 30.18 dB in table II of the paper (arXiv 1608.03981), whose noise is another draw.
    assert mean_score([(denoised(model, truth), truth)], border=0)[0] == pytest.approx(30.18, abs=0.05)


@pytest.mark.slow
def test_dncnn_25_reaches_its_published_mean_on_set12(shared_data, graphs):
    model = loaded("dncnn_25", shared_data, graphs, "onnxruntime")
    found = mean_score([(denoised(model, truth), truth) for truth in set12(shared_data)], border=0)
    # 30.44 dB; one seed for each picture gives 30.43, one for all twelve 30.44: that is what a draw does.
    assert found[0] == pytest.approx(30.44, abs=0.02)


@pytest.mark.parametrize("engine", ENGINES[1:])
def test_yunet_counts_the_published_faces(shared_data, graphs, engine):
    detector = YuNet(
        YuNetParams(0.7, 0.3, 5000, 640), FACTS,
        {"yunet_2023mar": loaded("yunet_2023mar", shared_data, graphs, engine)},
    )  # fmt: skip
    faces = shared_data / "media" / "faces_officials" / "examples"
    obama, biden = read(faces / "obama-240p.jpg"), read(faces / "biden.jpg")
    beside = np.asarray(Image.fromarray(biden).resize((240, 240)))
    pictures = {
        "obama": (read(faces / "obama.jpg"), 1),
        # The published picture of this name is not among the test data: two portraits side by side.
        "two_people": (np.concatenate([obama[:240, :240], beside], axis=1), 2),
        "coffee": (read(shared_data / "metrics" / "skimage_images" / "coffee.png"), 0),
    }
    counted = {name: len(detector.detect(Frame(0, 0, pixels))) for name, (pixels, _) in pictures.items()}
    assert counted == {name: count for name, (_, count) in pictures.items()}
