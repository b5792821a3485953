"""Whether a CASE/UCO document is valid: the judges of `case_validate` and `case_prov_check`, and its order in time.

`case_utils` and `case_prov` (extra `exchange`) bring the ontology and the shapes, so nothing is fetched. SHACL asks
the same few SPARQL questions of thousands of nodes; each is parsed once here, which takes a fourth of the time.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONTOLOGY = "case-1.4.0"
"""As `case_validate --built-version` takes it."""
NEEDS = ("case_utils", "case_prov")
_LIMIT_S = 1800
_CASE = "https://ontology.caseontology.org/case/investigation/"
_UCO = "https://ontology.unifiedcyberontology.org/uco/"


@dataclass(frozen=True)
class Invalid:
    """Why a document is not valid."""

    judge: str
    """`json-ld`, `case_validate`, `case_prov_check` or `order`."""
    problem: str
    """The judge's own words, one result each, cut at 500 characters."""


JUDGES = ("order", "case_prov_check", "case_validate")


def check_case_uco(
    raw: bytes, ontology: str = ONTOLOGY, judges: Sequence[str] = JUDGES
) -> tuple[Invalid, ...]:
    """Every reason why the document is refused; empty where it is valid.

    Raises:
        ImportError: the extra `exchange` is not installed.
    """
    from rdflib.exceptions import ParserError

    with warnings.catch_warnings():
        # The packages read their shapes with functions of importlib that Python calls outdated.
        warnings.simplefilter("ignore", DeprecationWarning)
        graph = _graph()
        try:
            graph.parse(data=raw, format="json-ld")
        except (ValueError, KeyError, TypeError, ParserError) as problem:
            return (Invalid("json-ld", _cut(f"{type(problem).__name__}: {problem}")),)
        found = list(_order(graph)) if "order" in judges else []
        if "case_prov_check" in judges:
            found += _provenance(graph, raw)
        if "case_validate" in judges:  # last: it mixes the ontology into the graph
            found += _validated(graph, ontology)
        return tuple(found)


