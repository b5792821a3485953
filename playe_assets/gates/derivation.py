"""Every derivative is there, whole, and derived from listed exhibits only."""

from __future__ import annotations

from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import Derivative, Verdict


class Derivation(Gate):
    """Follows `was_derived_from` to the exhibit, and reads every derivative again."""

    name: ClassVar[str] = "derivation"
    stage: ClassVar[str] = "enhanced_frames"
    kind: ClassVar[str] = "integrity"
    description: ClassVar[str] = "Every derivative is whole and derived from listed exhibits only."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict a derivative; one for the case where there is none."""
        if evidence.enhanced is None:
            return [Verdict(self.name, self.kind, False, observed="no manifest of enhanced frames")]
        exhibits = {e.number: e.sha256 for e in evidence.ingest.exhibits if e.processable}
        made = {d.sha256 for d in evidence.enhanced.derivatives}
        found = []
        for derivative in evidence.enhanced.derivatives:
            problem = self._problem(evidence, derivative, exhibits, made)
            found.append(
                Verdict(self.name, self.kind, not problem, derivative.exhibit, derivative.number,
                        "whole, and derived from its exhibit", problem or "holds", derivative.sha256)
            )  # fmt: skip
        return found or [Verdict(self.name, self.kind, True, expectation="no derivative was made")]

    def _problem(
        self, evidence: Evidence, derivative: Derivative, exhibits: dict[str, str], made: set[str]
    ) -> str:
        parents = set(derivative.was_derived_from)
        if exhibits.get(derivative.exhibit) not in parents:
            return "its exhibit is not among what it was derived from"
        strangers = parents - set(exhibits.values()) - made
        if strangers:
            return f"derived from {min(strangers)}, which is no exhibit of the case"
        try:
            return "" if evidence.objects.verify(derivative.sha256) else "its bytes have another digest"
        except IntegrityError as problem:
            return problem.code
