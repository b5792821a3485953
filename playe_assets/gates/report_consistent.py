"""The report that was written validates against its published schema, and its findings have their digest."""

from __future__ import annotations

from typing import ClassVar

from playe_assets.core.canonical import digest
from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.values import Verdict


class ReportConsistent(Gate):
    """Looks at the report as it lies on the disk, not as it was meant."""

    name: ClassVar[str] = "report_consistent"
    stage: ClassVar[str] = "forensic_report"
    kind: ClassVar[str] = "integrity"
    description: ClassVar[str] = (
        "The report's findings have the digest that it states, and name every exhibit."
    )

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """Two verdicts: the digest, and the exhibits."""
        report = evidence.report
        if report is None:
            return [Verdict(self.name, self.kind, False, observed="no report was written")]
        if report.get("kind") == "notice":
            return [
                Verdict(self.name, self.kind, True, expectation="a notice was issued instead of a report")
            ]
        computed = digest(report["findings"])
        listed = {item["number"] for item in report["findings"]["exhibits"]}
        known = {e.number for e in evidence.ingest.exhibits}
        missing = ", ".join(sorted(known - listed))
        return [
            Verdict(self.name, self.kind, computed == report["findings_sha256"], None, None,
                    "findings digest", computed, str(report["findings_sha256"])),
            Verdict(self.name, self.kind, not missing, None, None, "every exhibit is named",
                    f"missing: {missing}" if missing else "all", f"{len(known)} exhibits"),
        ]  # fmt: skip
