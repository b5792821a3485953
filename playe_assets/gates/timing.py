"""No frame was added, dropped or re-timed: the time ledger against three other accounts of the same clip.

They are the exhibit's ledger (of its packets, at intake), the survey (an independent decode, at detection) and the
master's record; the ledger itself was filled while frames passed through the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.errors import PlayeError
from playe_assets.core.values import Derivative, Enhanced, Exhibit, MediaKind, Verdict
from playe_assets.media.ledger import read_ledger
from playe_assets.media.pixel_digest import frames_sha256
from playe_assets.media.survey import read_survey
from playe_assets.media.time_ledger import LedgerClock, LedgerFrame, read_clock, read_time_ledger


class Timing(Gate):
    """For each clip: one frame out for each decoded, in order, at its time, made of the frame that it names."""

    name: ClassVar[str] = "timing"
    stage: ClassVar[str] = "enhanced_frames"
    kind: ClassVar[str] = "integrity"
    description: ClassVar[str] = "No frame was added, dropped or re-timed."

    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict a clip; one for the case where there is none."""
        if evidence.enhanced is None:
            return [Verdict(self.name, self.kind, False, observed="no manifest of enhanced frames")]
        clips = {e.number: e for e in evidence.ingest.exhibits if e.media is MediaKind.CLIP}
        found = []
        for entry in evidence.enhanced.entries:
            if entry.exhibit not in clips or entry.failure is not None:
                continue
            of_exhibit = {d.kind: d for d in evidence.enhanced.derivatives if d.exhibit == entry.exhibit}
            master = of_exhibit.get("master")
            try:
                problem = _problem(evidence, clips[entry.exhibit], entry, of_exhibit.get("ledger"), master)
            except PlayeError as refused:  # a ledger or survey that is none
                problem = refused.message()
            found.append(
                Verdict(
                    self.name, self.kind, not problem, entry.exhibit, master.number if master else None,
                    "one frame out for each decoded, with its time stamp and of its samples",
                    problem or f"{entry.frames_out} frames", f"{entry.frames_decoded} frames",
                )
            )  # fmt: skip
        told = {entry.exhibit for entry in evidence.enhanced.entries}
        found += [
            Verdict(self.name, self.kind, False, number, observed="the manifest does not speak of this clip")
            for number, exhibit in sorted(clips.items())
            if exhibit.processable and number not in told
        ]
        return found or [Verdict(self.name, self.kind, True, expectation="no clip was enhanced")]


@dataclass(frozen=True)
class _Account:
    rows: Sequence[LedgerFrame]
    clock: LedgerClock


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
    data = evidence.objects.get_bytes(ledger.sha256)
    account = _Account(read_time_ledger(data)[0], read_clock(data))
    if len(account.rows) != entry.frames_out:
        return f"the ledger has {len(account.rows)} lines"
    return (
        _against_the_source(evidence, exhibit, account)
        or _times(account)
        or _against_the_survey(evidence, exhibit, account)
        or _against_the_master(account, master)
    )


def _against_the_source(evidence: Evidence, exhibit: Exhibit, account: _Account) -> str:
    """Time stamps of the packets, by the demuxer alone; what does not decode is absent, so a subsequence."""
    if exhibit.ledger_sha256 is None:
        return "the exhibit has no ledger"
    source, base = read_ledger(evidence.objects.get_bytes(exhibit.ledger_sha256))
    if account.clock.time_base != base:
        return f"time base {account.clock.time_base} instead of {base}"
    remaining = iter(row.pts for row in source)
    for row in account.rows:
        if not any(pts == row.source_pts for pts in remaining):
            return f"frame {row.output_frame} carries time stamp {row.source_pts}, which the source does not have there"
    return ""


def _times(account: _Account) -> str:
    """What a reader of the container gets back is the source's tick, as far as the container's clock can say it."""
    clock = account.clock
    half = clock.written_time_base / 2
    for row in account.rows:
        if abs(row.output_pts - row.source_pts) * clock.time_base > half:
            return f"frame {row.output_frame} stands at {row.output_pts} instead of {row.source_pts}"
        back = (row.written_pts * clock.written_time_base - clock.shift) / clock.time_base
        if abs(back - row.output_pts) > Fraction(1, 2):
            return f"frame {row.output_frame} was written at {row.written_pts}, which is not {row.output_pts}"
    return ""


def _against_the_survey(evidence: Evidence, exhibit: Exhibit, account: _Account) -> str:
    found = evidence.detections.get(exhibit.number)
    if found is None or found.survey is None:
        return "the clip was not surveyed, so its frames' samples have nothing to be compared with"
    survey, base = read_survey(evidence.objects.get_bytes(found.survey))
    if base != account.clock.time_base:
        return f"the survey's time base is {base} instead of {account.clock.time_base}"
    if len(survey) != len(account.rows):
        return f"the survey saw {len(survey)} frames, the ledger has {len(account.rows)}"
    for row, seen in zip(account.rows, survey, strict=True):
        if row.source_pts != seen.pts:
            return f"frame {row.output_frame} carries time stamp {row.source_pts}, the survey saw {seen.pts}"
        if row.source_sha256 != seen.sha256:
            return f"frame {row.output_frame} was made of other samples than the survey saw"
    return ""


def _against_the_master(account: _Account, master: Derivative) -> str:
    if frames_sha256(row.output_sha256 for row in account.rows) != master.pixel_sha256:
        return "the frames' digests are not those of the master"
    return ""
