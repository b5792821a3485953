"""The provenance that a report states, as one graph: built of its JSON and of the extract of the log that it holds."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.provenance_agents import Agents, flattened
from playe_assets.exporters.provenance_entities import Entities
from playe_assets.exporters.provenance_graph import Activity, Entity, Graph
from playe_assets.exporters.provenance_log import Operation, operations

_MOST_RUNS = 40
_REPORT = "activity/report"
_STAGE = "processing.stage"


def provenance(report: Mapping[str, Any], files: Mapping[str, str]) -> Graph:
    """The graph of an issued report. Pure: the same report and files give the same graph.

    Args:
        report: The report's JSON, any schema version that is still read.
        files: Name to sha256 of the report's files; `report.json` must be among them.
    """
    administration = report["sections"]["administration"]
    agents, entities = Agents(report), Entities(report, files)
    found = operations(report["sections"]["custody"]["extract"], administration["examination_id"])
    maker = _Activities(agents, entities)
    for one in found:
        maker.add(one)
    activities = maker.connected()
    activities[_REPORT] = _reporting(report, agents, entities, activities)
    for activity in activities.values():
        for name in activity.generated:
            entities.found[name] = _made_by(entities.found[name], activity, agents.authorised_by)
    case = administration["case"]
    return Graph(
        report_id=str(report["report_id"]),
        seed=files["report.json"],
        case={
            **{k: str(case.get(k) or "") for k in ("id", "title", "customer", "request")},
            "examination_id": str(administration["examination_id"]),
            **{k: str(v) for k, v in administration["dates"].items() if v},
        },
        entities=entities.found,
        activities=activities,
        agents=agents.found,
    )


class _Activities:
    """Operations as activities; what goes in and what comes out is found among the entities."""

    def __init__(self, agents: Agents, entities: Entities) -> None:
        self.agents, self.entities = agents, entities
        self.made: dict[str, Activity] = {}
        self.maker: dict[str, str] = {}
        """Entity to the activity that generated it: the first that says so."""
        self._stages: dict[str, list[str]] = defaultdict(list)
        self._whole: dict[tuple[str | None, str | None], str] = {}

    def add(self, one: Operation) -> None:
        """One operation, in the log's order."""
        key = f"activity/{one.id}"
        number, use = one.order
        used = self._used(one)
        generated = self._generated(one)
        plan = (
            self.entities.preset
            if one.event in ("processing.enhance", "processing.examination_opened")
            else None
        )
        whole = self._whole.get((_PARTS.get(one.event), one.exhibit)) or self._whole.get((_STAGE, one.asset))
        self.made[key] = Activity(
            id=key,
            kind=one.event,
            name=_name(one),
            status=one.status,
            started=one.started,
            ended=one.ended,
            operator=self.agents.person(one.operator),
            tools=self.agents.tools(one),
            plan=plan,
            used=used,
            generated=generated,
            part_of=None if one.event == _STAGE else whole,
            exhibit=one.exhibit,
            count=one.count,
            params=flattened(one.params),
            facts={
                "log_lines": runs(one.seqs),
                **({"stage": one.asset} if one.asset else {}),
                **({"ai_class": one.ai_class} if one.ai_class else {}),
                **({"error": one.error} if one.error else {}),
                **({"step_number": str(number), "step": use} if number else {}),
                **({"segment": f"{one.segment} of {one.segments}"} if one.segment else {}),
            },
        )
        if one.event in _WHOLES:
            self._whole[one.event, one.asset if one.event == _STAGE else one.exhibit] = key
        self._stages[one.asset or ""].append(key)

    def connected(self) -> dict[str, Activity]:
        """The activities, each generation told once and each told what it waited for."""
        # A whole says again what its parts made, so it comes last.
        for one in sorted(self.made.values(), key=lambda a: _WHOLES.get(a.kind, 0)):
            for entity in one.generated:
                self.maker.setdefault(entity, one.id)
        done: dict[str, Activity] = {}
        for key, one in self.made.items():
            own = tuple(e for e in one.generated if self.maker[e] == key)
            used = tuple(e for e in one.used if self.maker.get(e) != key)
            if one.kind == "processing.enhance":
                used += tuple(e for e in self._last_frames(key) if e not in used)
            before = [self.maker[e] for e in used if e in self.maker]
            if one.kind == "processing.gate" and not used:  # logs of before gates named what they judge
                stage = self._stages[one.facts.get("stage", "")]
                before += [
                    k for k in stage if self.made[k].kind not in ("processing.gate", "processing.step")
                ]
            informed = tuple(dict.fromkeys(k for k in before if k != key))
            again = [e for e in one.generated if e not in own and self.made[self.maker[e]].kind == one.kind]
            said = (
                {"same_result_again": ", ".join(self.entities.found[e].name for e in again)} if again else {}
            )
            done[key] = dataclasses.replace(
                one, generated=own, used=used, informed_by=informed, facts={**one.facts, **said}
            )
        return done

    def _used(self, one: Operation) -> tuple[str, ...]:
        number, _ = one.order
        found: list[str] = []
        if one.chains and number > 1:
            found.append(self.entities.folded(one, number - 1))
        else:
            for sha256 in one.inputs:
                frames = self.entities.frames_before(one, sha256) if number > 1 else None
                found.append(frames or self.entities.of(sha256, one.exhibit))
        return tuple(dict.fromkeys(e for e in found if e))

    def _generated(self, one: Operation) -> tuple[str, ...]:
        if one.order[0]:
            return tuple(self.entities.frames_of(one, sha256) for sha256 in one.outputs)
        kinds = ("manifest", "verdicts") if one.event in (_STAGE, "processing.examination_opened") else ()
        said = [f"{k} of {one.asset}" for k in kinds] + [""] * len(one.outputs)
        found = [self.entities.of(s, one.exhibit, said[n]) for n, s in enumerate(one.outputs)]
        return tuple(dict.fromkeys(found))

    def _last_frames(self, key: str) -> list[str]:
        """What left the last step of each chain of an enhancement, which its derivatives were encoded from."""
        parts = [a for a in self.made.values() if a.part_of == key and a.kind == "processing.step"]
        taken = {e for a in parts for e in a.used}
        return [e for a in parts for e in a.generated if e not in taken]


