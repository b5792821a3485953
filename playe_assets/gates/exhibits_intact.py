"""Every exhibit's working copy still has the sha256 under which it was received."""

from __future__ import annotations

from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.errors import IntegrityError
from playe_assets.core.values import Verdict


class ExhibitsIntact(Gate):
    """Reads every exhibit again, quarantined ones too: they are evidence as well."""

    name: ClassVar[str] = "exhibits_intact"
    stage: ClassVar[str] = "ingested_media"
    kind: ClassVar[str] = "integrity"
    description: ClassVar[str] = "Every exhibit is read again and has the sha256 under which it was received."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict an exhibit; one for the case where it has none (all entries were refused)."""
        found = []
        for exhibit in evidence.ingest.exhibits:
            try:
                intact = evidence.objects.verify(exhibit.sha256)
                observed = "equal" if intact else "another digest"
            except IntegrityError as problem:
                intact, observed = False, problem.code
            found.append(
                Verdict(self.name, self.kind, intact, exhibit.number, None, "sha256 equal on re-read",
                        observed, exhibit.sha256)
            )  # fmt: skip
        return found or [Verdict(self.name, self.kind, True, expectation="no exhibit was taken in")]