def _graph() -> Any:
    """An RDF graph that parses each text of a query once."""
    import rdflib
    from rdflib.plugins.sparql import prepareQuery

    class Prepared(rdflib.Graph):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._asked: dict[str, Any] = {}

        def query(self, query_object: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(query_object, str):
                if query_object not in self._asked:
                    names = kwargs.get("initNs") or (args[2] if len(args) > 2 else None)
                    self._asked[query_object] = prepareQuery(
                        query_object, initNs=names or dict(self.namespaces())
                    )
                query_object = self._asked[query_object]
            return super().query(query_object, *args, **kwargs)

    return Prepared()


def _validated(graph: Any, ontology: str) -> Iterator[Invalid]:
    """What `case_validate --built-version <ontology>` does, concepts that do not exist included."""
    import pyshacl
    from case_utils.case_validate.validate_utils import (
        disable_tbox_review,
        get_invalid_cdo_concepts,
        get_ontology_graph,
    )

    shapes = get_ontology_graph(ontology, None)
    disable_tbox_review(shapes)
    for concept in sorted(get_invalid_cdo_concepts(graph, shapes)):
        yield Invalid("case_validate", f"{concept} is no concept of {ontology}")
    conforms, _, said = pyshacl.validate(graph, ont_graph=shapes, shacl_graph=shapes, inplace=True)
    if not conforms:
        yield from _results("case_validate", said)


def _provenance(graph: Any, raw: bytes) -> Iterator[Invalid]:
    """What `case_prov_rdf` and then `case_prov_check` do: every chain goes back to where it began."""
    import importlib.resources

    import case_prov.shapes
    import pyshacl
    import rdflib

    with tempfile.TemporaryDirectory(prefix="playe-case-") as scratch:
        given, made = Path(scratch) / "case.jsonld", Path(scratch) / "prov.ttl"
        given.write_bytes(raw)
        call = [sys.executable, "-m", "case_prov.case_prov_rdf", "--allow-empty-results", "--use-deterministic-uuids",
                str(made), str(given)]  # fmt: skip
        try:
            ran = subprocess.run(
                call, capture_output=True, text=True, timeout=_LIMIT_S, check=False, cwd=scratch
            )
        except subprocess.TimeoutExpired:
            yield Invalid("case_prov_check", f"case_prov_rdf was not done after {_LIMIT_S} s")
            return
        if ran.returncode != 0:
            yield Invalid("case_prov_check", _cut(ran.stderr.strip().splitlines()[-1] if ran.stderr else "-"))
            return
        both = _graph()
        both.parse(made, format="turtle")
    for triple in graph:
        both.add(triple)
    shapes = rdflib.Graph()
    for file in sorted(importlib.resources.files(case_prov.shapes).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".ttl"):
            shapes.parse(data=file.read_text(encoding="utf-8"), format="turtle")
    conforms, _, said = pyshacl.validate(both, shacl_graph=shapes, ont_graph=shapes, inplace=True)
    if not conforms:
        yield from _results("case_prov_check", said)


def _order(graph: Any) -> Iterator[Invalid]:
    """What neither tool looks at: time that runs backwards, and data that comes of itself."""
    from rdflib import URIRef

    def pairs(name: str) -> list[tuple[str, Any]]:
        return [(str(s), o) for s, _, o in graph.triples((None, URIRef(name), None))]

    starts = dict(pairs(f"{_UCO}action/startTime"))
    ends = dict(pairs(f"{_UCO}action/endTime"))
    for action in sorted(starts.keys() & ends.keys()):
        began, ended = starts[action].toPython(), ends[action].toPython()
        if not _comparable(began, ended) or ended < began:
            yield Invalid("order", f"{action} ends at {ends[action]} and starts at {starts[action]}")
    made_by = {str(o): s for s, o in pairs(f"{_UCO}action/result")}
    for action, thing in pairs(f"{_UCO}action/object"):
        maker = made_by.get(str(thing), action)
        made, used = starts.get(maker), ends.get(action)
        if maker != action and made is not None and used is not None and not _before(made, used):
            yield Invalid(
                "order", f"{action} ended at {used}, before {maker} began to make {thing} at {made}"
            )
    for name in ("wasDerivedFrom", "wasInformedBy"):
        edges: dict[str, list[str]] = {}
        for source, target in pairs(_CASE + name):
            edges.setdefault(source, []).append(str(target))
        circle = cycle_in(edges)
        if circle:
            yield Invalid("order", f"{name} goes round in a circle: {' -> '.join(circle[:6])}")


def _before(made: Any, used: Any) -> bool:
    """Whether something made from `made` on may be used until `used`; a report's dates are whole seconds."""
    first, last = made.toPython(), used.toPython()
    return _comparable(first, last) and first.replace(microsecond=0) <= last


def _comparable(first: Any, second: Any) -> bool:
    stamps = [getattr(t, "tzinfo", None) for t in (first, second)]
    return all(hasattr(t, "microsecond") for t in (first, second)) and (stamps[0] is None) == (
        stamps[1] is None
    )


def cycle_in(edges: Mapping[str, list[str]]) -> list[str]:
    """The nodes of one cycle in their order, the first again at the end; empty where there is none."""
    done: set[str] = set()
    for root in sorted(edges):
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []
        if root not in done:
            stack.append((root, iter(edges.get(root, ()))))
            path.append(root)
            on_path.add(root)
        while stack:
            node, left = stack[-1]
            following = next(left, None)
            if following is None:
                stack.pop()
                done.add(path.pop())
                on_path.discard(node)
            elif following in on_path:
                return [*path[path.index(following) :], following]
            elif following not in done:
                stack.append((following, iter(edges.get(following, ()))))
                path.append(following)
                on_path.add(following)
    return []


def _results(judge: str, said: str) -> Iterator[Invalid]:
    """The results of a SHACL report, each as one line."""
    blocks = re.split(r"\n(?=(?:Constraint Violation|Validation Result) in )", said)[1:]
    for block in blocks or [said]:
        yield Invalid(judge, _cut(re.sub(r"\s+", " ", block)))


def _cut(words: str) -> str:
    words = words.strip()
    return words if len(words) <= 500 else words[:499] + "…"
