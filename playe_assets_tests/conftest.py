"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The laboratory's test media (`PLAYE_TEST_DATA`, else `../shared/data` beside the repository)."""
    root = Path(__file__).resolve().parents[1]
    found = Path(os.environ.get("PLAYE_TEST_DATA", root.parent / "shared" / "data"))
    if not found.is_dir():
        pytest.skip(f"the laboratory's test media are not at {found}; set PLAYE_TEST_DATA to their folder")
    return found
