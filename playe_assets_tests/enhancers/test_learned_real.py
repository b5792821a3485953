"""Learned steps with the laboratory's real weights, through the engine's own model: published figures hold."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util

import cv2
import numpy as np
import pytest

from playe_assets.core.params import parse
from playe_assets.enhancers import ENHANCERS
from playe_assets.inference.contract import Network, Target
from playe_assets_tests.enhancers.test_learned_steps import GIVEN
from playe_assets_tests.plugins import FACTS, WHERE
from playe_assets_tests.stand_ins import cards

FILES = {
    "rlfn_x4": "weights/ntire2022_esr/model_zoo/team04_rlfn.pth",
    "dncnn_25": "weights/dncnn/model_zoo/dncnn_25.pth",
}


def step(name, data, **changes):
    if not all(map(importlib.util.find_spec, ("torch", "spandrel"))):
        pytest.skip("torch and spandrel are not installed")
    from playe_assets.inference.loaded import LoadedModel

    cls = ENHANCERS.get(name)
    params = parse(cls.Params, {**GIVEN[name], **changes}, WHERE)
    weights = (data / FILES[params.model]).read_bytes()
    card = dataclasses.replace(cards()[params.model], sha256=hashlib.sha256(weights).hexdigest())
    return cls(params, FACTS, {params.model: LoadedModel(Network(card, weights), Target("torch", threads=1))})


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean(np.square(one.astype(float) - other.astype(float))))


def luma(pixels):
    return pixels[..., ::-1].astype(float) @ (24.966, 128.553, 65.481) / 255 + 16


def test_enlarging_the_bird_with_rlfn_gains_over_lanczos_and_agrees_with_the_evidence(shared_data):
    folder = shared_data / "sr_bench" / "Set5" / "image_SRF_4"
    small, truth = (
        cv2.imread(str(folder / f"img_002_SRF_4_{which}.png"))[..., ::-1] for which in ("LR", "HR")
    )
    small, truth = np.ascontiguousarray(small), np.ascontiguousarray(truth)
    worker = step("super_resolution", shared_data, scale=4, apply_below_px=10_000)
    result = worker.frame(small)
    size = truth.shape[1::-1]
    plain = cv2.resize(small, size, interpolation=cv2.INTER_LANCZOS4)
    inner = (slice(4, -4), slice(4, -4))
    gain = psnr(luma(result)[inner], luma(truth)[inner]) - psnr(luma(plain)[inner], luma(truth)[inner])
    assert gain > 3.0
    assert worker.measured()["consistency_mean"] < 2.0


@pytest.mark.parametrize(("sigma", "least"), [(10, 31.9), (25, 29.0)])
def test_denoising_held_to_the_noise_beats_non_local_means_at_the_networks_sigma_and_below(
    shared_data, sigma, least
):
    truth = cv2.imread(str(shared_data / "sr_bench" / "denoise_Set12" / "07.png"), 0)[:, :, None]
    noisy = truth + np.random.default_rng(0).normal(0, sigma, truth.shape)
    noisy = np.rint(noisy.clip(0, 255)).astype(np.uint8)
    result = step("denoise_learned", shared_data).frame(noisy)
    plain = cv2.fastNlMeansDenoising(noisy, None, 0.8 * sigma, 7, 21)[:, :, None]
    assert psnr(result, truth) > max(least, psnr(plain, truth) + 0.5)
