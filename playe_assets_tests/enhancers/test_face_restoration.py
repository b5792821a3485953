"""Face restoration: geometry by networks whose answer is known, since the restorers' weights are absent."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import ModelUse
from playe_assets.core.errors import GovernanceError, PresetError
from playe_assets.core.texts import catalogue
from playe_assets.core.values import AiClass
from playe_assets.enhancers import ENHANCERS
from playe_assets.enhancers.face_restoration import FaceRestoration, FaceRestorationParams
from playe_assets.inference.faces.align import FFHQ, FFHQ_SIDE, aligned, similarity
from playe_assets.inference.faces.finders import find
from playe_assets.inference.faces.found import Limits
from playe_assets_tests.onnx_models import real_model
from playe_assets_tests.plugins import FACTS, out_of_range, rebuilt, scene, survives_the_record

PARAMS = FaceRestorationParams(
    model="gfpgan_1_4", mode="quality", w=0.0, blend=1.0, detector="yunet_2023mar", min_score=0.7,
    nms_iou=0.3, top_k=5000, max_side_px=1280, min_face_px=48, max_face_px=1024, max_misfit_px=20.0, mask="ellipse",
    margin_px=16, feather_px=16.0, antialias=0.5, fade_frames=0, fade_share=0.0, smooth_radius=0, smooth_agreement=6.0,
)  # fmt: skip


class Finder:
    """Answers as YuNet would for faces with the given points; the box is 2.2 eye distances around them."""

    name = "yunet_2023mar"

    def __init__(self, *faces):
        self.faces = [np.array(f, np.float32) for f in faces]

    def batch(self, *inputs):
        height, width = inputs[0].shape[2:]
        sizes = [(height // s) * (width // s) for s in (8, 16, 32)]
        out = [np.zeros((1, n, c), np.float32) for c in (1, 1, 4, 10) for n in sizes]
        for index, points in enumerate(self.faces):
            centre, side = points.mean(axis=0), 2.2 * np.linalg.norm(points[1] - points[0])
            corner = np.array([index % (width // 8), index // (width // 8)])
            out[0][0, index] = out[3][0, index] = 0.9 - 0.01 * index
            out[6][0, index] = [*(centre / 8 - corner), *np.log([side / 8, side / 8])]
            out[9][0, index] = (points / 8 - corner).reshape(-1)
        return out


class Restorer:
    """A network whose answer is a formula of its input."""

    name = "gfpgan_1_4"

    def __init__(self, answer):
        self.answer, self.given = answer, []

    def batch(self, *inputs):
        self.given.append(inputs[0])
        return [self.answer(inputs[0]).astype(np.float32)]


def points(x, y, eyes, degrees=0.0):
    """Five points of a face whose template's middle lies at (x, y), its eyes `eyes` px apart."""
    template = (np.array(FFHQ) - (FFHQ_SIDE - 1) / 2) * eyes / (FFHQ[1][0] - FFHQ[0][0])
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return template @ rotation.T + (x, y)


def restored(pixels, answer, faces, **changes):
    params = dataclasses.replace(PARAMS, **changes)
    network = Restorer(answer)
    worker = FaceRestoration(params, FACTS, {params.detector: Finder(*faces), params.model: network})
    return worker.frame(pixels), worker, network


PLACES = [(200.3, 150.7, 30.0, 0.0), (230.1, 180.2, 55.0, 17.0), (240.0, 190.6, 90.0, -31.0)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("place", PLACES)
def test_a_network_that_changes_nothing_leaves_every_sample_as_it_was(place, channels, dtype):
    pixels = scene(400, 480, channels, dtype)
    pixels.setflags(write=False)
    result, worker, network = restored(pixels, lambda x: x, [points(*place)])
    assert np.array_equal(result, pixels) and not np.shares_memory(result, pixels)
    assert worker.measured()["faces_restored"] == 1 and worker.measured()["mean_change_8bit"] == 0
    assert network.given[0].shape == (1, 3, 512, 512) and network.given[0].dtype == np.float32
    assert network.given[0].min() >= -1 and network.given[0].max() <= 1


@pytest.mark.parametrize("spot", range(5))
@pytest.mark.parametrize("place", PLACES)
def test_what_the_network_draws_at_a_point_of_the_template_lands_on_that_point_of_the_face(place, spot):
    at = np.array(FFHQ[spot])
    y, x = np.mgrid[0:512, 0:512]
    sigma = 4.0 * 512 / (4.07 * place[2])  # some px of the frame, whatever the face's size
    drawn = 0.8 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * sigma**2))
    face = points(*place)
    pixels = np.full((400, 480, 1), 8000, np.uint16)
    result, _, _ = restored(pixels, lambda given: given + drawn, [face], feather_px=0.0, margin_px=0)
    change = result[:, :, 0].astype(float) - 8000
    rows, columns = np.mgrid[0:400, 0:480]
    centre = np.array([(columns * change).sum(), (rows * change).sum()]) / change.sum()
    assert np.abs(centre - face[spot]).max() < 0.1


