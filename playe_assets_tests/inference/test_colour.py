"""Pixels to numbers and back: nothing is lost, grey stays grey, a colour shift is taken back."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.core.errors import GovernanceError
from playe_assets.inference.cards import InputFacts
from playe_assets.inference.colour import (
    from_network,
    low_pass_reach,
    low_passed,
    quantised,
    to_network,
    to_unit,
)

RANGES = ("0..1", "0..255", "-1..1")


def every_value(dtype: type, channels: int) -> np.ndarray:
    values = np.arange(np.iinfo(dtype).max + 1, dtype=np.int64).reshape(-1, 16, 1)
    return np.concatenate([np.roll(values, k, axis=0) for k in range(channels)], axis=2).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("order", ["rgb", "bgr", "grey"])
def test_every_sample_value_survives_the_way_in_and_out(dtype, channels, span, order):
    pixels = every_value(dtype, channels)
    facts = InputFacts(span, order, 1)
    sent = to_network(pixels, facts)
    assert sent.dtype == np.float32
    assert sent.flags.c_contiguous
    back = np.empty_like(pixels)
    quantised(from_network(sent, facts, channels, "x"), back)
    assert np.array_equal(back, pixels)


@pytest.mark.parametrize(("span", "low", "high"), [("0..1", 0, 1), ("0..255", 0, 255), ("-1..1", -1, 1)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_black_and_white_become_the_ends_of_the_cards_range(span, low, high, dtype):
    pixels = np.array([0, np.iinfo(dtype).max], dtype).reshape(1, 2, 1)
    assert to_network(pixels, InputFacts(span, "grey", 1)).ravel().tolist() == [low, high]


def test_channel_order_follows_the_card():
    pixels = np.array([[[255, 0, 51]]], np.uint8)
    assert to_network(pixels, InputFacts("0..255", "bgr", 1)).ravel().tolist() == [51, 0, 255]
    assert to_network(pixels, InputFacts("0..255", "rgb", 1)).ravel().tolist() == [255, 0, 51]


def test_a_grey_network_sees_each_colour_channel_by_itself():
    pixels = np.array([[[255, 0, 51]]], np.uint8)
    assert to_network(pixels, InputFacts("0..255", "grey", 1)).shape == (3, 1, 1, 1)


def test_grey_through_a_colour_network_comes_back_as_its_luma():
    facts = InputFacts("0..1", "rgb", 1)
    out = np.array([1.0, 0.5, 0.25], np.float32).reshape(1, 3, 1, 1)
    found = from_network(out, facts, 1, "x")
    assert found.shape == (1, 1, 1)
    assert found.item() == pytest.approx(0.299 + 0.587 * 0.5 + 0.114 * 0.25, abs=1e-6)


def test_values_are_clipped_and_halves_are_rounded_to_even():
    out = np.empty((1, 5, 1), np.uint8)
    quantised(np.array([[[-1, 0.5 / 255, 1.5 / 255, 2.5 / 255, 7]]], np.float32), out)
    assert out.ravel().tolist() == [0, 0, 2, 2, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_never_become_pixels(bad):
    out = np.zeros((1, 3, 4, 4), np.float32)
    out[0, 1, 2, 3] = bad
    with pytest.raises(GovernanceError, match="model x gave numbers that are not finite"):
        from_network(out, InputFacts("0..1", "rgb", 1), 3, "x")


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_low_pass_takes_a_colour_shift_back_and_leaves_detail(scale):
    rng = np.random.default_rng(1)
    given = np.full((3, 96, 96), 0.6, np.float32)
    fine = (rng.random((3, 96 * scale, 96 * scale)).astype(np.float32) - 0.5) * 0.1
    fine -= fine.mean()
    shifted = 0.6 + fine + np.array([0.02, -0.01, 0.005], np.float32)[:, None, None]
    found, largest = low_passed(shifted, given, scale, 8)
    inner = found[:, 20 * scale : -20 * scale, 20 * scale : -20 * scale]
    assert np.abs(inner.mean(axis=(1, 2)) - 0.6).max() < 0.5 / 255
    assert np.corrcoef(found.ravel(), (0.6 + fine).ravel())[0, 1] > 0.95
    assert 0.02 <= largest < 0.05


def test_the_low_pass_looks_no_farther_than_it_says():
    given = np.zeros((1, 101, 101), np.float32)
    values = np.zeros((1, 202, 202), np.float32)
    values[0, 100, 100] = 1  # the input's px (50, 50)
    found, _ = low_passed(values, given, 2, 5)
    changed = np.argwhere(np.abs(found[0]) > 0) // 2 - 50
    assert np.abs(changed).max() <= low_pass_reach(5)
    assert low_pass_reach(0) == 0


def test_sixteen_bit_samples_keep_what_eight_bits_cannot_hold():
    pixels = np.array([[[1000], [1001]]], np.uint16)
    values = to_unit(pixels).ravel()
    assert values[0] != values[1]
