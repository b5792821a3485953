"""Face networks decoded here: YuNet against OpenCV's own decoder, the others against answers made by formula."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import GovernanceError
from playe_assets.detectors.retinaface import RetinaFace, RetinaFaceParams
from playe_assets.detectors.ultraface import UltraFace, UltraFaceParams
from playe_assets.detectors.yolo_face import YoloFace, YoloFaceParams
from playe_assets.detectors.yunet import YuNet, YuNetParams
from playe_assets.inference.faces import retinaface
from playe_assets.inference.faces.found import Limits, chosen
from playe_assets_tests.onnx_models import real_model
from playe_assets_tests.plugins import FACTS

FACES = "media/faces_officials/examples"
_SKIMAGE = Path(importlib.util.find_spec("skimage").origin).parent / "data"


def picture(path):
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the laboratory's test data")
    return np.asarray(Image.open(path).convert("RGB"))


def two_people(data):
    """Two men side by side: the picture of that name in the published figures is not among the test data."""
    one = picture(data / FACES / "obama-240p.jpg")
    other = picture(data / FACES / "biden.jpg")
    width = round(other.shape[1] * one.shape[0] / other.shape[0])
    return np.concatenate(
        [one, cv2.resize(other, (width, one.shape[0]), interpolation=cv2.INTER_AREA)], axis=1
    )


def samples(data):
    """(picture, faces in it)"""
    return {
        "obama": (picture(data / FACES / "obama.jpg"), 1),
        "two people": (two_people(data), 2),
        "coffee": (picture(data / "metrics/skimage_images/coffee.png"), 0),
        "obama_and_biden": (picture(data / FACES / "knn_examples/test/obama_and_biden.jpg"), 3),
        "astronaut": (picture(data / "metrics/skimage_images/astronaut.png"), 1),
    }


def inside(faces):
    for face in faces:
        assert face.label == "face" and len(face.landmarks) == 5
        assert all(face.x <= x <= face.x + face.width for x, _ in face.landmarks)
        assert all(face.y <= y <= face.y + face.height for _, y in face.landmarks)
        right_eye, left_eye, nose, right_corner, left_corner = face.landmarks
        assert (
            right_eye[0] < left_eye[0] and right_corner[0] < left_corner[0]
        )  # the person's right is our left
        assert right_eye[1] < nose[1] < right_corner[1]


@pytest.mark.shared_data
def test_yunet_counts_the_faces_of_the_published_pictures(shared_data):
    detector = YuNet(
        YuNetParams(0.7, 0.3, 5000, 1280), FACTS, {"yunet_2023mar": real_model("yunet_2023mar", shared_data)}
    )
    for name, (pixels, count) in samples(shared_data).items():
        found = detector.detect(Frame(0, 0, pixels))
        assert len(found) == count, name
        inside(found)


@pytest.mark.shared_data
@pytest.mark.parametrize("max_side", [500, 1000])
def test_yunet_gives_the_boxes_and_points_of_opencvs_detector_within_a_pixel(shared_data, max_side):
    weights = (shared_data / "weights/yunet/onnx/yunet_s_640_640.onnx").read_bytes()
    model = real_model("yunet_2023mar", shared_data)
    params = YuNetParams(0.6, 0.3, 5000, 8192)
    compared = 0
    for pixels, _ in samples(shared_data).values():
        scale = min(1.0, max_side / max(pixels.shape))
        small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        size = (small.shape[1], small.shape[0])
        theirs = cv2.FaceDetectorYN.create("onnx", np.frombuffer(weights, np.uint8), np.empty(0, np.uint8),
                                           size, 0.6, 0.3, 5000)  # fmt: skip
        rows = theirs.detect(np.ascontiguousarray(small[:, :, ::-1]))[1]
        rows = [] if rows is None else sorted(rows, key=lambda r: -r[14])
        ours = YuNet(params, FACTS, {"yunet_2023mar": model}).detect(Frame(0, 0, small))
        assert len(ours) == len(rows)
        for mine, row in zip(ours, rows, strict=True):
            right, bottom = min(row[0] + row[2], size[0]), min(row[1] + row[3], size[1])
            wanted = [max(row[0], 0), max(row[1], 0), right, bottom, *row[4:14]]
            points = [value for point in mine.landmarks for value in point]
            got = [mine.x, mine.y, mine.x + mine.width, mine.y + mine.height, *points]
            assert np.abs(np.array(got) - np.array(wanted)).max() < 1.0
            assert abs(mine.score - row[14]) < 0.001
            compared += 1
    assert compared >= 6


@pytest.mark.shared_data
def test_ultraface_finds_large_faces_and_none_in_the_coffee(shared_data):
    model = real_model("ultraface_rfb320", shared_data)
    detector = UltraFace(UltraFaceParams(0.7, 0.3, 1000), FACTS, {"ultraface_rfb320": model})
    for name, (pixels, count) in samples(shared_data).items():
        found = detector.detect(Frame(0, 0, pixels))
        assert len(found) == count or name == "obama_and_biden", name
        assert all(face.landmarks == () for face in found)


@pytest.mark.shared_data
def test_retinaface_of_mobilenet_counts_the_same_faces_with_points_where_yunet_has_them(shared_data):
    card = "retinaface_mobilenet025_port"
    network, yunet = real_model(card, shared_data), real_model("yunet_2023mar", shared_data)
    # These weights come from another training than the published ones: plain ReLU, smaller priors (measured).
    # They score a cup with 0.77.
    detector = RetinaFace(RetinaFaceParams(card, 0.9, 0.4, 5000, 640), FACTS, {card: network})
    first = YuNet(YuNetParams(0.7, 0.3, 5000, 1280), FACTS, {"yunet_2023mar": yunet})
    for name, (pixels, count) in samples(shared_data).items():
        found = detector.detect(Frame(0, 0, pixels))
        assert len(found) == count, name
        for face in first.detect(Frame(0, 0, pixels)):
            apart = [np.abs(np.array(f.landmarks) - np.array(face.landmarks)).max() for f in found]
            assert min(apart) < 0.15 * face.width


def test_retinaface_gives_back_what_was_encoded_on_its_priors():
    height, width = 96, 160
    prior = retinaface.priors(height, width)
    assert len(prior) == 2 * sum((height // s) * (width // s) for s in (8, 16, 32))
    box, points = np.array([33.0, 21.0, 40.0, 52.0]), np.arange(10, dtype=np.float64).reshape(5, 2) * 5 + 20
    side = prior[:, 2:]
    loc = np.concatenate(
        [(box[:2] + box[2:] / 2 - prior[:, :2]) / (0.1 * side), np.log(box[2:] / side) / 0.2], axis=1
    )
    landms = ((points[None] - prior[:, None, :2]) / (0.1 * side[:, None])).reshape(-1, 10)
    conf = np.zeros((len(prior), 2), np.float32)
    conf[[5, 77, 200], 1] = (0.8, 0.95, 0.7)
    outputs = [array.astype(np.float32)[None] for array in (loc, conf, landms)]
    found = retinaface.decoded(outputs, prior, Limits(0.5, 0.4, 100))
    assert len(found) == 1 and found[0].score == pytest.approx(0.95)
    assert (found[0].x, found[0].y, found[0].width, found[0].height) == pytest.approx(tuple(box), abs=1e-3)
    assert np.allclose(found[0].landmarks, points, atol=1e-3)


class Pose:
    """Answers as Ultralytics' export of a pose network would for faces at given places of its input."""

    name = "yolov8n_face"

    def __init__(self, faces, rows=20):
        self.faces, self.rows, self.given = faces, rows, None

    def batch(self, *inputs):
        (self.given,) = inputs
        out = np.zeros((1, self.rows, 40), np.float32)
        for index, (x, y, width, height, score) in enumerate(self.faces):
            out[0, :5, index] = (x, y, width, height, score)
            for point in range(min(5, (self.rows - 5) // 3)):
                out[0, 5 + 3 * point : 8 + 3 * point, index] = (x + point, y - point, 1.0)
        return [out]


def test_yolo_faces_come_back_out_of_the_letterbox():
    pixels = np.full((300, 400, 3), 200, np.uint8)
    scale, top = 640 / 400, (640 - 480) // 2
    face = (100.0 * scale, 150.0 * scale + top, 40.0 * scale, 60.0 * scale, 0.9)
    model = Pose([face, (face[0] + 3, *face[1:4], 0.8), (20, 20, 10, 10, 0.1)])
    found = YoloFace(YoloFaceParams(0.25, 0.7, 300, 640), FACTS, {"yolov8n_face": model}).detect(
        Frame(0, 0, pixels)
    )
    assert len(found) == 1  # the second lies over the first, the third is too faint
    assert (found[0].x, found[0].y, found[0].width, found[0].height) == pytest.approx(
        (80, 120, 40, 60), abs=0.02
    )
    assert found[0].landmarks[0] == pytest.approx((100, 150), abs=0.02)
    assert found[0].landmarks[4] == pytest.approx((100 + 4 / scale, 150 - 4 / scale), abs=0.02)
    assert model.given.shape == (1, 3, 640, 640) and model.given.dtype == np.float32
    assert model.given[0, :, 0, 0] == pytest.approx([114 / 255] * 3)
    assert model.given[0, :, 320, 320] == pytest.approx([200 / 255] * 3)


def test_a_yolo_graph_of_another_layout_is_refused_with_what_to_do():
    detector = YoloFace(YoloFaceParams(0.25, 0.7, 300, 640), FACTS, {"yolov8n_face": Pose([], rows=84)})
    with pytest.raises(GovernanceError, match=r"\(1, 84, 40\).*pose"):
        detector.detect(Frame(0, 0, np.zeros((30, 40, 3), np.uint8)))


def test_of_overlapping_boxes_the_best_stays_and_order_does_not_depend_on_the_network():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [30, 0, 10, 10]], np.float32)
    scores = np.array([0.6, 0.9, 0.7], np.float32)
    none = np.zeros((3, 0, 2), np.float32)
    assert [f.x for f in chosen(boxes, scores, none, Limits(0.1, 0.3, 10))] == [1, 30]
    assert [f.x for f in chosen(boxes, scores, none, Limits(0.1, 0.9, 10))] == [1, 30, 0]
    assert [f.x for f in chosen(boxes, scores, none, Limits(0.1, 0.9, 1))] == [1]
    assert chosen(boxes, scores, none, Limits(0.95, 0.3, 10)) == []
