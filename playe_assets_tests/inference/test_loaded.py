"""Pictures through a model: tiled equals whole, memory errors halve the tile, and the record says what happened."""

from __future__ import annotations

import dataclasses
import resource
import subprocess
import sys
import threading

import numpy as np
import pytest

from playe_assets.core.errors import GovernanceError, OutOfMemoryError
from playe_assets.inference import colour, loaded
from playe_assets.inference.contract import Network, Target
from playe_assets.inference.loaded import LoadedModel
from playe_assets_tests.inference.pretended import Pretended, card, torch_function


def model(facts, session, target=None, **options) -> LoadedModel:
    return LoadedModel(
        Network(facts, b"none"), target or Target(), open_session=lambda *_: session, **options
    )


def noise(height: int, width: int, channels: int = 3, dtype: type = np.uint8, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype, endpoint=True)


def whole(facts, function, pixels: np.ndarray) -> np.ndarray:
    """The network over the whole picture at once, float32 (c, h, w) on 0..1."""
    return colour.from_network(function(colour.to_network(pixels, facts.input)), facts.input, 3, "x")


@pytest.fixture
def blocks(monkeypatch):
    """What is written, before it is quantised: [(height, width, values)] in the order of writing."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    real = colour.quantised

    def quantised(values, out):
        seen.append((out, values.copy()))
        real(values, out)

    monkeypatch.setattr(colour, "quantised", quantised)
    return seen


def assembled(blocks, out: np.ndarray) -> np.ndarray:
    """The float values of all blocks, each at the place of `out` that it was written to."""
    values = np.full((out.shape[2], *out.shape[:2]), np.nan, np.float32)
    start = out.__array_interface__["data"][0]
    for view, block in blocks:
        at = view.__array_interface__["data"][0] - start
        y, x = divmod(at // out.itemsize // out.shape[2], out.shape[1])
        values[:, y : y + block.shape[1], x : x + block.shape[2]] = block
    return values


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "border"),
    [("realesr-general-x4v3.from-ncnn-fp16.pth", 34), ("realesr-animevideov3.plain.pth", 18)],
)
@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_real_esrgan_compact_in_tiles_equals_the_whole_within_1e_5(shared_data, blocks, file, border, device):
    torch = pytest.importorskip("torch")
    from playe_assets.inference.torchvision_shim import allow_torchvision

    allow_torchvision()
    spandrel = pytest.importorskip("spandrel")
    state = torch.load(shared_data / "weights" / "derived" / file, weights_only=True)
    function = torch_function(spandrel.ModelLoader().load_from_state_dict(state).model.eval())
    facts = card(tile=104, border=border, scale=4)
    session = Pretended(function)
    pixels = noise(108, 121)
    # `cuda:0` only chooses fixed squares and full batches here; the session is the same.
    learned = model(facts, session, Target(device=device), batch=2)
    out = learned.picture(pixels)
    assert np.abs(assembled(blocks, out) - whole(facts, function, pixels)).max() <= 1e-5
    assert learned.measured()["tiles"] >= 2
    assert learned.measured()["seam_max_255"] < 1e-3


def test_a_strided_network_with_local_statistics_in_tiles_equals_the_whole_within_1e_5(blocks):
    torch = pytest.importorskip("torch")
    from torch import nn

    class Local(nn.Module):
        """NAFNet's form in small: gates, attention by the mean of a window, one stride of 2, a skip."""

        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(3)
            self.first = nn.Conv2d(3, 8, 3, padding=1)
            self.down = nn.Conv2d(8, 16, 2, 2)
            self.middle = nn.Conv2d(16, 32, 3, padding=1)
            self.attention = nn.Conv2d(16, 16, 1)
            self.up = nn.Sequential(nn.Conv2d(16, 32, 1), nn.PixelShuffle(2))
            self.last = nn.Conv2d(8, 3, 3, padding=1)

        def forward(self, x):
            skip = self.first(x)
            a, b = self.middle(self.down(skip)).chunk(2, 1)
            gated = a * b
            mean = nn.functional.avg_pool2d(gated, 13, 1, 6, count_include_pad=False)
            return x + self.last(self.up(gated * self.attention(mean)) + skip)

    function = torch_function(Local().eval())
    facts = card(tile=80, border=1 + 2 * (1 + 6) + 2 + 1, multiple=2)
    learned = model(facts, Pretended(function))
    pixels = noise(151, 203)  # odd on purpose: mirrored to the multiple, then cropped
    out = learned.picture(pixels)
    mirrored = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), mode="reflect")
    expected = whole(facts, function, mirrored)[:, :151, :203]
    assert np.abs(assembled(blocks, out) - expected).max() <= 1e-5
    assert learned.measured()["tiles"] > 4


