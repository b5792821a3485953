"""`RealESRGANer` of the realesrgan package on the same weights and picture, and where it leaves the untiled truth."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import types
import warnings

import numpy as np
import pytest

from playe_assets.inference.torchvision_shim import allow_torchvision
from playe_assets_tests.parity.engines import ENGINES, FILES, GENERAL, loaded
from playe_assets_tests.parity.published import read

pytestmark = pytest.mark.shared_data
SCALE, TILE, PAD, REACH = 4, 64, 10, 34
"""`REACH` px around a px decide it: one for each of the 34 convolutions."""


@pytest.fixture
def package(monkeypatch):
    """The realesrgan package: basicsr 1.4.2 asks for a module that torchvision 0.17 took away."""
    pytest.importorskip("torch")
    if importlib.util.find_spec("realesrgan") is None:
        pytest.skip("the realesrgan package is not installed")
    allow_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their imports', not ours to mend
        from torchvision.transforms import functional

        alias = types.ModuleType("torchvision.transforms.functional_tensor")
        alias.rgb_to_grayscale = functional.rgb_to_grayscale
        monkeypatch.setitem(sys.modules, alias.__name__, alias)
        import realesrgan
        from realesrgan.archs.srvgg_arch import SRVGGNetCompact
    return realesrgan.RealESRGANer, SRVGGNetCompact


@pytest.fixture
def photograph(shared_data):
    """150 x 140 px of a photograph."""
    return np.ascontiguousarray(
        read(shared_data / "metrics" / "skimage_images" / "astronaut.png")[40:180, 150:300]
    )


def enhanced(package, shared, pixels, tile):
    """uint8 RGB in and out; the package works on BGR and prints its progress."""
    upsampler, network = package
    with contextlib.redirect_stdout(io.StringIO()):
        worker = upsampler(
            scale=SCALE, model_path=str(shared / FILES[GENERAL]), tile=tile, tile_pad=PAD, pre_pad=0, half=False,
            model=network(num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=SCALE, act_type="prelu"),
        )  # fmt: skip
        return worker.enhance(pixels[:, :, ::-1], outscale=SCALE)[0][:, :, ::-1].astype(int)


@pytest.mark.parametrize("engine", ENGINES)
def test_untiled_realesrganer_and_ours_agree_within_one_level(
    shared_data, graphs, package, photograph, engine
):
    ours = loaded(GENERAL, shared_data, graphs, engine).picture(photograph).astype(int)
    assert np.abs(ours - enhanced(package, shared_data, photograph, 0)).max() <= 1


def test_tiled_realesrganer_agrees_away_from_its_tile_borders_and_not_at_them(
    shared_data, graphs, package, photograph
):
    ours = loaded(GENERAL, shared_data, graphs, "onnxruntime").picture(photograph).astype(int)
    apart = np.abs(ours - enhanced(package, shared_data, photograph, TILE)).max(axis=2)
    away = np.logical_and.outer(*(_away(side) for side in photograph.shape[:2]))
    assert away.any() and apart[away].max() <= 1
    assert apart[~away].max() > 1  # its pad of 10 px is less than what the network looks at


def _away(length):
    """Output rows whose whole surroundings lay in the tile that made them."""
    far = np.ones(length, bool)
    for border in range(TILE, length, TILE):
        far[max(0, border - (REACH - PAD)) : border + (REACH - PAD)] = False
    return np.repeat(far, SCALE)
