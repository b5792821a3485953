"""How the papers measure: PSNR and SSIM of the studio-range Y channel, a border of `scale` px left out.

The metrics of cases differ on purpose: `metrics.psnr` takes all channels, `metrics.ssim` full-range luma and a
uniform window of a preset's size. So the tables' protocol stands here, over the same PSNR and the same library.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from playe_assets.metrics.scale import psnr

SIGMA = 1.5
"""px; of the Gaussian window of 11 px in Wang et al., TIP 2004."""


def y_channel(pixels):
    """ITU-R BT.601 luma 16..235 of RGB uint8 as (h, w, 1) uint16 in 1/257 of an 8-bit level, not rounded to 8 bits.

    The weights are those of MATLAB's rgb2ycbcr, which the papers call; grey pictures are taken as they are.
    """
    if pixels.shape[2] == 1:
        return pixels.astype(np.uint16) * np.uint16(257)
    weights = np.array([65.481, 128.553, 24.966]) / 255.0
    return np.rint((16.0 + pixels.astype(np.float64) @ weights) * 257.0).astype(np.uint16)[:, :, None]


def score(made, truth, border):
    """(dB, SSIM) of two uint8 pictures of one size."""
    from skimage.metrics import structural_similarity

    one, other = (
        y_channel(p)[border : p.shape[0] - border, border : p.shape[1] - border] for p in (made, truth)
    )
    similar = structural_similarity(
        one[:, :, 0] / 257.0, other[:, :, 0] / 257.0, data_range=255.0, gaussian_weights=True, sigma=SIGMA,
        use_sample_covariance=False,
    )  # fmt: skip
    return psnr(one, other), float(similar)


def mean_score(pairs, border):
    """Mean of `score` over pairs of pictures."""
    found = [score(made, truth, border) for made, truth in pairs]
    return tuple(float(v) for v in np.mean(found, axis=0))


def read(path, mode="RGB"):
    """A picture as (h, w, c) uint8; skips where it is not among the test data."""
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the laboratory's test data")
    pixels = np.asarray(Image.open(path).convert(mode))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def set5(shared: Path):
    """The five pairs (low, high) of Set5 at x4, made with MATLAB's bicubic."""
    folder = shared / "sr_bench" / "Set5" / "image_SRF_4"
    names = [f"img_{k:03d}_SRF_4" for k in range(1, 6)]
    return [(read(folder / f"{n}_LR.png"), read(folder / f"{n}_HR.png")) for n in names]


def set12(shared: Path):
    """The twelve grey pictures of Set12."""
    return [read(shared / "sr_bench" / "denoise_Set12" / f"{k:02d}.png", "L") for k in range(1, 13)]
