"""CASE/UCO as its own tools judge it, and what they and we refuse. Needs the extra `exchange`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playe_assets.exporters.case_uco import case_uco, case_uco_bytes
from playe_assets.exporters.case_uco_check import ONTOLOGY, check_case_uco, cycle_in
from playe_assets_tests.conftest import Examined
from playe_assets_tests.exporters.exchange_sample import example, graph_of, one_photo, with_segments

pytest.importorskip("case_utils", reason="the extra `exchange` is not installed")
pytest.importorskip("case_prov", reason="the extra `exchange` is not installed")

Node = dict[str, Any]


def tool(name: str, *args: str) -> subprocess.CompletedProcess[str]:
    """A real command-line tool of `case_utils` or `case_prov`."""
    call = [str(Path(sys.executable).with_name(name)), *args]
    return subprocess.run(call, capture_output=True, text=True, timeout=600, check=False)


def document(report: dict[str, Any] | None = None) -> dict[str, Any]:
    return case_uco(graph_of(report or one_photo()))


def of_type(found: dict[str, Any], kind: str) -> list[Node]:
    return [n for n in found["@graph"] if n["@type"] == kind]


def without_hash_method(found: dict[str, Any]) -> None:
    del of_type(found, "uco-types:Hash")[0]["uco-types:hashMethod"]


def with_a_date_that_is_none(found: dict[str, Any]) -> None:
    of_type(found, "case-investigation:InvestigativeAction")[0]["uco-action:startTime"] = "yesterday"


def with_a_class_that_does_not_exist(found: dict[str, Any]) -> None:
    of_type(found, "case-investigation:ProvenanceRecord")[0]["@type"] = "case-investigation:ProvenanceRecrd"


def with_two_performers(found: dict[str, Any]) -> None:
    action = of_type(found, "case-investigation:InvestigativeAction")[0]
    action["uco-action:performer"] = [action["uco-action:performer"], action["uco-action:instrument"][0]]


def with_a_broken_chain(found: dict[str, Any]) -> None:
    """Nobody says any more where the first exhibit came from."""
    exhibit = next(n for n in found["@graph"] if n.get("case-investigation:exhibitNumber") == "E001")
    held = exhibit["uco-core:object"][0]
    for action in of_type(found, "case-investigation:InvestigativeAction"):
        action["uco-action:result"] = [r for r in action.get("uco-action:result", []) if r != held]


def with_an_action_that_ends_before_it_begins(found: dict[str, Any]) -> None:
    for action in of_type(found, "case-investigation:InvestigativeAction"):
        if action["uco-core:name"] == "step 2 nlm, E001":
            action["uco-action:endTime"]["@value"] = "2020-01-01T00:00:00Z"


def with_a_derivative_that_comes_of_itself(found: dict[str, Any]) -> None:
    made = [n for n in found["@graph"] if n.get("case-investigation:wasDerivedFrom")]
    last = next(n for n in made if n["uco-core:name"].startswith("samples of E001 after step 4"))
    first = next(n for n in made if n["uco-core:name"].startswith("samples of E001 after step 1"))
    first["case-investigation:wasDerivedFrom"].append({"@id": last["@id"]})


SHAPES = {
    without_hash_method: "path types:hashMethod",
    with_a_date_that_is_none: "startTime",
    with_a_class_that_does_not_exist: "ProvenanceRecrd",
    with_two_performers: "performer",
}
BREAKS: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (with_a_broken_chain, "case_prov_check", "Chain of derivation"),
    (with_an_action_that_ends_before_it_begins, "order", "ends at 2020"),
    (with_a_derivative_that_comes_of_itself, "order", "circle"),
]


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small report's document on the disk."""
    path = tmp_path_factory.mktemp("case") / "case.jsonld"
    path.write_bytes(case_uco_bytes(graph_of(one_photo())))
    return path


def broken(break_it: Callable[[dict[str, Any]], None], folder: Path) -> Path:
    found = document()
    break_it(found)
    path = folder / "broken.jsonld"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def test_case_validate_accepts_the_export_and_refuses_it_without_a_hash_method(valid: Path, tmp_path: Path):
    accepted = tool("case_validate", "--built-version", ONTOLOGY, str(valid))
    assert (accepted.returncode, accepted.stdout.split()[-1]) == (0, "True"), accepted.stdout
    refused = tool("case_validate", "--built-version", ONTOLOGY, str(broken(without_hash_method, tmp_path)))
    assert refused.returncode == 1
    assert "Less than 1 values on" in refused.stdout
    assert "types:hashMethod" in refused.stdout


def test_case_prov_check_accepts_the_export_and_refuses_a_broken_chain(valid: Path, tmp_path: Path):
    for path, expected in ((valid, 0), (broken(with_a_broken_chain, tmp_path), 1)):
        made = tmp_path / f"{path.stem}.ttl"
        assert tool("case_prov_rdf", str(made), str(path)).returncode == 0
        judged = tool("case_prov_check", str(path), str(made))
        assert judged.returncode == expected, judged.stdout
        assert ("Chain of derivation for focusNode" in judged.stdout) == bool(expected)


def test_what_breaks_a_shape_of_the_ontology_is_named_each_by_itself():
    found = document()
    for break_it in SHAPES:
        break_it(found)
    told = check_case_uco(json.dumps(found).encode(), judges=("case_validate",))
    for words in SHAPES.values():
        assert any(words in one.problem for one in told), (words, told)


