"""Every registered enhancer keeps the contract of core/contracts.py."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from playe_assets.core.contracts import Enhancer, Frame
from playe_assets.core.errors import PresetError
from playe_assets.core.params import parse
from playe_assets.core.texts import catalogue
from playe_assets.core.values import AiClass
from playe_assets.enhancers import ENHANCERS
from playe_assets_tests.plugins import (
    WHERE,
    heavy_modules_after_listing,
    out_of_range,
    presets_params,
    rebuilt,
    scene,
    survives_the_record,
    with_size,
)
from playe_assets_tests.stand_ins import cards, stand_ins

NAMES = ENHANCERS.names()
SIZES = [(1, 1), (2, 3), (31, 17)]
SMOOTH = {"smooth_radius": 1, "smooth_flow_px": 64, "smooth_agreement": 6.0}
ONCE = {"self_ensemble": "off", "ensemble_below_px": 0, **SMOOTH}
SAMPLES = {
    "deinterlace": [{}],
    "stabilise": [
        {"model": "similarity", "radius": 4, "register_max_side_px": 640, "min_likeness": 0.5,
         "max_shift_px": 32.0, "min_shift_px": 0.1, "max_correction_px": 24.0},
        {"model": "translation", "radius": 2, "register_max_side_px": 64, "min_likeness": 0.0,
         "max_shift_px": 32.0, "min_shift_px": 0.0, "max_correction_px": 24.0},
    ],
    "temporal_denoise": [
        {"radius": 2, "flow_max_side_px": 640, "flow_smooth_px": 1.0, "flow_finest_scale": 1,
         "flow_iterations": 12, "flow_refinements": 5, "occlusion_px": 1.5, "min_shift_px": 0.1,
         "sigma_min": 0.5, "sigma_max": 20.0, "sigma_spatial": 1.5, "pixel_sigmas": 3.5,
          "patch_px": 7, "patch_ratio": 1.6,
         "mean_sigmas": 4.0, "min_agreement": 0.3},
    ],
    "low_light": [
        {"model": "iat_enhance_exposure", "apply_below_mean": 255.0, "strength": 0.8, "max_side_px": 64,
         "self_ensemble": "mean", "ensemble_below_px": 10_000, **SMOOTH},
    ],
    "artefacts": [
        {"model": "fbcnn_color", "quality": 40, "strength": 1.0, **ONCE},
        {"model": "fbcnn_color", "quality": 0, "strength": 0.5, **ONCE},
    ],
    "denoise_learned": [
        {"model": "drunet_color", "planes": "rgb", "sigma": 15.0, "strength": 1.0, "remove": "all",
         "apply_from_sigma": 0.0, "apply_to_sigma": 100.0, "apply_below_px": 10**6,
         "self_ensemble": "variance", "ensemble_below_px": 10_000, **SMOOTH},
        {"model": "dncnn_25", "planes": "ycc", "sigma": 0.0, "strength": 0.7, "remove": "noise",
         "apply_from_sigma": 0.0, "apply_to_sigma": 100.0, "apply_below_px": 10**6, **ONCE},
    ],
    "denoise_video": [
        {"model": "fastdvdnet", "sigma": 0.0, "sigma_factor": 1.0, "strength": 0.8, "apply_from_sigma": 0.0,
         "apply_to_sigma": 100.0, "apply_below_px": 10**6},
    ],
    "deblur": [{"model": "nafnet_reds_64", "strength": 0.9, "apply_below_px": 1000, **ONCE}],
    "super_resolution": [
        {"model": "realesrgan_x2plus", "scale": 2, "denoise": 1.0, "apply_below_px": 10_000,
         "self_ensemble": "mean", "ensemble_below_px": 10_000, **SMOOTH},
        {"model": "realesr_general_x4v3", "scale": 4, "denoise": 0.5, "apply_below_px": 1000, **ONCE},
    ],
    "face_restoration": [
        {"model": "gfpgan_1_4", "mode": "quality", "w": 0.0, "blend": 1.0, "detector": "yunet_2023mar",
         "min_score": 0.7, "nms_iou": 0.3, "top_k": 5000, "max_side_px": 1280, "min_face_px": 48,
         "max_face_px": 1024, "max_misfit_px": 20.0, "mask": "ellipse", "margin_px": 16, "feather_px": 16.0,
         "antialias": 0.5, "fade_frames": 2, "fade_share": 0.2, "smooth_radius": 1, "smooth_agreement": 6.0},
    ],
}  # fmt: skip
"""Parameters beside those of the shipped presets: models and choices that no preset makes."""


def samples(name: str) -> list[Any]:
    """What the presets give, and the samples above."""
    cls = ENHANCERS.get(name)
    own = [parse(cls.Params, given, WHERE) for given in SAMPLES.get(name, [])]
    return [*presets_params("enhancer", name, cls.Params), *own]


def built(name: str, pixels) -> list[Enhancer]:
    cls = ENHANCERS.get(name)
    return [cls(params, with_size(pixels), stand_ins(cls, params)) for params in samples(name)]


def test_the_registry_names_exactly_these_enhancers():
    assert NAMES == ("deinterlace", "orient", "fusion", "temporal_denoise", "stabilise", "low_light",
                     "artefacts", "denoise_learned", "denoise_video", "nlm", "deblur",
                     "super_resolution", "lanczos", "local_contrast", "face_restoration")  # fmt: skip


def test_listing_the_registry_loads_no_image_library():
    assert heavy_modules_after_listing("playe_assets.enhancers", "ENHANCERS") == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_enhancer_states_itself_and_is_signal_processing_only_where_it_asks_for_no_model(name):
    cls = ENHANCERS.get(name)
    assert cls.name == name
    assert cls.version and cls.reference and (cls.__doc__ or "").strip()
    assert samples(name)
    for params in samples(name):
        assert (cls.ai_class is AiClass.NONE) == (cls.needs(params) == ())
        fields = {f.name: f.metadata.get("tasks") for f in dataclasses.fields(params)} if params else {}
        for field, tasks in fields.items():
            assert tasks is None or cards()[getattr(params, field)].task in tasks


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_dtype_channels_and_input_are_kept_and_the_result_repeats(name, size, channels, dtype):
    pixels = scene(*size, channels, dtype)
    before = pixels.copy()
    for enhancer, again in zip(built(name, pixels), built(name, pixels), strict=True):
        result = enhancer.frame(pixels)
        assert np.array_equal(pixels, before)
        assert not np.shares_memory(result, pixels)
        assert result.dtype == dtype
        assert result.ndim == 3 and result.shape[2] == channels
        assert result.flags["C_CONTIGUOUS"]
        if not enhancer.geometry:
            assert result.shape == pixels.shape
        assert np.array_equal(result, again.frame(pixels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_without_colour_stays_without_colour(name, dtype):
    grey = scene(40, 48, 1, dtype)
    for enhancer in built(name, grey):
        result = enhancer.frame(np.repeat(grey, 3, axis=2))
        assert np.array_equal(result[:, :, 0], result[:, :, 1])
        assert np.array_equal(result[:, :, 0], result[:, :, 2])


@pytest.mark.parametrize("name", NAMES)
def test_a_read_only_and_a_strided_picture_are_accepted(name):
    whole = scene(40, 48)
    whole.setflags(write=False)
    for enhancer in built(name, whole):
        expected = enhancer.frame(np.ascontiguousarray(whole[::2, ::-1]))
        assert np.array_equal(enhancer.frame(whole[::2, ::-1]), expected)


@pytest.mark.parametrize("name", NAMES)
def test_black_and_white_stay_in_range(name):
    for dtype in (np.uint8, np.uint16):
        top = np.iinfo(dtype).max
        board = np.where(((np.indices((48, 48)) // 8).sum(axis=0) % 2)[..., None] > 0, top, 0).astype(dtype)
        for enhancer in built(name, board):
            result = enhancer.frame(board)
            # A wrapped overshoot would put full scale in the middle of a black square.
            scale = result.shape[0] // 48
            middles = result[4 * scale :: 8 * scale, 4 * scale :: 8 * scale, 0].astype(int)
            wanted = board[4::8, 4::8, 0].astype(int)
            assert np.abs(middles - wanted).max() < 0.2 * top


@pytest.mark.parametrize("name", NAMES)
def test_a_stream_gives_one_frame_for_each_with_its_index_pts_and_flag(name):
    pixels = scene(32, 40)
    for enhancer in built(name, pixels):
        taken = [Frame(i, 7 * i * i, scene(32, 40, seed=i), corrupt=i == 2) for i in range(6)]
        given = list(enhancer.stream(iter(taken)))
        assert [(f.index, f.pts, f.corrupt) for f in given] == [(f.index, f.pts, f.corrupt) for f in taken]
        assert all(isinstance(v, float) for v in enhancer.measured().values())


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_stream_gives_nothing_and_can_still_be_asked_what_it_measured(name):
    for enhancer in built(name, scene(8, 8)):
        assert enhancer.maps() == {}
        assert list(enhancer.stream(iter([]))) == []
        assert all(np.isfinite(v) for v in enhancer.measured().values())


@pytest.mark.parametrize("name", NAMES)
def test_side_planes_keep_the_size_of_the_frame(name):
    for enhancer in built(name, scene(24, 36)):
        counts = np.full((24, 36, 1), 3, np.uint8)
        for frame in enhancer.stream(iter([Frame(0, 0, scene(24, 36), False, {"plane": counts})])):
            for plane in frame.side.values():
                assert plane.shape[:2] == frame.pixels.shape[:2]
            assert set(np.unique(frame.side["plane"])) == {3}


@pytest.mark.parametrize("name", NAMES)
def test_parameters_out_of_range_are_refused_and_those_in_range_survive_the_record(name):
    for params in samples(name):
        assert survives_the_record(params)
        for key, value in out_of_range(params):
            with pytest.raises(PresetError):
                rebuilt(params, key, value)


@pytest.mark.parametrize("name", NAMES)
def test_the_report_can_say_what_the_step_does_in_both_languages(name):
    entry = catalogue()[f"step.{name}"]
    for params in samples(name):
        for language in ("en", "ru"):
            sentence = entry[language].format(**vars(params))
            assert sentence.endswith(".") and "{" not in sentence
    assert any("а" <= letter <= "я" for letter in entry["ru"])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", NAMES)
def test_maps_have_one_8_bit_channel_and_the_size_of_the_result(name, dtype):
    pixels = scene(30, 22, 3, dtype)
    for enhancer in built(name, pixels):
        result = enhancer.frame(pixels)
        for plane in enhancer.maps().values():
            assert plane.dtype == np.uint8
            assert plane.shape == (*result.shape[:2], 1)
