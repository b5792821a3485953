"""Our engines' pictures beside those that spandrel stored, and beside spandrel itself where it stored none."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets_tests.parity.engines import ANIME, ENGINES, FILES, GENERAL, loaded, spandrel
from playe_assets_tests.parity.published import read

pytestmark = pytest.mark.shared_data


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("picture", ["16x16", "32x32"])
def test_general_x4v3_gives_spandrels_stored_pictures(shared_data, graphs, picture, engine):
    peers = shared_data / "peers"
    given = read(peers / "spandrel_inputs" / f"{picture}.png")
    stored = read(peers / "spandrel_outputs" / picture / "realesr-general-x4v3.png")
    made = loaded(GENERAL, shared_data, graphs, engine).picture(given)
    apart = np.abs(made.astype(int) - stored.astype(int))
    assert apart.max() <= 1
    # The weights at hand are rounded to fp16, the stored pictures come from fp32 ones: 1 in 40 samples turns.
    assert (apart > 0).mean() < 0.05


@pytest.mark.parametrize("engine", ENGINES)
def test_animevideov3_gives_what_spandrel_gives_now(shared_data, graphs, engine):
    """Spandrel stored no picture of this model, so that it is asked."""
    theirs = descriptor(shared_data / FILES[ANIME])
    ours = loaded(ANIME, shared_data, graphs, engine)
    for picture in ("8x8", "16x16", "32x32", "64x64"):
        given = read(shared_data / "peers" / "spandrel_inputs" / f"{picture}.png")
        apart = np.abs(ours.picture(given).astype(int) - upscaled(theirs, given).astype(int))
        assert apart.max() <= 1, picture


def test_both_files_of_animevideov3_hold_one_network(shared_data, graphs):
    given = read(shared_data / "peers" / "spandrel_inputs" / "32x32.png")
    official = "weights/realesrgan_compact_pth/realesr-animevideov3.pth"
    plain, other = (loaded(ANIME, shared_data, graphs, "onnxruntime", file) for file in (None, official))
    assert np.array_equal(plain.picture(given), other.picture(given))


def descriptor(path):
    """The model as spandrel's own loader makes it."""
    loader = spandrel().ModelLoader()
    import torch

    state = torch.load(path, weights_only=True, map_location="cpu")
    return loader.load_from_state_dict(state).eval()


def upscaled(model, pixels):
    """uint8 RGB in and out through spandrel's descriptor."""
    import torch

    values = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255.0)
    with torch.inference_mode():
        found = model(values)[0].permute(1, 2, 0).numpy()
    return np.rint(np.clip(found, 0.0, 1.0) * 255.0).astype(np.uint8)
