"""Consistency with the exhibit: shrunk back to its size, does the derivative still say the same?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from playe_assets.core.contracts import Column, Metric, Pair
from playe_assets.metrics.scale import PSNR_OF_EQUALS, alike, psnr, resized


@dataclass(frozen=True)
class ConsistencyParams:
    """None."""


class Consistency(Metric):
    """The derivative, area-averaged to the exhibit's size, against the exhibit; 8-bit units.

    A derivative that invents structure fails here; one that removes noise differs by that noise.
    """

    name = "consistency"
    version = "1"
    reference = "A. Lugmayr et al.: NTIRE 2021 Learning the Super-Resolution Space Challenge (LR-PSNR)"
    columns = (
        Column("consistency_psnr", "dB", 0.0, PSNR_OF_EQUALS, "higher"),
        Column("consistency_mean_abs", "8-bit units", 0.0, 255.0, "lower"),
        Column("consistency_max_abs", "8-bit units", 0.0, 255.0, "lower"),
    )
    Params: ClassVar[type] = ConsistencyParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """One value a column."""
        shrunk = resized(pair.derivative, pair.exhibit)
        one, other = alike(shrunk, pair.exhibit)
        difference = np.abs(one - other)
        return {
            "consistency_psnr": psnr(shrunk, pair.exhibit),
            "consistency_mean_abs": float(np.mean(difference, dtype=np.float64)),
            "consistency_max_abs": float(np.max(difference)),
        }
