"""The provenance graph: every pair of lines is in it, and everything goes back to where it came from."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from playe_assets.exporters.case_uco_check import cycle_in
from playe_assets.exporters.provenance import runs
from playe_assets.exporters.provenance_graph import Graph
from playe_assets.exporters.provenance_log import MOST_IN_ALL, MOST_SEGMENTS
from playe_assets_tests.conftest import Examined
from playe_assets_tests.exporters.exchange_sample import example, graph_of, with_segments


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of(example())


def test_every_operation_of_the_log_is_one_activity_with_its_times_its_operator_and_its_tools(graph):
    lines = example()["sections"]["custody"]["extract"]
    ends = [x for x in lines if x["status"] != "started"]
    # And the report's own issue, whose lines come later.
    assert len(graph.activities) == len({x["op_id"] for x in lines}) + 1
    for line in ends:
        one = graph.activities[f"activity/{line['op_id']}"]
        assert (one.started, one.ended) == (line["t_start_utc"], line["t_end_utc"])
        assert graph.agents[one.operator].name == line["operator"]["id"]
        assert one.tools
        assert str(line["seq"]) in one.facts["log_lines"]


def test_every_derivative_goes_back_to_its_exhibit_through_every_step(graph):
    maker = {e: a for a in graph.activities.values() for e in a.generated}
    for entity in graph.entities.values():
        if entity.kind != "derivative":
            continue
        seen, left = set(), [entity.id]
        while left:
            at = left.pop()
            if at not in seen:
                seen.add(at)
                left += [*graph.entities[at].derived_from, *(maker[at].used if at in maker else ())]
        assert f"exhibit/{entity.root}" in seen
        steps = [graph.entities[s].name for s in seen if s.startswith("frames/")]
        if entity.facts["kind"] in ("photo", "master", "proxy"):
            assert len(steps) == (4 if entity.facts["kind"] == "photo" else 6), entity.name


def test_a_step_that_leaves_every_sample_as_it_was_still_gives_an_entity_of_its_own(graph):
    orient = next(a for a in graph.activities.values() if a.name.startswith("step 2 orient, E004"))
    before, after = (graph.entities[e] for e in (*orient.used, *orient.generated))
    assert before.sha256 == after.sha256
    assert before.id != after.id


def test_nothing_is_made_twice_comes_of_itself_or_ends_before_it_begins(graph):
    made = [e for a in graph.activities.values() for e in a.generated]
    assert len(made) == len(set(made))
    assert cycle_in({e.id: list(e.derived_from) for e in graph.entities.values()}) == []
    assert cycle_in({a.id: list(a.informed_by) for a in graph.activities.values()}) == []
    for a in graph.activities.values():
        if a.started and a.ended:
            assert datetime.fromisoformat(a.started) <= datetime.fromisoformat(a.ended)


def test_every_name_is_that_of_a_node(graph):
    entities, activities, agents = graph.entities.keys(), graph.activities.keys(), graph.agents.keys()
    for a in graph.activities.values():
        assert {*a.used, *a.generated} <= entities
        assert {*a.informed_by, *([a.part_of] if a.part_of else [])} <= activities
        assert {a.operator, *a.tools} - {None} <= agents
        assert a.plan is None or graph.entities[a.plan].kind == "preset"
    for e in graph.entities.values():
        assert set(e.derived_from) <= entities
        assert set(e.attributed_to) <= agents
    names = [*entities, *activities, *agents]
    assert len({graph.uuid(n) for n in names}) == len(names)


def test_a_tool_is_told_with_its_version_and_every_parameter(graph):
    step = next(a for a in graph.activities.values() if a.name == "step 2 nlm, E001")
    configured = graph.agents[step.tools[0]]
    assert (configured.name, configured.version) == ("nlm", "2")
    assert configured.params == {"clip_from_sigma": "0.0", "h_chroma": "4.0", "h_luma": "4.0", "search_px": "21",
                                 "template_px": "7"}  # fmt: skip
    assert graph.agents[configured.base].acts_for == f"software/PLAYE/{_code_version()}"


def _code_version() -> str:
    return str(example()["findings"]["inputs"]["code_version"])


def test_a_learned_model_is_a_tool_with_its_weights_and_its_licence():
    report = example()
    for line in report["sections"]["custody"]["extract"]:
        if line["event"] == "processing.step" and line["step"] == "2 nlm" and line["exhibit"] == "E001":
            line["model"] = {"scunet": {"name": "scunet", "version": "1", "weights_sha256": "ab" * 32,
                                        "licence": "Apache-2.0", "approval": None}}  # fmt: skip
    graph = graph_of(report)
    step = next(a for a in graph.activities.values() if a.name == "step 2 nlm, E001")
    model = graph.agents[step.tools[-1]]
    assert (model.kind, model.name, model.sha256) == ("model", "scunet", "ab" * 32)
    assert model.facts == {"licence": "Apache-2.0"}


@pytest.mark.parametrize(("segments", "of_a_step"), [(MOST_SEGMENTS, MOST_SEGMENTS), (MOST_SEGMENTS + 1, 1)])
def test_many_segments_of_a_step_are_told_as_one_activity(segments, of_a_step):
    graph = graph_of(with_segments(segments))
    told = [a for a in graph.activities.values() if a.name.startswith("step 4 nlm, E004")]
    assert len(told) == of_a_step
    assert sum(a.count for a in told) == segments
    for a in told:  # and each is fed by the step before
        assert [graph.entities[e].name.partition(",")[0] for e in a.used] == [
            "samples of E004 after step 3 fusion"
        ]


def test_a_case_of_thousands_of_segments_gives_a_graph_no_larger_than_one_of_few():
    few, many = graph_of(with_segments(1)), graph_of(with_segments(MOST_IN_ALL))
    assert len(many.activities) == len(few.activities)
    assert len(many.entities) == len(few.entities)


def test_an_operation_under_way_is_not_said_to_be_interrupted_and_one_of_a_killed_run_is():
    report = example()
    extract = report["sections"]["custody"]["extract"]
    ends = [x for x in extract if x["event"] == "processing.measure" and x["status"] == "ok"]
    for line in ends[:2]:
        extract.remove(line)
    killed = next(x for x in extract if x["op_id"] == ends[0]["op_id"])
    killed["activity"]["run_id"] = "another run, killed"
    graph = graph_of(report)
    told = [graph.activities[f"activity/{x['op_id']}"].status for x in ends[:3]]
    assert told == ["interrupted", "ongoing", "ok"]


def test_a_report_that_supersedes_another_says_so():
    report = example()
    report["sections"]["administration"]["supersedes"] = {
        "report_id": "DEMO-0001-R00", "sha256": "cd" * 32, "examination_id": "X", "findings_sha256": "ef" * 32,
    }  # fmt: skip
    graph = graph_of(report)
    issued = graph.entities["report/DEMO-0001-R01/report.json"]
    assert graph.entities[issued.revision_of].sha256 == "cd" * 32


def test_a_real_case_with_a_clip_a_duplicate_and_an_unreadable_file_is_told_whole(examined: Examined):
    report = examined.laboratory.reports(examined.case_id)[0]
    graph = graph_of(report)
    named = {e.number: e for e in graph.entities.values() if e.kind == "exhibit"}
    assert sorted(named) == ["E001", "E002", "E003", "E004"]
    assert named["E003"].sha256 == named["E001"].sha256
    assert named["E004"].facts["status"] == "quarantined"
    acquired = {a.exhibit: a.generated for a in graph.activities.values() if a.kind == "custody.acquired"}
    assert acquired == {n: (f"exhibit/{n}",) for n in named}
    assert json.dumps(report, sort_keys=True)  # and the report itself was not touched


def test_line_numbers_are_told_as_runs():
    assert runs([5, 1, 2, 3, 9, 3]) == "1-3, 5, 9"
    assert runs([]) == ""
    assert runs(range(1, 201, 2)) == "100 lines from 1 to 199"
