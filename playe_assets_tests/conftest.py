"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from playe_assets_tests.laboratory import (
    TestLaboratory,
    examine,
    failures,
    opened,
    write_case,
    write_mixed_case,
)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The laboratory's test media (`PLAYE_TEST_DATA`, else `../shared/data` beside the repository)."""
    root = Path(__file__).resolve().parents[1]
    found = Path(os.environ.get("PLAYE_TEST_DATA", root.parent / "shared" / "data"))
    if not found.is_dir():
        pytest.skip(f"the laboratory's test media are not at {found}; set PLAYE_TEST_DATA to their folder")
    return found


@pytest.fixture
def laboratory(tmp_path: Path) -> Iterator[TestLaboratory]:
    """A fresh data root and Dagster home, to which the environment points during the test."""
    with opened(tmp_path / "laboratory") as found:
        yield found


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance in memory."""
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@dataclass(frozen=True)
class Examined:
    """A case that was examined whole, for tests that only read."""

    laboratory: TestLaboratory
    case_id: str
    result: dg.ExecuteInProcessResult
    instance: dg.DagsterInstance


@pytest.fixture(scope="session")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    """The mixed case (`laboratory.write_mixed_case`), from folder to report. Tests must not change it."""
    root = tmp_path_factory.mktemp("examined")
    with dg.DagsterInstance.ephemeral() as instance:
        with opened(root) as laboratory:  # the session's other tests must not see this environment
            folder = write_mixed_case(root / "evidence", "MIXED-1")
            tags = {"playe/operator": "Anna Test", "playe/request_id": "request-42"}
            result = examine(instance, "MIXED-1", folder, tags=tags)
        assert result.success, failures(result)
        yield Examined(laboratory, "MIXED-1", result, instance)


@pytest.fixture
def examined_copy(examined: Examined, tmp_path: Path) -> TestLaboratory:
    """A copy of the examined case's laboratory that a test may spoil."""
    import shutil

    shutil.copytree(examined.laboratory.root / "data", tmp_path / "copy" / "data")
    return TestLaboratory(tmp_path / "copy")


@pytest.fixture
def small_case(tmp_path: Path) -> Path:
    """A drop folder of one photograph, its case id SMALL-1."""
    return write_case(tmp_path / "SMALL-1", "SMALL-1", operator="Small Operator")
