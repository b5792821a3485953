"""What was used and made: exhibits, derivatives, samples between steps, manifests and the report itself."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from playe_assets.exporters.provenance_graph import Entity
from playe_assets.exporters.provenance_log import Operation

_MEDIA = {"report.json": "application/json", "report.pdf": "application/pdf"}


class Entities:
    """Collects the entities of a graph and finds them again by digest."""

    def __init__(self, report: Mapping[str, Any], files: Mapping[str, str]) -> None:
        self.found: dict[str, Entity] = {}
        self._by_digest: dict[str, list[str]] = defaultdict(list)
        self._frames: dict[tuple[str, int | None], list[tuple[int, str, str]]] = defaultdict(list)
        """Exhibit and segment to (step, digest, entity) in the log's order."""
        self._folded: dict[tuple[str, int], str] = {}
        findings, administration = report["findings"], report["sections"]["administration"]
        self.preset = self._preset(administration["preset"])
        self.exhibits = tuple(self._exhibit(e) for e in findings["exhibits"] if e.get("sha256"))
        withheld = {w["derivative"]: w for w in report["sections"]["pictures"]["withheld"]}
        self.derivatives = tuple(
            self._derivative(d, d["number"] in withheld) for d in findings["derivatives"]
        )
        self._facts(findings, report["sections"]["exhibits"]["deliveries"])
        self.metrics = self._metrics(findings["metrics"])
        self.issued = self._report(report, files)

    def add(self, entity: Entity) -> str:
        """The id under which it is known."""
        if entity.id not in self.found:
            self.found[entity.id] = entity
            if entity.sha256 and entity.kind != "frames":
                self._by_digest[entity.sha256].append(entity.id)
        return entity.id

    def of(self, sha256: str, exhibit: str | None, said: str = "") -> str:
        """The stored object with this digest, of the exhibit that is worked on where there are several.

        One that the report does not name is known by its digest alone; a manifest where the log `said` of what.
        """
        known = self._by_digest.get(sha256)
        if known:
            of_exhibit = [k for k in known if exhibit in (self.found[k].number, self.found[k].root)]
            return (of_exhibit or known)[0]
        return self.add(
            Entity(
                f"object/{sha256}",
                "manifest" if said else "object",
                said or f"stored object {sha256[:12]}",
                sha256,
                root=exhibit,
            )
        )

    def frames_of(self, one: Operation, sha256: str) -> str:
        """The samples that left a step; equal samples after another step are another entity."""
        number, use = one.order
        exhibit = one.exhibit or ""
        where = f", segment {one.segment} of {one.segments}" if one.segment else ""
        many = f", {one.count} segments" if one.count > 1 else ""
        key = self.add(
            Entity(
                f"frames/{one.id}/{sha256}",
                "frames",
                f"samples of {exhibit} after step {number} {use}{where}{many}",
                None if one.count > 1 else sha256,
                root=one.exhibit,
                facts={"segments": str(one.count), "segment_digests_sha256": sha256} if one.count > 1 else {},
            )
        )
        self._frames[(exhibit, one.segment)].append((number, sha256, key))
        if one.count > 1:
            self._folded[(exhibit, number)] = key
        return key

    def frames_before(self, one: Operation, sha256: str) -> str | None:
        """The samples with this digest that an earlier step of the same exhibit and segment gave."""
        number, _ = one.order
        earlier = [
            (step, place, key)
            for place, (step, held, key) in enumerate(self._frames[(one.exhibit or "", one.segment)])
            if step < number and held == sha256
        ]
        return max(earlier)[2] if earlier else None

    def folded(self, one: Operation, number: int) -> str:
        """What left step `number` of an exhibit whose segments were folded."""
        known = self._folded.get((one.exhibit or "", number))
        return known or self.of(one.inputs[0], one.exhibit)

    def reported(self) -> tuple[str, ...]:
        """What the report is made of."""
        seen = [k for k, e in self.found.items() if e.kind == "detections"]
        return (*self.exhibits, *self.derivatives, *seen, *([self.metrics] if self.metrics else []))

    def _preset(self, preset: Mapping[str, Any]) -> str:
        return self.add(
            Entity(
                "preset",
                "preset",
                f"preset {preset['name']} {preset['version']}",
                preset["sha256"],
                media_type="application/yaml",
            )
        )

    def _exhibit(self, e: Mapping[str, Any]) -> str:
        facts = e.get("facts") or {}
        said = {"status": e["status"], "name_hex": e.get("name_hex"), "duplicate_of": e.get("duplicate_of"),
                "container": facts.get("container"), "codec": facts.get("codec"),
                "reference": e.get("reference")}  # fmt: skip
        return self.add(
            Entity(
                f"exhibit/{e['number']}", "reference" if e.get("role") == "reference" else "exhibit",
                shown(str(e["name_shown"])), e["sha256"], e.get("size"), None, e["number"], e["number"],
                facts.get("width"), facts.get("height"),
                facts={k: str(v) for k, v in said.items() if v},
            )
        )  # fmt: skip

    def _derivative(self, d: Mapping[str, Any], withheld: bool) -> str:
        name = f"{d['exhibit']} {d['number']} {d['kind']}{d.get('suffix') or ''}"
        made = Entity(
            f"derivative/{d['number']}", "derivative", name, d["sha256"], d.get("size"), d.get("media_type"),
            d["number"], d["exhibit"], d.get("width"), d.get("height"),
            facts={"kind": d["kind"], "ai_class": d["ai_class"], "pixel_sha256": str(d.get("pixel_sha256") or ""),
                   **({"withheld": "true"} if withheld else {})},
        )  # fmt: skip
        sources = tuple(dict.fromkeys(self.of(s, d["exhibit"]) for s in d["was_derived_from"]))
        return self.add(dataclasses.replace(made, derived_from=sources))

    def _facts(self, findings: Mapping[str, Any], deliveries: Sequence[str | None]) -> None:
        """Objects of the store that the report names besides exhibits and derivatives."""
        for number, sha256 in enumerate(deliveries, 1):
            if sha256:
                self._known("delivery", "manifest", f"record of delivery {number}", sha256, None)
        for e in findings["exhibits"]:
            if e.get("ledger_sha256"):
                self._known(
                    "ledger", "manifest", f"time ledger of {e['number']}", e["ledger_sha256"], e["number"]
                )
        for d in findings["detections"]:
            if d.get("sha256"):
                self._known(
                    "detections", "detections", f"detections of {d['exhibit']}", d["sha256"], d["exhibit"]
                )
            if d.get("survey"):
                self._known("survey", "detections", f"survey of {d['exhibit']}", d["survey"], d["exhibit"])
        for row in findings["metrics"]["rows"]:
            if row.get("series"):
                of = self.found.get(f"derivative/{row['derivative']}")
                self._known("series", "metrics", f"measured series of {row['derivative']}", row["series"],
                            of.root if of else None)  # fmt: skip

    def _known(self, what: str, kind: str, name: str, sha256: str, exhibit: str | None) -> None:
        sources = (f"exhibit/{exhibit}",) if exhibit else ()
        self.add(Entity(f"{what}/{sha256}", kind, name, sha256, root=exhibit, derived_from=sources))

    def _metrics(self, metrics: Mapping[str, Any]) -> str | None:
        if not metrics.get("table_sha256"):
            return None
        sha256 = metrics["table_sha256"]
        return self.add(Entity(f"metrics/{sha256}", "metrics", "table of metrics", sha256,
                               derived_from=(*self.exhibits, *self.derivatives)))  # fmt: skip

    def _report(self, report: Mapping[str, Any], files: Mapping[str, str]) -> tuple[str, ...]:
        revised = report["sections"]["administration"].get("supersedes")
        earlier = None
        if revised:
            earlier = self.add(Entity(f"report/{revised['report_id']}/report.json", "report",
                                      f"{revised['report_id']}/report.json", revised["sha256"],
                                      media_type=_MEDIA["report.json"]))  # fmt: skip
        return tuple(
            self.add(
                Entity(f"report/{report['report_id']}/{name}", "report", f"{report['report_id']}/{name}", sha256,
                       media_type=_MEDIA.get(name), number=str(report["report_id"]) if name == "report.json" else None,
                       revision_of=earlier if name == "report.json" else None,
                       facts={"findings_sha256": report["findings_sha256"]} if name == "report.json" else {})
            )
            for name, sha256 in sorted(files.items())
        )  # fmt: skip


def shown(name: str) -> str:
    """A name without what no line of text holds; the report has escaped it already, and this costs nothing."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
