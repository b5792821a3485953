"""Certificates: what passes, what fails, where one holds, and that a changed file is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from playe_assets.core.errors import IntegrityError
from playe_assets.inference import certificate
from playe_assets.inference.certificate import certify, find, golden_size, key_of, place_of, read
from playe_assets.inference.compare import POLICY
from playe_assets.inference.contract import Network, Target
from playe_assets_tests.inference.pretended import Pretended, card, torch_function

WEIGHTS = "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe"  # of the bytes below


def network(**changes) -> Network:
    facts = dataclasses.replace(card(), **{"sha256": WEIGHTS, **changes})
    return Network(facts, b"none", {"denoise": 0.5})


def soft(x: np.ndarray) -> np.ndarray:
    """The reference of these tests: any function will do."""
    return (x * np.float32(0.9) + np.float32(0.03)).astype(np.float32)


def made(folder: Path, function=soft, target: Target | None = None, net: Network | None = None, **options):
    target = target or Target()
    session = Pretended(function, precision=target.precision)
    return certify(
        net or network(),
        target,
        folder,
        open_session=lambda *_: session,
        reference=lambda x: [soft(x)],
        **options,
    )


def looked_up(folder: Path, target: Target | None = None, net: Network | None = None, **facts):
    session = Pretended(soft, precision=(target or Target()).precision)
    session.facts = dataclasses.replace(session.facts, **facts)
    return find(net or network(), target or Target(), folder, open_session=lambda *_: session)


def as_bf16(x: np.ndarray) -> np.ndarray:
    """Rounded to bfloat16's 8 significant bits, to nearest even, as a device does after each layer."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def test_an_engine_that_gives_the_same_passes_and_is_found_again(tmp_path):
    done = made(tmp_path)
    assert done.passed
    assert done.max_difference == 0
    found = looked_up(tmp_path)
    assert found == done
    assert found.sha256 == done.sha256
    assert (tmp_path / "certificates" / f"{done.sha256}.json").is_file()


def test_it_says_what_was_compared_with_what_and_where(tmp_path):
    plain = json.loads(
        (tmp_path / "certificates" / f"{made(tmp_path).sha256}.json").read_text(encoding="utf-8")
    )
    assert plain["weights_sha256"] == WEIGHTS
    assert plain["variant"] == {"denoise": 0.5}
    assert plain["place"]["device"] == "a processor"
    assert plain["place"]["version"] == "1"
    assert "threads" not in plain["place"]
    assert [tile["name"] for tile in plain["tiles"]] == [
        "photo", "text", "face", "noise", "colour", "black", "white", "grey",
    ]  # fmt: skip
    assert plain["thresholds"]["max_difference"] == pytest.approx(0.25 / 255)
    assert plain["verdict"] == "passed"
    assert plain["flat_shift_255"] == pytest.approx(0.1 * 255 - 0.03 * 255, rel=1e-4)


def test_bf16_that_loses_too_much_fails_is_kept_and_is_never_found(tmp_path):
    def careless(x):  # a large offset, as after a mean that is added late, eats the few bits of bf16
        return as_bf16(as_bf16(soft(x) + np.float32(3)) - np.float32(3))

    target = Target(precision="bf16")
    done = made(tmp_path, careless, target)
    assert not done.passed
    assert any("mean_difference" in reason for reason in done.reasons)
    assert (tmp_path / "certificates" / f"{done.sha256}.json").is_file()
    assert looked_up(tmp_path, target) is None
    # The same in fp32 is another certificate, and has not been made.
    assert looked_up(tmp_path) is None


def test_bf16_that_loses_little_passes_under_its_own_thresholds(tmp_path):
    target = Target(precision="bf16")
    done = made(tmp_path, lambda x: soft(as_bf16(x)), target)
    assert done.passed, done.reasons
    assert done.thresholds == POLICY["bf16"]
    assert not made(tmp_path, lambda x: soft(as_bf16(x))).passed  # said to be fp32


