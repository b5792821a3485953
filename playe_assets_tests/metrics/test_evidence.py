"""Agreement with the evidence as columns of the table: what each of them sees and what it does not."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.core.contracts import Pair
from playe_assets.metrics.evidence import EvidenceAgreement, EvidenceParams
from playe_assets_tests.plugins import scene


def measured(exhibit, derivative):
    return EvidenceAgreement(EvidenceParams()).measure(Pair(exhibit, derivative, None))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_plain_enlargement_agrees_in_every_column(scale):
    pixels = scene(48, 60)
    found = measured(pixels, pixels.repeat(scale, 0).repeat(scale, 1))
    assert found["evidence_mean"] == found["evidence_p99"] == 0.0
    assert found["structure_added"] < 0.5 and found["structure_lost"] < 0.5


def test_a_brightened_picture_differs_but_neither_gains_nor_loses_structure():
    pixels = scene(48, 60) // 3
    found = measured(pixels, (pixels * 2 + 30).astype(np.uint8))
    assert found["evidence_mean"] > 30
    assert found["structure_added"] < 1.0 and found["structure_lost"] < 1.0


def test_texture_in_one_corner_shows_in_the_99th_percentile_and_hardly_in_the_mean():
    flat = np.full((100, 100, 3), 90, np.uint8)
    textured = flat.copy()
    textured[:15, :15] = scene(15, 15)
    found = measured(flat, textured)
    assert found["structure_added"] > 10 and found["structure_lost"] == 0.0
    assert found["evidence_p99"] > 30 > 10 * found["evidence_mean"]
    assert measured(textured, flat)["structure_lost"] > 10
