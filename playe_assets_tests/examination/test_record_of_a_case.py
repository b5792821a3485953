"""The log of a whole examined case: start and end for each exhibit, and no field null without a reason."""

from __future__ import annotations

from collections import defaultdict

from playe_assets.custody.fields import FIELDS, SINGLE, left_out


def records(examined):
    """The log without the lines that it writes of itself."""
    return [line for line in examined.laboratory.log() if line["event"] not in SINGLE]


def _pairs(log):
    found = defaultdict(list)
    for entry in log:
        found[entry["op_id"]].append(entry)
    return found


def test_every_line_has_every_field_and_is_chained(examined):
    for line in records(examined):
        assert set(FIELDS) <= set(line), line["event"]


def test_every_operation_has_a_start_and_an_end(examined):
    for lines in _pairs(records(examined)).values():
        states = [line["status"] for line in lines]
        assert states == ["started", "ok"], (lines[0]["event"], states)
        assert len({(e["event"], e["exhibit"], e["step"], e["t_start_utc"]) for e in lines}) == 1
        assert lines[-1]["t_end_utc"] >= lines[0]["t_start_utc"]


def test_every_stage_wrote_its_operation_for_each_exhibit(examined):
    ended = {(e["event"], e["exhibit"]) for e in records(examined) if e["status"] == "ok"}
    assert {x for ev, x in ended if ev == "custody.acquired"} == {"E001", "E002", "E003", "E004"}
    assert {x for ev, x in ended if ev == "processing.identified"} == {"E001", "E002", "E004"}
    for event in ("processing.detect", "processing.enhance", "processing.measure"):
        assert {x for ev, x in ended if ev == event} == {"E001", "E002"}, event
    (report,) = examined.laboratory.reports("MIXED-1")
    steps = {(e["exhibit"], e["step"]) for e in records(examined) if e["event"] == "processing.step"}
    wanted = {
        (s["exhibit"], f"{step['number']} {step['use']}")
        for s in report["findings"]["steps"]
        for step in s["steps"]
    }
    assert steps == wanted


def test_each_gate_judged_in_order_the_report_s_before_and_after_it_was_issued(examined):
    from playe_assets.gates import GATES

    judged = [e for e in records(examined) if e["event"] == "processing.gate" and e["status"] == "ok"]
    assert [e["step"] for e in judged] == [*GATES, "report_consistent"]
    issued = [e["seq"] for e in records(examined) if e["event"] == "custody.report_issued"]
    assert judged[-2]["seq"] < issued[0] < judged[-1]["seq"]
    assert all(e["checks"] for e in judged)


def test_a_field_is_null_only_where_the_list_says_why(examined):
    for line in records(examined):
        assert left_out(line) == [], (line["event"], line["status"])


def test_what_was_made_is_named_by_digest_and_every_digest_of_the_report_is_in_the_log(examined):
    log = records(examined)
    outputs = {sha256 for e in log for sha256 in e["output_sha256"]}
    inputs = {sha256 for e in log for sha256 in e["input_sha256"]}
    (report,) = examined.laboratory.reports("MIXED-1")
    assert {d["sha256"] for d in report["findings"]["derivatives"]} <= outputs
    assert {e["sha256"] for e in report["findings"]["exhibits"]} <= outputs
    assert {
        d["sha256"] for d in report["findings"]["derivatives"] if d["kind"] in ("photo", "master")
    } <= inputs
    measured = [e for e in log if e["event"] == "processing.measure" and e["status"] == "ok"]
    assert all(e["metrics"] for e in measured)


def test_every_parameter_of_the_preset_stands_in_the_log(examined):
    from playe_assets.core.presets import load_preset
    from playe_assets.core.values import MediaKind

    preset = load_preset("forensic_safe")
    log = examined.laboratory.log()
    for kind, exhibit in ((MediaKind.PHOTO, "E001"), (MediaKind.CLIP, "E002")):
        for number, use in enumerate(preset.steps[kind], 1):
            (line,) = [e for e in log if e["event"] == "processing.step" and e["exhibit"] == exhibit
                       and e["step"] == f"{number} {use.name}" and e["status"] == "ok"]  # fmt: skip
            assert line["params"].items() >= dict(use.given).items()


def test_the_environment_is_stated_on_every_line(examined):
    from playe_assets.custody import environment

    for line in records(examined):
        assert line["activity"]["code_version"] == environment.code_version()
        assert line["env"]["packages_sha256"] == environment.env()["packages_sha256"]
        assert line["runtime"]["device"]
