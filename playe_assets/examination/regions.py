"""Regions that the operator marked on a clip: motion is looked for in them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from playe_assets.core.tracks import Mark
from playe_assets.core.values import Exhibit, MediaKind
from playe_assets.examination.plan import Plan, PlannedDetector

REGION = "region"
"""The label of a mark in `case.yaml` that limits motion detection on its clip, from first frame to last; its frame
or time says only where it was drawn. It is followed and fused by nothing."""
_SIDES = ("region_left", "region_top", "region_right", "region_bottom")


def regions_of(exhibit: Exhibit) -> tuple[Mark, ...]:
    """The marks of an exhibit that are regions, as they were written."""
    return tuple(mark for mark in exhibit.marks if mark.label == REGION)


def followed_of(exhibit: Exhibit) -> tuple[Mark, ...]:
    """The marks of an exhibit that are to be followed and fused."""
    return tuple(mark for mark in exhibit.marks if mark.label != REGION)


def detectors_for(made: Plan, exhibit: Exhibit, width: int, height: int) -> tuple[PlannedDetector, ...]:
    """The preset's detectors for this exhibit, `width` x `height` px upright.

    One that takes a region is used once for each that was marked, in place of the preset's own region.
    """
    planned = made.detectors[exhibit.media] if exhibit.media is not None else ()
    marks = regions_of(exhibit)
    if exhibit.media is not MediaKind.CLIP or not marks:
        return planned
    return tuple(one for p in planned for one in _in_regions(p, marks, width, height))


def _in_regions(
    planned: PlannedDetector, marks: Sequence[Mark], width: int, height: int
) -> tuple[PlannedDetector, ...]:
    if not {f.name for f in fields(planned.params)}.issuperset(_SIDES):
        return (planned,)
    return tuple(
        replace(planned, params=replace(planned.params, **dict(zip(_SIDES, _shares(m, width, height), strict=True))))
        for m in marks
    )  # fmt: skip


def _shares(mark: Mark, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom; a mark that does not lie in the frame was refused at intake."""
    left, right = mark.x / width, min(1.0, (mark.x + mark.width) / width)
    top, bottom = mark.y / height, min(1.0, (mark.y + mark.height) / height)
    return left, top, right, bottom
