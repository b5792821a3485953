"""Every main derivative was measured: one row each, every column there; what was not is withheld."""

from __future__ import annotations

from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.values import Verdict

MAIN_KINDS = ("photo", "master")


class MetricsPresent(Gate):
    """A derivative without measurements cannot be judged, so nobody may rely on it."""

    name: ClassVar[str] = "metrics_present"
    stage: ClassVar[str] = "qa_metrics"
    kind: ClassVar[str] = "quality"
    description: ClassVar[str] = "Every derivative was measured, with every column."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict a main derivative; one for the case where there is none."""
        if evidence.enhanced is None or evidence.metrics is None:
            return [Verdict(self.name, self.kind, False, observed="no manifest of metrics")]
        rows = {str(row["derivative"]): row for row in evidence.metrics.rows}
        columns = [str(column["name"]) for column in evidence.metrics.columns]
        found = []
        for derivative in evidence.enhanced.derivatives:
            if derivative.kind not in MAIN_KINDS:
                continue
            row = rows.get(derivative.number)
            absent = [c for c in columns if row is None or c not in row]
            problem = "not measured" if row is None else ", ".join(absent)
            found.append(
                Verdict(self.name, self.kind, not problem, derivative.exhibit, derivative.number,
                        "one row with every column", problem or "present", f"{len(columns)} columns")
            )  # fmt: skip
        return found or [Verdict(self.name, self.kind, True, expectation="no derivative was made")]
