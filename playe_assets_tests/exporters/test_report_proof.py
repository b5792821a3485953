"""The extract of a report stands in the log under its checkpoint, and whoever has the report alone can hold it so."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playe_assets.core.errors import IntegrityError
from playe_assets.custody.checkpoints import Checkpoints
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import Operator, Recorder
from playe_assets.examination.signed_files import report_bytes
from playe_assets.exporters.report_proof import check_proof, lines_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def reported(log: CustodyLog, checkpoints: Checkpoints, case: str, after: int = 0) -> dict[str, Any]:
    """What a report of `case` carries, through the bytes of its file; `after` further lines follow the checkpoint."""
    kept = checkpoints.make()
    for n in range(after):
        log.append([{"event": "custody.later", "case_id": case, "n": n}])
    entries = [e for _, e, _ in log.read() if e is not None and e.get("case_id") == case]
    size = kept.checkpoint.size
    proof = checkpoints.tree.several([e["seq"] for e in entries if e["seq"] < size], size)
    custody = {
        "extract": entries,
        "checkpoint": {"note": kept.note, "size": size, "root": kept.checkpoint.root.hex(),
                       "epoch": kept.epoch, "key0": checkpoints.key0()},
        "proof": {"size": size, "hashes": [h.hex() for h in proof]},
    }  # fmt: skip
    found: dict[str, Any] = json.loads(report_bytes({"sections": {"custody": custody}}))
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("proof")
    log = CustodyLog(folder / "events.jsonl")
    for n in range(23):
        entry = {
            "event": "processing.step",
            "case_id": "A" if n % 3 else "B",
            "metrics": {"x": 0.1 * n, "y": -0.0},
        }
        log.append([entry])
    return reported(log, Checkpoints(log, folder / "checkpoints"), "A", after=2)


def test_the_extract_rebuilds_the_root_and_later_lines_stand_outside(report: dict[str, Any]):
    facts = check_proof(report)
    assert facts is not None
    assert (facts.proven, facts.beyond) == (15, 2)
    assert facts.checkpoint.size == 23
    assert len(lines_of(report)) == 17


@settings(max_examples=30, deadline=None, derandomize=True)
@given(contents=st.lists(st.tuples(st.sampled_from("AB"), VALUES), min_size=1, max_size=12))
def test_any_json_survives_the_way_through_the_file(
    tmp_path_factory: pytest.TempPathFactory, contents: list[tuple[str, Any]]
):
    folder = tmp_path_factory.mktemp("any")
    log = CustodyLog(folder / "events.jsonl")
    log.append([{"event": "processing.step", "case_id": case, "params": value} for case, value in contents])
    found = reported(log, Checkpoints(log, folder / "checkpoints"), "A")
    raw = {index: line for index, _, line in log.read()}
    assert [raw[e["seq"]] for e in found["sections"]["custody"]["extract"]] == lines_of(found)
    facts = check_proof(found)
    assert facts is not None
    assert facts.proven == sum(case == "A" for case, _ in contents)


@pytest.mark.parametrize("audit", ["basic", "full"])
def test_what_the_recorder_writes_is_proven_in_every_audit_mode(tmp_path: Path, audit: str):
    log = CustodyLog(tmp_path / "events.jsonl")
    for case in ("A", "B", "A"):
        recorder = Recorder(
            log, request_id="r", case_id=case, operator=Operator("и", "operator", "os-user"), audit=audit
        )
        recorder.note("custody.received", step="delivery 1", params={"bytes": 3, "share": 1 / 3})
    facts = check_proof(reported(log, Checkpoints(log, tmp_path / "checkpoints"), "A"))
    assert facts is not None
    assert (facts.proven, facts.beyond) == (4, 0)


def test_whatever_is_altered_in_extract_proof_or_checkpoint_is_found(report: dict[str, Any]):
    def spoilt(change: Any) -> None:
        other = copy.deepcopy(report)
        change(other["sections"]["custody"])
        with pytest.raises(IntegrityError):
            check_proof(other)

    for n in range(15):
        spoilt(lambda c, n=n: c["extract"][n]["metrics"].update(x=7.5))
        spoilt(lambda c, n=n: c["extract"].pop(n))
        spoilt(lambda c, n=n: c["extract"][n].update(seq=c["extract"][n]["seq"] - 1))
    spoilt(lambda c: c["extract"].append(c["extract"][0]))
    spoilt(lambda c: c["extract"].insert(0, {**c["extract"][0], "seq": 0}))
    for n in range(len(report["sections"]["custody"]["proof"]["hashes"])):
        spoilt(lambda c, n=n: c["proof"]["hashes"].pop(n))
        spoilt(lambda c, n=n: c["proof"]["hashes"].__setitem__(n, "00" * 32))
    spoilt(lambda c: c["proof"]["hashes"].append("00" * 32))
    spoilt(lambda c: c["proof"].update(size=22))
    spoilt(lambda c: c.update(proof=None))
    spoilt(lambda c: c["checkpoint"].update(root="00" * 32))
    spoilt(lambda c: c["checkpoint"].update(size=24))
    spoilt(lambda c: c["checkpoint"].update(epoch=1))
    spoilt(lambda c: c["checkpoint"].update(note="nothing"))


def test_a_report_without_checkpoint_has_nothing_to_prove():
    assert check_proof({"sections": {"custody": {"extract": []}}}) is None


def test_reports_and_notices_of_every_version_are_accepted_by_a_strangers_validator():
    from jsonschema import Draft202012Validator

    from playe_assets.exporters.report_schema import VERSIONS, report_schema, validate_report

    root = Path(__file__).resolve().parents[2] / "docs" / "examples"
    for version in VERSIONS:
        schema = report_schema(version)
        Draft202012Validator.check_schema(schema)
        name = "report-example.json" if version == VERSIONS[-1] else f"report-{version}.json"
        example = json.loads((root / name).read_text(encoding="utf-8"))
        assert example["schema_version"] == version
        assert list(Draft202012Validator(schema).iter_errors(example)) == []
        validate_report(example)
        assert lines_of(example)
        facts = check_proof(example)
        assert (facts is None) is (version in ("1.0", "1.1"))
