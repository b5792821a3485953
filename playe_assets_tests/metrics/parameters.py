"""Cards of format `data` as metrics see them, from the laboratory's test data."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

SHARED = Path(os.environ.get("PLAYE_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILES = {
    "niqe": "metrics/niqe/niqe_pris_params.npz",
    "brisque_live": "metrics/brisque/brisque_model_live.yml",
    "brisque_live_range": "metrics/brisque/brisque_range_live.yml",
}


def parameters(card: str) -> SimpleNamespace:
    """Its bytes; skips where the laboratory's test data are not there."""
    path = SHARED / FILES[card]
    if not path.is_file():
        pytest.skip(f"{card} needs its file: set PLAYE_TEST_DATA to the laboratory's test data")
    return SimpleNamespace(name=card, data=path.read_bytes())
