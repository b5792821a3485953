"""What the record says of the machine: the BLAS kernel where something was computed, and no import for its sake."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from playe_assets.custody import environment


def _told(code: str, **more: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, **more})  # fmt: skip
    return done.stdout.strip()


def test_a_process_that_computed_nothing_states_no_kernel_and_imports_nothing_for_it():
    code = ("from playe_assets.custody import environment as e; import sys; "
            "print(e.runtime()['blas_kernel'], 'numpy' in sys.modules)")  # fmt: skip
    assert _told(code) == "None False"


@pytest.mark.skipif(environment.blas_kernel() is None, reason="NumPy computes with another library here")
def test_the_kernel_is_stated_once_numpy_is_there_even_where_a_record_came_before_it():
    code = ("from playe_assets.custody import environment as e; a = e.runtime()['blas_kernel']; import numpy; "
            "print(a, e.runtime()['blas_kernel'])")  # fmt: skip
    assert _told(code, OPENBLAS_CORETYPE="Sandybridge") == "None Sandybridge"


def test_the_examination_id_does_not_depend_on_the_kernel():
    assert "blas_kernel" not in environment.examination_runtime()
    assert "blas_kernel" in environment.runtime()
