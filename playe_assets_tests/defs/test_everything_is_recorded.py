"""A walk over the asset graph, the sensors and the commands: each writes pairs of lines that leave no field out.

What is added to one of them without a record, or to a record without a reason, fails here.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter, defaultdict

import click
import dagster as dg
import pytest
from click.testing import CliRunner

from playe_assets.cli import playe
from playe_assets.cli.recorded import ONLY_LOOK, RECORDED
from playe_assets.core.errors import CommandError
from playe_assets.custody.fields import EVENTS, SINGLE, left_out
from playe_assets.definitions import defs
from playe_assets.defs.resources import Laboratory
from playe_assets.defs.sensors import evidence_drop
from playe_assets_tests.inference.sample_cards import DATA, plain_card, write_registry
from playe_assets_tests.laboratory import TestLaboratory, write_case

SENSORS = {
    "evidence_drop": ("processing.run_requested", "custody.drop_rejected"),
    "failed_examination": ("processing.run_failed",),
}
"""Sensor to the events that it writes."""
LOST = ("custody.case_opened", "custody.received", "custody.acquired", "custody.refused")


def whole(lines):
    """`lines` as pairs by `op_id`; each must be a pair, and nothing may be left out."""
    pairs = defaultdict(list)
    for line in lines:
        if line["event"] not in SINGLE:
            assert left_out(line) == [], (line["event"], line["status"])
            pairs[line["op_id"]].append(line)
    for op_id, pair in pairs.items():
        states = [line["status"] for line in pair]
        assert states in (["started", "ok"], ["started", "failed"]), (op_id, pair[0]["event"])
    return list(pairs.values())


@pytest.fixture(scope="module")
def repository():
    return defs.get_repository_def()


@pytest.fixture(scope="module")
def ended(examined):
    """The end line of every operation of the examined case."""
    return [pair[-1] for pair in whole(examined.laboratory.log())]


def test_every_asset_of_the_graph_records_each_attempt_with_the_manifests_it_read_and_made(repository, ended):
    graph = repository.asset_graph
    stages = {e["step"]: e for e in ended if e["event"] == "processing.stage"}
    assert set(stages) == {key.to_user_string() for key in graph.get_all_asset_keys()}
    for key in graph.get_all_asset_keys():
        stage = stages[key.to_user_string()]
        upstream = [stages[k.to_user_string()]["output_sha256"][0] for k in graph.get(key).parent_keys]
        assert sorted(stage["input_sha256"]) == sorted(upstream)
        assert stage["activity"]["asset_key"] == key.to_user_string()
        assert len(stage["output_sha256"]) == 2, "its manifest and its verdicts"


def test_what_dagster_states_of_a_materialization_the_log_states_too(examined, ended):
    stages = {e["step"]: e["output_sha256"] for e in ended if e["event"] == "processing.stage"}
    for event in examined.result.get_asset_materialization_events():
        metadata = event.materialization.metadata
        stated = [metadata[name].value for name in ("manifest_sha256", "verdicts_sha256")]
        assert stages[event.asset_key.to_user_string()] == stated


def test_every_check_of_the_graph_is_a_recorded_gate(repository, ended):
    graph = repository.asset_graph
    checks = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    assert checks == {
        (e["activity"]["asset_key"], e["step"]) for e in ended if e["event"] == "processing.gate"
    }


def test_there_is_one_pair_for_each_exhibit_step_and_segment(examined, ended):
    (report,) = examined.laboratory.reports(examined.case_id)
    seen = Counter((e["exhibit"], e["step"], (e["params"].get("segment") or {}).get("number"))
                   for e in ended if e["event"] == "processing.step")  # fmt: skip
    assert set(seen.values()) == {1}
    clip = {e["number"]: e["media"] == "clip" for e in report["findings"]["exhibits"]}
    wanted = {
        (entry["exhibit"], f"{step['number']} {step['use']}", number)
        for entry in report["findings"]["steps"]
        for step in entry["steps"]
        for number in (range(1, entry["segments"] + 1) if clip[entry["exhibit"]] else [None])
    }
    assert set(seen) == wanted


def test_there_is_one_pair_for_each_exhibit_and_detector_and_for_each_derivative_that_is_measured(
    examined, ended
):
    (report,) = examined.laboratory.reports(examined.case_id)
    looked = Counter((e["exhibit"], e["step"]) for e in ended if e["event"] == "processing.detector")
    wanted = {(found["exhibit"], f"detect {method['label']}")
              for found in report["findings"]["detections"] for method in found["methods"]
              if method["label"] not in ("shots", "tracker")}  # fmt: skip
    assert looked == Counter(wanted)
    measured = [e["input_sha256"][1] for e in ended if e["event"] == "processing.measure"]
    main = [d["sha256"] for d in report["findings"]["derivatives"] if d["kind"] in ("photo", "master")]
    assert sorted(measured) == sorted(main)


def test_every_exhibit_is_taken_in_and_every_refusal_recorded(examined, ended):
    (report,) = examined.laboratory.reports(examined.case_id)
    acquired = {e["exhibit"] for e in ended if e["event"] == "custody.acquired"}
    assert acquired == {e["number"] for e in report["findings"]["exhibits"]}
    for event in LOST[:3]:
        assert [e for e in ended if e["event"] == event], event


def test_the_only_other_things_that_dagster_runs_are_the_listed_sensors(repository):
    assert {s.name for s in repository.sensor_defs} == set(SENSORS)
    assert not repository.schedule_defs
    assert {event for events in SENSORS.values() for event in events} <= set(EVENTS)
    assert [j.name for j in repository.get_all_jobs() if not j.name.startswith("__")] == ["examine_case"]


def test_a_tick_leaves_no_field_out(laboratory, instance, monkeypatch):
    monkeypatch.setenv("PLAYE_QUIET_S", "0.05")
    monkeypatch.setenv("PLAYE_SETTLE_S", "0.05")
    inbox = laboratory.settings.inbox
    inbox.mkdir(parents=True)
    write_case(inbox / "READY-1", "READY-1")
    bad = write_case(inbox / "BAD-1", "BAD-1")
    (bad / "case.yaml").write_text("case: BAD-1\nprest: x\n", encoding="utf-8")
    time.sleep(0.1)
    evidence_drop(dg.build_sensor_context(instance=instance), laboratory=Laboratory())
    assert {pair[0]["event"] for pair in whole(laboratory.log())} == set(SENSORS["evidence_drop"])


def test_a_failed_run_leaves_no_field_out(laboratory):
    from playe_assets.defs.failures import note_failure

    run = dg.DagsterRun(job_name="examine_case", tags={"dagster/partition": "LOST-1"})
    note_failure(laboratory.settings, run, "detections", "run_failed", "killed")
    note_failure(laboratory.settings, dg.DagsterRun(job_name="examine_case"), "", "run_failed", "killed")
    found = whole(laboratory.log())
    assert [(pair[1]["event"], pair[1]["case_id"], pair[1]["step"]) for pair in found] == [
        ("processing.run_failed", "LOST-1", "detections"), ("processing.run_failed", None, "run")]  # fmt: skip


def commands(group=playe, path=()):
    """Every command of the command line by its words, such as `models pull`."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, (*path, name))
        else:
            yield " ".join((*path, name))


