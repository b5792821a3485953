"""pyiqa's formulas agree with ours, nothing is fetched for them, and learned metrics are refused by name."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from playe_assets.core.contracts import Pair
from playe_assets.core.errors import MissingResourceError, PresetError
from playe_assets.core.params import parse
from playe_assets.metrics.iqa_pyiqa import WITH_REFERENCE, WITHOUT_REFERENCE, Pyiqa, PyiqaParams
from playe_assets.metrics.psnr import Psnr, PsnrParams
from playe_assets_tests.plugins import WHERE, scene


def made(name):
    if any(importlib.util.find_spec(package) is None for package in ("torch", "pyiqa")):
        pytest.skip("extra iqa is not installed")
    return Pyiqa(PyiqaParams(name))


def pair(side=192, channels=3, dtype=np.uint8, truth=True):
    exhibit = scene(side, side, channels, dtype, seed=1)
    derivative = scene(2 * side, 2 * side, channels, np.uint8, seed=1)
    return Pair(exhibit, derivative, scene(side, side, 3, np.uint8, seed=2) if truth else None)


@pytest.mark.parametrize("name", [*WITH_REFERENCE, *WITHOUT_REFERENCE])
def test_every_name_gives_two_finite_values(name):
    found = made(name).measure(pair())
    assert tuple(found) == ("pyiqa_before", "pyiqa_after")
    assert all(isinstance(value, float) and np.isfinite(value) for value in found.values())


def test_its_psnr_is_ours():
    looked_at = pair()
    found = made("psnr").measure(looked_at)
    ours = Psnr(PsnrParams()).measure(looked_at)
    assert found["pyiqa_before"] == pytest.approx(ours["psnr_baseline_reference"], abs=1e-3)
    assert found["pyiqa_after"] == pytest.approx(ours["psnr_reference"], abs=1e-3)


def test_without_a_reference_or_below_the_least_size_there_is_no_value():
    assert set(made("ssim").measure(pair(truth=False)).values()) == {None}
    assert set(made("ssim").measure(pair(side=16)).values()) == {None}
    assert set(made("ms_ssim").measure(pair(side=100)).values()) == {None}
    assert None not in made("piqe").measure(pair(truth=False)).values()


def test_grey_and_16_bit_pictures_are_taken():
    assert None not in made("ssim").measure(pair(channels=1, dtype=np.uint16)).values()


@pytest.mark.parametrize("name", ["lpips", "niqe", "musiq", "clipiqa", "no such metric"])
def test_metrics_with_weights_are_refused_by_name(name):
    with pytest.raises(PresetError, match="psnry"):
        parse(PyiqaParams, {"metric": name}, WHERE)


def test_nothing_is_downloaded_should_a_metric_ask_for_it_after_all(monkeypatch):
    made("psnr")
    import os

    before = dict(os.environ)
    with pytest.raises(MissingResourceError, match="fetches none"):
        Pyiqa(PyiqaParams("niqe"))  # past `parse`, which refuses the name
    assert dict(os.environ) == before


def test_where_the_extra_is_absent_it_is_named_with_its_licence():
    code = (
        "import sys; sys.modules['pyiqa'] = None\n"
        "from playe_assets.core.errors import MissingResourceError\n"
        "from playe_assets.metrics.iqa_pyiqa import Pyiqa, PyiqaParams\n"
        "print([m for m in ('torch', 'cv2') if m in sys.modules])\n"
        "try: Pyiqa(PyiqaParams('psnr'))\n"
        "except MissingResourceError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[]\n")
    assert "playe[iqa]" in done.stdout and "PolyForm Noncommercial" in done.stdout
