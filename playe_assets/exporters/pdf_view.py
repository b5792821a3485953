"""The report's JSON indexed for rendering: what belongs to which exhibit, and how each exhibit stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

Rows = list[Mapping[str, Any]]


class View:
    """Read-only lookups over one report."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        found, sections = report["findings"], report["sections"]
        self.findings: Mapping[str, Any] = found
        self.sections: Mapping[str, Any] = sections
        self.exhibits: Rows = found["exhibits"]
        self.steps = {e["exhibit"]: e for e in found["steps"]}
        self.detections = {d["exhibit"]: d for d in found["detections"]}
        self.derivatives = _grouped(found["derivatives"])
        self.pictures = _grouped(sections["pictures"]["items"])
        self.video = {c["exhibit"]: c for c in found["video"]}
        self.rows = _grouped(found["metrics"]["rows"])
        self.withheld = {w["derivative"]: w for w in sections["pictures"]["withheld"]}
        owner = {d["number"]: d["exhibit"] for d in found["derivatives"]}
        self.verdicts: dict[str | None, Rows] = defaultdict(list)
        for v in found["verdicts"]:
            self.verdicts[v["exhibit"] or owner.get(v["derivative"])].append(v)
        self.names = {e["number"]: e["name_shown"] for e in self.exhibits}

    def examined(self) -> Rows:
        """Exhibits that were worked on, in order."""
        return [e for e in self.exhibits if e["number"] in self.steps]

    def failure(self, number: str) -> Mapping[str, Any] | None:
        """Why detection or enhancement of the exhibit failed; None when neither did."""
        for stage in (self.steps, self.detections):
            entry = stage.get(number)
            if entry and entry["failure"]:
                failure: Mapping[str, Any] = entry["failure"]
                return failure
        return None

    def standing(self, exhibit: Mapping[str, Any]) -> tuple[str, str]:
        """A word (`report.word.standing.*`) and a tone for the exhibit's line in the summary."""
        number = exhibit["number"]
        if exhibit["role"] == "reference":
            return "reference", "plain"
        if exhibit["status"] == "quarantined":
            return "quarantined", "bad"
        if exhibit["status"] == "duplicate":
            return "duplicate", "plain"
        if self.failure(number):
            return "failed", "bad"
        if any(d["number"] in self.withheld for d in self.derivatives[number]):
            return "withheld", "bad"
        if number not in self.steps:
            return "not_examined", "plain"
        if any(not v["passed"] for v in self.verdicts[number]) or self._mark_missed(exhibit):
            return "remarks", "warn"
        return ("partial", "warn") if exhibit["status"] == "partial" else ("passed", "good")

    def _mark_missed(self, exhibit: Mapping[str, Any]) -> bool:
        """Whether the operator marked something that could not be followed or fused."""
        told = (*exhibit["notes"], *self.steps[exhibit["number"]]["deviations"])
        return any(str(r["code"]).startswith(("mark_", "fusion_mark_")) for r in told)

    def records(self) -> Mapping[tuple[str, str], Mapping[str, Any]]:
        """By exhibit and step. A clip's step has one record a segment: their lines and their span become one."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for record in self.sections["steps"]["records"]:
            key = (str(record["exhibit"]), str(record["step"]))
            held = found.get(key)
            found[key] = record if held is None else _joined(held, record)
        return found

    def learned(self) -> str:
        """The highest `ai_class` of any derivative: `none`, `fidelity` or `generative`."""
        order = ("none", "fidelity", "generative")
        return max((d["ai_class"] for d in self.findings["derivatives"]), key=order.index, default="none")


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    starts = [r["t_start_utc"] for r in (one, other) if r["t_start_utc"]]
    ends = [r["t_end_utc"] for r in (one, other) if r["t_end_utc"]]
    start, end = min(starts, default=None), max(ends, default=None)
    return {**one, **{k: v for k, v in other.items() if v is not None},
            "seqs": [*one["seqs"], *other["seqs"]], "t_start_utc": start, "t_end_utc": end,
            "duration_ms": _span_ms(start, end)}  # fmt: skip


def _span_ms(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    first, last = (datetime.fromisoformat(t.replace("Z", "+00:00")) for t in (start, end))
    return (last - first).total_seconds() * 1000


def _grouped(items: Iterable[Mapping[str, Any]]) -> defaultdict[str, Rows]:
    found: defaultdict[str, Rows] = defaultdict(list)
    for item in items:
        found[str(item.get("exhibit"))].append(item)
    return found
