"""The fourth stage: the preset's metrics over every main derivative, one table a case (Parquet).

Beside it a clip has a series, the same columns for each compared frame: what plots over time are drawn from.
"""

from __future__ import annotations

import io
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.contracts import Column, Metric
from playe_assets.core.values import (
    EnhancedManifest,
    IngestManifest,
    MediaKind,
    MetricsManifest,
)
from playe_assets.examination.clips.pace import Pace
from playe_assets.examination.engine import engine_fields, fields_before
from playe_assets.examination.measure_found import Found, found_of
from playe_assets.examination.measure_pairs import Compared, Sides, pairs_of
from playe_assets.examination.plan import Plan
from playe_assets.examination.stage import Stage, Words, exhibit_faults, reason_of

MAIN_KINDS = ("photo", "master")


@dataclass(frozen=True)
class Measured:
    """The manifest, without verdicts (gates add theirs), and the table's digest."""

    manifest: MetricsManifest
    sha256: str


def measure(stage: Stage, ingest_sha256: str, enhanced_sha256: str) -> Measured:
    """Measure every main derivative of the examination against its exhibit and, where there is one, the reference."""
    from playe_assets.examination.verify import same_examination

    ingest = stage.manifest(IngestManifest, ingest_sha256)
    enhanced = stage.manifest(EnhancedManifest, enhanced_sha256)
    same_examination(ingest, ingest_sha256, enhanced.ingest, enhanced.examination_id, "enhanced_frames")
    stage.recorder.examination_id = ingest.examination_id
    made = stage.planned(ingest)
    stage.limit_threads()
    exhibits = {e.number: e for e in ingest.exhibits}
    found = found_of(stage, enhanced)
    todo = [d for d in enhanced.derivatives if d.kind in MAIN_KINDS]
    rows = []
    for number, derivative in enumerate(todo):
        stage.progress(derivative.number, number, len(todo))
        exhibit = exhibits[derivative.exhibit]
        ledger = next((d for d in enhanced.derivatives
                       if d.kind == "ledger" and d.exhibit == exhibit.number), None)  # fmt: skip
        sides = Sides(exhibit, derivative, exhibits.get(exhibit.reference or ""), ledger)
        try:
            rows.append(_row(stage, made, sides, found.get(exhibit.number, Found())))
        except exhibit_faults() as problem:
            reason_of(
                problem
            )  # the log has it; without a row the gate withholds this derivative, not the others
    stage.progress("", len(todo), len(todo))
    columns = tuple(to_plain(c) for m in made.metrics for c in m.cls.columns)
    table = stage.store.put_bytes(_table(rows, [str(c["name"]) for c in columns]))
    manifest = MetricsManifest(
        stage.case_id, ingest.examination_id, enhanced_sha256, table, columns, tuple(rows), ()
    )
    return Measured(manifest, stage.store.put_json(manifest))


class Series:
    """The values of every compared frame, 8 bytes each: a day of video at two frames a second takes 40 MB."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.frame, self.pts = array("q"), array("q")
        self.values = {c.name: array("d") for c in columns}
        self._columns = columns

    def add(self, compared: Compared, values: Mapping[str, float | None]) -> None:
        """Adds one frame."""
        self.frame.append(compared.frame)
        self.pts.append(compared.pts)
        for name, held in self.values.items():
            value = values.get(name)
            held.append(math.nan if value is None else float(value))

    def over(self) -> dict[str, float | None]:
        """What each column says of all frames."""
        return {c.name: _over(c, self.values[c.name]) for c in self._columns}

    def parquet(self) -> bytes:
        """Columns frame, pts (ticks of the exhibit's time base) and one a metric's column, null where not told."""
        import pandas as pd

        return _parquet(pd.DataFrame({"frame": self.frame, "pts": self.pts, **self.values}))


def _over(column: Column, values: Sequence[float]) -> float | None:
    told = [v for v in values if not math.isnan(v)]
    if not told:
        return None
    return round(max(told) if column.over == "max" else sum(told) / len(told), 6)


def _row(stage: Stage, made: Plan, sides: Sides, found: Found) -> dict[str, Any]:
    exhibit, derivative, reference = sides.exhibit, sides.derivative, sides.reference
    inputs = [exhibit.sha256, derivative.sha256, *([reference.sha256] if reference else [])]
    params = {m.cls.name: to_plain(m.params) for m in made.metrics}
    with stage.recorder.record(
        "processing.measure",
        exhibit=exhibit.number,
        step="measure",
        inputs=inputs,
        params=params,
        ai_class="none",
        **fields_before(made.prepared(tuple(n for m in made.metrics for n in m.needs)), stage.settings),
    ) as work:
        workers = [m.cls(m.params, made.load(m.needs, stage.settings)) for m in made.metrics]
        series = Series([c for m in made.metrics for c in m.cls.columns])
        clip = exhibit.media is MediaKind.CLIP
        frames = exhibit.facts.frame_count if exhibit.facts else 0
        pace = Pace(stage, Words("clips.frames_compared", derivative=derivative.number), frames)
        for compared in pairs_of(stage, sides, found, made.preset.compare_every_s, pace.advance):
            series.add(compared, _values(workers, compared, found))
        if clip:
            pace.finish()
        means = series.over()
        for worker in workers:
            for name, value in worker.finish().items():
                means[name] = None if value is None else round(float(value), 6)
        work.metrics.update(means)
        work.extra.update(engine_fields({k: m for w in workers for k, m in w.models.items()}))
        stored = stage.store.put_bytes(series.parquet()) if clip else None
        work.outputs += [stored] if stored else []
    media = exhibit.media.value if exhibit.media else None
    return {"exhibit": exhibit.number, "derivative": derivative.number, "media": media,
            "frames_compared": len(series.frame), "series": stored, **means}  # fmt: skip


def _values(workers: Sequence[Metric], compared: Compared, found: Found) -> dict[str, float | None]:
    pair = replace(compared.pair, measured=found.measured)
    return {name: value for worker in workers for name, value in worker.measure(pair).items()}


def _table(rows: list[dict[str, Any]], columns: list[str]) -> bytes:
    import pandas as pd

    names = ["exhibit", "derivative", "media", "frames_compared", "series", *columns]
    frame = pd.DataFrame(rows, columns=names)
    for name in columns:
        frame[name] = frame[name].astype("float64")
    return _parquet(frame)


def _parquet(frame: Any) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()