def spoilt(how):
    def function(x):
        out = soft(x)
        how(out)
        return out

    return function


def put_nan(out):
    out[0, 0, 5, 5] = np.nan


def put_black(out):
    out[:] = 0


def put_cast(out):
    out[:, 1] += 0.0004


def put_one_wrong_sample(out):
    out[0, 2, 7, 7] += 0.01


@pytest.mark.parametrize(
    ("how", "word"),
    [(put_nan, "not finite"), (put_black, "black"), (put_cast, "colour_difference"),
     (put_one_wrong_sample, "max_difference")],
)  # fmt: skip
def test_each_test_fails_an_engine_by_itself(tmp_path, how, word):
    done = made(tmp_path, spoilt(how))
    assert not done.passed
    assert any(word in reason for reason in done.reasons)
    assert looked_up(tmp_path) is None


def test_an_engine_with_other_outputs_than_the_reference_fails(tmp_path):
    assert not made(tmp_path, lambda x: soft(x)[:, :, ::2]).passed


@pytest.mark.parametrize(
    "other",
    [{"device": "another processor"}, {"driver": "1.2"}, {"version": "2"}, {"providers": ("cpu", "x")},
     {"options": {"use_tf32": 1}}, {"cuda": "13"}],
)  # fmt: skip
def test_a_certificate_holds_on_its_own_device_driver_and_version_only(tmp_path, other):
    made(tmp_path)
    assert looked_up(tmp_path) is not None
    assert looked_up(tmp_path, **other) is None


def test_threads_and_options_of_a_shape_do_not_matter(tmp_path):
    made(tmp_path)
    assert looked_up(tmp_path, threads=7) is not None
    assert looked_up(tmp_path, Target(threads=3)) is not None
    facts = dataclasses.replace(
        Pretended(soft).facts, options={"trt_profile_min_shapes": "x:1x3x8x8", "a": 1}
    )
    assert place_of(facts)["options"] == {"a": 1}


def test_other_weights_another_variant_or_another_graph_need_their_own(tmp_path):
    made(tmp_path)
    for net in (
        network(sha256="00" * 32),
        dataclasses.replace(network(), variant={"denoise": 0.6}),
        dataclasses.replace(network(), onnx=b"graph"),
        dataclasses.replace(network(), others={"wdn": b"other"}),
    ):
        assert looked_up(tmp_path, net=net) is None
    assert looked_up(tmp_path, Target(runtime="onnxruntime")) is None


def test_stricter_thresholds_or_other_golden_tiles_make_old_certificates_worthless(tmp_path, monkeypatch):
    made(tmp_path)
    with monkeypatch.context() as now:
        now.setattr(certificate, "VERSION", 2)
        assert looked_up(tmp_path) is None
    stricter = dataclasses.replace(POLICY["fp32"], max_difference=1e-6)
    monkeypatch.setitem(POLICY, "fp32", stricter)
    assert looked_up(tmp_path) is None


def test_a_certificate_that_was_changed_is_refused_with_its_name(tmp_path):
    done = made(tmp_path, spoilt(put_black))
    path = tmp_path / "certificates" / f"{done.sha256}.json"
    path.write_text(path.read_text(encoding="utf-8").replace("failed", "passed"), encoding="utf-8")
    with pytest.raises(IntegrityError, match=done.sha256):
        looked_up(tmp_path)
    with pytest.raises(IntegrityError, match="playe models certify"):
        read(path)


def test_a_certificate_whose_file_is_gone_does_not_count(tmp_path):
    done = made(tmp_path)
    (tmp_path / "certificates" / f"{done.sha256}.json").unlink()
    assert looked_up(tmp_path) is None
    assert read(tmp_path / "certificates" / f"{done.sha256}.json") is None


def test_a_later_pass_counts_after_an_earlier_failure_and_a_later_failure_does_not_hide_a_pass(tmp_path):
    made(tmp_path, spoilt(put_nan))
    passed = made(tmp_path)
    made(tmp_path, spoilt(put_black))
    assert looked_up(tmp_path) == passed


