"""NIQE and BRISQUE give what their authors' code, as others ported it, gives for the same pictures."""

from __future__ import annotations

import io
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Pair
from playe_assets.core.errors import GovernanceError
from playe_assets.metrics import niqe as niqe_module
from playe_assets.metrics.brisque import Brisque, BrisqueParams
from playe_assets.metrics.niqe import Niqe, NiqeParams
from playe_assets_tests.plugins import scene


@pytest.fixture(scope="module")
def models(shared_data):
    folder = shared_data / "metrics"
    files = {
        "niqe": folder / "niqe" / "niqe_pris_params.npz",
        "brisque_live": folder / "brisque" / "brisque_model_live.yml",
        "brisque_live_range": folder / "brisque" / "brisque_range_live.yml",
    }
    return {name: SimpleNamespace(data=path.read_bytes()) for name, path in files.items()}


@pytest.fixture(scope="module")
def niqe(models):
    return Niqe(NiqeParams(96), models)


@pytest.fixture(scope="module")
def brisque(models):
    return Brisque(BrisqueParams(), models)


def picture(shared_data, name):
    pixels = np.asarray(Image.open(shared_data / "metrics" / "skimage_images" / name))
    return pixels if pixels.ndim == 3 else np.ascontiguousarray(pixels[:, :, np.newaxis])


def after(metric, pixels):
    found = metric.measure(Pair(pixels, pixels, None))
    values = list(found.values())
    assert values[0] == values[1]
    return values[0]


# BasicSR 1.4.2, calculate_niqe(crop_border=0), of the same files; it works in single precision, we in double.
NIQE = {"astronaut.png": 3.06495, "camera.png": 3.09621, "chelsea.png": 2.62552, "coffee.png": 4.11524,
        "brick.png": 9.47960}  # fmt: skip
# OpenCV 4.14.0 with contrib modules, QualityBRISQUE_compute with the same two files.
BRISQUE = {"astronaut.png": 0.49424, "camera.png": 0.0, "chelsea.png": 2.06654, "coffee.png": 3.60764,
           "brick.png": 35.70947}  # fmt: skip


@pytest.mark.parametrize("name", NIQE)
def test_niqe_is_that_of_basicsr(name, niqe, shared_data):
    assert after(niqe, picture(shared_data, name)) == pytest.approx(NIQE[name], abs=2e-3)


@pytest.mark.parametrize("name", BRISQUE)
def test_brisque_is_that_of_opencv(name, brisque, shared_data):
    assert after(brisque, picture(shared_data, name)) == pytest.approx(BRISQUE[name], abs=5e-3)


def test_brisque_of_hard_compressed_pictures_is_that_of_opencv(brisque, shared_data):
    astronaut = picture(shared_data, "astronaut.png")
    # Of OpenCV as above, of the same JPEG files.
    for quality, expected in ((10, 42.264), (30, 22.126)):
        _, data = cv2.imencode(".jpg", astronaut[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        worse = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])
        # Another libjpeg may round a sample otherwise.
        assert after(brisque, worse) == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("how", ["noise", "blur"])
def test_a_spoilt_photograph_is_worse_by_both_measures(how, niqe, brisque, shared_data):
    good = picture(shared_data, "astronaut.png")
    if how == "noise":
        noise = np.random.default_rng(1).normal(0, 25, good.shape)
        bad = np.clip(good + noise, 0, 255).astype(np.uint8)
    else:
        bad = cv2.GaussianBlur(good, (0, 0), 3)
    for metric in (niqe, brisque):
        before, worse = metric.measure(Pair(good, bad, None)).values()
        assert worse > before + 1


def test_16_bit_copies_have_the_values_of_8_bit(niqe, brisque, shared_data):
    chelsea = picture(shared_data, "chelsea.png")
    deep = chelsea.astype(np.uint16) * 257
    assert after(niqe, deep) == pytest.approx(after(niqe, chelsea), abs=1e-3)
    assert after(brisque, deep) == pytest.approx(after(brisque, chelsea), abs=0.1)


def test_strips_give_what_the_whole_picture_gives(niqe, shared_data, monkeypatch):
    camera = picture(shared_data, "camera.png")
    strips = after(niqe, camera)
    monkeypatch.setattr(niqe_module, "_MARGIN_PX", 10_000)
    assert after(niqe, camera) == pytest.approx(strips, abs=1e-9)


def test_flat_and_small_pictures_have_no_value_or_a_finite_one(niqe, brisque):
    for shape in ((1, 1, 3), (8, 8, 1), (96, 96, 3), (100, 200, 1)):
        for pixels in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), scene(*shape)):
            for metric in (niqe, brisque):
                value = after(metric, pixels)
                assert value is None or np.isfinite(value)
    assert after(niqe, scene(96, 191)) is None and after(niqe, scene(96, 192)) is not None
    assert after(brisque, np.full((64, 64, 3), 128, np.uint8)) is None


def damaged(data):
    yield b""
    yield b"nothing of the kind"
    yield data[: len(data) // 2]


def test_parameters_that_are_none_are_refused_with_the_cards_name(models):
    for name in models:
        for data in damaged(models[name].data):
            wrong = {**models, name: SimpleNamespace(data=data)}
            with pytest.raises(GovernanceError, match=f"model {name} does not hold the parameters"):
                Niqe(NiqeParams(96), wrong)
                Brisque(BrisqueParams(), wrong)


def test_a_table_of_pickled_objects_is_refused(models):
    written = io.BytesIO()
    np.savez(written, mu_pris_param=np.array([{}], object), cov_pris_param=np.zeros((36, 36)))
    with pytest.raises(GovernanceError, match="NIQE"):
        Niqe(NiqeParams(96), {"niqe": SimpleNamespace(data=written.getvalue())})
