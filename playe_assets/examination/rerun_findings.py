"""The findings that a rerun makes itself, and where two sets of facts are unlike, leaf by leaf."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from playe_assets.core.canonical import to_plain
from playe_assets.core.values import (
    DetectionManifest,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MetricsManifest,
)
from playe_assets.examination.rerun_level import share_apart
from playe_assets.examination.stage import Stage

if TYPE_CHECKING:
    from playe_assets.exporters.report_parts import ReportParts


@dataclass(frozen=True)
class _Made:
    """Of a report's parts, those that its findings are made of."""

    ingest: IngestManifest
    detection: DetectionManifest
    detections: Mapping[str, ExhibitDetections]
    enhanced: EnhancedManifest
    metrics: MetricsManifest
    clips: Mapping[str, Any]


def findings_now(
    stage: Stage, ingest: IngestManifest, detection: DetectionManifest, enhanced: EnhancedManifest,
    metrics: MetricsManifest,
) -> dict[str, Any]:  # fmt: skip
    """The findings as a report of this rerun would state them, with the metrics' verdicts alone.

    Raises:
        IntegrityError: an object of the scratch laboratory is absent or does not have its digest.
    """
    from playe_assets.examination.conclude_clips import clip_parts
    from playe_assets.exporters.report_findings import build_findings

    found = {e.exhibit: stage.manifest(ExhibitDetections, e.sha256) for e in detection.entries if e.sha256}
    clips = clip_parts(stage, ingest, found, enhanced, metrics)
    parts = _Made(ingest, detection, found, enhanced, metrics, clips)
    made: dict[str, Any] = to_plain(build_findings(cast("ReportParts", parts), metrics.verdicts))
    return made


@dataclass(frozen=True)
class Told:
    """A fact that is not the same on both sides; `name` is its place, such as `tracks 0 label`."""

    name: str
    then: Any
    now: Any


def unlike(
    then: Any, now: Any, allowed: float, aside: frozenset[str] = frozenset(), lenient: bool = False, place: str = ""
) -> Iterator[Told]:  # fmt: skip
    """Every leaf that differs; numbers by more than the share `allowed`. Keys in `aside` are not looked at.

    `lenient` passes over keys that `then` does not have: an older schema did not state them.
    """
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted({*then, *now}):
            if key in aside or (lenient and key not in then):
                continue
            below = f"{place} {key}".lstrip()
            yield from unlike(then.get(key), now.get(key), allowed, aside, lenient, below)
    elif isinstance(then, list) and isinstance(now, list):
        if len(then) != len(now):
            yield Told(f"{place} count".lstrip(), len(then), len(now))
        for number, (one, other) in enumerate(zip(then, now, strict=False)):
            yield from unlike(one, other, allowed, aside, lenient, f"{place} {number}".lstrip())
    elif _different(then, now, allowed):
        yield Told(place, _short(then), _short(now))


def _different(then: Any, now: Any, allowed: float) -> bool:
    if isinstance(then, float) or isinstance(now, float):
        return not (_number(then) and _number(now)) or apart(then, now) > allowed
    return type(then) is not type(now) or bool(then != now)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float) else str(value)[:200]


def apart(then: Any, now: Any) -> float:
    """Difference as a share of the larger value; 1 where one side has none, or none that is a finite number."""
    if then is None or now is None:
        return 0.0 if then is now else 1.0
    try:
        finite = math.isfinite(then) and math.isfinite(now)
    except (TypeError, OverflowError):
        return 1.0
    return share_apart(then, now) if finite else 1.0