def test_a_face_of_the_template_s_own_size_and_place_is_seen_sample_by_sample():
    pixels = scene(512, 512, 3)
    _, _, network = restored(pixels, lambda x: x, [np.array(FFHQ)])
    seen = (network.given[0][0].transpose(1, 2, 0) + 1) * 127.5
    assert np.abs(seen - pixels).max() < 0.01


def test_the_aligned_crop_is_upright_whatever_the_face_s_turn():
    upright = cv2.GaussianBlur(scene(512, 512, 3, seed=5), (0, 0), 5)
    crops = []
    for degrees in (0.0, 40.0):
        matrix = cv2.getRotationMatrix2D((255.5, 255.5), -degrees, 1.0)
        turned = cv2.warpAffine(
            upright, matrix, (512, 512), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        _, _, network = restored(
            turned, lambda x: x, [points(255.5, 255.5, FFHQ[1][0] - FFHQ[0][0], degrees)]
        )
        crops.append(network.given[0][0][:, 150:360, 150:360])
    assert np.abs(crops[0] - crops[1]).mean() * 127.5 < 1.0


@pytest.mark.parametrize("mask", ["ellipse", "box"])
def test_nothing_outside_the_mask_changes_and_the_map_says_where(mask):
    pixels = scene(400, 480, 3)
    result, worker, _ = restored(pixels, lambda x: -x, [points(240, 190, 40)], mask=mask)
    covered = worker.maps()["faces"]
    assert covered.shape == (400, 480, 1) and covered.dtype == np.uint8
    assert np.array_equal(result[covered[:, :, 0] == 0], pixels[covered[:, :, 0] == 0])
    assert covered[190, 240, 0] == 255
    side = 512 * 40 / (FFHQ[1][0] - FFHQ[0][0])
    share = np.count_nonzero(covered) / side**2
    low, high = (0.65, 0.79) if mask == "ellipse" else (0.8, 0.95)
    assert low < share < high


def test_the_soft_mask_leaves_no_step_at_its_edge():
    pixels = np.full((400, 480, 3), 100, np.uint8)
    result, _, _ = restored(pixels, lambda x: x + 0.8, [points(240, 190, 60)])
    plane = result[:, :, 0].astype(int)
    assert plane.max() - 100 == pytest.approx(102, abs=1)
    assert max(np.abs(np.diff(plane, axis=0)).max(), np.abs(np.diff(plane, axis=1)).max()) <= 7


def test_two_faces_that_overlap_share_their_pixels_and_none_is_changed_twice():
    pixels = np.full((400, 480, 3), 100, np.uint8)
    faces = [points(210, 190, 40), points(260, 190, 40)]
    result, worker, network = restored(pixels, lambda x: x + 0.4, faces)
    assert len(network.given) == 2 and worker.measured()["faces_restored"] == 2
    assert result.max() <= 100 + 52
    assert worker.maps()["faces"].max() == 255


@pytest.mark.parametrize(("mode", "w", "share"), [("quality", 0.0, 1.0), ("quality", 1.0, 0.5), ("identity", 0.0, 0.5),
                                                  ("identity", 0.5, 0.25), ("identity", 1.0, 0.0)])  # fmt: skip
def test_mode_and_w_say_how_much_of_the_change_is_taken_where_the_network_has_no_w(mode, w, share):
    pixels = np.full((400, 480, 3), 100, np.uint8)
    result, worker, _ = restored(pixels, lambda x: x + 0.4, [points(240, 190, 60)], mode=mode, w=w, blend=0.5)
    assert worker.measured()["pasted_share"] == pytest.approx(share / 2)
    assert int(result.max()) - 100 == pytest.approx(51 * share / 2, abs=0.51)


def test_codeformer_is_given_its_own_w_and_its_change_is_taken_whole():
    params = dataclasses.replace(PARAMS, model="codeformer", mode="identity", w=0.4)
    assert FaceRestoration.needs(params) == (ModelUse("yunet_2023mar"), ModelUse("codeformer", {"w": 0.7}))
    assert FaceRestoration.needs(PARAMS)[1] == ModelUse("gfpgan_1_4")
    _, worker, _ = restored(scene(400, 480), lambda x: x, [], model="codeformer", mode="identity", w=0.4)
    assert worker.measured()["pasted_share"] == 1.0 and worker.measured()["nearness"] == pytest.approx(0.7)


def test_faces_too_small_or_too_large_are_left_as_they_are_and_counted():
    pixels = scene(400, 480, 3)
    faces = [points(60, 60, 12), points(300, 200, 90)]
    result, worker, network = restored(pixels, lambda x: -x, faces, min_face_px=40, max_face_px=150)
    assert np.array_equal(result, pixels) and network.given == []
    measured = worker.measured()
    assert (measured["faces_found"], measured["faces_too_small"], measured["faces_too_large"]) == (2, 1, 1)
    assert not worker.maps()["faces"].any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_stays_grey_and_sixteen_bits_stay_sixteen(dtype):
    grey = scene(400, 480, 1, dtype)
    tint = np.array([0.4, -0.2, 0.1]).reshape(1, 3, 1, 1)
    for pixels in (grey, np.repeat(grey, 3, axis=2)):
        result, _, _ = restored(pixels, lambda x: x + tint, [points(240, 190, 60)])
        assert result.dtype == dtype and result.shape == pixels.shape
        assert (result.max(axis=2) == result.min(axis=2)).all()
        assert not np.array_equal(result, pixels)
    if dtype == np.uint16:
        assert len(np.unique(result.astype(int) - pixels)) > 300  # finer than steps of 8 bit


def test_a_face_at_the_border_is_restored_as_far_as_it_is_there():
    pixels = scene(200, 220, 3)
    for x, y in ((10, 12), (215, 195), (110, 4)):
        result, worker, _ = restored(pixels, lambda x: -x, [points(x, y, 60)])
        assert result.shape == pixels.shape and worker.measured()["faces_restored"] == 1
        assert not np.array_equal(result, pixels)


@pytest.mark.parametrize("answer", [lambda x: x * np.nan, lambda x: x[:, :, ::2], lambda x: x[:, :1]])
def test_an_answer_that_is_no_picture_is_refused(answer):
    with pytest.raises(GovernanceError, match="playe models certify gfpgan_1_4"):
        restored(scene(400, 480), answer, [points(240, 190, 60)])


def test_a_detector_that_no_decoder_is_known_for_is_refused():
    params = dataclasses.replace(PARAMS, detector="blazeface")
    model = Finder()
    model.name = "blazeface"
    with pytest.raises(GovernanceError, match="yunet, retinaface, yolov8"):
        FaceRestoration(params, FACTS, {"blazeface": model}).frame(scene(64, 64))


def test_it_is_registered_as_generative_says_what_it_does_and_bounds_every_parameter():
    cls = ENHANCERS.get("face_restoration")
    assert cls is FaceRestoration and cls.ai_class is AiClass.GENERATIVE and cls.version and cls.reference
    assert survives_the_record(PARAMS)
    for key, value in out_of_range(PARAMS):
        with pytest.raises(PresetError):
            rebuilt(PARAMS, key, value)
    for language in ("en", "ru"):
        said = catalogue()["step.face_restoration"][language].format(**vars(PARAMS))
        assert said.endswith(".") and "{" not in said and "gfpgan_1_4" in said


@pytest.mark.shared_data
def test_real_faces_are_found_aligned_upright_and_come_back_unchanged_from_a_network_that_does_nothing(
    shared_data,
):
    path = shared_data / "media/faces_officials/examples/knn_examples/test/obama_and_biden.jpg"
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the laboratory's test data")
    pixels = np.asarray(Image.open(path).convert("RGB"))
    network, finder = Restorer(lambda x: x), real_model("yunet_2023mar", shared_data)
    worker = FaceRestoration(PARAMS, FACTS, {"yunet_2023mar": finder, "gfpgan_1_4": network})
    assert np.array_equal(worker.frame(pixels), pixels)
    measured = worker.measured()
    # Two men in front, and a child who looks aside.
    assert (measured["faces_found"], measured["faces_restored"], measured["faces_too_turned"]) == (3, 2, 1)
    for crop in network.given:
        again = ((crop[0].transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)
        face = find(finder, np.ascontiguousarray(again), Limits(0.7, 0.3, 100))[0]
        # The detector sees the aligned face where the template says, within its own uncertainty.
        assert np.abs(np.array(face.landmarks) - np.array(FFHQ)).max() < 20


@pytest.mark.shared_data
def test_a_network_that_knew_the_true_face_would_bring_it_back_where_it_belongs(shared_data):
    path = shared_data / "media/faces_officials/examples/obama.jpg"
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the laboratory's test data")
    true = np.asarray(Image.open(path).convert("RGB"))
    size = (true.shape[1], true.shape[0])
    small = cv2.resize(true, (size[0] // 8, size[1] // 8), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(small, size, interpolation=cv2.INTER_LANCZOS4)
    finder = real_model("yunet_2023mar", shared_data)
    (face,) = find(finder, blurred, Limits(0.7, 0.3, 100))
    crop = aligned(true, similarity(face.landmarks, FFHQ), FFHQ_SIDE, 0.5) * 2 - 1
    knowing = Restorer(lambda _: crop.transpose(2, 0, 1)[None])
    worker = FaceRestoration(PARAMS, FACTS, {"yunet_2023mar": finder, "gfpgan_1_4": knowing})
    result = worker.frame(blurred)
    whole = worker.maps()["faces"][:, :, 0] == 255
    before, after = (np.mean((p.astype(float) - true)[whole] ** 2) for p in (blurred, result))
    assert 10 * np.log10(255**2 / before) < 30 < 40 < 10 * np.log10(255**2 / after)
