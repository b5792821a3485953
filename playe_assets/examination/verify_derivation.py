"""What a report says of its own making, held against itself: derivation, and the log's records in its extract.

Pure: nothing is read but the report. Each function gives what does not hold, in words; nothing where all holds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from playe_assets.core.values import AiClass
from playe_assets.examination.stage import Words

Line = Mapping[str, Any]
_OF_STEPS = ("photo", "master", "proxy")
"""Kinds whose class is that of the steps; planes and ledgers state facts about frames."""


def derivation(report: Mapping[str, Any]) -> Iterator[Words]:
    """Every derivative comes from an exhibit of the report, is made by one entry, and is labelled as its steps are."""
    findings = report["findings"]
    exhibits = {e["number"]: e for e in findings["exhibits"]}
    made: dict[str, set[str]] = defaultdict(set)
    for one in findings["derivatives"]:
        made[one["exhibit"]].add(one["sha256"])
    entries = {e["exhibit"]: e for e in findings["steps"]}
    for one in findings["derivatives"]:
        number, exhibit = one["number"], exhibits.get(one["exhibit"])
        if exhibit is None:
            yield Words("check.derivation.no_exhibit", derivative=number, exhibit=one["exhibit"])
            continue
        sources = {exhibit["sha256"], *made[one["exhibit"]]} - {one["sha256"]}
        foreign = [s for s in one["was_derived_from"] if s not in sources]
        if foreign or not one["was_derived_from"]:
            yield Words("check.derivation.foreign", derivative=number, sha256=(foreign or ["-"])[0],
                        exhibit=one["exhibit"])  # fmt: skip
        entry = entries.get(one["exhibit"])
        if entry is None or number not in entry["derivatives"]:
            yield Words("check.derivation.unlisted", derivative=number, exhibit=one["exhibit"])
        elif one["kind"] in _OF_STEPS and one["ai_class"] != _highest(entry["steps"]):
            yield Words("check.derivation.ai_class", derivative=number, then=one["ai_class"],
                        steps=_highest(entry["steps"]))  # fmt: skip
    named = {d["number"] for d in findings["derivatives"]}
    told = [n for e in findings["steps"] for n in e["derivatives"]]
    told += [r["derivative"] for r in findings["metrics"]["rows"]]
    for number in sorted({n for n in told if n not in named}):
        yield Words("check.derivation.unknown", derivative=number)
    allowed = report["sections"]["administration"]["preset"]["max_ai_class"]
    for entry in findings["steps"]:
        if AiClass(_highest(entry["steps"])).rank > AiClass(allowed).rank:
            yield Words("check.derivation.beyond", exhibit=entry["exhibit"], found=_highest(entry["steps"]),
                        allowed=allowed)  # fmt: skip


def _highest(steps: Sequence[Mapping[str, Any]]) -> str:
    classes = [AiClass(s["ai_class"]) for s in steps]
    return max(classes, key=lambda c: c.rank, default=AiClass.NONE).value


def records(report: Mapping[str, Any]) -> Iterator[Words]:
    """Every exhibit, step, finding, fused picture and metric of the findings has its record, and they agree."""
    findings = report["findings"]
    log = _Extract(_covered(report["sections"]["custody"]), str(findings["examination_id"]))
    for exhibit in findings["exhibits"]:
        taken = log.of("custody.acquired", exhibit["number"], own=False)
        yield from _outputs(taken, [exhibit["sha256"]], exhibit["number"], "custody.acquired")
    derivatives = {d["number"]: d for d in findings["derivatives"]}
    for entry in findings["steps"]:
        if entry.get("failure") is None:
            yield from _entry(log, entry, derivatives, findings)
    for one in findings["detections"]:
        if one["sha256"] is not None:
            kinds = ("processing.detect", "processing.detection_reused")
            found = [line for kind in kinds for line in log.of(kind, one["exhibit"])]
            if not any(one["sha256"] in (line["output_sha256"] or ()) for line in found):
                yield Words("check.records.absent", what=kinds[0], about=one["exhibit"])
    columns = [c["name"] for c in findings["metrics"]["columns"]]
    for row in findings["metrics"]["rows"]:
        sha256 = derivatives.get(row["derivative"], {}).get("sha256")
        lines = [
            m for m in log.of("processing.measure", row["exhibit"]) if sha256 in (m["input_sha256"] or ())
        ]
        stated = (lines[-1].get("metrics") or {}) if lines else {}
        for name in columns:
            if not lines or stated.get(name) != row.get(name):
                yield Words("check.records.metric", derivative=row["derivative"], name=name,
                            then=row.get(name), log=stated.get(name))  # fmt: skip
                break


def _covered(custody: Mapping[str, Any]) -> list[Line]:
    """The lines that the checkpoint covers, which is made when all work is done; all, where there is none.

    Lines behind it are proven by nothing: a forger could add records there that outvote the true ones.
    """
    checkpoint = custody.get("checkpoint")
    return [x for x in custody["extract"] if checkpoint is None or x["seq"] < checkpoint["size"]]


class _Extract:
    """The extract's lines that ended well, by event and exhibit."""

    def __init__(self, lines: Sequence[Line], examination_id: str) -> None:
        self._held: dict[tuple[str, str | None], list[Line]] = defaultdict(list)
        self._examination = examination_id
        for line in lines:
            if line.get("status") == "ok":
                self._held[str(line.get("event")), line.get("exhibit")].append(line)

    def of(self, event: str, exhibit: str, own: bool = True) -> list[Line]:
        """Lines of this examination (`own`) or of the case, in order."""
        found = self._held[event, exhibit]
        return [x for x in found if not own or x.get("examination_id") == self._examination]


