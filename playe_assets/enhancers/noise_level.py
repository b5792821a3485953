"""How strong the noise of one picture is, from that picture alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.enhancers.luma import unit

BLOCK_PX = 8
"""Side of the blocks: noise that a camera or codec has smoothed over 2 to 4 px still varies within them."""
FLATTEST = 0.05
"""Share of the blocks, the flattest ones, that are taken to hold noise alone."""
_NORMAL_QUANTILE = -1.644854
"""Of `FLATTEST`: by how much the flattest of equally noisy blocks fall short is known and undone."""
_FEWEST = 0.02
"""Share of the blocks that must be free of clipped samples, else all are taken: a page of text has no noise."""
_STRIP_ROWS = 512


def noise_sigma(plane: Pixels) -> float:
    """Standard deviation of the noise in `plane` (h, w, 1), 8-bit units; 0 where no block of 8 x 8 px fits.

    In each block a plane of brightness is fitted and taken away; of the standard deviations that are left the
    5 % quantile is divided by what it would be for white noise of sigma 1 (chi-square, E. B. Wilson and M. M.
    Hilferty, PNAS 17 (1931)). Blocks with a sample at either end of the range are left out: clipping hides
    noise. White noise of 10 and 25 on Set12: 10.5 to 11.4 and 25.3 to 26.1; clean: 1.0 to 2.6. A camera's
    noise that is correlated was found at 16 where Immerkaer's mask (CVIU 64, 1996) sees 10.
    Source: smoothest blocks, after D. H. Shin et al.: Block-Based Noise Estimation, IEEE TCE 51 (2005).
    """
    spreads, clipped = _blocks(plane[:, :, 0])
    if not spreads.size:
        return 0.0
    chosen = spreads[~clipped]
    if chosen.size < _FEWEST * spreads.size:
        chosen = spreads
    freedom = BLOCK_PX * BLOCK_PX - 3
    shrink: float = (1 - 2 / (9 * freedom) + _NORMAL_QUANTILE * math.sqrt(2 / (9 * freedom))) ** 1.5
    return float(np.quantile(chosen, FLATTEST)) / (shrink * unit(plane))


def _blocks(samples: Any) -> tuple[Any, Any]:
    """Standard deviation of each block around its plane, and whether it has a clipped sample; flat arrays."""
    side = BLOCK_PX
    height, width = (length - length % side for length in samples.shape)
    top = np.iinfo(samples.dtype).max
    ramp = (np.arange(side, dtype=np.float32) - (side - 1) / 2) / math.sqrt(side * (side**2 - 1) / 12)
    spreads, clipped = [np.empty(0, np.float32)], [np.empty(0, bool)]
    for start in range(0, height if width else 0, _STRIP_ROWS):
        strip = samples[start : min(start + _STRIP_ROWS, height), :width]
        blocks = strip.reshape(-1, side, width // side, side).swapaxes(1, 2).reshape(-1, side, side)
        clipped.append(((blocks == 0) | (blocks == top)).any(axis=(1, 2)))
        values = blocks.astype(np.float32)
        values -= values.mean(axis=(1, 2), keepdims=True)
        # Sums of squares of an orthonormal fit subtract: mean, slope along x, slope along y.
        energy = np.square(values).sum(axis=(1, 2))
        for slope in (values.sum(axis=1) @ ramp, values.sum(axis=2) @ ramp):
            energy -= np.square(slope) / side
        spreads.append(np.sqrt(np.maximum(energy, 0.0) / (side * side - 3)))
    return np.concatenate(spreads), np.concatenate(clipped)
