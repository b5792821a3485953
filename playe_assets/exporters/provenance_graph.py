"""Provenance as W3C PROV-DM sees it: three kinds of nodes and what connects them. Formats are written of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

NAMESPACE = uuid.UUID("6e2c1f0e-52a2-5a4f-9b0c-3f7d1f5d9a41")
"""Of every name that an export gives out; fixed for ever, so that the same report gives the same names."""


@dataclass(frozen=True)
class Agent:
    """Who or what bears responsibility: `person`, `organization`, `software` or `model` (learned weights)."""

    id: str
    kind: str
    name: str
    version: str = ""
    acts_for: str | None = None
    """A person's laboratory, or the software that a tool belongs to."""
    base: str | None = None
    """The tool of which this is a configuration."""
    params: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    sha256: str | None = None
    """Of a model's weights."""


@dataclass(frozen=True)
class Entity:
    """Data that was used or made. `frames` are samples as they left a step; everything else is a file or an object."""

    id: str
    kind: str
    """`exhibit`, `reference`, `derivative`, `frames`, `manifest`, `detections`, `metrics`, `preset`, `report` or
    `object`."""
    name: str
    sha256: str | None = None
    size: int | None = None
    """Bytes."""
    media_type: str | None = None
    number: str | None = None
    """Exhibit or derivative number within the case."""
    root: str | None = None
    """The exhibit that it goes back to."""
    width: int | None = None
    height: int | None = None
    derived_from: tuple[str, ...] = ()
    revision_of: str | None = None
    attributed_to: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Activity:
    """Something that was done: one pair of lines of the custody log, or several folded into one."""

    id: str
    kind: str
    """The log's event, such as `processing.step`."""
    name: str
    status: str
    """`ok`, `failed`, `interrupted` (begun and never ended) or `ongoing` (under way when the report was written)."""
    started: str | None
    ended: str | None
    operator: str | None
    tools: tuple[str, ...] = ()
    plan: str | None = None
    used: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    informed_by: tuple[str, ...] = ()
    part_of: str | None = None
    exhibit: str | None = None
    count: int = 1
    """How many operations of the log this stands for."""
    params: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """The provenance that one report states."""

    report_id: str
    seed: str
    """sha256 of the report's JSON."""
    case: Mapping[str, str]
    entities: Mapping[str, Entity]
    activities: Mapping[str, Activity]
    agents: Mapping[str, Agent]

    def uuid(self, node: str) -> str:
        """The name of a node: RFC 9562 version 5, of the report's id and digest and the node's own name."""
        return str(uuid.uuid5(NAMESPACE, f"{self.report_id}\n{self.seed}\n{node}"))
