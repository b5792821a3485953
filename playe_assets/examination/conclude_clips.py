"""What the report needs of clips over time, read from the store: the time ledger in figures, the flicker series."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from playe_assets.core.values import (
    Derivative,
    Enhanced,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MediaKind,
    MetricsManifest,
)
from playe_assets.examination.stage import Stage
from playe_assets.exporters.report_video import FLICKER, ClipParts, LedgerSummary, named_frames, thinned


def clip_parts(
    stage: Stage,
    ingest: IngestManifest,
    detections: Mapping[str, ExhibitDetections],
    enhanced: EnhancedManifest,
    metrics: MetricsManifest,
) -> dict[str, ClipParts]:
    """By exhibit. Every object is hashed again when it is read.

    Raises:
        IntegrityError: an object is absent or does not have its digest.
    """
    clips = {e.number for e in ingest.exhibits if e.media is MediaKind.CLIP}
    ledgers = {d.exhibit: d for d in enhanced.derivatives if d.kind == "ledger" and d.exhibit in clips}
    series = {str(r["exhibit"]): str(r["series"]) for r in metrics.rows if r.get("series")}
    made = {}
    for entry in enhanced.entries:
        number = entry.exhibit
        if number not in clips:
            continue
        compared, points = _flicker(stage, series[number]) if number in series else (0, ())
        made[number] = ClipParts(
            ledger=_ledger(stage, ledgers[number]) if number in ledgers else None,
            times=_times(stage, detections.get(number), entry),
            series=series.get(number),
            compared=compared,
            flicker=points,
        )
    return made


def _times(stage: Stage, found: ExhibitDetections | None, entry: Enhanced) -> tuple[tuple[int, int], ...]:
    from playe_assets.media.survey import read_survey

    if found is None or found.survey is None:
        return ()
    pts = read_survey(stage.store.get_bytes(found.survey))[0].pts
    named = named_frames(found, entry) | ({0, len(pts) - 1} if pts else set())
    return tuple((n, pts[n]) for n in sorted(named) if n < len(pts))


def _flicker(stage: Stage, sha256: str) -> tuple[int, tuple[tuple[float | None, ...], ...]]:
    """How many frames were compared, and the points of those that were compared with the one before."""
    import pandas as pd

    table: Any = pd.read_parquet(io.BytesIO(stage.store.get_bytes(sha256)))
    if not set(FLICKER) <= set(table.columns):
        return len(table), ()
    told = table[["pts", *FLICKER]].dropna()
    values = [[round(float(v), 6) for v in told[name]] for name in FLICKER]
    return len(table), thinned([[int(v) for v in told["pts"]], *values])


def _ledger(stage: Stage, derivative: Derivative) -> LedgerSummary | None:
    if derivative.suffix != ".parquet":
        return None  # of an examination before the ledger had kinds
    from playe_assets.media.ledger_columns import read_ledger_columns

    held = read_ledger_columns(stage.store.get_bytes(derivative.sha256))
    points = thinned([held.output_pts.data, held.fused_from.data])
    return LedgerSummary(derivative.sha256, len(held), held.kinds(), int(held.corrupt.sum()),
                         held.moved() is None, points)  # fmt: skip
