"""W3C PROV-JSON (Member Submission of 24 April 2013) of a report's provenance; written without any library."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from playe_assets.exporters.exchange import Exchange, Given
from playe_assets.exporters.provenance import provenance
from playe_assets.exporters.provenance_graph import Activity, Agent, Entity, Graph

PREFIXES = {"id": "urn:uuid:", "playe": "urn:playe:prov:"}
"""`id` names nodes, `playe` our own attributes; `prov` and `xsd` are known to every reader."""
_TYPES = {"person": "prov:Person", "organization": "prov:Organization", "software": "prov:SoftwareAgent",
          "model": "prov:SoftwareAgent"}  # fmt: skip


class ProvJson(Exchange):
    """`<report id>.prov.json`."""

    name: ClassVar[str] = "prov"

    def write(self, given: Given, folder: Path) -> None:
        """One file; the same report gives the same bytes."""
        document = prov_json(provenance(given.report, given.files))
        raw = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8") + b"\n"
        (folder / f"{given.report['report_id']}.prov.json").write_bytes(raw)


def prov_json(graph: Graph) -> dict[str, Any]:
    """The graph as a PROV-JSON document."""
    relations: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)

    def relate(kind: str, **ends: Any) -> None:
        held = relations[kind]
        held[f"_:{kind}{len(held) + 1}"] = {f"prov:{k}": v for k, v in ends.items() if v is not None}

    def named(node: str | None) -> str | None:
        return None if node is None else f"id:{graph.uuid(node)}"

    maker = {e: a.id for a in graph.activities.values() for e in a.generated}
    for agent in graph.agents.values():
        for responsible in (agent.acts_for, agent.base):
            if responsible:
                relate("actedOnBehalfOf", delegate=named(agent.id), responsible=named(responsible))
    for a in graph.activities.values():
        for entity in a.used:
            relate("used", activity=named(a.id), entity=named(entity))
        for entity in a.generated:
            relate("wasGeneratedBy", entity=named(entity), activity=named(a.id))
        for before in a.informed_by:
            relate("wasInformedBy", informed=named(a.id), informant=named(before))
        if a.operator:
            relate("wasAssociatedWith", activity=named(a.id), agent=named(a.operator), plan=named(a.plan))
        for tool in a.tools:
            relate("wasAssociatedWith", activity=named(a.id), agent=named(tool))
            if a.operator:
                relate("actedOnBehalfOf", delegate=named(tool), responsible=named(a.operator),
                       activity=named(a.id))  # fmt: skip
    for e in graph.entities.values():
        for source in e.derived_from:
            relate("wasDerivedFrom", generatedEntity=named(e.id), usedEntity=named(source),
                   activity=named(maker.get(e.id)) if source in _used(graph, maker.get(e.id)) else None)  # fmt: skip
        if e.revision_of:
            relate("wasDerivedFrom", generatedEntity=named(e.id), usedEntity=named(e.revision_of),
                   type=_name("prov:Revision"))  # fmt: skip
        for agent_id in e.attributed_to:
            relate("wasAttributedTo", entity=named(e.id), agent=named(agent_id))
    return {
        "prefix": PREFIXES,
        "entity": {f"id:{graph.uuid(e.id)}": _entity(e) for e in graph.entities.values()},
        "activity": {f"id:{graph.uuid(a.id)}": _activity(a) for a in graph.activities.values()},
        "agent": {f"id:{graph.uuid(a.id)}": _agent(a) for a in graph.agents.values()},
        **relations,
    }


def _used(graph: Graph, activity: str | None) -> tuple[str, ...]:
    return graph.activities[activity].used if activity else ()


def _name(name: str) -> dict[str, str]:
    return {"$": name, "type": "xsd:QName"}


def _own(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {f"playe:{k}": v for k, v in facts.items() if v not in (None, "")}


def _entity(e: Entity) -> dict[str, Any]:
    plan = [_name("prov:Plan")] if e.kind == "preset" else []
    return {
        "prov:label": e.name,
        "prov:type": [*plan, _name(f"playe:{e.kind}")],
        **_own({"sha256": e.sha256, "bytes": e.size, "media_type": e.media_type, "number": e.number,
                "exhibit": e.root, "width_px": e.width, "height_px": e.height, **e.facts}),
    }  # fmt: skip


def _activity(a: Activity) -> dict[str, Any]:
    times = {"prov:startTime": a.started, "prov:endTime": a.ended}
    params = json.dumps(dict(a.params), ensure_ascii=False, sort_keys=True) if a.params else None
    return {
        **{k: v for k, v in times.items() if v},
        "prov:label": a.name,
        "prov:type": _name(f"playe:{a.kind}"),
        **_own({"status": a.status, "exhibit": a.exhibit, "operations": a.count if a.count > 1 else None,
                "params": params, **a.facts}),
    }  # fmt: skip


def _agent(a: Agent) -> dict[str, Any]:
    configuration = json.dumps(dict(a.params), ensure_ascii=False, sort_keys=True) if a.params else None
    kind = [_name("playe:learned_model")] if a.kind == "model" else []
    return {
        "prov:label": f"{a.name} {a.version}".rstrip(),
        "prov:type": [_name(_TYPES[a.kind]), *kind],
        **_own({"version": a.version, "params": configuration, "weights_sha256": a.sha256, **a.facts}),
    }
