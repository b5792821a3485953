"""What the UI shows of each stage: rows and links. Exhibit numbers, counts and digests, never names or EXIF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from playe_assets.core.tracks import FusedTrack, mark_of
from playe_assets.core.values import (
    DetectionManifest,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MetricsManifest,
)
from playe_assets.defs.partitions import TAG_DELIVERY, TAG_FINGERPRINT, TAG_IN_PLACE, TAG_PRESET
from playe_assets.defs.results import preview
from playe_assets.examination.stage import Stage

if TYPE_CHECKING:  # it brings the PDF and numpy, 0.2 s that every process of Dagster would pay at load
    from playe_assets.examination.report import Issued


_EVENTS = 12
"""As many of a clip's events are named; the manifest has them all."""
_HAPPENS = {"appear": "appears", "leave": "leaves"}


def delivered(tags: Mapping[str, str]) -> tuple[Path | None, dict[str, Any], str | None]:
    """The delivered folder, how to take it, and the preset, from the run's tags."""
    folder = tags.get(TAG_DELIVERY)
    how = {"in_place": tags.get(TAG_IN_PLACE) == "true", "fingerprint": tags.get(TAG_FINGERPRINT)}
    return Path(folder) if folder else None, how, tags.get(TAG_PRESET)


def exhibit_rows(manifest: IngestManifest) -> list[dict[str, Any]]:
    """One row an exhibit."""
    return [
        {
            "exhibit": e.number,
            "status": e.status.value,
            "reason": e.reason.code if e.reason else "",
            "media": e.media.value if e.media else "",
            "bytes": e.size,
            "codec": e.facts.codec if e.facts else "",
            "size_px": f"{e.facts.width}x{e.facts.height}" if e.facts else "",
            "frames": e.facts.frame_count if e.facts else 0,
            "sha256": e.sha256,
        }
        for e in manifest.exhibits
    ]


def detection_rows(manifest: DetectionManifest) -> list[dict[str, Any]]:
    """One row an exhibit."""
    return [
        {
            "exhibit": e.exhibit,
            "found": ", ".join(f"{n} {label}" for label, n in e.counts.items()),
            "tracks": e.tracks,
            "frames_seen": e.frames_seen,
            "failure": e.failure.code if e.failure else "",
            "sha256": e.sha256 or "",
        }
        for e in manifest.entries
    ]


def detection_extra(stage: Stage, manifest: DetectionManifest) -> dict[str, Any]:
    """Of clips, what was found over time: shots and tracks in figures, events one by one."""
    lines, told = [], []
    for entry in manifest.entries:
        if entry.sha256 is None:
            continue
        found = stage.manifest(ExhibitDetections, entry.sha256)
        if found.survey is None:
            continue
        lines.append(
            f"| {entry.exhibit} | {len(found.shots)} | {len(found.tracks)} | {found.frames_seen} | "
            f"{len(found.events)} | `{found.survey[:16]}` |"
        )
        told += [
            f"| {entry.exhibit} | {e.frame} | {e.label} {_HAPPENS.get(e.kind, e.kind)} | {e.track} |"
            for e in found.events[:_EVENTS]
        ]
        if len(found.events) > _EVENTS:
            told.append(f"| {entry.exhibit} | | and {len(found.events) - _EVENTS} more | |")
    return {
        **_table_of("clips", "exhibit | shots | tracks | frames searched | events | survey", lines),
        **_table_of("events", "exhibit | frame | event | track", told),
    }


def _table_of(name: str, columns: str, lines: Sequence[str]) -> dict[str, Any]:
    """A small markdown table under `name`; nothing where it has no line."""
    if not lines:
        return {}
    rule = "|".join("---" for _ in columns.split("|"))
    return {name: dg.MetadataValue.md("\n".join((f"| {columns} |", f"|{rule}|", *lines)))}


def metrics_rows(manifest: MetricsManifest) -> list[dict[str, Any]]:
    """One row a derivative, the long digest of its series behind the values."""
    return [
        {**{k: v for k, v in row.items() if k != "series"}, "series": row.get("series")}
        for row in manifest.rows
    ]