def _made_by(entity: Entity, activity: Activity, authorised_by: str | None) -> Entity:
    """An entity with what it comes from and whom it is due to, where nothing else has said so."""
    people = tuple(dict.fromkeys(p for p in (activity.operator, authorised_by) if p))
    due = people if entity.kind == "report" and people else activity.tools[:1]
    sources = entity.derived_from
    if not sources or entity.kind == "derivative":
        sources = tuple(dict.fromkeys((*sources, *(e for e in activity.used if e != entity.id))))
    return dataclasses.replace(entity, attributed_to=due, derived_from=sources)


_WHOLES = {"processing.detect": 1, "processing.enhance": 1, _STAGE: 2}
_PARTS = {"processing.step": "processing.enhance", "processing.track_fusion": "processing.enhance",
          "processing.detector": "processing.detect", "processing.tracks": "processing.detect"}  # fmt: skip
"""Event to that of the operation on the same exhibit that it is a part of; everything is a part of its stage."""


def _reporting(
    report: Mapping[str, Any], agents: Agents, entities: Entities, before: Mapping[str, Activity]
) -> Activity:
    """The report's own issue; its lines in the log were written after the extract was taken."""
    dates = report["sections"]["administration"]["dates"]
    used = entities.reported()
    makers = {e: k for k, a in before.items() for e in a.generated}
    judged = [k for k, a in before.items() if a.kind in ("processing.gate", "processing.measure")]
    return Activity(
        id=_REPORT,
        kind="processing.report",
        name=f"report {report['report_id']}",
        status="ok",
        started=None,
        ended=dates["issued"],
        operator=agents.operator,
        tools=(agents.software(),),
        used=used,
        generated=entities.issued,
        informed_by=tuple(dict.fromkeys([*(makers[e] for e in used if e in makers), *judged])),
        part_of=next(
            (k for k, a in reversed(tuple(before.items())) if _is_stage(a, "forensic_report")), None
        ),
        facts={"stage": "forensic_report"},
    )


def _is_stage(activity: Activity, asset: str) -> bool:
    return activity.kind == _STAGE and activity.facts.get("stage") == asset


def _name(one: Operation) -> str:
    words = [one.event.partition(".")[2].replace("_", " ")]
    number, use = one.order
    if number:
        words = [f"step {number} {use}"]
    elif one.step and one.step not in (words[0], one.event):
        words.append(one.step)
    if one.exhibit:
        words.append(one.exhibit)
    if one.segment and one.segments and one.segments > 1:
        words.append(f"segment {one.segment} of {one.segments}")
    if one.count > 1:
        words.append(f"{one.count} segments")
    return ", ".join(words)


def runs(numbers: Sequence[int]) -> str:
    """Line numbers as runs, such as `12-14, 20`; of too many the first, the last and how many."""
    told: list[list[int]] = []
    for n in sorted(set(numbers)):
        if told and n == told[-1][1] + 1:
            told[-1][1] = n
        else:
            told.append([n, n])
    if len(told) > _MOST_RUNS:
        return f"{len(set(numbers))} lines from {told[0][0]} to {told[-1][1]}"
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in told)
