"""Nodes of a CASE/UCO document: names, facets, hashes, configurations, relationships."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playe_assets.exporters.provenance_graph import Agent, Entity, Graph


def time_of(utc: str | None) -> dict[str, str] | None:
    """A UTC time as `xsd:dateTime`."""
    return {"@type": "xsd:dateTime", "@value": utc} if utc else None


class Nodes:
    """Collects the nodes of a document, in the order in which they were made."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made: list[dict[str, Any]] = []
        self._names: set[str] = set()

    def ref(self, node: str) -> dict[str, str]:
        """A reference to a node by its local name."""
        return {"@id": self._id(node)}

    def _id(self, node: str) -> str:
        return f"kb:{self.graph.uuid(node)}"

    def add(self, node: str, kind: str | list[str], **properties: Any) -> dict[str, str]:
        """A node; properties without a value are left out, and one that is there already stays as it is."""
        if node not in self._names:
            self._names.add(node)
            told = {k: v for k, v in properties.items() if v not in (None, "", [], {})}
            self.made.append({"@id": self._id(node), "@type": kind, **told})
        return self.ref(node)

    def count(self, number: int) -> dict[str, str]:
        """A count as UCO types it."""
        return {"@type": "xsd:nonNegativeInteger", "@value": str(number)}

    def content(self, e: Entity) -> dict[str, str]:
        """Hash, size and media type of an entity's bytes."""
        return self.add(
            f"content/{e.id}",
            "uco-observable:ContentDataFacet",
            **{
                "uco-observable:sizeInBytes": e.size,
                "uco-observable:mimeType": e.media_type,
                "uco-observable:hash": [self._hash(f"hash/{e.id}", str(e.sha256))],
            },
        )

    def _hash(self, node: str, sha256: str) -> dict[str, str]:
        return self.add(
            node,
            "uco-types:Hash",
            **{
                "uco-types:hashMethod": "SHA256",
                "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": sha256.upper()},
            },
        )

    def file(self, e: Entity) -> dict[str, str]:
        """Name and size of a file."""
        return self.add(
            f"file/{e.id}",
            "uco-observable:FileFacet",
            **{"uco-observable:fileName": e.name, "uco-observable:sizeInBytes": e.size},
        )

    def picture(self, e: Entity, kind: str | None) -> dict[str, str]:
        """Size of a picture, px."""
        return self.add(
            f"picture/{e.id}",
            "uco-observable:RasterPictureFacet",
            **{
                "uco-observable:pictureWidth": e.width,
                "uco-observable:pictureHeight": e.height,
                "uco-observable:pictureType": kind,
            },
        )

    def weights(self, model: Agent) -> dict[str, str]:
        """The weight file of a learned model."""
        node = f"weights/{model.id}"
        facet = self.add(
            f"content/{node}",
            "uco-observable:ContentDataFacet",
            **{"uco-observable:hash": [self._hash(f"hash/{node}", str(model.sha256))]},
        )
        name = f"weights of {model.name} {model.version}".rstrip()
        return self.add(node, "uco-observable:File", **{"uco-core:name": name, "uco-core:hasFacet": [facet]})

    def configured(
        self,
        node: str,
        about: Mapping[str, Any],
        values: Mapping[str, str],
        *,
        objects: Mapping[str, Any] | None = None,
        kinds: str | list[str] = "uco-tool:ConfiguredTool",
    ) -> None:
        """A tool with its parameters, one entry each; an entry may point to an object instead of a value."""
        entries = [self._entry(node, name, "uco-configuration:itemValue", v) for name, v in values.items()]
        entries += [
            self._entry(node, name, "uco-configuration:itemObject", [v])
            for name, v in (objects or {}).items()
        ]
        configuration = self.add(
            f"configuration/{node}",
            "uco-configuration:Configuration",
            **{"uco-configuration:configurationEntry": entries},
        )
        self.add(node, kinds, **about, **{"uco-configuration:usesConfiguration": configuration})

    def _entry(self, node: str, name: str, kind: str, value: Any) -> dict[str, str]:
        return self.add(
            f"entry/{node}/{name}",
            "uco-configuration:ConfigurationEntry",
            **{"uco-configuration:itemName": name, kind: value if value != "" else '""'},
        )

    def relation(self, source: str, target: str, kind: str) -> None:
        """That one node is related to another."""
        self.add(
            f"relation/{source}/{kind}/{target}",
            "uco-core:Relationship",
            **{
                "uco-core:source": [self.ref(source)],
                "uco-core:target": self.ref(target),
                "uco-core:kindOfRelationship": kind,
                "uco-core:isDirectional": True,
            },
        )