def metrics_extra(stage: Stage, manifest: MetricsManifest) -> dict[str, Any]:
    """The table's file, and of clips how they flicker beside their source."""
    lines = [
        f"| {r['exhibit']} | {r['derivative']} | {_figure(r['warped_error_ratio'])} | "
        f"{_figure(r['luma_flicker_ratio'])} | {_figure(r['luma_flicker_worst'])} | `{str(r['series'])[:16]}` |"
        for r in manifest.rows
        if r.get("series") and r.get("warped_error_ratio") is not None
    ]
    columns = "exhibit | derivative | detail, × source | brightness, × source | worst added, of 255 | series"
    return {"parquet": dg.MetadataValue.path(str(stage.store.path(manifest.table))),
            **_table_of("flicker", columns, lines)}  # fmt: skip


def _figure(value: Any) -> str:
    return "" if value is None else f"{float(value):.3g}"


def enhanced_rows(manifest: EnhancedManifest) -> list[dict[str, Any]]:
    """One row a derivative."""
    return [
        {
            "derivative": d.number,
            "exhibit": d.exhibit,
            "kind": d.kind,
            "size_px": f"{d.width}x{d.height}" if d.width else "",
            "frames": d.frame_count or 0,
            "bytes": d.size,
            "ai_class": d.ai_class.value,
            "sha256": d.sha256,
        }
        for d in manifest.derivatives
    ]


def enhanced_extra(stage: Stage, manifest: EnhancedManifest) -> dict[str, Any]:
    """Failures, links into the store, and thumbnails where the laboratory wants them in the event log."""
    failures = [f"{e.exhibit}: {e.failure.code}" for e in manifest.entries if e.failure]
    extra: dict[str, Any] = {
        "derivatives": len(manifest.derivatives),
        "failures": ", ".join(failures) or "none",
        "store": dg.MetadataValue.path(str(stage.store.root / "objects")),
        "models": _models(manifest),
    }
    extra.update(_clips(manifest))
    if extra["models"] != "none":
        extra["engine"] = str(stage.settings.target)
    if stage.settings.inline_previews:
        from playe_assets.exporters.thumbnails import thumbnail

        shown = {
            f"{p.exhibit} {p.role}": thumbnail(stage.store.get_bytes(p.sha256))
            for p in manifest.pictures
            if p.role in ("before", "after")
        }
        found = preview(shown)
        if found is not None:
            extra["preview"] = found
    return extra


def _clips(manifest: EnhancedManifest) -> dict[str, Any]:
    """Of clips: segments, frames, tracks and marked regions that were fused, remarks, the time ledger's digest."""
    ledgers = {d.exhibit: d.sha256 for d in manifest.derivatives if d.kind == "ledger"}
    lines = [
        f"| {e.exhibit} | {e.segments} | {e.frames_out} of {e.frames_in} | "
        f"`{ledgers[e.exhibit][:16]}` | "
        f"{', '.join(r.code for r in (*e.missing, *e.deviations)) or 'none'} | "
        f"{', '.join(_fused(f) for f in e.fused) or 'none'} |"
        for e in manifest.entries
        if e.exhibit in ledgers
    ]
    return _table_of("clips", "exhibit | segments | frames | time ledger | remarks | fused", lines)


def _fused(one: FusedTrack) -> str:
    """Such as `mark 1 face of 20 frames`, `track 3 plate of 41 frames`."""
    mark = mark_of(one.track)
    name = f"mark {mark}" if mark else f"track {one.track}"
    return f"{name} {one.label} of {len(one.frames)} frames"


def _models(manifest: EnhancedManifest) -> str:
    """Card and weights' sha256 of every model that a step applied, as the log's `model` field has them."""
    used = {
        f"{k} {v}" for e in manifest.entries for s in e.steps if s.ai_class.rank for k, v in s.weights.items()
    }
    return ", ".join(sorted(used)) or "none"


def issued_extra(issued: Issued) -> dict[str, Any]:
    """Where the report lies and what it is."""
    return {
        "report_id": issued.id,
        "report_json": dg.MetadataValue.path(str(issued.json_path)),
        "report_pdf": dg.MetadataValue.path(str(issued.pdf_path)),
        "report_json_sha256": issued.json_sha256,
        "report_pdf_sha256": issued.pdf_sha256,
        "report_signature": dg.MetadataValue.path(str(issued.p7s_path)) if issued.p7s_path else "unsigned",
        "report_signature_sha256": issued.p7s_sha256 or "unsigned",
        "signer": issued.signer or "unsigned",
        "findings_sha256": issued.findings_sha256 or "",
        "supersedes": issued.supersedes or "none",
        "same_findings_as_before": _compared(issued),
    }


def _compared(issued: Issued) -> str:
    if issued.same_findings is not None:
        return str(issued.same_findings)
    return "no earlier report of this examination" if issued.supersedes else "first report"
