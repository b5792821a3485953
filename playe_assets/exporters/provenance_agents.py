"""Who and what did the work: people, the laboratory, PLAYE, its plug-ins as configured, learned models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playe_assets.core.canonical import canonical_json, digest
from playe_assets.exporters.provenance_graph import Agent
from playe_assets.exporters.provenance_log import Operation

LABORATORY = "laboratory"
_METHODS = ("processing.detect", "processing.detection_reused")


class Agents:
    """Collects the agents of a graph; one that is named again is the same one."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        administration = report["sections"]["administration"]
        laboratory = administration["laboratory"]
        self.found: dict[str, Agent] = {}
        self.add(Agent(LABORATORY, "organization", str(laboratory["name"]), facts=_said(
            address=laboratory.get("address"), accreditation=laboratory.get("accreditation"),
        )))  # fmt: skip
        self.operator = self.person(administration["operator"])
        self.authorised_by = laboratory.get("authorised_by")
        if self.authorised_by:
            self.authorised_by = self.person({"id": self.authorised_by, "role": "authorises the report"})
        findings = report["findings"]
        self.code_version = str(findings["inputs"].get("code_version") or "")
        self._methods = {d["exhibit"]: d.get("methods") or [] for d in findings["detections"]}
        self._fused = {
            f["use"]: str(f.get("version") or "") for s in findings["steps"] for f in s.get("fused") or ()
        }

    def add(self, agent: Agent) -> str:
        """The id under which the agent is known."""
        return self.found.setdefault(agent.id, agent).id

    def person(self, operator: Mapping[str, Any]) -> str | None:
        """The operator of a line; None where the line names none."""
        name = str(operator.get("id") or "")
        if not name:
            return None
        role, auth = str(operator.get("role") or ""), str(operator.get("auth") or "")
        return self.add(Agent(f"person/{name}/{role}/{auth}", "person", name, acts_for=LABORATORY,
                              facts=_said(role=role, auth=auth)))  # fmt: skip

    def software(self, code_version: str = "") -> str:
        """PLAYE as it was when the line was written."""
        version = code_version or self.code_version
        return self.add(Agent(f"software/PLAYE/{version}", "software", "PLAYE", version, LABORATORY))

    def tools(self, one: Operation) -> tuple[str, ...]:
        """What an operation was done with: the plug-ins as they were configured, and learned models."""
        playe = self.software(one.code_version)
        params, found = dict(one.params), []
        number, use = one.order
        if number:
            found.append(self._configured(playe, use, str(params.pop("version", "")), params))
        elif one.event == "processing.detector":
            found.append(self._configured(playe, self._method(one), str(params.pop("version", "")), params))
        elif one.event == "processing.track_fusion":
            use = next(iter(self._fused), "track_fusion")
            found.append(self._configured(playe, use, self._fused.get(use, ""), params))
        elif one.event in _METHODS:
            for method in self._methods.get(one.exhibit or "", ()):
                params.pop(method["label"], None)
                params.pop(method["name"], None)
                found.append(
                    self._configured(playe, method["name"], str(method["version"]), method["params"])
                )
        if not found or one.event in _METHODS:
            found.insert(0, self._configured(None, "PLAYE", one.code_version, params) if params else playe)
        return tuple(dict.fromkeys([*found, *(self._model(m) for m in one.models)]))

    def _method(self, one: Operation) -> str:
        """Which plug-in a detector's operation ran; its step names it as the preset labels it."""
        label = (one.step or "").rpartition(" ")[2]
        methods = self._methods.get(one.exhibit or "", ())
        return next((str(m["name"]) for m in methods if m["label"] == label), label)

    def _configured(self, part_of: str | None, name: str, version: str, params: Mapping[str, Any]) -> str:
        base = self.software(version) if part_of is None else self.add(
            Agent(f"software/{name}/{version}", "software", name, version, part_of)
        )  # fmt: skip
        if not params:
            return base
        flat = flattened(params)
        key = digest([base, dict(flat)])
        return self.add(Agent(f"configured/{key}", "software", name, version, base=base, params=flat))

    def _model(self, model: Mapping[str, Any]) -> str:
        name, version = str(model.get("name") or ""), str(model.get("version") or "")
        sha256 = model.get("weights_sha256")
        return self.add(Agent(
            f"model/{name}/{version}/{sha256}", "model", name, version, LABORATORY,
            facts=_said(licence=model.get("licence")), sha256=sha256,
        ))  # fmt: skip


def flattened(params: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested parameters under dotted names; lists and numbers as canonical JSON, so that nothing is rounded."""
    found: dict[str, str] = {}
    for key, value in sorted(params.items()):
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            found |= flattened(value, f"{name}.")
        else:
            found[name] = value if isinstance(value, str) else canonical_json(value).decode("utf-8")
    return found


def _said(**facts: Any) -> dict[str, str]:
    return {k: str(v) for k, v in facts.items() if v not in (None, "")}
