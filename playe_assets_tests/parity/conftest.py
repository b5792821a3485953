"""A folder for exported graphs that all tests of parity share."""

import pytest


@pytest.fixture(scope="session")
def graphs(tmp_path_factory):
    """Where `export.build` keeps what it made."""
    return tmp_path_factory.mktemp("graphs")