def test_nafnet_with_local_statistics_in_tiles_equals_the_whole_within_1e_5(blocks, monkeypatch):
    torch = pytest.importorskip("torch")
    from playe_assets.inference.torchvision_shim import allow_torchvision

    allow_torchvision()
    arch = pytest.importorskip("spandrel.architectures.NAFNet.__arch.NAFNet_arch")
    from playe_assets.inference.architectures import nafnet
    from playe_assets.inference.architectures.contract import Checkpoint

    torch.manual_seed(5)
    plain = arch.NAFNet(img_channel=3, width=8, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1])
    for name, values in plain.named_parameters():
        if name.endswith(("beta", "gamma")):  # zero when fresh, and then the blocks would do nothing
            torch.nn.init.normal_(values, std=0.5)
    # The official window of 384 px reaches farther than any tile, through 36 blocks; a small one is held to
    # the same equality: three blocks of at most 16 px each to a side, and their convolutions.
    monkeypatch.setattr(nafnet, "WINDOW", 16)
    facts = card(tile=192, border=3 * 16 + 12, multiple=2)
    facts = dataclasses.replace(facts, tiling=dataclasses.replace(facts.tiling, local_statistics=True))
    function = torch_function(nafnet.NAFNet().build(Checkpoint(facts, plain.state_dict())))
    learned = model(facts, Pretended(function))
    pixels = noise(210, 300)
    out = learned.picture(pixels)
    assert np.abs(assembled(blocks, out) - whole(facts, function, pixels)).max() <= 1e-5
    assert learned.measured()["tiles"] > 1


def test_the_seam_measure_shows_a_border_that_is_too_short():
    def blurred(x):
        return np.stack([sum(np.roll(x, k, axis=3) for k in range(-9, 10)) / 19])[0]

    measured = {}
    for border in (3, 10):
        learned = model(card(tile=64, border=border), Pretended(blurred))
        learned.picture(noise(64, 300))
        measured[border] = learned.measured()["seam_max_255"]
    assert measured[3] > 5
    assert measured[10] < 1e-3


def test_a_model_without_bounded_view_is_blended_and_its_seams_are_measured():
    def centred(x):  # depends on the whole tile
        return x - x.mean(axis=(2, 3), keepdims=True) + 0.5

    learned = model(card("overlap", tile=110, border=24), Pretended(centred))
    ramp = np.linspace(40, 200, 400).astype(np.uint8)[None, :, None].repeat(60, 0).repeat(3, 2)
    out = learned.picture(ramp)
    seams = learned.measured()
    assert seams["seam_max_255"] > 10
    assert seams["seam_mean_255"] > 10
    assert np.abs(np.diff(out[30, :, 0].astype(int))).max() < 10  # no step where tiles meet


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", ["rgb", "bgr", "grey"])
def test_depth_and_channels_stay_and_nothing_is_lost_on_the_way(dtype, channels, order):
    pixels = noise(90, 120, channels, dtype)
    before = pixels.copy()
    learned = model(card(order=order, multiple=8), Pretended(lambda x: x), batch=3)
    out = learned.picture(pixels)
    assert out.dtype == dtype
    assert np.array_equal(out, pixels)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 300), (5, 3), (16, 16), (17, 200)])