def test_every_command_is_recorded_or_stands_among_those_that_only_look_with_the_reason():
    assert sorted(commands()) == sorted([*RECORDED, *ONLY_LOOK])
    assert all(len(why) > 20 for why in ONLY_LOOK.values())
    assert {event for events in RECORDED.values() for event in events} <= set(EVENTS)


@pytest.fixture(scope="module")
def lab(examined, tmp_path_factory):
    """A copy of the examined laboratory, with an approvable card and a network that is not installed."""
    from playe_assets.inference.weights import place

    found = TestLaboratory(tmp_path_factory.mktemp("commands"))
    shutil.copytree(examined.laboratory.root / "data", found.root / "data")
    found.home.mkdir()
    settings = found.settings
    write_registry(settings.own_cards, plain_card(name="free", file="free.npz", format="data"),
                   plain_card(DATA + b"2", name="net", file="net.onnx"))  # fmt: skip
    place(DATA, settings.weights, "free.npz")
    write_case(found.root / "evidence", "SENT-1")
    return found


def words(lab, command):
    """What to type after the command."""
    (report,) = lab.settings.cases.glob("MIXED-1/reports/*-R*/report.json")
    return {
        "case submit": [str(lab.root / "evidence")],
        "case export": ["MIXED-1", "--format", "prov", "--out", str(lab.root / "prov")],
        "case show": ["MIXED-1"],
        "case verify": ["MIXED-1"],
        "audit export": ["--case", "MIXED-1", "--out", str(lab.root / "exported")],
        "audit proof": ["0"],
        "report verify": [str(report)],
        "models pull": ["free"],
        "models import": [str(report)],  # no weights: refused, and recorded
        "models build": ["net"],
        "models certify": ["net"],
        "models ready": ["forensic_safe"],
        "models approve": ["free"],
        "models warm": ["forensic_safe"],
        "models withdraw": ["free", "--reason", "of the test"],
        "models show": ["free"],
    }.get(command, [])


@pytest.fixture
def typed(lab, monkeypatch):
    """Types a command in the copied laboratory; the lines that it added, and how it ended."""
    monkeypatch.setenv("PLAYE_DATA_ROOT", str(lab.root / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(lab.home))

    def answer(command):
        before = len(lab.log())
        done = CliRunner().invoke(playe, [*command.split(), *words(lab, command)])
        return lab.log()[before:], done

    return answer


def nothing_served(monkeypatch):
    """`up` and `demo` without services: what they record is not what Dagster does."""

    def refused(*_args):
        raise CommandError("serve.already", home="of the test")

    def photograph(folder):
        write_case(folder, "DEMO-1")

    monkeypatch.setattr("playe_assets.cli.serve.code_server", refused)
    monkeypatch.setattr("playe_assets.cli.serve.running", lambda _home: True)
    monkeypatch.setattr("playe_assets.examination.demo_evidence.write_demo", photograph)
    monkeypatch.setattr("playe_assets.defs.launch.follow", lambda *_args: None)


@pytest.mark.parametrize("command", RECORDED)
def test_a_command_records_what_it_does_or_that_it_failed(typed, command, monkeypatch):
    nothing_served(monkeypatch)
    lines, done = typed(command)
    pairs = whole(lines)
    assert pairs, (done.output, done.exception)
    assert {pair[0]["event"] for pair in pairs} <= set(RECORDED[command])
    for start, end in pairs:
        assert start["request_id"].startswith("cli-")
        assert start["operator"]["auth"] == "os-user"
        assert end["status"] == "ok" or done.exception, "what failed goes on up"


@pytest.mark.parametrize("command", ONLY_LOOK)
def test_a_command_that_only_looks_writes_no_line(typed, command):
    lines, done = typed(command)
    assert not lines
    assert done.exit_code == 0, (done.output, done.exception)
