"""Reports for the tests of the exchange formats: the published example, whole, cut down, and with many segments."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

from playe_assets.exporters.provenance import provenance
from playe_assets.exporters.provenance_graph import Graph

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "report-example.json"


def example() -> dict[str, Any]:
    """The report that `make demo` issues, as the repository publishes it."""
    found: dict[str, Any] = json.loads(EXAMPLE.read_bytes())
    return found


def graph_of(report: dict[str, Any]) -> Graph:
    """Its provenance, its file hashed as it would lie on the disk."""
    raw = json.dumps(report, sort_keys=True).encode()
    return provenance(report, {"report.json": hashlib.sha256(raw).hexdigest()})


def one_photo() -> dict[str, Any]:
    """The example with its first photograph alone: small enough for the real command-line tools."""
    report = example()
    findings, sections = report["findings"], report["sections"]
    gone = {e["sha256"] for e in findings["exhibits"] if e["number"] != "E001"}
    findings["exhibits"] = [e for e in findings["exhibits"] if e["number"] == "E001"]
    for key in ("detections", "steps", "derivatives"):
        findings[key] = [x for x in findings[key] if x["exhibit"] == "E001"]
    findings["metrics"]["rows"] = [r for r in findings["metrics"]["rows"] if r["derivative"] == "D001"]
    kept = [x for x in sections["custody"]["extract"] if x.get("exhibit") in (None, "E001")]
    for line in kept:
        line["input_sha256"] = [s for s in line["input_sha256"] or () if s not in gone]
    sections["custody"]["extract"] = kept
    return report


def with_segments(count: int) -> dict[str, Any]:
    """The example with its clip worked in `count` segments, each with its own digests."""
    report = example()
    extract = report["sections"]["custody"]["extract"]
    steps = [x for x in extract if x["event"] == "processing.step" and x["exhibit"] == "E004"]
    first = min(x["seq"] for x in steps)
    clip = report["findings"]["exhibits"][3]["sha256"]
    made: list[dict[str, Any]] = []
    for number in range(1, count + 1):
        for line in steps:
            one = copy.deepcopy(line)
            step = int(one["step"].partition(" ")[0])
            one["op_id"] = f"{line['op_id']}-{number}"
            one["params"]["segment"] = {"number": number, "of": count}
            one["input_sha256"] = [clip if step == 1 else _sha(f"{number} after {step - 1}")]
            one["output_sha256"] = [] if one["status"] == "started" else [_sha(f"{number} after {step}")]
            made.append(one)
    before = [x for x in extract if x not in steps and x["seq"] < first]
    after = [x for x in extract if x not in steps and x["seq"] > first]
    lines = [*before, *made, *after]
    for seq, line in enumerate(lines):
        line["seq"] = seq
    report["sections"]["custody"]["extract"] = lines
    return report


def _sha(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