def test_any_size_of_picture_goes_through(height, width):
    learned = model(card(multiple=16, scale=2), Pretended(lambda x: x.repeat(2, 2).repeat(2, 3)))
    pixels = noise(height, width)
    assert np.array_equal(learned.picture(pixels), pixels.repeat(2, 0).repeat(2, 1))


def test_on_a_device_all_batches_of_large_pictures_have_one_shape():
    session = Pretended(lambda x: x)
    learned = model(card(), session, Target(device="cuda:0"), batch=4)
    for size in ((300, 300), (97, 210)):
        pixels = noise(*size)
        assert np.array_equal(learned.picture(pixels), pixels)
    assert set(session.shapes) == {(4, 3, 64, 64)}


def test_the_device_never_sees_more_than_one_batch_of_tiles():
    session = Pretended(lambda x: x)
    model(card(tile=64), session, batch=2).picture(noise(500, 700))
    assert max(np.prod(shape) for shape in session.shapes) <= 2 * 3 * 64 * 64


def test_too_little_memory_halves_the_tile_and_the_record_says_so():
    session = Pretended(lambda x: x, room=40 * 40)
    learned = model(card(tile=128, border=4), session)
    pixels = noise(300, 300)
    assert np.array_equal(learned.picture(pixels), pixels)
    assert learned.measured()["tile_halvings"] == 2
    assert learned.facts()["tiling"] | {"shape": None} == {
        "mode": "halo", "tile": 32, "border": 4, "batch": 1, "shape": None, "halved": 2, "low_pass_px": 0,
    }  # fmt: skip
    seen = len(session.shapes)
    learned.picture(pixels)  # remembered: no second failure
    assert max(shape[2] * shape[3] for shape in session.shapes[seen:]) <= 40 * 40


def test_where_not_even_the_smallest_tile_fits_the_error_comes_through():
    learned = model(card(tile=128, border=4), Pretended(lambda x: x, room=10))
    with pytest.raises(OutOfMemoryError):
        learned.picture(noise(300, 300))


def test_a_model_without_tiling_sees_the_picture_whole_and_is_not_halved():
    session = Pretended(lambda x: x)
    pixels = noise(300, 200)
    assert np.array_equal(model(card("none", 0, 0), session).picture(pixels), pixels)
    assert session.shapes == [(1, 3, 300, 200)]
    with pytest.raises(OutOfMemoryError):
        model(card("none", 0, 0), Pretended(lambda x: x, room=10)).picture(pixels)


def test_a_network_that_is_built_for_one_size_sees_full_tiles_only():
    facts = dataclasses.replace(card("overlap", tile=64, border=8, multiple=8), architecture="SwinIR")
    session = Pretended(lambda x: x)
    learned = model(facts, session)
    for size in ((20, 30), (64, 64), (65, 200)):
        pixels = noise(*size)
        assert np.array_equal(learned.picture(pixels), pixels)
    assert {shape[2:] for shape in session.shapes} == {(64, 64)}
    with pytest.raises(OutOfMemoryError):
        model(facts, Pretended(lambda x: x, room=10)).picture(noise(300, 300))


def test_numbers_that_are_not_finite_stop_the_picture():
    learned = model(card(), Pretended(lambda x: x / np.float32(0) if x.shape[2] else x))
    with np.errstate(all="ignore"), pytest.raises(GovernanceError, match="not finite"):
        learned.picture(noise(200, 200))


def test_an_output_of_another_size_than_the_card_says_is_refused():
    with pytest.raises(GovernanceError, match="states a wrong scale"):
        model(card(scale=2), Pretended(lambda x: x)).picture(noise(20, 20))


