"""Every registered detector keeps the contract of core/contracts.py."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import PresetError
from playe_assets.core.texts import catalogue
from playe_assets.core.values import MediaKind
from playe_assets.detectors import DETECTORS
from playe_assets.detectors.fastestdet import FastestDetParams
from playe_assets.detectors.retinaface import RetinaFaceParams
from playe_assets.detectors.ultraface import UltraFaceParams
from playe_assets.detectors.yolo_face import YoloFaceParams
from playe_assets.detectors.yolo_objects import YoloObjectsParams
from playe_assets.detectors.yolo_ultralytics import YoloUltralyticsParams
from playe_assets_tests.detectors.objects import random_yolo, scenes
from playe_assets_tests.onnx_models import real_model
from playe_assets_tests.plugins import (
    heavy_modules_after_listing,
    out_of_range,
    presets_params,
    rebuilt,
    scene,
    survives_the_record,
    with_size,
)

NAMES = DETECTORS.names()
SHARED = Path(os.environ.get("PLAYE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
SAMPLES = {
    "retinaface": [RetinaFaceParams("retinaface_mobilenet025_port", 0.8, 0.4, 5000, 640)],
    "yolo_face": [YoloFaceParams(0.25, 0.7, 300, 640)],
    "ultraface": [UltraFaceParams(0.7, 0.3, 1000)],
    "yolo_objects": [
        YoloObjectsParams(**scenes("night", 0.2), model="yolov8n", side_px=320, nms_iou=0.7, max_found=300)
    ],
    "yolo_ultralytics": [
        YoloUltralyticsParams(
            **scenes("night", 0.2), model="yolov8n", side_px=320, nms_iou=0.7, max_found=300
        )
    ],
    "fastestdet": [FastestDetParams(**scenes("street", 0.3), nms_iou=0.45, max_found=100)],
}
"""Parameters of detectors that no shipped preset uses."""


def params_of(name):
    """Every set of parameters that a preset gives to the detector, else its sample."""
    return presets_params("detector", name, DETECTORS.get(name).Params) or SAMPLES[name]


def models_of(cls, params):
    """The detector's networks; skips where their weights must come from the laboratory's test data."""
    return {
        use.name: random_yolo() if use.name == "yolov8n" else real_model(use.name, SHARED)
        for use in cls.needs(params)
    }


def built(name, pixels):
    cls = DETECTORS.get(name)
    return [cls(p, with_size(pixels), models_of(cls, p)) for p in params_of(name)]


def clip_of(pixels):
    """Six frames in which a bright square moves; the first alone for what a photograph would be."""
    for index in range(6):
        moved = pixels.copy()
        height, width = pixels.shape[:2]
        moved[height // 3 : height // 2, (index * width) // 8 : (index * width) // 8 + width // 8] = 255
        yield Frame(index, index, moved)


def test_the_registry_names_exactly_these_detectors():
    assert NAMES == (
        "yunet",
        "retinaface",
        "yolo_face",
        "ultraface",
        "haar_face",
        "hog_people",
        "yolo_objects",
        "yolo_ultralytics",
        "fastestdet",
        "mog2_motion",
    )


def test_listing_the_registry_loads_no_image_library():
    assert heavy_modules_after_listing("playe_assets.detectors", "DETECTORS") == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_detector_can_be_made_states_itself_and_has_a_label_in_both_languages(name):
    cls = DETECTORS.get(name)
    assert cls.name == name and cls.version and cls.reference and "core" in (cls.__doc__ or "")
    assert params_of(name)
    entry = catalogue()[f"detector.{name}"]
    assert entry["en"] and any("а" <= letter <= "я" for letter in entry["ru"])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 500), (131, 97)])
@pytest.mark.parametrize("name", NAMES)
def test_any_size_depth_and_colour_is_taken_and_boxes_lie_inside_and_in_order(name, size, channels, dtype):
    pixels = scene(*size, channels, dtype)
    frames = list(clip_of(pixels))
    kept = [f.pixels.copy() for f in frames]
    for detector in built(name, pixels):
        for frame in frames:
            found = detector.detect(frame)
            assert found == sorted(found, key=lambda d: (-d.score, d.x, d.y))
            for item in found:
                assert 0 <= item.x < item.x + item.width <= size[1] + 0.01
                assert 0 <= item.y < item.y + item.height <= size[0] + 0.01
    assert all(np.array_equal(f.pixels, k) for f, k in zip(frames, kept, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_and_any_number_of_threads_find_the_same(name):
    import skimage

    path = Path(skimage.__file__).parent / "data" / "astronaut.png"
    picture = cv2.resize(cv2.imread(str(path))[:, :, ::-1], (256, 256), interpolation=cv2.INTER_AREA)
    before = cv2.getNumThreads()
    runs = []
    try:
        for threads in (1, 2, 2):
            cv2.setNumThreads(threads)
            detectors = built(name, picture)[:2]
            runs.append([[d.detect(f) for f in list(clip_of(picture))[:3]] for d in detectors])
    finally:
        cv2.setNumThreads(before)
    assert runs[0] == runs[1] == runs[2]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_out_of_range_are_refused_and_those_in_range_survive_the_record(name):
    for params in params_of(name):
        assert survives_the_record(params)
        for key, value in out_of_range(params):
            with pytest.raises(PresetError):
                rebuilt(params, key, value)


def test_only_the_clip_detector_refuses_photographs():
    kinds = {name: DETECTORS.get(name).kinds for name in NAMES}
    assert kinds.pop("mog2_motion") == {MediaKind.CLIP}
    assert all(kind == set(MediaKind) for kind in kinds.values())


@pytest.mark.parametrize(("key", "value"), [("stride_px", 12), ("padding_px", 10)])
def test_lengths_that_opencv_would_round_silently_are_refused_and_said_with_what_is_allowed(key, value):
    params = presets_params("detector", "hog_people", DETECTORS.get("hog_people").Params)[0]
    assert getattr(rebuilt(params, key, 16), key) == 16
    with pytest.raises(PresetError, match=rf"{key} is {value}\. Allowed: .*8 \| 16 \| 24"):
        rebuilt(params, key, value)
