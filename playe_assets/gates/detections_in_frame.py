"""Every finding belongs to a listed exhibit, was made on its very bytes, and lies inside its frame."""

from __future__ import annotations

from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.values import ExhibitDetections, Verdict


class DetectionsInFrame(Gate):
    """A box outside the frame means that coordinates were mixed up (rotation, scale), so nothing may rest on it."""

    name: ClassVar[str] = "detections_in_frame"
    stage: ClassVar[str] = "detections"
    kind: ClassVar[str] = "integrity"
    description: ClassVar[str] = "Every finding belongs to a listed exhibit and lies inside its frame."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict an exhibit; one for the case where nothing was to be looked at."""
        known = {e.number: e.sha256 for e in evidence.ingest.exhibits if e.processable}
        found = []
        for number, seen in sorted(evidence.detections.items()):
            problem = ""
            if known.get(number) != seen.source_sha256:
                problem = "not made on a listed exhibit"
            elif outside := _outside(seen):
                problem = f"{outside} boxes outside {seen.width}x{seen.height} px"
            found.append(
                Verdict(self.name, self.kind, not problem, number, None, "boxes inside the exhibit's frame",
                        problem or "inside", f"{seen.width}x{seen.height} px")
            )  # fmt: skip
        return found or [Verdict(self.name, self.kind, True, expectation="no exhibit was searched")]


def _outside(seen: ExhibitDetections) -> int:
    slack = 0.02  # boxes are rounded to 0.01 px
    return sum(
        d.x < -slack
        or d.y < -slack
        or d.x + d.width > seen.width + slack
        or d.y + d.height > seen.height + slack
        for frame in seen.frames
        for d in frame.found
    )
