"""Networks over frames: tiles equal the whole, the certificate judges them, the official layout loads."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from playe_assets.core.errors import GovernanceError
from playe_assets.inference import windowed
from playe_assets.inference.contract import Network, Target
from playe_assets.inference.loaded import LoadedModel
from playe_assets_tests.inference.pretended import Pretended, card
from playe_assets_tests.plugins import scene
from playe_assets_tests.stand_ins import cards

FIVE = {"frames": 5, "noise_map": True}


def frames(height, width, channels=3, dtype=np.uint8):
    return [scene(height, width, channels, dtype, seed=k) for k in range(5)]


def loaded(function, **facts):
    session = Pretended(function)
    options = {"target": Target(), "open_session": lambda *_: session}
    return LoadedModel(Network(card(multiple=4, hyper=FIVE, **facts), b"none"), **options), session


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_is_given_all_frames_in_order_and_the_noise_and_gives_the_middle(channels, dtype):
    model, session = loaded(lambda x: x[:, 6:9])
    given = frames(41, 50, channels, dtype)
    assert np.array_equal(model.window(given, 51.0), given[2])
    assert session.shapes[0][1] == 16 and session.shapes[0][2] % 4 == 0
    for place in (0, 4):
        model, _ = loaded(lambda x, at=3 * place: x[:, at : at + 3])
        assert np.array_equal(model.window(given, 51.0), given[place])
    model, _ = loaded(lambda x: x[:, 15:].repeat(3, 1))
    assert np.unique(model.window(given, 51.0)) == [51 * (257 if dtype == np.uint16 else 1)]


def test_a_large_frame_is_tiled_and_the_halo_makes_it_exact():
    def smooth(x):
        import cv2

        mean = x[:, :15].reshape(-1, 5, 3, *x.shape[2:]).mean(1)
        return np.stack(
            [np.stack([cv2.blur(p, (9, 9), borderType=cv2.BORDER_REFLECT_101) for p in m]) for m in mean]
        )

    whole, _ = loaded(smooth, tile=400, border=4)
    tiled, session = loaded(smooth, tile=48, border=4)
    given = frames(120, 152)
    found = tiled.window(given, 10.0)
    assert len(session.shapes) > 6 and tiled.measured()["tiles"] > 6
    assert np.abs(found.astype(int) - whole.window(given, 10.0)).max() <= 1
    assert tiled.measured()["seam_max_255"] < 0.01


def test_too_few_frames_or_frames_of_two_sizes_are_refused():
    model, _ = loaded(lambda x: x[:, 6:9])
    with pytest.raises(GovernanceError, match="5 frames"):
        model.window(frames(40, 40)[:3], 1.0)
    with pytest.raises(GovernanceError, match="2 kinds"):
        model.window([*frames(40, 40)[:4], scene(40, 44)], 1.0)


def test_networks_of_pictures_are_given_what_they_were_given_before():
    for facts in (card(), card(order="grey"), card(range="-1..1", order="bgr")):
        pixels = scene(20, 24)
        assert windowed.frames_of(facts) == 1
        assert windowed.samples_of(facts) == (1 if facts.input.order == "grey" else 3)
        seen = pixels[:, :, :1] if facts.input.order == "grey" else pixels
        assert np.array_equal(windowed.golden(pixels, facts), windowed.given([seen], 0.0, facts))
        assert windowed.golden(pixels, facts).shape[1] == windowed.samples_of(facts)


def built(tmp_path, runtime, threads=1):
    """FastDVDnet with random weights, small, through build and certificate."""
    pytest.importorskip("torch")
    for library in {"onnxruntime": ["onnx", "onnxruntime"], "openvino": ["onnx", "openvino"]}.get(
        runtime, []
    ):
        pytest.importorskip(library)
    from playe_assets.inference.certificate import certify
    from playe_assets.inference.export import build
    from playe_assets_tests.inference.checkpoints import made

    network = made("fastdvdnet").network
    if runtime != "torch":
        network = build(network, tmp_path)
    target = Target(runtime, threads=threads)
    return network, target, certify(network, target, tmp_path, px=32)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime", "openvino"])
def test_an_engine_for_five_frames_is_certified_against_torch_and_gives_what_torch_gives(tmp_path, runtime):
    network, target, done = built(tmp_path, runtime)
    assert done.passed, done.reasons
    assert done.shape == (1, 16, 32, 32)
    assert all(tile.colour_difference is not None for tile in done.tiles)
    given = frames(37, 50)
    ours = LoadedModel(network, target, certificate=done.sha256).window(given, 20.0)
    plain = LoadedModel(dataclasses.replace(network, onnx=None), Target("torch", threads=1)).window(
        given, 20.0
    )
    assert ours.shape == (37, 50, 3) and np.abs(ours.astype(int) - plain).max() <= 1
    other = LoadedModel(network, target).window([*given[:2], given[2], *given[:2]], 20.0)
    assert not np.array_equal(ours, other)


def test_the_border_of_the_card_holds_all_that_the_network_looks_at():
    torch = pytest.importorskip("torch")
    from playe_assets.inference.architectures.fastdvdnet import FastDvdNet
    from playe_assets_tests.inference.checkpoints import randomised

    border = cards()["fastdvdnet"].tiling.border
    module = randomised(FastDvdNet(2, (4, 4, 4)), 1.0)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():  # nothing is cut off by a ReLU, so that every path shows
                sign = 0.0 if name.endswith("running_mean") else -1.0 if "outc.convblock.3" in name else 1.0
                tensor.copy_(sign * (tensor.abs() + 0.01))
    for phase in range(4):
        side, at = 224, 112 + phase
        given = torch.rand(1, 16, side, side, generator=torch.Generator().manual_seed(3)).requires_grad_(True)
        module(given)[0, :, at, at].sum().backward()
        reached = given.grad.abs().sum((0, 1)).nonzero()
        far = int((reached - at).abs().max())
        assert border - 16 < far <= border


def test_the_official_layout_loads_with_the_prefix_of_parallel_training():
    torch = pytest.importorskip("torch")
    if importlib.util.find_spec("spandrel") is None:
        pytest.skip("the loading door needs the extra models")
    from playe_assets.inference import networks
    from playe_assets.inference.architectures.fastdvdnet import FastDvdNet
    from playe_assets_tests.inference.checkpoints import saved

    facts = dataclasses.replace(cards()["fastdvdnet"], sha256=None, bytes=None)
    official = FastDvdNet(facts.hyper["per_frame"], tuple(facts.hyper["features"]))
    state = {f"module.{name}": tensor for name, tensor in official.state_dict().items()}
    assert sum(p.numel() for p in official.parameters()) == pytest.approx(2.48e6, rel=0.005)
    assert "module.temp1.downc0.convblock.3.convblock.0.weight" in state
    assert state["module.temp2.inc.convblock.0.weight"].shape == (90, 4, 3, 3)
    module = networks.torch_module(Network(facts, saved(state, None)))
    with torch.no_grad():
        assert module(torch.rand(1, 16, 16, 20)).shape == (1, 3, 16, 20)
    del state["module.temp2.outc.convblock.3.weight"]
    with pytest.raises(GovernanceError, match=r"temp2\.outc"):
        networks.torch_module(Network(facts, saved(state, None)))


@pytest.mark.parametrize("name", ["fastdvdnet", "fastdvdnet_clipped"])
def test_its_cards_say_what_the_engine_must_know(name):
    facts = cards()[name]
    assert facts.task == "video denoising" and facts.ai_class.value == "fidelity"
    assert windowed.frames_of(facts) == 5 and windowed.samples_of(facts) == 16
    assert facts.input.multiple_of == 4 and facts.tiling.mode == "halo"
