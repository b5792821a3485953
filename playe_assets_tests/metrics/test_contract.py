"""Every registered metric keeps the contract of core/contracts.py."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest

from playe_assets.core.contracts import Pair
from playe_assets.core.errors import PresetError
from playe_assets.core.params import parse
from playe_assets.core.presets import load_preset, preset_names
from playe_assets.core.texts import catalogue
from playe_assets.core.values import Detection
from playe_assets.metrics import METRICS
from playe_assets_tests.metrics.parameters import FILES, parameters
from playe_assets_tests.plugins import (
    WHERE,
    heavy_modules_after_listing,
    out_of_range,
    presets_params,
    rebuilt,
    scene,
    survives_the_record,
)
from playe_assets_tests.stand_ins import stand_ins

NAMES = METRICS.names()
POINTS = ((8.0, 9.0), (18.0, 9.0), (13.0, 15.0), (9.0, 21.0), (17.0, 21.0))
FACES = (Detection("face", 2.0, 3.0, 20.0, 24.0, 0.9, POINTS), Detection("face", 0.0, 0.0, 5.0, 5.0, 0.5))


SAMPLES = {
    "evidence": [{}],
    "identity": [
        {"model": "sface_2021dec", "input_range": "0..255", "input_order": "rgb", "min_eyes_px": 4.0,
         "max_misfit_px": 50.0},
    ],
    "niqe": [{"block_px": 96}],
    "brisque": [{}],
    "pyiqa": [{"metric": "ssim"}, {"metric": "piqe"}],
}  # fmt: skip
"""Parameters of metrics that no shipped preset uses."""


def built(name):
    cls = METRICS.get(name)
    own = [parse(cls.Params, given, WHERE) for given in SAMPLES.get(name, [])]
    params = presets_params("metric", name, cls.Params) or own
    if name == "pyiqa" and importlib.util.find_spec("pyiqa") is None:
        pytest.skip("extra iqa is not installed")
    return [cls(p, models_of(cls, p)) for p in params]


def models_of(cls, params):
    """Stand-ins of networks; true parameters, because nothing else has their form."""
    used = {use.name for use in cls.needs(params)}
    return {card: parameters(card) for card in used} if used & FILES.keys() else stand_ins(cls, params)


def test_the_registry_names_exactly_these_metrics():
    assert NAMES == (
        "psnr", "ssim", "sharpness", "noise", "blockiness", "niqe", "brisque", "pyiqa", "consistency", "evidence",
        "identity", "flicker",
    )  # fmt: skip


def test_listing_the_registry_loads_no_image_library():
    assert heavy_modules_after_listing("playe_assets.metrics", "METRICS") == set()


def test_columns_are_named_once_and_presets_gate_only_columns_that_exist():
    columns = [column.name for name in NAMES for column in METRICS.get(name).columns]
    assert len(columns) == len(set(columns))
    for preset in preset_names():
        loaded = load_preset(preset)
        assert loaded.thresholds
        assert {t.column for t in loaded.thresholds} <= set(columns)


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_is_used_states_itself_and_has_labels_in_both_languages(name):
    cls = METRICS.get(name)
    assert cls.name == name and cls.version and cls.reference and built(name)
    for column in cls.columns:
        entry = catalogue()[f"metric.{column.name}"]
        assert entry["en"] and any("а" <= letter <= "я" for letter in entry["ru"])
        assert column.better in ("higher", "lower", "none")


@pytest.mark.parametrize("exhibit_dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(1, 1, 1), (3, 3, 3), (1, 3, 3)])
@pytest.mark.parametrize("reference_scale", [None, 1, 2])
@pytest.mark.parametrize("size", [(1, 1), (31, 27)])
@pytest.mark.parametrize("name", NAMES)
def test_measured_keys_are_the_columns_and_values_lie_in_their_range(
    name, size, reference_scale, channels, exhibit_dtype
):
    height, width = size
    exhibit = scene(height, width, channels[0], exhibit_dtype, seed=1)
    derivative = scene(2 * height, 2 * width, channels[1], np.uint8, seed=2)
    truth = None
    if reference_scale:
        truth = scene(height * reference_scale, width * reference_scale, channels[2], np.uint8, seed=3)
    kept = [p.copy() for p in (exhibit, derivative)]
    for metric, again in zip(built(name), built(name), strict=True):
        found = metric.measure(Pair(exhibit, derivative, truth, FACES))
        assert tuple(found) == tuple(column.name for column in metric.columns)
        assert found == again.measure(Pair(exhibit, derivative, truth, FACES))
        for column in metric.columns:
            value = found[column.name]
            if "reference" in column.name and truth is None:
                assert value is None
            if value is not None:
                assert isinstance(value, float) and math.isfinite(value)
                assert column.low is None or value >= column.low
                assert column.high is None or value <= column.high
    assert np.array_equal(exhibit, kept[0]) and np.array_equal(derivative, kept[1])


@pytest.mark.parametrize("name", NAMES)
def test_black_against_white_and_flat_against_itself_are_finite(name):
    black = np.zeros((32, 32, 3), np.uint8)
    for one, other in ((black, black), (black, black + 255)):
        for metric in built(name):
            values = metric.measure(Pair(one, other, other)).values()
            assert all(v is None or math.isfinite(v) for v in values)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_out_of_range_are_refused_and_those_in_range_survive_the_record(name):
    for metric in built(name):
        assert survives_the_record(metric.params)
        for key, value in out_of_range(metric.params):
            with pytest.raises(PresetError):
                rebuilt(metric.params, key, value)
