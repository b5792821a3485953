"""Values known from elsewhere: published figures, formulas worked by hand, and pictures made to have them."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Pair
from playe_assets.metrics import METRICS
from playe_assets.metrics.ssim import SsimParams
from playe_assets_tests.plugins import presets_params, scene

_DATA = Path(importlib.util.find_spec("skimage").origin).parent / "data"


def measure(name, exhibit, derivative, reference=None):
    cls = METRICS.get(name)
    (params,) = presets_params("metric", name, cls.Params)[:1]
    return cls(params).measure(Pair(exhibit, derivative, reference))


def camera_and_noisy():
    """scikit-image's own regression pair: camera with seeded noise of sigma 20."""
    camera = np.asarray(Image.open(_DATA / "camera.png"))
    noise = np.random.RandomState(5).randn(*camera.shape)
    noisy = np.clip(camera + 20.0 * noise, 0, 255).astype(np.uint8)
    return camera[:, :, None], noisy[:, :, None]


def test_psnr_agrees_with_the_value_of_the_ipol_online_demo():
    camera, noisy = camera_and_noisy()
    # scikit-image, test_simple_metrics.py: 22.409353363576034 from IPOL's demo of Buades et al. 2011.
    assert measure("psnr", camera, noisy)["psnr_exhibit"] == pytest.approx(22.409353363576034, abs=1e-4)


def test_ssim_agrees_with_scikit_images_recorded_value():
    camera, noisy = camera_and_noisy()
    found = METRICS.get("ssim")(SsimParams(7)).measure(Pair(camera, noisy, camera))
    # scikit-image, test_structural_similarity.py, test_mssim_vs_legacy.
    assert found["ssim_exhibit"] == pytest.approx(0.3674518327910367, abs=1e-4)
    assert found["ssim_reference"] == found["ssim_exhibit"]


def test_equal_pictures_have_the_highest_values():
    one = scene(32, 32)
    assert measure("psnr", one, one, one) == {
        "psnr_exhibit": 100.0,
        "psnr_reference": 100.0,
        "psnr_baseline_reference": 100.0,
        "psnr_gain_reference": 0.0,
    }
    assert measure("ssim", one, one)["ssim_exhibit"] == pytest.approx(1.0, abs=1e-6)
    assert measure("consistency", one, one) == {
        "consistency_psnr": 100.0,
        "consistency_mean_abs": 0.0,
        "consistency_max_abs": 0.0,
    }


def test_psnr_of_a_known_error_is_the_formulas_value_at_either_depth():
    one = np.full((16, 16, 3), 100, np.uint8)
    wanted = 20 * np.log10(255 / 5)
    assert measure("psnr", one, one + 5)["psnr_exhibit"] == pytest.approx(wanted)
    deep = one.astype(np.uint16) * 257
    assert measure("psnr", deep, deep + 5 * 257)["psnr_exhibit"] == pytest.approx(wanted)
    assert measure("psnr", one, deep + 5 * 257)["psnr_exhibit"] == pytest.approx(wanted, abs=1e-4)


def test_the_gain_is_positive_for_a_derivative_nearer_to_the_truth_than_plain_enlargement():
    truth = scene(64, 64)
    exhibit = cv2.resize(truth, (32, 32), interpolation=cv2.INTER_AREA)
    noisy = np.clip(exhibit + np.random.default_rng(1).normal(0, 12, exhibit.shape), 0, 255).astype(np.uint8)
    better = cv2.resize(exhibit, (64, 64), interpolation=cv2.INTER_LANCZOS4)
    found = measure("psnr", noisy, better, truth)
    assert found["psnr_gain_reference"] > 1.0
    plain = cv2.resize(noisy, (64, 64), interpolation=cv2.INTER_LANCZOS4)
    assert measure("psnr", noisy, plain, truth)["psnr_gain_reference"] == pytest.approx(0.0)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 15.0])
@pytest.mark.parametrize("unit", [1, 257])
def test_the_noise_estimate_finds_the_noise_that_was_put_in(sigma, unit):
    y, x = np.mgrid[0:128, 0:128]
    clean = 120 + 40 * np.sin(x / 30) * np.cos(y / 40)
    noise = np.random.default_rng(1).normal(0, sigma, clean.shape)
    dtype = np.uint8 if unit == 1 else np.uint16
    noisy = np.rint((clean + noise) * unit).astype(dtype)[:, :, None]
    smooth = np.rint(clean * unit).astype(dtype)[:, :, None]
    found = measure("noise", noisy, smooth)
    assert found["noise_before"] == pytest.approx(sigma, rel=0.05)
    assert found["noise_after"] < 0.5


def test_blurring_lowers_sharpness_and_itself_leaves_it():
    one = scene(64, 64)
    blurred = cv2.GaussianBlur(one, (0, 0), 1.5)
    assert measure("sharpness", one, blurred)["sharpness_ratio"] < 0.3
    assert measure("sharpness", one, one)["sharpness_ratio"] == 1.0
    flat = np.full((16, 16, 1), 9, np.uint8)
    assert measure("sharpness", flat, flat)["sharpness_ratio"] is None


@pytest.mark.parametrize("crop", [(0, 0), (3, 5)])
def test_blockiness_sees_the_jpeg_grid_wherever_it_lies(crop):
    picture = Image.open(_DATA / "chelsea.png").convert("RGB")
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=15)
    top, left = crop
    coded = np.asarray(Image.open(held))[top:, left:]
    clean = np.asarray(picture)[top:, left:]
    found = measure("blockiness", coded, clean)
    assert found["blockiness_before"] > 1.25
    assert found["blockiness_after"] < 1.08


def test_consistency_measures_in_the_exhibits_size_and_in_8_bit_units():
    one = np.full((16, 16, 3), 100, np.uint8)
    large = np.full((48, 48, 3), 103, np.uint8)
    large[0:3, 0:3] = 120
    found = measure("consistency", one, large)
    assert found["consistency_max_abs"] == 20.0
    assert found["consistency_mean_abs"] == pytest.approx((3 * 255 + 20) / 256)
