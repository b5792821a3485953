"""Which derivatives a report withholds, and why: a verdict, a failed exhibit, or what they came from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.values import Verdict
from playe_assets.exporters.report_parts import Picture, ReportParts

_MAIN = ("photo", "master")
_APART = ("ledger", "track_fusion", "track_uncertainty")
"""Made of the exhibit by themselves: what is wrong with the master is not wrong with them."""
_MADE = ("after", "difference", "contributors", "consistency", "uncertainty", "faces")
_OF_TRACKS = ("fused", "single", "uncertainty")


def withheld_derivatives(parts: ReportParts, verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Each withheld derivative with its cause; what was derived from a withheld one is withheld with it."""
    causes: dict[str, dict[str, Any]] = {}
    for v in verdicts:
        if v.passed or v.on_fail != "withhold" or overridden(parts, v):
            continue
        for d in parts.enhanced.derivatives:
            about = v.derivative is None and v.exhibit in (
                None,
                d.exhibit,
            )  # the table itself, or the exhibit
            if d.number == v.derivative or about:
                causes.setdefault(d.number, {"verdict": to_plain(v), "reason": None})
    for entry in parts.enhanced.entries:
        if entry.failure is not None:
            for number in entry.derivatives:
                causes.setdefault(number, {"verdict": None, "reason": to_plain(entry.failure)})
    grown = True
    while grown:
        grown = False
        bad = {d.sha256: causes[d.number] for d in parts.enhanced.derivatives if d.number in causes}
        for d in parts.enhanced.derivatives:
            source = next((s for s in d.was_derived_from if s in bad), None)
            if source is not None and d.number not in causes:
                causes[d.number] = bad[source]
                grown = True
    main = {d.exhibit: causes[d.number] for d in parts.enhanced.derivatives
            if d.kind in _MAIN and d.number in causes}  # fmt: skip
    for d in parts.enhanced.derivatives:
        if d.kind not in _APART and d.exhibit in main:  # a map or thumbnail of what is withheld shows it too
            causes.setdefault(d.number, main[d.exhibit])
    exhibit = {d.number: d.exhibit for d in parts.enhanced.derivatives}
    return [{"derivative": n, "exhibit": exhibit.get(n), **causes[n]} for n in sorted(causes)]


def is_hidden(parts: ReportParts, withheld: list[dict[str, Any]], picture: Picture) -> bool:
    """Whether a picture must not be shown: what it shows was made of a failed exhibit or is withheld."""
    if picture.role not in (_MADE if picture.track is None else _OF_TRACKS):
        return False
    numbers = {w["derivative"] for w in withheld}
    entry = next((e for e in parts.enhanced.entries if e.exhibit == picture.exhibit), None)
    if entry is None or entry.failure is not None:
        return True
    if picture.track is None:
        shown = {d.number for d in parts.enhanced.derivatives
                 if d.exhibit == picture.exhibit and d.kind in _MAIN}  # fmt: skip
    else:
        shown = {f.derivative for f in entry.fused if f.track == picture.track}
    return bool(shown & numbers)


def overridden(parts: ReportParts, verdict: Verdict) -> bool:
    """Whether a second person set exactly this verdict aside."""
    return any(o.binds(verdict) for o in parts.overrides)
