"""The public shape of the code location, pinned: a change here is a change for every operator."""

from __future__ import annotations

import os
import subprocess
import sys

import dagster as dg
import pytest
import yaml

from playe_assets.definitions import defs
from playe_assets.defs.executors import local
from playe_assets.defs.launch import STAGES
from playe_assets.examination.settings import PROJECT_ROOT

HEAVY = ("torch", "cv2", "great_expectations", "av", "PIL", "pandas", "skimage", "reportlab", "rich")
GRAPH = {
    "ingested_media": ([], "io", {"python"}, {"exhibits_intact": True}),
    "detections": (["ingested_media"], "cpu", {"python", "opencv"}, {"detections_in_frame": True}),
    "enhanced_frames": (["detections", "ingested_media"], "gpu", {"python", "opencv"},
                        {"derivation": True, "timing": True}),
    "qa_metrics": (["enhanced_frames", "ingested_media"], "cpu", {"python", "pandas"},
                   {"metrics_present": False, "metrics_in_bounds": False, "identity": False}),
    "forensic_report": (["detections", "enhanced_frames", "ingested_media", "qa_metrics"], "io",
                        {"python", "pdf"}, {"report_consistent": True}),
}  # fmt: skip
"""Asset: (upstream, pool, kinds, {check: blocking})."""


@pytest.fixture(scope="module")
def repository():
    return defs.get_repository_def()


def test_the_graph_has_exactly_these_assets_with_these_checks(repository):
    graph = repository.asset_graph
    found = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        checks = {c.name: graph.get(c).blocking for c in graph.get_check_keys_for_assets({key})}
        kinds = {k.removeprefix("dagster/kind/") for k in node.tags if k.startswith("dagster/kind/")}
        found[key.to_user_string()] = (
            sorted(k.to_user_string() for k in node.parent_keys),
            *node.pools,
            kinds,
            checks,
        )
    assert found == GRAPH


@pytest.mark.parametrize("name", GRAPH)
def test_every_asset_is_grouped_owned_described_versioned_and_partitioned_by_case(repository, name):
    from playe_assets.custody.environment import code_version

    node = repository.asset_graph.get(dg.AssetKey(name))
    assert (node.group_name, list(node.owners)) == ("case", ["team:forensics"])
    assert len(node.description or "") > 30
    assert node.code_version == code_version()
    assert (type(node.partitions_def).__name__, node.partitions_def.name) == (
        "DynamicPartitionsDefinition",
        "cases",
    )
    op = node.assets_def.op
    assert op.tags["playe/queue"] == op.pool == GRAPH[name][1]
    assert op.tags["dagster-celery/queue"] == op.pool
    assert (op.retry_policy.max_retries, op.retry_policy.backoff) == (2, dg.Backoff.EXPONENTIAL)


def test_every_check_is_described_and_judges_one_case(repository):
    graph = repository.asset_graph
    for key in graph.asset_check_keys:
        node = graph.get(key)
        assert node.partitions_def is not None
        assert len(node.description or "") > 30


def test_the_job_and_the_sensors_are_these_and_run_by_themselves(repository):
    assert {j.name for j in repository.get_all_jobs() if not j.name.startswith("__")} == {"examine_case"}
    found = {
        s.name: (s.default_status.value, s.minimum_interval_seconds, type(s).__name__)
        for s in repository.sensor_defs
    }
    assert found == {
        "evidence_drop": ("RUNNING", 5, "SensorDefinition"),
        "failed_examination": ("RUNNING", 5, "RunStatusSensorDefinition"),
    }
    job = repository.get_job("examine_case")
    assert [n.name for n in job.nodes_in_topological_order] == list(STAGES)
    assert job.tags["dagster/retry_strategy"] == "FROM_ASSET_FAILURE"
    assert job.executor_def is local


def test_assets_name_three_pools_whose_limit_stands_in_dagster_yaml():
    assert {pool for _, pool, _, _ in GRAPH.values()} == {"io", "cpu", "gpu"}
    concurrency = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text(encoding="utf-8"))["concurrency"]
    assert concurrency["pools"]["default_limit"] == 2
    assert concurrency["runs"]["tag_concurrency_limits"][0]["key"] == "dagster/partition"


def test_the_launchpad_offers_every_preset_with_its_description(repository):
    from playe_assets.core.presets import load_preset, preset_names

    op = repository.asset_graph.get(dg.AssetKey("ingested_media")).assets_def.op
    enum = op.config_schema.config_type.fields["preset"].config_type
    offered = {v.config_value: v.description for v in enum.enum_values}
    assert set(offered) == {"as_case_says", *preset_names()}
    assert all(offered[n] == load_preset(n).description["en"] for n in preset_names())


def test_the_definitions_are_loadable():
    dg.Definitions.validate_loadable(defs)


def test_importing_the_definitions_loads_no_heavy_library():
    code = f"import sys, playe_assets.definitions; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_environment_variable_of_ours_is_read_at_import():
    code = (
        "import os\n"
        "class Watched(type(os.environ)):\n"
        "    def __getitem__(self, key):\n"
        "        assert not str(key).startswith('PLAYE'), key\n"
        "        return super().__getitem__(key)\n"
        "os.environ.__class__ = Watched\n"
        "try:\n    os.environ['PLAYE_X']\n    raise SystemExit('the watch does not work')\n"
        "except AssertionError:\n    pass\n"
        "import playe_assets.definitions\n"
    )
    # Libraries copy the whole environment, so none of ours may be in it: then whoever asks, asks by name.
    others = {k: v for k, v in os.environ.items() if not k.startswith("PLAYE")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=others, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
