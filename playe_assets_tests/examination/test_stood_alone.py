"""A step over time that could not use one neighbour says so, in both languages."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.texts import text
from playe_assets.core.values import AiClass, Step
from playe_assets.enhancers.fusion import Fusion
from playe_assets.examination.enhance_clip import stood_alone
from playe_assets_tests.enhancers.temporal import summary
from playe_assets_tests.enhancers.test_heavy_noise import PARAMS
from playe_assets_tests.plugins import FACTS


def step(pictures) -> Step:
    out = list(Fusion(PARAMS, FACTS).stream(Frame(n, 40 * n, p) for n, p in enumerate(pictures)))
    return Step(3, "fusion", Fusion.version, {}, AiClass.NONE, "", summary(Fusion, out), {})


def unrelated(count: int):
    return [np.random.default_rng(n).integers(0, 256, (90, 160, 3)).astype(np.uint8) for n in range(count)]


def test_a_clip_of_which_no_frame_was_fused_says_so():
    (reason,) = stood_alone([step(unrelated(5))])
    assert reason.code == "frames_stood_alone"
    assert reason.facts == {"step": "fusion", "number": 3, "frames": 5}
    for language in ("en", "ru"):
        said = text(f"reason.{reason.code}", language, **reason.facts)
        assert "fusion" in said and "5" in said


@pytest.mark.parametrize("pictures", [unrelated(1), [unrelated(1)[0]] * 3, [*unrelated(3), unrelated(3)[2]]])
def test_a_single_frame_and_a_clip_of_which_some_were_fused_say_nothing(pictures):
    assert stood_alone([step(pictures)]) == ()


def test_a_step_that_measures_no_neighbours_says_nothing():
    assert stood_alone([Step(1, "orient", "1", {}, AiClass.NONE, "", {"frames": 9.0}, {})]) == ()