@pytest.mark.parametrize("level", [0, 13, 128, 254, 255])
@pytest.mark.parametrize("mode", ["halo", "overlap"])
def test_flat_fields_keep_their_colour_where_the_correction_is_on(level, mode):
    shift = np.array([3, -2, 1], np.float32).reshape(1, 3, 1, 1) / 255
    learned = model(card(mode, tile=160, hyper={"low_pass_px": 6}), Pretended(lambda x: x * 0.98 + shift))
    flat = np.full((220, 310, 3), level, np.uint8)
    out = learned.picture(flat)
    assert np.abs(out.reshape(-1, 3).mean(0) - level).max() < 0.5
    assert learned.measured()["low_pass_max_255"] > 1
    assert learned.facts()["tiling"]["low_pass_px"] == 6


def test_the_correction_is_the_same_in_tiles_as_in_the_whole(blocks):
    def shifted(x):
        return (x * 0.9 + 0.03).repeat(2, 2).repeat(2, 3)

    pixels = noise(200, 260)
    out = model(card(tile=96, scale=2, border=1), Pretended(shifted), low_pass_px=7).picture(pixels)
    tiled = assembled(blocks, out)
    blocks.clear()
    out = model(card(tile=4096, scale=2, border=1), Pretended(shifted), low_pass_px=7).picture(pixels)
    assert np.abs(tiled - assembled(blocks, out)).max() <= 1e-5


def test_facts_name_the_model_the_weights_and_the_runtime():
    learned = model(card(name="some"), Pretended(lambda x: x), approval={"by": "Anna"}, certificate="ab" * 32)
    facts = learned.facts()
    assert set(facts) == {"model", "variant", "runtime", "precision", "tiling", "certificate"}
    assert facts["model"]["name"] == "some"
    assert (
        facts["model"]["weights_sha256"] == "140bedbf9c3f6d56a9846d2ba7088798683f4da0c248231336e6a05679e4fdfe"
    )
    assert facts["model"]["approval"] == {"by": "Anna"}
    assert facts["runtime"]["name"] == "pretended"
    assert facts["certificate"] == "ab" * 32


def test_facts_name_the_weights_that_were_blended_in():
    learned = model(card(name="some"), Pretended(lambda x: x))
    assert learned.facts()["model"]["blended_sha256"] is None
    both = dataclasses.replace(learned.network, others={"other": b"abc"})
    told = LoadedModel(both, Target(), open_session=learned._open).facts()["model"]
    assert told["blended_sha256"] == {
        "other": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    }, "whoever withdraws those weights finds the case"


def test_pictures_from_several_threads_do_not_mix():
    learned = model(card(tile=48), Pretended(lambda x: x))
    wrong: list[int] = []

    def work(seed: int) -> None:
        pixels = noise(150, 160, seed=seed)
        if not np.array_equal(learned.picture(pixels), pixels):
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_large_output_lies_in_a_scratch_file_that_has_no_name(monkeypatch, tmp_path):
    monkeypatch.setattr(loaded, "IN_MEMORY", 1000)
    learned = model(card(), Pretended(lambda x: x), scratch=tmp_path)
    pixels = noise(100, 100)
    out = learned.picture(pixels)
    assert isinstance(out, np.memmap)
    assert np.array_equal(out, pixels)
    assert list(tmp_path.iterdir()) == []


PEAK = """
import resource, sys
import numpy as np
from playe_assets.inference.contract import Network, Target
from playe_assets.inference.loaded import LoadedModel
from playe_assets_tests.inference.pretended import Pretended, card
side = int(sys.argv[1])
learned = LoadedModel(Network(card("overlap", 512, 32, scale=1), b""), Target(),
                      open_session=lambda *_: Pretended(lambda x: x * np.float32(0.5)))
pixels = np.full((side, side, 3), 200, np.uint8)
out = learned.picture(pixels)
assert out.min() == out.max() == 100
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - pixels.nbytes - out.nbytes)
"""


@pytest.mark.slow
def test_two_hundred_megapixels_need_no_more_memory_beside_the_pictures_than_ten():
    assert resource.getpagesize() > 0
    peaks = [
        int(subprocess.run([sys.executable, "-c", PEAK, str(side)], check=True, capture_output=True).stdout)
        for side in (3200, 14200)
    ]
    assert peaks[1] - peaks[0] < 64 << 20, peaks
