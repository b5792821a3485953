"""Marks put on the exhibits that they name: held against the clip's length and frame, kept with the delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from playe_assets.core.tracks import Mark
from playe_assets.core.values import Exhibit, MediaKind, Reason, StreamFacts
from playe_assets.examination.cases import DeliveryRecord, MarkedExhibit
from playe_assets.examination.marks import Marked
from playe_assets.examination.names import shown

_SWAPS_SIDES = (5, 6, 7, 8)


def checked_marks(marks: Sequence[Marked], exhibits: Sequence[Exhibit]) -> tuple[MarkedExhibit, ...]:
    """Marks by exhibit, in the exhibits' order; what the clip cannot hold is a reason, shown as a note of it."""
    found = []
    for exhibit in _newest(exhibits):
        here = [m for m in marks if shown(m.file.encode("utf-8", "surrogateescape")) == exhibit.name_shown]
        if not here:
            continue
        judged = [(m, _problem(m, exhibit)) for m in here]
        found.append(
            MarkedExhibit(
                exhibit.number,
                tuple(m.mark for m, problem in judged if problem is None),
                tuple(problem for _, problem in judged if problem is not None),
            )
        )
    return tuple(found)


def with_marks(exhibits: Sequence[Exhibit], records: Sequence[DeliveryRecord]) -> tuple[Exhibit, ...]:
    """The exhibits with the marks that the latest delivery naming each one put on it."""
    last = {item.exhibit: item for record in records for item in record.marked}
    return tuple(
        replace(e, marks=last[e.number].marks, notes=(*e.notes, *last[e.number].unusable))
        if e.number in last
        else e
        for e in exhibits
    )


def _newest(exhibits: Sequence[Exhibit]) -> list[Exhibit]:
    """Of several exhibits under one name, the one that came last."""
    by_name = {e.name_hex: e for e in exhibits}
    return [e for e in exhibits if by_name[e.name_hex] is e]


def _problem(marked: Marked, exhibit: Exhibit) -> Reason | None:
    mark, facts = marked.mark, exhibit.facts
    said = {"label": mark.label, "line": marked.line}
    if exhibit.media is not MediaKind.CLIP or facts is None or not exhibit.processable:
        return Reason("mark_not_a_clip", said)
    turned = facts.orientation in _SWAPS_SIDES
    wide, high = (facts.height, facts.width) if turned else (facts.width, facts.height)
    if mark.x + mark.width > wide or mark.y + mark.height > high:
        box = f"{mark.x:g}, {mark.y:g}, {mark.width:g}, {mark.height:g}"
        return Reason("mark_outside", {**said, "box": box, "frame": f"{wide}x{high}"})
    if _beyond_end(mark, facts):
        at = str(mark.frame) if mark.frame is not None else f"{float(Fraction(mark.time or '0')):g} s"
        return Reason("mark_after_end", {**said, "at": at, "frames": facts.frame_count})
    return None


def _beyond_end(mark: Mark, facts: StreamFacts) -> bool:
    if mark.frame is not None:
        return mark.frame >= facts.frame_count
    if facts.duration_ticks is None or facts.time_base is None:
        return False  # the pass over the frames will tell
    return Fraction(mark.time or "0") > facts.duration_ticks * Fraction(facts.time_base)
