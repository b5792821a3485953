"""Identity: SFace's weights are absent, so a stand-in that sees coarse appearance takes an embedder's place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from playe_assets.core.contracts import ModelUse, Pair
from playe_assets.core.errors import GovernanceError, PresetError
from playe_assets.core.tracks import Seen
from playe_assets.core.values import Detection
from playe_assets.inference.faces.align import ARCFACE, FFHQ, FFHQ_SIDE, aligned, similarity
from playe_assets.inference.faces.finders import find
from playe_assets.inference.faces.found import Limits
from playe_assets.inference.faces.likeness import Taking, distance, embedding
from playe_assets.metrics import METRICS
from playe_assets.metrics.identity import Identity, IdentityParams
from playe_assets_tests.onnx_models import OnnxModel, real_model
from playe_assets_tests.plugins import out_of_range, rebuilt, scene, survives_the_record

CARD = "sface_2021dec"
PARAMS = IdentityParams(CARD, "0..255", "rgb", min_eyes_px=24.0, max_misfit_px=6.0)


def stand_in_embedder():
    """An ONNX graph of the embedders' form, not SFace: 7 x 7 means, their mean taken off, a fixed projection."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(7).normal(size=(7 * 7 * 3, 128)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["face"], ["cells"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("ReduceMean", ["cells"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Sub", ["cells", "mean"], ["centred"]),
        helper.make_node("Flatten", ["centred"], ["flat"]),
        helper.make_node("MatMul", ["flat", "projection"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes, "stand-in", [helper.make_tensor_value_info("face", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, 128])],
        [numpy_helper.from_array(weights, "projection")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return OnnxModel(model.SerializeToString(), CARD)


@pytest.fixture(scope="module")
def embedder():
    return stand_in_embedder()


class Watched:
    """An embedder that keeps what it was given and answers with a fixed direction."""

    name = CARD

    def __init__(self, answer=(1.0, 0.0)):
        self.answer, self.given = np.array([answer], np.float32), []

    def batch(self, *inputs):
        self.given.append(inputs[0])
        return [self.answer]


def face(x, y, eyes, stretch=1.0):
    template = (np.array(ARCFACE) - 55.5) * eyes / (ARCFACE[1][0] - ARCFACE[0][0]) * (stretch, 1.0)
    points = tuple((float(px + x), float(py + y)) for px, py in template)
    return Detection("face", x - eyes, y - eyes, 2 * eyes, 2 * eyes, 0.9, points)


def measured(exhibit, derivative, faces, model, params=PARAMS):
    return Identity(params, {CARD: model}).measure(Pair(exhibit, derivative, None, faces))


def smooth(seed=1, channels=3, dtype=np.uint8):
    picture = cv2.GaussianBlur(scene(240, 300, channels, dtype, seed), (0, 0), 3)
    return picture.reshape(240, 300, channels)


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_derivative_that_is_only_larger_keeps_its_faces(embedder, channels, dtype, scale):
    exhibit = smooth(1, channels, dtype)
    larger = cv2.resize(exhibit, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
    found = measured(
        exhibit, larger.reshape(240 * scale, 300 * scale, channels), (face(150, 120, 50),), embedder
    )
    assert tuple(found) == tuple(c.name for c in Identity.columns)
    assert found["identity_faces"] == 1 and found["identity_unjudged"] == 0
    assert 0 <= found["identity_distance"] < (1e-6 if scale == 1 else 0.01)


def test_another_face_at_the_same_place_is_far_and_the_worst_of_several_counts(embedder):
    exhibit = smooth(1)
    derivative = exhibit.copy()
    derivative[:, 150:] = 255 - derivative[:, 150:]
    faces = (face(75, 120, 40), face(225, 120, 40))
    found = measured(exhibit, derivative, faces, embedder)
    assert found["identity_faces"] == 2 and found["identity_distance"] > 1.5
    assert measured(exhibit, derivative, faces[:1], embedder)["identity_distance"] < 0.3


def test_a_face_with_too_little_information_is_counted_and_not_judged(embedder):
    exhibit = smooth()
    small, turned, without = (
        face(60, 60, 12),
        face(150, 120, 40, stretch=2.0),
        Detection("face", 9, 9, 50, 50, 0.9),
    )
    found = measured(exhibit, exhibit, (small, turned, without), embedder)
    assert found == {"identity_distance": None, "identity_faces": 0.0, "identity_unjudged": 3.0,
                     "identity_worst_track": None}  # fmt: skip
    assert measured(exhibit, exhibit, (), embedder) == {
        "identity_distance": None, "identity_faces": 0.0, "identity_unjudged": 0.0, "identity_worst_track": None,
    }  # fmt: skip
    smaller = rebuilt(PARAMS, "min_eyes_px", 10.0)
    assert measured(exhibit, exhibit, (small,), embedder, smaller)["identity_faces"] == 1


@pytest.mark.parametrize(("taken", "low", "high"), [("0..255", 0, 255), ("0..1", 0, 1), ("-1..1", -1, 1)])
def test_the_embedder_is_given_the_range_and_channel_order_of_its_card(taken, low, high):
    exhibit = np.zeros((200, 200, 3), np.uint8)
    exhibit[:, :, 0] = 255
    for order in ("rgb", "bgr"):
        model = Watched()
        found = measured(exhibit, exhibit, (face(100, 100, 40),), model,
                         IdentityParams(CARD, taken, order, 24.0, 6.0))  # fmt: skip
        assert found["identity_distance"] == 0
        (given, _) = model.given
        assert given.shape == (1, 3, 112, 112) and given.dtype == np.float32
        red = 0 if order == "rgb" else 2
        assert given[0, red, 56, 56] == pytest.approx(high) and given[0, 1, 56, 56] == pytest.approx(low)


def test_both_crops_lie_on_the_template_in_the_exhibit_and_in_the_larger_derivative():
    exhibit = np.zeros((240, 300, 1), np.uint8)
    there = face(150.4, 119.7, 40)
    y, x = np.mgrid[0:240, 0:300]
    for px, py in there.landmarks:
        exhibit[:, :, 0] = np.maximum(exhibit[:, :, 0], 250 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18))
    model = Watched()
    larger = cv2.resize(exhibit, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)[:, :, None]
    measured(exhibit, larger, (there,), model)
    rows, columns = np.mgrid[0:112, 0:112]
    for crop in model.given:
        for px, py in ARCFACE:
            near = crop[0, 0] * (np.hypot(columns - px, rows - py) < 8)
            centre = ((columns * near).sum() / near.sum(), (rows * near).sum() / near.sum())
            assert np.abs(np.array(centre) - (px, py)).max() < 0.15


@pytest.mark.parametrize("answer", [(0.0, 0.0), (np.nan, 1.0)])
def test_an_embedder_that_gives_no_direction_is_refused(answer):
    with pytest.raises(GovernanceError, match="playe models certify sface_2021dec"):
        measured(smooth(), smooth(), (face(150, 120, 50),), Watched(answer))


def test_distances_are_those_of_angles():
    axes = np.eye(2, dtype=np.float32)
    assert (
        distance(axes[0], axes[0]) == 0
        and distance(axes[0], axes[1]) == 1
        and distance(axes[0], -axes[0]) == 2
    )


def test_it_is_registered_states_its_model_and_bounds_every_parameter():
    assert METRICS.get("identity") is Identity and Identity.reference and Identity.version
    assert Identity.needs(PARAMS) == (ModelUse(CARD),)
    assert survives_the_record(PARAMS)
    for key, value in out_of_range(PARAMS):
        with pytest.raises(PresetError):
            rebuilt(PARAMS, key, value)


@pytest.mark.shared_data
def test_of_real_faces_the_same_man_enlarged_is_nearer_than_another_man_in_his_place(shared_data, embedder):
    folder = shared_data / "media/faces_officials/examples"
    if not (folder / "obama.jpg").is_file():
        pytest.skip("obama.jpg is not among the laboratory's test data")
    finder = real_model("yunet_2023mar", shared_data)
    pictures = [np.asarray(Image.open(folder / n).convert("RGB")) for n in ("obama.jpg", "biden.jpg")]
    found = [find(finder, p, Limits(0.7, 0.3, 100))[0] for p in pictures]
    matrices = [similarity(f.landmarks, FFHQ) for f in found]
    one, other = (
        np.rint(aligned(p, m, FFHQ_SIDE, 0.5) * 255).astype(np.uint8)
        for p, m in zip(pictures, matrices, strict=True)
    )
    there = Detection("face", 100, 100, 300, 350, 0.9, FFHQ)
    small = cv2.resize(one, (256, 256), interpolation=cv2.INTER_AREA)
    here = Detection("face", 50, 50, 150, 175, 0.9, tuple((x / 2 - 0.25, y / 2 - 0.25) for x, y in FFHQ))
    same = measured(small, one, (here,), embedder)["identity_distance"]
    replaced = measured(one, other, (there,), embedder)["identity_distance"]
    assert same < 0.01 < 0.1 < replaced
    assert (
        distance(*(embedding(embedder, p, FFHQ, Taking("0..255", "rgb")) for p in (one, other))) == replaced
    )


def on_track(number, x, y, eyes, stretch=1.0):
    there = face(x, y, eyes, stretch)
    return Seen(number, "face", there.x, there.y, there.width, there.height, there.landmarks)


def over_time(frames, embedder):
    """`frames`: (exhibit, derivative, tracks, faces)."""
    metric = Identity(PARAMS, {CARD: embedder})
    single = [metric.measure(Pair(a, b, None, faces, tracks=tracks)) for a, b, tracks, faces in frames]
    return metric.finish(), single


def test_a_track_that_fails_in_one_frame_only_is_judged_as_a_whole_and_one_that_drifts_fails(embedder):
    exhibit = smooth(1)
    changed = 255 - exhibit
    track = (on_track(4, 150, 120, 50),)
    once, frames = over_time(
        [(exhibit, changed if i == 2 else exhibit, track, ()) for i in range(8)], embedder
    )
    assert max(f["identity_distance"] for f in frames) > 1.5  # the frame by itself is someone else
    assert once["identity_distance"] < 0.3 and once["identity_worst_track"] == 4.0
    assert (once["identity_faces"], once["identity_unjudged"]) == (1.0, 0.0)
    always, _ = over_time([(exhibit, changed, track, ())] * 8, embedder)
    assert always["identity_distance"] > 1.5


def test_tracks_are_never_mixed_and_the_worst_is_named(embedder):
    exhibit = smooth(1)
    derivative = exhibit.copy()
    derivative[:, 150:] = 255 - derivative[:, 150:]
    both = (on_track(2, 75, 120, 40), on_track(9, 225, 120, 40))
    found, _ = over_time([(exhibit, derivative, both, ())] * 3, embedder)
    assert found["identity_worst_track"] == 9.0 and found["identity_distance"] > 1.5
    assert found["identity_faces"] == 2.0
    alone, _ = over_time([(exhibit, derivative, both[:1], ())] * 3, embedder)
    assert alone["identity_worst_track"] == 2.0 and alone["identity_distance"] < 0.3
    # The two cross: each track's vectors stay with its number.
    crossed, _ = over_time(
        [
            (exhibit, exhibit, both, ()),
            (exhibit, exhibit, (on_track(2, 225, 120, 40), on_track(9, 75, 120, 40)), ()),
        ],
        embedder,
    )
    assert crossed["identity_distance"] == pytest.approx(0.0, abs=1e-6)


def test_a_track_is_unjudged_only_if_no_frame_of_it_could_be_judged(embedder):
    exhibit = smooth()
    small, large, turned = on_track(1, 60, 60, 12), on_track(1, 60, 60, 40), on_track(5, 150, 120, 40, 2.0)
    found, _ = over_time(
        [(exhibit, exhibit, (small, turned), ()), (exhibit, exhibit, (large,), ())], embedder
    )
    assert (found["identity_faces"], found["identity_unjudged"]) == (1.0, 1.0)
    none, _ = over_time([(exhibit, exhibit, (small,), ())], embedder)
    assert none == {
        "identity_distance": None, "identity_faces": 0.0, "identity_unjudged": 1.0, "identity_worst_track": None,
    }  # fmt: skip


def test_a_face_that_no_track_holds_is_judged_by_itself_and_a_tracked_one_only_once(embedder):
    exhibit = smooth(1)
    derivative = exhibit.copy()
    derivative[:, 150:] = 255 - derivative[:, 150:]
    track, there, loose = on_track(2, 75, 120, 40), face(76, 121, 40), face(225, 120, 40)
    found, (single,) = over_time([(exhibit, derivative, (track,), (there, loose))], embedder)
    assert single["identity_faces"] == 2.0
    assert found["identity_worst_track"] is None and found["identity_distance"] > 1.5
    once, (single,) = over_time([(exhibit, derivative, (track,), (there,))], embedder)
    assert single["identity_faces"] == 1.0 and once["identity_worst_track"] == 2.0


def test_a_photograph_is_not_judged_by_tracks(embedder):
    exhibit = smooth(1)
    found, (single,) = over_time([(exhibit, exhibit, (), (face(150, 120, 50),))], embedder)
    assert found == {} and single["identity_faces"] == 1.0


def test_a_track_whose_embeddings_point_everywhere_is_far_from_everything():
    class Turning(Watched):
        def batch(self, *inputs):
            self.given.append(inputs[0])
            return [np.array([[1.0, 0.0] if len(self.given) % 4 < 2 else [-1.0, 0.0]], np.float32)]

    exhibit = smooth(1)
    found, _ = over_time([(exhibit, exhibit, (on_track(1, 150, 120, 50),), ())] * 4, Turning())
    assert found["identity_distance"] == 2.0