def _outputs(lines: Sequence[Line], expected: list[str], about: str, what: str) -> Iterator[Words]:
    if not lines:
        yield Words("check.records.absent", what=what, about=about)
    elif list(lines[-1]["output_sha256"] or ()) != expected:
        yield Words("check.records.output", what=what, about=about, seq=lines[-1]["seq"],
                    log=", ".join(lines[-1]["output_sha256"] or ()) or "-", then=", ".join(expected))  # fmt: skip


def _entry(
    log: _Extract, entry: Mapping[str, Any], derivatives: Mapping[str, Mapping[str, Any]],
    findings: Mapping[str, Any],
) -> Iterator[Words]:  # fmt: skip
    exhibit = entry["exhibit"]
    mine = [derivatives[n] for n in entry["derivatives"] if n in derivatives]
    yield from _outputs(log.of("processing.enhance", exhibit), [d["sha256"] for d in mine], exhibit,
                        "processing.enhance")  # fmt: skip
    lines = log.of("processing.step", exhibit)
    named = {f"{step['number']} {step['use']}" for step in entry["steps"]}
    for line in lines:
        if line.get("step") not in named:
            yield Words("check.records.unnamed", about=f"{exhibit} {line.get('step')}", seq=line["seq"])
            break
    for step in entry["steps"]:
        name = f"{step['number']} {step['use']}"
        found = [line for line in lines if line.get("step") == name]
        if not found:
            yield Words("check.records.absent", what="processing.step", about=f"{exhibit} {name}")
        for line in found:
            problem = _step(step, line, f"{exhibit} {name}")
            if problem is not None:
                yield problem
                break
    source = next((e["sha256"] for e in findings["exhibits"] if e["number"] == exhibit), None)
    last = next((d.get("pixel_sha256") for d in mine if d["kind"] == "photo"), None)
    yield from _chain(entry, lines, source, last)
    for fused in entry.get("fused") or ():
        yield from _fused(log.of("processing.track_fusion", exhibit), fused, derivatives, exhibit)


def _step(step: Mapping[str, Any], line: Line, about: str) -> Words | None:
    stated = line.get("params")
    if stated is not None:  # audit mode `basic` leaves parameters out
        logged = {k: v for k, v in stated.items() if k != "segment"}
        then = {"version": step["version"], **step["params"]}
        for key in sorted({*logged, *then}):
            if logged.get(key) != then.get(key):
                return Words("check.records.param", about=about, name=key, then=then.get(key),
                             log=logged.get(key), seq=line["seq"])  # fmt: skip
    models = line.get("model") or {}
    for name, sha256 in step["weights"].items():
        logged_sha256 = (models.get(name) or {}).get("weights_sha256")
        if models and name in models and logged_sha256 != sha256:
            return Words("check.records.param", about=about, name=f"weights {name}", then=sha256,
                         log=logged_sha256, seq=line["seq"])  # fmt: skip
    if step["weights"] and not models:
        return Words("check.records.param", about=about, name="model", then=", ".join(step["weights"]),
                     log=None, seq=line["seq"])  # fmt: skip
    if AiClass(line.get("ai_class") or "none").rank > AiClass(step["ai_class"]).rank:
        return Words("check.records.param", about=about, name="ai_class", then=step["ai_class"],
                     log=line.get("ai_class"), seq=line["seq"])  # fmt: skip
    return None


def _chain(
    entry: Mapping[str, Any], lines: Sequence[Line], source: str | None, last: str | None
) -> Iterator[Words]:
    """Each step took what the one before handed on; the first took the exhibit, the last gave the photograph."""
    parts: dict[Any, dict[str, Line]] = defaultdict(dict)
    for line in lines:
        segment = ((line.get("params") or {}).get("segment") or {}).get("number")
        parts[segment][str(line.get("step"))] = line  # made again: the last counts
    for segment, part in parts.items():
        if segment is None and last is None:
            continue  # clips of schema 1.0, and of audit mode `basic`, do not say which segment a line is about
        taken = source
        for step in entry["steps"]:
            name = f"{step['number']} {step['use']}"
            if name not in part:
                break  # told already
            line = part[name]
            if list(line["input_sha256"] or ()) != [taken]:
                yield Words("check.records.chain", about=f"{entry['exhibit']} {line['step']}", seq=line["seq"],
                            log=", ".join(line["input_sha256"] or ()) or "-", then=taken)  # fmt: skip
                break
            taken = next(iter(line["output_sha256"] or ()), None)
        else:
            if last is not None and entry["steps"] and taken != last:
                yield Words("check.records.last", exhibit=entry["exhibit"], log=taken or "-", then=last)


def _fused(
    lines: Sequence[Line],
    fused: Mapping[str, Any],
    derivatives: Mapping[str, Mapping[str, Any]],
    exhibit: str,
) -> Iterator[Words]:
    track = int(fused["track"])
    name = f"mark {1 - track} {fused['label']}" if track <= 0 else f"track {track} {fused['label']}"
    found = [line for line in lines if line.get("step") == name]
    about = f"{exhibit} {name}"
    wanted = [derivatives.get(fused[k], {}).get("sha256", "-") for k in ("derivative", "uncertainty")]
    yield from _outputs(found, wanted, about, "processing.track_fusion")
    stated = found[-1].get("params") if found else None
    if stated is None:
        return
    then = {"use": fused["use"], "version": fused["version"], **fused["params"]}
    for key in sorted(then):
        if stated.get(key) != then[key]:
            yield Words("check.records.param", about=about, name=key, then=then[key], log=stated.get(key),
                        seq=found[-1]["seq"])  # fmt: skip
            return
