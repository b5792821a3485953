"""Peak signal-to-noise ratio against the exhibit, against known truth, and what was gained on the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.contracts import Column, Metric, Pair
from playe_assets.metrics.scale import PSNR_OF_EQUALS, psnr, resized


@dataclass(frozen=True)
class PsnrParams:
    """None."""


class Psnr(Metric):
    """All channels together, peak 255 in 8-bit units; equal pictures count as 100 dB.

    Against the exhibit the derivative is brought to the exhibit's size (area average): an enhancement is
    meant to differ, so that value describes and does not judge. The baseline is the exhibit enlarged with
    Lanczos to the reference's size; the gain is what the recipe did better than that (negative: worse).
    """

    name = "psnr"
    version = "1"
    reference = "ISO/IEC 29170-1:2017; Z. Wang, A. C. Bovik: Mean squared error: love it or leave it?, 2009"
    columns = (
        Column("psnr_exhibit", "dB", 0.0, PSNR_OF_EQUALS, "none"),
        Column("psnr_reference", "dB", 0.0, PSNR_OF_EQUALS, "higher"),
        Column("psnr_baseline_reference", "dB", 0.0, PSNR_OF_EQUALS, "none"),
        Column("psnr_gain_reference", "dB", -PSNR_OF_EQUALS, PSNR_OF_EQUALS, "higher"),
    )
    Params: ClassVar[type] = PsnrParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """dB a column; the reference's columns are null without a reference."""
        against_exhibit = psnr(resized(pair.derivative, pair.exhibit), pair.exhibit)
        if pair.reference is None:
            return {
                "psnr_exhibit": against_exhibit,
                "psnr_reference": None,
                "psnr_baseline_reference": None,
                "psnr_gain_reference": None,
            }
        reached = psnr(resized(pair.derivative, pair.reference), pair.reference)
        baseline = psnr(resized(pair.exhibit, pair.reference), pair.reference)
        return {
            "psnr_exhibit": against_exhibit,
            "psnr_reference": reached,
            "psnr_baseline_reference": baseline,
            "psnr_gain_reference": reached - baseline,
        }
