"""YOLOv8 decoded here and YOLOv8 through ultralytics find the same boxes; weights are random, real ones absent."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Frame
from playe_assets.detectors.yolo_objects import YoloObjects, YoloObjectsParams
from playe_assets.detectors.yolo_ultralytics import YoloUltralytics, YoloUltralyticsParams
from playe_assets.inference.objects.names import GROUP_OF
from playe_assets_tests.detectors.objects import random_yolo, scenes
from playe_assets_tests.plugins import FACTS, with_size

for package in ("torch", "onnx", "ultralytics"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed (extras models and yolo)", allow_module_level=True)

_DATA = Path(importlib.util.find_spec("skimage").origin).parent / "data"


@pytest.fixture(scope="module")
def graph():
    return random_yolo()


@pytest.fixture(scope="module")
def network(graph):
    return graph.network


def ours(graph, pixels, **given):
    return run(YoloObjects, YoloObjectsParams, graph, pixels, **given)


def theirs(network, pixels, **given):
    return run(YoloUltralytics, YoloUltralyticsParams, SimpleNamespace(network=network), pixels, **given)


def run(cls, kind, model, pixels, nms_iou=0.7, max_found=1000, side_px=640, **given):
    params = kind(**scenes(**given), model="yolov8n", side_px=side_px, nms_iou=nms_iou, max_found=max_found)
    assert [use.name for use in cls.needs(params)] == ["yolov8n"]
    return cls(params, with_size(pixels, FACTS), {"yolov8n": model}).detect(Frame(0, 0, pixels))


def picture(name):
    pixels = np.asarray(Image.open(_DATA / name))
    return pixels if pixels.ndim == 3 else np.ascontiguousarray(pixels[:, :, np.newaxis])


def pictures():
    """Each with a threshold that leaves a few dozen boxes and no two classes saturated at 1.0 in one place.

    There the last bit would choose the class, and the two engines differ by 1e-4 in score and 0.04 px.
    """
    astronaut = picture("astronaut.png")
    yield "square", astronaut, 0.25
    yield "wide", np.ascontiguousarray(astronaut[100:301]), 0.03
    yield "tall and odd", np.ascontiguousarray(astronaut[:, 200:377]), 0.1
    yield "larger than the network's square", (astronaut // 2 + 64).repeat(2, 0).repeat(2, 1), 0.1
    yield "tiny", np.ascontiguousarray(astronaut[200:233, 200:215]), 0.02
    yield "grey", picture("camera.png"), 0.1
    yield "16 bit", astronaut.astype(np.uint16) * 257, 0.25


def paired(one, other):
    """Each box of `one` with the nearest of its class in `other`, which is used up; as (a, b, px apart)."""
    assert sorted(a.label for a in one) == sorted(b.label for b in other)
    left = list(other)
    for a in one:
        b = min((b for b in left if b.label == a.label), key=lambda b: apart(a, b))
        left.remove(b)
        yield a, b, apart(a, b)


def apart(a, b):
    """Largest distance between corresponding edges, px."""
    one, other = ((i.x, i.y, i.x + i.width, i.y + i.height) for i in (a, b))
    return max(abs(p - q) for p, q in zip(one, other, strict=True))


@pytest.mark.parametrize(("kind", "pixels", "least"), list(pictures()), ids=[p[0] for p in pictures()])
def test_both_ways_give_the_same_boxes_within_a_pixel(kind, pixels, least, graph, network):
    one, other = ours(graph, pixels, least=least), theirs(network, pixels, least=least)
    assert len(one) >= 5 and len({item.label for item in one}) >= 2
    for a, b, distance in paired(one, other):
        assert distance < 1.0 and abs(a.score - b.score) < 2e-3


@pytest.mark.parametrize(("kind", "pixels", "least"), list(pictures()), ids=[p[0] for p in pictures()])
def test_of_the_same_outputs_both_make_the_same_of_every_box_even_of_thousands(kind, pixels, least, network):
    # Of the torch network's own outputs, so that no rounding of an engine decides which of two boxes stays.
    one = ours(Torch(network), pixels, least=least / 3)
    other = theirs(network, pixels, least=least / 3)
    assert len(one) > 20
    assert all(distance <= 0.02 and a.score == b.score for a, b, distance in paired(one, other))


class Torch:
    """A `Model` that runs the very network that ultralytics fuses for itself."""

    def __init__(self, network):
        from playe_assets.inference.ultralytics_fence import Predictor
        from playe_assets.inference.ultralytics_weights import state_dict

        limits = {"side": 640, "least": 0.5, "iou": 0.7, "most": 1, "classes": (0,)}
        predictor = Predictor(state_dict(network.weights, network.card), network.card, **limits)
        self._run = predictor._predictor.model

    def batch(self, planes):
        import torch

        with torch.inference_mode():
            found = self._run(torch.from_numpy(planes))
        return [(found[0] if isinstance(found, (list, tuple)) else found).numpy()]


@pytest.mark.parametrize(("nms_iou", "max_found"), [(0.3, 1000), (0.95, 1000), (0.7, 7)])
def test_suppression_and_the_most_findings_agree_too(graph, network, nms_iou, max_found):
    astronaut = picture("astronaut.png")
    one = ours(graph, astronaut, least=0.2, nms_iou=nms_iou, max_found=max_found)
    other = theirs(network, astronaut, least=0.2, nms_iou=nms_iou, max_found=max_found)
    assert all(distance < 1.0 for _, _, distance in paired(one, other))
    assert len(one) == 7 if max_found == 7 else len(one) > 100


def test_a_scene_that_seeks_one_group_gives_that_group_at_its_own_threshold_either_way(graph, network):
    astronaut = picture("astronaut.png")
    given = {"scene": "night", "least": 1.0, "night_animals": 0.2, "night_household": 0.3}
    every = ours(graph, astronaut, least=0.2)
    found = ours(graph, astronaut, **given)

    assert found == [
        i for i in every if i.score > {"animals": 0.2, "household": 0.3}.get(GROUP_OF[i.label], 1.0)
    ]
    assert found and len(found) < len(every)
    assert len(theirs(network, astronaut, **given)) == len(found)


def test_a_scene_that_seeks_nothing_finds_nothing(graph, network):
    astronaut = picture("astronaut.png")
    assert ours(graph, astronaut, least=1.0) == theirs(network, astronaut, least=1.0) == []


def test_the_side_of_the_networks_square_may_be_changed(graph, network):
    astronaut = picture("astronaut.png")
    one, other = (way(m, astronaut, least=0.25, side_px=320) for way, m in ((ours, graph), (theirs, network)))
    assert one and all(distance < 1.0 for _, _, distance in paired(one, other))


def test_the_record_of_ultralytics_way_names_torch_whatever_the_laboratory_runs_on(graph, network):
    from playe_assets.examination.engine import engine_fields

    chosen = {"model": {"name": "yolov8n", "weights_sha256": "ab"}, "runtime": {"name": "openvino"},
              "precision": "fp32", "tiling": {"mode": "none"}, "certificate": "cd"}  # fmt: skip
    given = SimpleNamespace(network=network, facts=lambda: chosen)
    params = YoloUltralyticsParams(**scenes(), model="yolov8n", side_px=640, nms_iou=0.7, max_found=10)
    pixels = np.zeros((64, 64, 3), np.uint8)
    made = YoloUltralytics(params, with_size(pixels, FACTS), {"yolov8n": given})
    told = engine_fields(made.models)
    assert told["model"]["yolov8n"] == chosen["model"]
    assert (told["runtime"]["name"], told["precision"], told["tiling"]) == ("torch", "fp32", None)
    assert told["runtime"]["options"]["through"].startswith("ultralytics ")
    both = engine_fields({"a_face_finder": given, **made.models})
    assert both["runtime"]["name"] == "openvino"
    assert both["model"]["yolov8n"]["runtime"]["name"] == "torch", "of two engines neither is hidden"
