"""CASE 1.4 / UCO 1.4 JSON-LD of a report's provenance (caseontology.org); written without any library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from playe_assets.exporters.case_uco_nodes import Nodes, time_of
from playe_assets.exporters.exchange import Exchange, Given
from playe_assets.exporters.provenance import provenance
from playe_assets.exporters.provenance_graph import Activity, Agent, Entity, Graph

_CASE = "https://ontology.caseontology.org/case/"
_UCO = "https://ontology.unifiedcyberontology.org/uco/"
CONTEXT = {
    "kb": "urn:uuid:",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "case-investigation": f"{_CASE}investigation/",
    **{f"uco-{k}": f"{_UCO}{k}/"
       for k in ("action", "configuration", "core", "identity", "observable", "tool", "types")},
}  # fmt: skip
_STATUS = {"ok": "Success", "failed": "Fail", "interrupted": "Error", "ongoing": "Ongoing"}
_PERFORMERS = {"person": "uco-identity:Person", "organization": "uco-identity:Organization"}
_RECORDED = ("exhibit", "reference", "derivative", "report")
"""Entities that hold a number of the case, each with a provenance record under it."""


class CaseUco(Exchange):
    """`<report id>.case-uco.jsonld`."""

    name: ClassVar[str] = "case-uco"

    def write(self, given: Given, folder: Path) -> None:
        """One file; the same report gives the same bytes."""
        raw = case_uco_bytes(provenance(given.report, given.files))
        (folder / f"{given.report['report_id']}.case-uco.jsonld").write_bytes(raw)


def case_uco_bytes(graph: Graph) -> bytes:
    """The graph as the file's bytes."""
    return json.dumps(case_uco(graph), ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8") + b"\n"


def case_uco(graph: Graph) -> dict[str, Any]:
    """The graph as a JSON-LD document; every node has a name of its own, none is blank."""
    nodes = Nodes(graph)
    for agent in graph.agents.values():
        _agent(nodes, agent)
    for entity in graph.entities.values():
        _entity(nodes, entity)
    for activity in graph.activities.values():
        _action(nodes, activity)
    _investigation(nodes)
    return {"@context": CONTEXT, "@graph": nodes.made}


def _recorded(e: Entity) -> bool:
    return e.kind in _RECORDED and e.number is not None


def _investigation(nodes: Nodes) -> None:
    graph, case = nodes.graph, nodes.graph.case
    records = [nodes.ref(f"record/{e.id}") for e in graph.entities.values() if _recorded(e)]
    actions = [nodes.ref(a) for a in graph.activities]
    said = [f"Examination {case['examination_id']}, report {graph.report_id}."]
    said += [f"{name.capitalize()}: {case[name]}" for name in ("customer", "request") if case[name]]
    nodes.add(
        "investigation",
        "case-investigation:Investigation",
        **{
            "uco-core:name": case["id"],
            "uco-core:description": said,
            "case-investigation:investigationForm": "case",
            "case-investigation:focus": case["title"] or None,
            "uco-core:startTime": time_of(case.get("received")),
            "uco-core:endTime": time_of(case.get("issued")),
            "uco-core:object": [*records, *actions],
        },
    )


def _agent(nodes: Nodes, a: Agent) -> None:
    if a.kind in _PERFORMERS:
        said = [f"{k}: {v}" for k, v in sorted(a.facts.items())]
        nodes.add(a.id, _PERFORMERS[a.kind], **{"uco-core:name": a.name, "uco-core:description": said})
        if a.acts_for and a.acts_for in nodes.graph.agents:
            nodes.relation(a.id, a.acts_for, "Acts_For")
        return
    maker = nodes.graph.agents.get(a.acts_for or "")
    owned = maker is not None and maker.kind == "organization" and a.name == "PLAYE"
    about = {
        "uco-core:name": a.name,
        "uco-tool:version": a.version or None,
        "uco-tool:toolType": "learned model" if a.kind == "model" else "forensic image and video processing",
    }
    if a.kind == "model":
        entries = dict(sorted(a.facts.items()))
        nodes.configured(a.id, about, entries, objects={"weights": nodes.weights(a)} if a.sha256 else {},
                         kinds=["uco-tool:AnalyticTool", "uco-tool:ConfiguredTool"])  # fmt: skip
    elif a.base:
        nodes.configured(
            a.id, {**about, "uco-configuration:isConfigurationOf": nodes.ref(a.base)}, dict(a.params)
        )
    else:
        used_by = None if owned or maker is None else [f"Part of {maker.name} {maker.version}".rstrip()]
        nodes.add(a.id, "uco-tool:AnalyticTool", **about, **{"uco-core:description": used_by})


def _entity(nodes: Nodes, e: Entity) -> None:
    facts = {k: v for k, v in e.facts.items() if k != "name_hex"}
    facets = [nodes.content(e)] if e.sha256 else []
    kind: str | list[str] = "uco-observable:File"
    if e.kind == "frames":
        kind = "uco-observable:ObservableObject"
    else:
        facets.append(nodes.file(e))
        if e.width and e.height and (e.media_type or "image/").startswith("image/"):
            picture = e.facts.get("codec") if e.kind in ("exhibit", "reference") else e.media_type
            facets.append(nodes.picture(e, picture))
    sources = [nodes.ref(s) for s in (*e.derived_from, *([e.revision_of] if e.revision_of else []))]
    nodes.add(
        e.id,
        kind,
        **{
            "uco-core:name": e.name,
            "uco-core:tag": [f"{k}: {v}" for k, v in sorted(facts.items()) if v],
            "uco-core:hasFacet": facets,
            "case-investigation:wasDerivedFrom": sources,
        },
    )
    if e.kind == "derivative":
        for source in e.derived_from:
            if nodes.graph.entities[source].kind != "frames":
                nodes.relation(e.id, source, "Derived_From")
    if e.revision_of:
        nodes.relation(e.id, e.revision_of, "Supersedes")
    for person in e.attributed_to[1:]:
        nodes.relation(e.id, person, "Authorized_By")
    if _recorded(e):
        nodes.add(
            f"record/{e.id}",
            "case-investigation:ProvenanceRecord",
            **{
                "uco-core:description": [f"{e.kind} {e.number or ''} {e.name}".replace("  ", " ")],
                "case-investigation:exhibitNumber": e.number,
                "case-investigation:rootExhibitNumber": e.root if e.root != e.number else None,
                "uco-core:object": [nodes.ref(e.id)],
            },
        )


def _action(nodes: Nodes, a: Activity) -> None:
    def with_records(names: tuple[str, ...]) -> list[dict[str, str]]:
        known = nodes.graph.entities
        return [nodes.ref(n) for e in names for n in ((e, f"record/{e}") if _recorded(known[e]) else (e,))]

    parts = [nodes.ref(k) for k, other in nodes.graph.activities.items() if other.part_of == a.id]
    said = [f"{k}: {v}" for k, v in sorted(a.facts.items())]
    nodes.add(
        a.id,
        "case-investigation:InvestigativeAction",
        **{
            "uco-core:name": a.name,
            "uco-core:description": [f"event: {a.kind}", *said],
            "uco-action:startTime": time_of(a.started),
            "uco-action:endTime": time_of(a.ended),
            "uco-action:actionStatus": _STATUS.get(a.status, "Unknown"),
            "uco-action:actionCount": nodes.count(a.count) if a.count > 1 else None,
            "uco-action:performer": nodes.ref(a.operator) if a.operator else None,
            "uco-action:instrument": [nodes.ref(t) for t in a.tools],
            "uco-action:object": with_records(a.used),
            "uco-action:result": with_records(a.generated),
            "uco-action:subaction": parts,
            "case-investigation:wasInformedBy": [nodes.ref(k) for k in a.informed_by],
        },
    )
