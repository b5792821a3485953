"""The list of fields: what a record may leave out and why; what is left out without a reason is found."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from playe_assets.custody.fields import (
    EVENTS,
    FIELDS,
    LEFT_OUT_BY_BASIC,
    SINGLE,
    WHY,
    excuses,
    left_out,
    table,
)
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import Operator, Recorder

ROOT = Path(__file__).resolve().parents[2]
NEVER_NULL = ("event", "op_id", "request_id", "step", "operator", "t_start_utc", "status", "activity")


@pytest.fixture
def lines(tmp_path):
    """Start and end of a learned step that states everything, as the log keeps them."""
    recorder = Recorder(CustodyLog(tmp_path / "events.jsonl"), request_id="R1", case_id="C1",
                        operator=Operator("Anna", "operator", "os-user"))  # fmt: skip
    recorder.examination_id = "X-1"
    with recorder.record(
        "processing.step", step="1 denoise", exhibit="E001", inputs=["a" * 64], ai_class="fidelity",
        params={"strength": 1}, model={"dncnn": {"weights_sha256": "d" * 64}}, precision="fp32", seed={"noise": 7},
        tiling={"dncnn": {"tile": 64}}, runtime={"name": "openvino", "version": "2025"},
    ) as work:  # fmt: skip
        work.outputs.append("b" * 64)
        work.metrics["applied"] = 1.0
        work.checks.append({"check": "certificate"})
    return [entry for _, entry, _ in recorder.log.read()]


def test_a_record_that_states_everything_leaves_nothing_out(lines):
    assert [left_out(line) for line in lines] == [[], []]


@pytest.mark.parametrize(
    "field", [f for f in FIELDS if f not in ("event", "status", "error", "override", "seed")]
)
def test_a_field_that_is_left_out_without_a_reason_is_found(lines, field):
    end = {**lines[1], field: None}
    if field in ("tiling", "metrics", "checks"):  # a step may have none of these, and says so
        assert left_out(end) == []
    else:
        assert left_out(end) == [field]
    del end[field]
    assert left_out(end) == [field], "a field that is not even there has no excuse"


def test_a_reason_excuses_only_a_line_of_which_it_can_be_true(lines):
    start, end = lines
    assert left_out({**start, "output_sha256": []}) == []
    assert left_out({**end, "output_sha256": []}) == ["output_sha256"]
    failed = {**end, "status": "failed", "output_sha256": [], "error": {"type": "X"}}
    assert left_out(failed) == []
    assert left_out({**failed, "error": None}) == ["error"], "a failure says what failed"
    assert left_out({**end, "model": None}) == ["model"], "what a model made names it"
    classical = {**end, "model": None, "ai_class": "none", "precision": None, "tiling": None,
                 "runtime": {"name": "opencv"}}  # fmt: skip
    assert left_out(classical) == []
    assert left_out({**classical, "model": {"dncnn": {}}, "runtime": {"name": "openvino"}}) == ["precision"]
    assert left_out({**end, "params": None}) == ["params"]
    assert left_out({**end, **dict.fromkeys(LEFT_OUT_BY_BASIC)}) == [], (
        "audit mode basic leaves out all three"
    )


def test_a_record_of_a_case_names_the_case(lines):
    assert left_out({**lines[1], "case_id": None}) == ["case_id"]
    command = {
        **lines[1],
        "event": "custody.weights_pulled",
        "case_id": None,
        "examination_id": None,
        "exhibit": None,
    }
    assert left_out(command) == []
    asset = {**command, "activity": {**command["activity"], "asset_key": "detections"}}
    assert "case_id" in left_out(asset), "what an asset does belongs to a case"


def test_an_event_that_nobody_listed_is_no_record(lines):
    with pytest.raises(KeyError):
        left_out({**lines[1], "event": "processing.unheard_of"})


def test_every_reason_is_a_sentence_that_is_used_and_every_field_is_one_of_the_record():
    used = {code for event in EVENTS for field in FIELDS for code in excuses(event, field)}
    assert used == set(WHY)
    for why in WHY.values():
        assert re.fullmatch(r"[a-z`].{9,}[^.]", why.said), why.said
    assert {field for null in EVENTS.values() for field in null} <= set(FIELDS)
    assert not {field for event in EVENTS for field in NEVER_NULL if excuses(event, field)}
    assert not set(EVENTS) & set(SINGLE)


def _events_in_the_sources():
    """Strings such as `custody.received` that stand as the event of a record, and those of named constants."""
    found = {}
    for path in sorted((ROOT / "playe_assets").rglob("*.py")):
        if path.name == "fields.py" and path.parent.name == "custody":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "attr", getattr(node.func, "id", "")) in _RECORDING
            ):
                for given in node.args[:2]:
                    if isinstance(given, ast.Constant) and re.fullmatch(
                        r"(custody|processing)\.\w+", str(given.value)
                    ):
                        found.setdefault(given.value, path)
    return found


_RECORDING = ("record", "note", "_recorded", "_deciding")
_BY_NAME = {"custody.model_approved", "custody.model_withdrawn", "custody.timestamp_failed",
            "custody.timestamped"}  # fmt: skip
"""Events that reach the recorder through a name."""


def test_every_event_of_the_sources_stands_in_the_list_and_none_is_idle():
    written = _events_in_the_sources()
    unknown = {event: str(path) for event, path in written.items() if event not in EVENTS}
    assert not unknown
    idle = [e for e in EVENTS if e not in written and e not in _BY_NAME]
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "playe_assets").rglob("*.py")
                      if p.name != "fields.py")  # fmt: skip
    assert not [e for e in idle if f'"{e}"' not in sources]


def test_the_document_shows_the_list_as_it_is():
    document = (ROOT / "docs" / "record.md").read_text(encoding="utf-8")
    marks = "<!-- fields -->\n", "<!-- end of fields -->\n"
    assert document.count(marks[0]) == document.count(marks[1]) == 1
    shown = document.partition(marks[0])[2].partition(marks[1])[0]
    assert shown == table(), "run: python -m playe_assets_tests.custody.test_fields"


def _renew():
    path = ROOT / "docs" / "record.md"
    before, start, rest = path.read_text(encoding="utf-8").partition("<!-- fields -->\n")
    _, end, after = rest.partition("<!-- end of fields -->\n")
    path.write_text(before + start + table() + end + after, encoding="utf-8")


if __name__ == "__main__":
    _renew()
