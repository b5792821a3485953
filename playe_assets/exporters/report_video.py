"""What a report says of each clip over time: its time ledger, audio, interlacing, stabilisation, flicker."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playe_assets.core.values import Derivative, Enhanced, Exhibit, ExhibitDetections, MediaKind, StreamFacts

if TYPE_CHECKING:
    from playe_assets.exporters.report_parts import ReportParts

FLICKER = ("warped_error_before", "warped_error_after", "luma_flicker_before", "luma_flicker_after")
"""Columns of the metric `flicker` that are drawn over time."""
POINTS = 240
"""A series is thinned to so many points at most: a day of video costs no more than a minute."""


@dataclass(frozen=True)
class LedgerSummary:
    """A derivative's time ledger in figures."""

    sha256: str
    frames: int
    kinds: Mapping[str, int]
    """How many frames were `kept`, `fused`, `interpolated`, `repeated`."""
    corrupt: int
    pts_equal: bool
    """Whether every frame has its source frame's time, as far as the container's clock can say it (1 microsecond)."""
    fused_from: tuple[tuple[float | None, ...], ...] = ()
    """(PTS in ticks of the exhibit's time base, frames behind the frame), thinned by `thinned`."""


@dataclass(frozen=True)
class ClipParts:
    """What the store holds of a clip over time, read when the report is made."""

    ledger: LedgerSummary | None = None
    times: tuple[tuple[int, int], ...] = ()
    """(frame, PTS in ticks of the exhibit's time base) of the frames that the report names, the first and the
    last; empty where the clip was not surveyed."""
    series: str | None = None
    """sha256 of the table of every compared frame's values."""
    compared: int = 0
    flicker: tuple[tuple[float | None, ...], ...] = ()
    """Points (PTS, then `FLICKER`), thinned by `thinned`; empty where nothing was measured over time."""


def thinned(
    columns: Sequence[Sequence[float | None]], limit: int = POINTS
) -> tuple[tuple[float | None, ...], ...]:
    """At most `limit` points out of columns of one length, the first of them the place in time.

    Of each run of neighbours that becomes one point: the first's place and the largest of every value.
    """
    count = len(columns[0])
    edges = [n * count // min(limit, count) for n in range(min(limit, count) + 1)] if count else []
    found = []
    for start, end in itertools.pairwise(edges):
        runs = [[v for v in column[start:end] if v is not None] for column in columns[1:]]
        found.append((columns[0][start], *(max(run) if run else None for run in runs)))
    return tuple(found)


def named_frames(found: ExhibitDetections | None, entry: Enhanced) -> set[int]:
    """Every frame of a clip that the report speaks of by its time."""
    named = {n for f in entry.fused for n in (f.best_frame, *f.frames[:1], *f.frames[-1:])}
    if found is not None:
        named |= {n for s in found.shots for n in (s.first_frame, s.last_frame)}
        named |= {
            n for t in found.tracks for n in (t.first_frame, t.last_frame, t.best_frame, *t.best_frames)
        }
        named |= {e.frame for e in found.events}
    return named


def video_findings(parts: ReportParts) -> list[dict[str, Any]]:
    """One entry a clip that was worked on; shots, tracks and events stand in `detections`, `fused` in `steps`."""
    exhibits = {e.number: e for e in parts.ingest.exhibits}
    return [
        _clip(exhibits[entry.exhibit], entry, parts)
        for entry in parts.enhanced.entries
        if exhibits[entry.exhibit].media is MediaKind.CLIP and entry.failure is None
    ]


def _clip(exhibit: Exhibit, entry: Enhanced, parts: ReportParts) -> dict[str, Any]:
    held = parts.clips.get(exhibit.number, ClipParts())
    facts = exhibit.facts
    master = next(
        (d for d in parts.enhanced.derivatives if d.exhibit == exhibit.number and d.kind == "master"), None
    )
    ledger = held.ledger
    return {
        "exhibit": exhibit.number,
        "master": master.number if master else None,
        "time_base": facts.time_base if facts else None,
        "times": [list(t) for t in held.times],
        "ledger": None
        if ledger is None
        else {
            "sha256": ledger.sha256,
            "frames": ledger.frames,
            "kinds": dict(ledger.kinds),
            "corrupt": ledger.corrupt,
            "pts_equal": ledger.pts_equal,
        },
        "audio": _audio(facts, master),
        "interlacing": _interlacing(facts, entry),
        "stabilised": _measured(entry, "stabilise"),
        "flicker": {"series": held.series, "compared": held.compared, "columns": ["pts", *FLICKER],
                    "points": [list(p) for p in held.flicker]},
        "fused_from": [list(p) for p in ledger.fused_from] if ledger else [],
    }  # fmt: skip


def _audio(facts: StreamFacts | None, master: Derivative | None) -> dict[str, Any]:
    """How many audio streams the exhibit has, and how many were copied into the master, as its writer states."""
    copied = (master.encoder or {}).get("audio_streams_copied", 0) if master else 0
    return {"streams": facts.audio_streams if facts else 0, "carried": int(copied)}


def _interlacing(facts: StreamFacts | None, entry: Enhanced) -> dict[str, Any]:
    """Whether the stream is interlaced, and whether a step made whole pictures of its fields."""
    measured = _measured(entry, "deinterlace") or {}
    return {"interlaced": bool(facts and facts.interlaced), "field_order": facts.field_order if facts else None,
            "deinterlaced": measured.get("deinterlaced", 0.0) > 0}  # fmt: skip


def _measured(entry: Enhanced, use: str) -> dict[str, float] | None:
    found = [dict(s.measured) for s in entry.steps if s.use == use]
    return found[0] if found else None