@pytest.mark.parametrize(("break_it", "judge", "words"), BREAKS, ids=[b.__name__ for b, _, _ in BREAKS])
def test_a_planted_break_is_refused_by_its_judge(break_it, judge, words, tmp_path: Path):
    found = check_case_uco(broken(break_it, tmp_path).read_bytes(), judges=(judge,))
    assert found
    assert {one.judge for one in found} == {judge}
    assert any(words in one.problem for one in found), found


def test_what_is_no_json_ld_at_all_is_refused():
    assert check_case_uco(b"{")[0].judge == "json-ld"


def test_the_example_report_is_accepted_by_every_judge():
    assert check_case_uco(case_uco_bytes(graph_of(example()))) == ()


def test_a_real_case_with_a_clip_a_duplicate_and_an_unreadable_file_is_accepted(examined: Examined):
    report = examined.laboratory.reports(examined.case_id)[0]
    assert check_case_uco(case_uco_bytes(graph_of(report))) == ()


@pytest.mark.slow
def test_a_case_of_a_thousand_segments_is_accepted():
    assert check_case_uco(case_uco_bytes(graph_of(with_segments(1000)))) == ()


def test_an_example_of_the_ontology_s_authors_is_accepted_as_they_accept_it(shared_data: Path):
    path = shared_data / "peers" / "case_examples" / "illustrations" / "call_log" / "call_log.json"
    published = path.with_name("call_log_validation.ttl").read_text(encoding="utf-8")
    assert 'sh:conforms "true"' in published
    assert check_case_uco(path.read_bytes(), judges=("case_validate",)) == ()


@pytest.mark.slow
def test_every_example_of_the_ontology_s_authors_is_judged_as_case_validate_judges_it(shared_data: Path):
    import warnings

    from case_utils.case_validate import validate

    examples = sorted((shared_data / "peers" / "case_examples" / "illustrations").glob("*/*.json"))
    assert len(examples) > 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {p.stem: validate(str(p), case_version=ONTOLOGY).conforms for p in examples}
    ours = {p.stem: not check_case_uco(p.read_bytes(), judges=("case_validate",)) for p in examples}
    assert ours == theirs


def test_it_states_exhibit_numbers_hashes_performer_instruments_and_times():
    report, found = one_photo(), document()
    exhibit = report["findings"]["exhibits"][0]
    records = {
        n["case-investigation:exhibitNumber"]: n
        for n in of_type(found, "case-investigation:ProvenanceRecord")
    }
    assert {"E001", "D001", report["report_id"]} <= records.keys()
    assert records["D001"]["case-investigation:rootExhibitNumber"] == "E001"
    hashes = {n["uco-types:hashValue"]["@value"].lower() for n in of_type(found, "uco-types:Hash")}
    assert {exhibit["sha256"], report["findings"]["derivatives"][0]["sha256"]} <= hashes
    nodes = {n["@id"]: n for n in found["@graph"]}
    step = next(n for n in found["@graph"] if n.get("uco-core:name") == "step 3 lanczos, E001")
    assert nodes[step["uco-action:performer"]["@id"]]["uco-core:name"] == "Demo Operator"
    used = nodes[step["uco-action:instrument"][0]["@id"]]
    assert (used["uco-core:name"], used["uco-tool:version"]) == ("lanczos", "2")
    entries = nodes[used["uco-configuration:usesConfiguration"]["@id"]][
        "uco-configuration:configurationEntry"
    ]
    told = {nodes[e["@id"]]["uco-configuration:itemName"]: nodes[e["@id"]]["uco-configuration:itemValue"]
            for e in entries}  # fmt: skip
    assert told == {"apply_below_px": "1000000000", "scale": "2"}
    lines = [x for x in report["sections"]["custody"]["extract"] if x["step"] == "3 lanczos"]
    assert step["uco-action:startTime"]["@value"] == lines[0]["t_start_utc"]
    assert step["uco-action:endTime"]["@value"] == lines[-1]["t_end_utc"]
    assert step["uco-action:actionStatus"] == "Success"


def test_no_pixel_no_exif_and_no_path_of_the_machine_leaves_with_it():
    raw = case_uco_bytes(graph_of(example())).decode()
    assert "dataPayload" not in raw
    assert "Demo camera" not in raw
    assert "/home/" not in raw


def test_a_withheld_derivative_is_named_and_said_to_be_withheld():
    report = one_photo()
    report["sections"]["pictures"]["withheld"] = [{"derivative": "D001"}]
    found = document(report)
    file = next(n for n in found["@graph"] if n.get("uco-core:name") == "E001 D001 photo.png")
    assert "withheld: true" in file["uco-core:tag"]


def test_a_hostile_name_stays_text():
    report = one_photo()
    hostile = 'x"},{"@id":"kb:evil","@type":"uco-core:Bundle"}\u202egpj.exe\x07<b>'
    report["findings"]["exhibits"][0]["name_shown"] = hostile
    found = document(report)
    assert not of_type(found, "uco-core:Bundle")
    assert check_case_uco(json.dumps(found).encode(), judges=("case_validate",)) == ()
    raw = json.dumps(found, ensure_ascii=False)
    assert not any(c in raw for c in "\x07\u202e")


def test_the_same_report_gives_the_same_bytes():
    assert case_uco_bytes(graph_of(example())) == case_uco_bytes(graph_of(example()))


def test_a_circle_is_found_wherever_it_lies_and_none_where_there_is_none():
    assert cycle_in({"a": ["b", "c"], "b": ["c"], "c": []}) == []
    assert cycle_in({"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}) == ["b", "c", "d", "b"]
    assert cycle_in({"a": ["a"]}) == ["a", "a"]
    deep = {str(n): [str(n + 1)] for n in range(50_000)}
    assert cycle_in(deep) == []
