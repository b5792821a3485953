"""What the report states beside its derivatives' bytes, held against the findings that the rerun itself made.

All of it: steps, fused pictures, what was found, clips over time, metrics, verdicts. What another environment may
change is told and breaks nothing there; absent exhibits are told elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from playe_assets.core.canonical import digest
from playe_assets.examination.rerun_findings import Told, apart, unlike
from playe_assets.examination.rerun_level import L2_SHARE
from playe_assets.examination.rerun_result import Claim, Rerun

_SAME_CLASS_SHARE = 1e-4
"""Measured values of one engine and device class: rounded to six digits, summed in one order."""
_MOST = 20
"""Facts of one entry that are told one by one."""
_TABLES = ("package pandas", "package pyarrow")
_OF_TABLES = frozenset({"survey", "series", "table_sha256"})
"""Digests of tables' bytes, which another version of these packages writes otherwise."""
_NUMBERS = frozenset({"number", "master", "derivative", "uncertainty", "derivatives"})
"""Numbers of derivatives: they shift where an exhibit is absent."""
_JUDGED_APART = frozenset({"sha256", "size", "pixel_sha256", "was_derived_from"})
"""Of a derivative: what `rerun_compare.py` holds against the samples, and what is checked below."""
_STEPS_APART = frozenset(
    {"steps", "frames_in", "frames_decoded", "frames_corrupt", "frames_out", "derivatives"}
)


def claims_of(found: Rerun, report: Mapping[str, Any], now: Mapping[str, Any]) -> list[Claim]:
    """Every fact of the report's findings that came out otherwise in `now`, the rerun's own."""
    then = report["findings"]
    environments = found.environments
    same = environments is not None and environments.same_class
    absent = {a.exhibit for a in found.taken.absent}
    aside = set(_NUMBERS) if absent else set()
    if environments is not None and any(o.what in _TABLES for o in environments.others):
        aside |= _OF_TABLES
    older = report.get("schema_version") in ("1.0", "1.1")
    held = _Held(same, absent, frozenset(aside), older)
    claims = [Claim("exhibit", u.exhibit, u.what, u.then, u.now, same) for u in found.taken.unlike]
    for one, other in held.pairs(then["steps"], now["steps"]):
        if one is None or other is None:
            claims.append(held.lonely("step", one, other))
            continue
        claims += _of_steps(one, other, same)
        claims += held.entry("step", one, other, _STEPS_APART)
    for what, key in (("detections", "detections"), ("clip", "video")):
        if key not in then:
            continue  # schema 1.0 has no clips over time; the form of later ones demands the key
        for one, other in held.pairs(then[key], now[key]):
            if one is None or other is None:
                claims.append(held.lonely(what, one, other))
            else:
                claims += held.entry(what, one, other)
    claims += _of_derivatives(held, then, now)
    claims += _of_tables(held, then["metrics"], now["metrics"])
    claims += _of_verdicts(held, then["verdicts"], now["verdicts"])
    return claims


class _Held:
    """How strictly entries are held against one another."""

    def __init__(self, same: bool, absent: set[str], aside: frozenset[str], older: bool) -> None:
        self.same, self.absent, self.aside, self.older = same, absent, aside, older

    def pairs(
        self, then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]]:
        """Entries of one exhibit, the second one of an exhibit alone, and those that only one side has."""
        left = {e["exhibit"]: e for e in now}
        for one in then:
            if one["exhibit"] not in self.absent:
                yield one, left.pop(one["exhibit"], None)
        yield from ((None, e) for name, e in left.items() if name not in self.absent)

    def lonely(self, what: str, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> Claim:
        """An entry that only one side has."""
        about = str((one or other or {})["exhibit"])
        return Claim(what, about, "entry", one is not None, other is not None, True)

    def entry(
        self, what: str, one: Mapping[str, Any], other: Mapping[str, Any],
        apart_from: frozenset[str] = frozenset(), about: str | None = None,
    ) -> list[Claim]:  # fmt: skip
        """Facts of an entry that differ."""
        allowed = _SAME_CLASS_SHARE if self.same else L2_SHARE
        told = unlike(one, other, allowed, self.aside | apart_from, self.older)
        name = str(one["exhibit"]) if about is None else about
        return [self._claim(what, name, t) for _, t in zip(range(_MOST), told, strict=False)]

    def _claim(self, what: str, about: str, told: Told) -> Claim:
        return Claim(what, about, told.name, told.then, told.now, self.same)


def _of_derivatives(held: _Held, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Claim]:
    """Size, class, encoder and sources of each; samples are held against one another by themselves."""
    claims = []
    sides = [_in_place(side["derivatives"]) for side in (then, now)]
    for place, one in sides[0].items():
        other = sides[1].get(place)
        if other is None:
            continue  # the verdict says so
        about = str(one["number"])
        claims += held.entry("derivative", one, other, _JUDGED_APART, about)
        if held.same and _sources(one, then) != _sources(other, now):
            claims.append(Claim("derivative", about, "was_derived_from", _sources(one, then), _sources(other, now),
                                True))  # fmt: skip
    return claims


def _in_place(derivatives: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, int], Mapping[str, Any]]:
    counts: dict[tuple[str, str], int] = {}
    found = {}
    for one in derivatives:
        place = (one["exhibit"], one["kind"])
        counts[place] = counts.get(place, -1) + 1
        found[(*place, counts[place])] = one
    return found


