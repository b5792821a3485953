"""Reports for tests of verification: found, altered with every digest made good again, run again elsewhere."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from playe_assets.core.canonical import digest
from playe_assets.custody.record import Operator
from playe_assets.examination.rerun import Places, rerun
from playe_assets.examination.rerun_result import Rerun, plain, rerun_schema
from playe_assets.examination.settings import Settings, load_settings
from playe_assets_tests.laboratory import TestLaboratory

VERIFIER = Operator("Other Side", "verifier", "os-user")


def report_path(laboratory: TestLaboratory, case_id: str) -> Path:
    """The newest report's `report.json`."""
    return sorted((laboratory.settings.cases / case_id / "reports").glob("*-R*/report.json"))[-1]


def stranger(root: Path) -> Settings:
    """Settings of somebody who has PLAYE and no case."""
    return load_settings({"data_root": root / "stranger"})


def again(
    content: Mapping[str, Any], settings: Settings, exhibits: Path, work: Path, *, threads: int | None = 1,
    derivatives: Path | None = None, weights: Path | None = None,
) -> Rerun:  # fmt: skip
    """The report run again; the result is held against its own schema."""
    from jsonschema import Draft202012Validator

    sha256 = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    places = Places(exhibits, work, derivatives, weights)
    found = rerun(content, sha256, settings, places, VERIFIER, threads=threads)
    Draft202012Validator(rerun_schema()).validate(json.loads(json.dumps(plain(found), allow_nan=False)))
    return found


def altered(content: Mapping[str, Any], change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """A copy of the report that `change` has altered, with the digests that a forger would make good."""
    made: dict[str, Any] = copy.deepcopy(dict(content))
    change(made)
    findings, preset = made["findings"], made["sections"]["administration"]["preset"]
    sha256 = hashlib.sha256(preset["text"].encode()).hexdigest()
    for held in (preset, findings["preset"], findings["inputs"]["preset"]):
        held["sha256"] = sha256
    if "examination_id" in findings:
        findings["examination_id"] = f"X-{digest(findings['inputs'])[:32]}"
        made["sections"]["administration"]["examination_id"] = findings["examination_id"]
    made["findings_sha256"] = digest(findings)
    return made


def scrambled(source: Path, goal: Path) -> Path:
    """The evidence of a drop folder under other names, in other folders, among foreign files."""
    files = sorted(p for p in source.rglob("*") if p.is_file() and p.name != "case.yaml")
    for number, path in enumerate(files):
        place = goal / f"box {number % 2}" / f"item {len(files) - number}.bin"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    (goal / "notes.txt").write_text("nothing to do with it", encoding="utf-8")
    (goal / "broken link").symlink_to("nowhere")
    return goal


def levels(found: Rerun) -> dict[str, str]:
    """`E001 photo 0` to the level that was reached."""
    return {f"{v.exhibit} {v.kind} {v.order}": v.reached.value for v in found.verdicts}
