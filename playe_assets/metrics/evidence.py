"""Agreement with the evidence: where the derivative differs from the exhibit, and structure that came or went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from playe_assets.core.contracts import Column, Metric, Pair
from playe_assets.media.evidence import disagreement, summary, unexplained


@dataclass(frozen=True)
class EvidenceParams:
    """None."""


class EvidenceAgreement(Metric):
    """The derivative, area-averaged to the exhibit's size, against the exhibit; 8-bit units.

    `evidence_*`: mean and 99th percentile of the local difference (5 x 5 px), whatever its cause. `structure_*`:
    99th percentiles of the local standard deviation (9 x 9 px) of luma that no local change of brightness
    and contrast explains; removed noise counts as lost, brightening and local contrast as neither.
    `uncertainty_mean`: mean standard deviation of a network's eight answers (self-ensemble), of the step with the
    highest; null where no step ran one.
    """

    name = "evidence"
    version = "1"
    reference = (
        "A. Lugmayr et al.: NTIRE 2021 Learning the Super-Resolution Space Challenge; K. He, J. Sun, X. Tang: "
        "Guided Image Filtering, TPAMI 35 (2013) (local linear model)"
    )
    columns = (
        Column("evidence_mean", "8-bit units", 0.0, 255.0, "lower"),
        Column("evidence_p99", "8-bit units", 0.0, 255.0, "lower"),
        Column("structure_added", "8-bit units", 0.0, 255.0, "lower"),
        Column("structure_lost", "8-bit units", 0.0, 255.0, "none"),
        Column("uncertainty_mean", "8-bit units", 0.0, 255.0, "lower"),
    )
    Params: ClassVar[type] = EvidenceParams

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """One value a column."""
        mean, high = summary(disagreement(pair.exhibit, pair.derivative))
        added, lost = unexplained(pair.exhibit, pair.derivative)
        return {
            "evidence_mean": mean,
            "evidence_p99": high,
            "structure_added": summary(added)[1],
            "structure_lost": summary(lost)[1],
            "uncertainty_mean": pair.measured.get("uncertainty_mean"),
        }
