"""PROV-JSON as other software reads it: the `prov` library and its converter to PROV-O."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

from playe_assets.exporters.exchange import Given
from playe_assets.exporters.prov import ProvJson
from playe_assets_tests.conftest import Examined
from playe_assets_tests.exporters.exchange_sample import example, graph_of, one_photo

prov = pytest.importorskip("prov.model", reason="the extra `exchange` is not installed")


def written(report: dict, folder: Path) -> Path:
    raw = json.dumps(report, sort_keys=True).encode()
    ProvJson().write(Given(report, {"report.json": hashlib.sha256(raw).hexdigest()}), folder)
    return folder / f"{report['report_id']}.prov.json"


def read_back(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return prov.ProvDocument.deserialize(path, format="json")


def test_the_prov_library_reads_back_every_entity_activity_agent_and_relation(tmp_path):
    graph = graph_of(example())
    found = Counter(type(r).__name__ for r in read_back(written(example(), tmp_path)).get_records())
    assert found["ProvEntity"] == len(graph.entities)
    assert found["ProvActivity"] == len(graph.activities)
    assert found["ProvAgent"] == len(graph.agents)
    assert found["ProvUsage"] == sum(len(a.used) for a in graph.activities.values())
    assert found["ProvGeneration"] == sum(len(a.generated) for a in graph.activities.values())
    assert found["ProvCommunication"] == sum(len(a.informed_by) for a in graph.activities.values())
    assert found["ProvDerivation"] == sum(len(e.derived_from) for e in graph.entities.values())
    assert found["ProvAttribution"] == sum(len(e.attributed_to) for e in graph.entities.values())


def test_times_hashes_and_types_are_what_the_report_states(tmp_path):
    report = one_photo()
    graph, document = graph_of(report), read_back(written(report, tmp_path))
    exhibit = document.get_record(f"id:{graph.uuid('exhibit/E001')}")[0]
    assert exhibit.get_attribute("playe:sha256") == {report["findings"]["exhibits"][0]["sha256"]}
    assert exhibit.get_attribute("playe:bytes") == {report["findings"]["exhibits"][0]["size"]}
    step = next(a for a in graph.activities.values() if a.name == "step 2 nlm, E001")
    told = document.get_record(f"id:{graph.uuid(step.id)}")[0]
    assert told.get_startTime().isoformat() == step.started.replace("Z", "+00:00")
    assert told.get_endTime().isoformat() == step.ended.replace("Z", "+00:00")
    person = next(a for a in graph.agents.values() if a.kind == "person")
    assert prov.PROV["Person"] in document.get_record(f"id:{graph.uuid(person.id)}")[0].get_asserted_types()


def test_the_same_report_gives_the_same_bytes_and_a_changed_one_other_names(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    first, again = (written(one_photo(), tmp_path / n).read_bytes() for n in "ab")
    assert first == again
    changed = one_photo()
    changed["sections"]["administration"]["case"]["title"] = "another"
    other = json.loads(written(changed, tmp_path / "c").read_bytes())
    assert not other["entity"].keys() & json.loads(first)["entity"].keys()


def test_the_documented_command_gives_prov_o_that_an_rdf_reader_takes(tmp_path):
    import rdflib

    given, made = written(one_photo(), tmp_path), tmp_path / "prov.trig"
    call = [str(Path(sys.executable).with_name("prov-convert")), "-f", "rdf", str(given), str(made)]
    ran = subprocess.run(call, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        read = rdflib.Dataset()
        read.parse(data=made.read_text(encoding="utf-8"), format="trig")
    graph = graph_of(one_photo())
    entities = {s for s, _, _, _ in read.quads((None, rdflib.RDF.type, rdflib.PROV.Entity, None))}
    assert entities == {rdflib.URIRef(f"urn:uuid:{graph.uuid(e)}") for e in graph.entities}


def test_a_real_case_is_read_back_whole(examined: Examined, tmp_path):
    report = examined.laboratory.reports(examined.case_id)[0]
    graph = graph_of(report)
    found = Counter(type(r).__name__ for r in read_back(written(report, tmp_path)).get_records())
    assert (found["ProvEntity"], found["ProvActivity"], found["ProvAgent"]) == (
        len(graph.entities), len(graph.activities), len(graph.agents),
    )  # fmt: skip