def _sources(one: Mapping[str, Any], side: Mapping[str, Any]) -> list[str]:
    """What it was made of, by number or kind: the digest of another derivative may differ with its file."""
    names = {d["sha256"]: f"{d['exhibit']} {d['kind']}" for d in side["derivatives"]}
    names |= {e["sha256"]: "exhibit" for e in side["exhibits"]}
    return sorted(names.get(s, s) for s in one["was_derived_from"])


def _of_tables(held: _Held, then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Claim]:
    claims = []
    columns = [c["name"] for c in then["columns"]]
    stated, made = digest(then["columns"]), digest(now["columns"])
    if stated != made and not held.older:
        claims.append(Claim("metrics", "-", "columns", ", ".join(columns), ", ".join(c["name"] for c in now["columns"]),
                            held.same))  # fmt: skip
    for row, here in held.pairs(then["rows"], now["rows"]):
        if row is None or here is None:
            claims.append(held.lonely("metrics", row, here))
            continue
        claims += _of_metrics(row, here, columns, held.same)
        claims += held.entry("metrics", row, here, frozenset(columns), str(row["derivative"]))
    return claims


def _of_verdicts(
    held: _Held, then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> list[Claim]:
    """The metrics' own verdicts; other gates judge the laboratory, which a rerun is not."""
    if held.absent:
        return []
    gates = {v["gate"] for v in now}
    sides = [
        {
            (v["gate"], v["exhibit"], v["derivative"], v["expectation"]): bool(v["passed"])
            for v in side
            if v["gate"] in gates
        }
        for side in (then, now)
    ]
    return [
        Claim("verdict", " ".join(str(part) for part in key if part), "passed", sides[0].get(key), sides[1].get(key),
              held.same)
        for key in sorted({*sides[0], *sides[1]}, key=str)
        if sides[0].get(key) != sides[1].get(key)
    ]  # fmt: skip


def _of_steps(then: Mapping[str, Any], now: Mapping[str, Any], same: bool) -> list[Claim]:
    claims = []
    number, before, after = then["exhibit"], then["steps"], now["steps"]
    if [s["use"] for s in before] != [s["use"] for s in after]:
        stated, made = (", ".join(s["use"] for s in side) for side in (before, after))
        return [Claim("step", number, "steps", stated, made, True)]
    for one, other in zip(before, after, strict=True):
        about = f"{number} {one['number']} {one['use']}"
        for key in ("version", "ai_class"):
            if one[key] != other[key]:
                claims.append(Claim("step", about, key, one[key], other[key], True))
        if one["reference"] != other["reference"]:
            claims.append(Claim("step", about, "reference", one["reference"], other["reference"], same))
        for key in ("params", "weights"):
            for name in sorted({*one[key], *other[key]}):
                sides = one[key].get(name), other[key].get(name)
                if digest(sides[0]) != digest(sides[1]):
                    claims.append(Claim("step", about, f"{key} {name}", *sides, True))
        for name in sorted({*one["measured"], *other["measured"]}):
            sides = one["measured"].get(name), other["measured"].get(name)
            if apart(*sides) > (_SAME_CLASS_SHARE if same else L2_SHARE):
                claims.append(Claim("measured", about, name, *sides, same))
    for key in ("frames_in", "frames_decoded", "frames_corrupt", "frames_out"):
        if then[key] != now[key]:
            claims.append(Claim("step", number, key, then[key], now[key], True))
    return claims


def _of_metrics(
    then: Mapping[str, Any], now: Mapping[str, Any], columns: Sequence[str], same: bool
) -> list[Claim]:
    allowed = _SAME_CLASS_SHARE if same else L2_SHARE
    return [
        Claim("metrics", str(then["derivative"]), name, then.get(name), now.get(name), same)
        for name in columns
        if apart(then.get(name), now.get(name)) > allowed
    ]
