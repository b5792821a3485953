"""No frame was added, dropped or re-timed: the time ledger against three other accounts of the same clip.

They are the exhibit's ledger (of its packets, at intake), the survey (an independent decode, at detection) and the
master's record; the ledger itself was filled while frames passed through the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from playe_assets.core.contracts import Evidence, Gate
from playe_assets.core.errors import PlayeError
from playe_assets.core.values import Derivative, Enhanced, Exhibit, MediaKind, Verdict
from playe_assets.media.ledger import read_pts
from playe_assets.media.ledger_columns import LedgerColumns, read_ledger_columns
from playe_assets.media.survey import read_survey


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
                problem = _problem(evidence, clips[entry.exhibit], entry, of_exhibit)
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


def _problem(
    evidence: Evidence,
    exhibit: Exhibit,
    entry: Enhanced,
    of_exhibit: Mapping[str, Derivative],
) -> str:
    ledger, master = of_exhibit.get("ledger"), of_exhibit.get("master")
    if ledger is None or master is None:
        return "no ledger or no master"
    if not entry.frames_out == entry.frames_decoded == master.frame_count:
        return f"{entry.frames_decoded} decoded, {entry.frames_out} out, {master.frame_count} in the master"
    account = read_ledger_columns(evidence.objects.get_bytes(ledger.sha256))
    if len(account) != entry.frames_out:
        return f"the ledger has {len(account)} lines"
    return (
        _against_the_source(evidence, exhibit, account)
        or _times(account)
        or _against_the_survey(evidence, exhibit, account)
        or _against_the_master(account, master)
        or _against_the_proxy(account, of_exhibit.get("proxy"))
    )


def _against_the_source(evidence: Evidence, exhibit: Exhibit, account: LedgerColumns) -> str:
    """Time stamps of the packets, by the demuxer alone; what does not decode is absent, so a subsequence."""
    if exhibit.ledger_sha256 is None:
        return "the exhibit has no ledger"
    source, base = read_pts(evidence.objects.get_bytes(exhibit.ledger_sha256))
    if account.clock.time_base != base:
        return f"time base {account.clock.time_base} instead of {base}"
    remaining = iter(source)
    for frame, stated in enumerate(account.source_pts.data):
        if not any(pts == stated for pts in remaining):
            return f"frame {frame} carries time stamp {stated}, which the source does not have there"
    return ""


def _times(account: LedgerColumns) -> str:
    """What a reader of the container gets back is the source's tick, as far as the container's clock can say it."""
    if (frame := account.moved()) is not None:
        return f"frame {frame} stands at {account.output_pts[frame]} instead of {account.source_pts[frame]}"
    if (frame := account.miswritten()) is not None:
        written, output = account.written_pts[frame], account.output_pts[frame]
        return f"frame {frame} was written at {written}, which is not {output}"
    return ""


def _against_the_survey(evidence: Evidence, exhibit: Exhibit, account: LedgerColumns) -> str:
    import numpy as np

    found = evidence.detections.get(exhibit.number)
    if found is None or found.survey is None:
        return "the clip was not surveyed, so its frames' samples have nothing to be compared with"
    survey, base = read_survey(evidence.objects.get_bytes(found.survey))
    if base != account.clock.time_base:
        return f"the survey's time base is {base} instead of {account.clock.time_base}"
    if len(survey) != len(account):
        return f"the survey saw {len(survey)} frames, the ledger has {len(account)}"
    times = account.source_pts != np.array(survey.pts, np.int64)
    samples = (account.source_sha256 != np.frombuffer(survey.digests(), np.uint8).reshape(-1, 32)).any(axis=1)
    wrong = times | samples
    if not wrong.any():
        return ""
    frame = int(wrong.argmax())
    if times[frame]:
        return f"frame {frame} carries time stamp {account.source_pts[frame]}, the survey saw {survey.pts[frame]}"
    return f"frame {frame} was made of other samples than the survey saw"


def _against_the_master(account: LedgerColumns, master: Derivative) -> str:
    if account.frames_sha256() != master.pixel_sha256:
        return "the frames' digests are not those of the master"
    return ""


def _against_the_proxy(account: LedgerColumns, proxy: Derivative | None) -> str:
    """The viewing copy's packets, read from the finished file: as many as frames, each after the one before."""
    if proxy is None:
        return ""
    if proxy.frame_count != len(account):
        return f"the viewing copy holds {proxy.frame_count} frames, the ledger has {len(account)}"
    times = account.proxy_written_pts
    if times is None:
        return "the ledger does not state the times of the viewing copy"
    still = times[1:] <= times[:-1]
    if still.any():
        return f"frame {int(still.argmax()) + 1} of the viewing copy does not stand after the one before"
    return ""
