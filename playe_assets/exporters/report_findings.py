"""The findings: what must be equal whenever the same examination is made again. No clock, no run id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.tracks import Track
from playe_assets.core.values import DetectionEntry, ExhibitDetections, Verdict
from playe_assets.exporters.report_parts import ReportParts
from playe_assets.exporters.report_video import video_findings


def build_findings(parts: ReportParts, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Examination id and inputs, exhibits, detections, steps, derivatives, metrics and verdicts."""
    return {
        "examination_id": parts.ingest.examination_id,
        "inputs": to_plain(parts.ingest.inputs),
        "preset": to_plain(parts.ingest.preset),
        "exhibits": to_plain(parts.ingest.exhibits),
        "refused": to_plain(parts.ingest.refused),
        "detections": [_detected(e, parts.detections.get(e.exhibit)) for e in parts.detection.entries],
        "steps": to_plain(parts.enhanced.entries),
        "derivatives": to_plain(parts.enhanced.derivatives),
        "video": video_findings(parts),
        "metrics": {
            "table_sha256": parts.metrics.table,
            "columns": to_plain(parts.metrics.columns),
            "rows": to_plain(parts.metrics.rows),
        },
        "verdicts": to_plain(tuple(verdicts)),
    }


def _detected(entry: DetectionEntry, found: ExhibitDetections | None) -> dict[str, Any]:
    return {
        "exhibit": entry.exhibit,
        "sha256": entry.sha256,
        "counts": to_plain(entry.counts),
        "frames_seen": entry.frames_seen,
        "failure": to_plain(entry.failure),
        "width": found.width if found else None,
        "height": found.height if found else None,
        "methods": to_plain(found.methods) if found else [],
        "tracks": [
            {
                "number": t.number,
                "detector": t.detector,
                "label": t.label,
                "first_frame": t.first_frame,
                "last_frame": t.last_frame,
                "best_frame": t.best_frame,
                "members": len(t.members),
                "best_frames": list(t.best_frames),
                "quality": _best_quality(t),
                "rejoined": t.rejoined,
            }
            for t in (found.tracks if found else ())
        ],
        "timeline": _timeline(found) if found else [],
        "shots": to_plain(found.shots) if found else [],
        "events": to_plain(found.events) if found else [],
        "survey": found.survey if found else None,
    }


def _best_quality(track: Track) -> dict[str, float]:
    """What the track's best frame scored."""
    places = [i for i, (frame, _) in enumerate(track.members) if frame == track.best_frame]
    if not places:
        return {}
    return {k: round(v[places[0]], 6) for k, v in sorted(track.quality.items()) if len(v) > places[0]}


def _timeline(found: ExhibitDetections) -> list[dict[str, Any]]:
    """For each detector and label: [frame, how many were found in it], frames with none left out."""
    lanes: dict[tuple[str, str], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for frame in found.frames:
        for item in frame.found:
            lanes[(frame.detector, item.label)][frame.frame] += 1
    return [
        {"detector": detector, "label": label, "frames": [[f, n] for f, n in sorted(counts.items())]}
        for (detector, label), counts in sorted(lanes.items())
    ]
