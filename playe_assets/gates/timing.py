"""No frame was added, dropped or re-timed: the derivative's ledger against the frames that were decoded."""

from __future__ import annotations

from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.values import Derivative, Enhanced, Exhibit, MediaKind, Verdict
from playe_assets.media.ledger import read_ledger


class Timing(Gate):
    """For each clip: as many frames out as were decoded, and each decoded source time stamp once, in order."""

    name: ClassVar[str] = "timing"
    stage: ClassVar[str] = "enhanced_frames"
    kind: ClassVar[str] = "integrity"
    description: ClassVar[str] = "No frame was added, dropped or re-timed."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict a clip; one for the case where there is none."""
        if evidence.enhanced is None:
            return [Verdict(self.name, self.kind, False, observed="no manifest of enhanced frames")]
        clips = {e.number: e for e in evidence.ingest.exhibits if e.media is MediaKind.CLIP}
        ledgers = {d.exhibit: d for d in evidence.enhanced.derivatives if d.kind == "ledger"}
        masters = {d.exhibit: d for d in evidence.enhanced.derivatives if d.kind == "master"}
        found = []
        for entry in evidence.enhanced.entries:
            if entry.exhibit in clips and entry.failure is None:
                problem = _problem(
                    evidence,
                    clips[entry.exhibit],
                    entry,
                    ledgers.get(entry.exhibit),
                    masters.get(entry.exhibit),
                )
                found.append(
                    Verdict(self.name, self.kind, not problem, entry.exhibit,
                            masters[entry.exhibit].number if entry.exhibit in masters else None,
                            "one frame out for each decoded, with its time stamp",
                            problem or f"{entry.frames_out} frames", f"{entry.frames_decoded} frames")
                )  # fmt: skip
        return found or [Verdict(self.name, self.kind, True, expectation="no clip was enhanced")]


def _problem(
    evidence: Evidence,
    exhibit: Exhibit,
    entry: Enhanced,
    ledger: Derivative | None,
    master: Derivative | None,
) -> str:
    if ledger is None or master is None:
        return "no ledger or no master"
    if not entry.frames_out == entry.frames_decoded == master.frame_count:
        return f"{entry.frames_decoded} decoded, {entry.frames_out} out, {master.frame_count} in the master"
    written, base = read_ledger(evidence.objects.get_bytes(ledger.sha256))
    if len(written) != entry.frames_out:
        return f"the ledger has {len(written)} lines"
    if exhibit.ledger_sha256 is None:
        return "the exhibit has no ledger"
    source, source_base = read_ledger(evidence.objects.get_bytes(exhibit.ledger_sha256))
    if base != source_base:
        return f"time base {base} instead of {source_base}"
    remaining = iter(row.pts for row in source)
    for row in written:
        # Each time stamp out must come later in the source's list than the one before: a subsequence.
        if not any(pts == row.pts for pts in remaining):
            return f"frame {row.index} carries time stamp {row.pts}, which the source does not have there"
    return ""
