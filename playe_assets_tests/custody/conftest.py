"""An export and the stranger who checks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cryptography
import pytest

from playe_assets.custody.export import export_case
from playe_assets_tests.custody.attacks import honest
from playe_assets_tests.custody.exports import Bag


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Bag:
    """An honest log and an export of CASE-A. Tests must not change it."""
    root_folder = tmp_path_factory.mktemp("export")
    held = honest(root_folder / "lab", rotate_bytes=2500)
    made = export_case(held.log, held.checkpoints, "CASE-A", root_folder / "bag", single=True)
    return Bag(root_folder / "bag", held, made)


@pytest.fixture
def bag(pristine: Bag, tmp_path: Path) -> Bag:
    """A copy of it."""
    shutil.copytree(pristine.folder, tmp_path / "bag")
    return Bag(tmp_path / "bag", pristine.held, pristine.made)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the verifier of a bag where nothing but the standard library and `cryptography` can be imported."""
    packages = tmp_path_factory.mktemp("packages")
    installed = Path(cryptography.__file__).parents[1]
    for pattern in ("cryptography", "cffi", "_cffi_backend*", "pycparser"):
        for found in installed.glob(pattern):
            (packages / found.name).symlink_to(found)
    start = (f"import runpy, sys; sys.path.insert(0, {str(packages)!r}); sys.argv = sys.argv[1:];"
             "runpy.run_path(sys.argv[0], run_name='__main__')")  # fmt: skip

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-I", "-S", "-c", start, *map(str, words)], capture_output=True,
                              text=True, timeout=60, check=False, env={"PYTHONIOENCODING": "utf-8"})  # fmt: skip

    probe = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import playe_assets"], capture_output=True, check=False
    )
    assert probe.returncode == 1, "the isolation is real: our own package is not importable there"
    return run