def test_a_detector_is_compared_relative_to_the_span_of_its_outputs(tmp_path):
    def boxes(x):
        return (x.reshape(1, -1, 4) * np.float32(640)).astype(np.float32)

    def session_of(wrong):
        return lambda *_: Pretended(lambda x: boxes(x) + np.float32(wrong))

    facts = dataclasses.replace(card("none", 0, 0, 32), sha256=WEIGHTS)
    net = Network(facts, b"none")
    for wrong, passes in ((0.03, True), (3.0, False)):
        done = certify(
            net, Target(), tmp_path, open_session=session_of(wrong), reference=lambda x: [boxes(x)]
        )
        assert done.passed is passes, done.reasons
        assert {tile.colour_difference for tile in done.tiles} == {None}


def test_the_golden_size_follows_the_network_and_the_device():
    assert golden_size(network(), Target()) == (96, 96)
    assert golden_size(network(), Target(device="cuda:0")) == (64, 64)  # the card's tile
    assert golden_size(network(), Target(), px=50) == (50, 50)
    faces = Network(card("none", 0, 0, hyper={"size": 512}), b"")
    assert golden_size(faces, Target(), px=50) == (512, 512)
    wide = Network(card("none", 0, 0, hyper={"size": [320, 240]}), b"")
    assert golden_size(wide, Target()) == (240, 320)
    assert golden_size(Network(card(multiple=64), b""), Target()) == (128, 128)
    fixed = Network(dataclasses.replace(card(tile=64, multiple=8), architecture="SwinIR"), b"")
    assert golden_size(fixed, Target()) == (64, 64)


def test_the_key_does_not_depend_on_the_order_of_a_variant():
    one = dataclasses.replace(network(), variant={"a": 1.0, "b": 2.0})
    two = dataclasses.replace(network(), variant={"b": 2.0, "a": 1.0})
    assert key_of(one, Target()) == key_of(two, Target())


@pytest.mark.shared_data
def test_a_real_network_through_onnx_runtime_is_certified_against_torch(shared_data, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.export import build

    cards = model_cards(Path(__file__).parents[2] / "models-data" / "registry.yaml")
    data = (shared_data / "weights" / "ntire2022_esr" / "model_zoo" / "team04_rlfn.pth").read_bytes()
    net = build(Network(cards["rlfn_x4"], data), tmp_path)
    done = certify(net, Target(), tmp_path, px=48)
    assert done.passed, done.reasons
    assert done.reference["name"] == "torch"
    assert done.reference["version"] == torch.__version__
    assert done.max_difference < 1e-4
    assert find(net, Target(), tmp_path) == done


@pytest.mark.shared_data
def test_a_network_that_is_a_graph_is_held_against_the_graph_as_written(shared_data, tmp_path):
    pytest.importorskip("onnxruntime")
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.export import build

    cards = model_cards(Path(__file__).parents[2] / "models-data" / "registry.yaml")
    file = shared_data / "weights" / "fastestdet" / "example" / "onnx-runtime" / "FastestDet.onnx"
    net = build(Network(cards["fastestdet"], file.read_bytes()), tmp_path)
    done = certify(net, Target(), tmp_path)
    assert done.passed, done.reasons
    assert done.reference["name"] == "onnxruntime"
    assert "there is no torch module" in done.reference["note"]


def test_a_torch_engine_in_half_precision_is_held_against_fp32(tmp_path):
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 3, 3, padding=1)
    ).eval()
    function = torch_function(module)
    session = Pretended(lambda x: as_bf16(function(as_bf16(x))), precision="bf16")
    done = certify(network(), Target(precision="bf16"), tmp_path, open_session=lambda *_: session,
                   reference=lambda x: [function(x)])  # fmt: skip
    assert done.passed, done.reasons
    assert done.max_difference > 1e-4
