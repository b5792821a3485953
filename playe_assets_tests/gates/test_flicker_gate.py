"""A clip that flickers more than its source by more than the preset's margin is withheld; a steadier one is not."""

from __future__ import annotations

import numpy as np
import pytest

from playe_assets.core.contracts import Evidence, Pair
from playe_assets.core.params import parse
from playe_assets.core.presets import load_preset
from playe_assets.core.values import MetricsManifest
from playe_assets.examination.judge import SUITES
from playe_assets.gates.metrics_in_bounds import MetricsInBounds
from playe_assets.metrics.flicker import Flicker
from playe_assets_tests.plugins import WHERE, scene


def source() -> list[np.ndarray]:
    wide = scene(96, 160, seed=4)
    frames = []
    for n in range(6):
        noise = np.random.default_rng(n).normal(0, 3, (96, 128, 3))
        frames.append(np.clip(wide[:, 2 * n : 2 * n + 128] + noise, 0, 255).astype(np.uint8))
    return frames


def pumping(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Brightness that goes up and down by two of 255."""
    return [np.clip(f.astype(np.int16) + 2 * (n % 2), 0, 255).astype(np.uint8) for n, f in enumerate(frames)]


def crawling(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Texture that each frame invents anew, as strong as the source's noise."""
    added = [np.random.default_rng(90 + n).normal(0, 4, f.shape) for n, f in enumerate(frames)]
    return [np.clip(f + a, 0, 255).astype(np.uint8) for f, a in zip(frames, added, strict=True)]


def verdicts(preset: str, before: list[np.ndarray], after: list[np.ndarray]) -> dict[str, tuple[bool, str]]:
    """Column to (passed, on_fail) of what the preset says about flicker of one clip."""
    loaded = load_preset(preset)
    use = next(m for m in loaded.metrics if m.name == "flicker")
    metric = Flicker(parse(Flicker.Params, use.given, WHERE))
    steps = []
    for n in range(1, len(before)):
        last = Pair(before[n - 1], after[n - 1], None)
        steps.append(metric.measure(Pair(before[n], after[n], None, previous=last)))
    means = {k: float(np.mean([s[k] for s in steps])) for k in steps[0]} | metric.finish()
    row = {
        "exhibit": "E001",
        "derivative": "D001",
        "media": "clip",
        "frames_compared": 6,
        "series": None,
        **means,
    }
    found = MetricsInBounds().judge(
        Evidence(
            objects=None,
            ingest=None,
            suites=SUITES,
            metrics=MetricsManifest("C", "x", "y", "z", (), (row,), ()),
            thresholds=tuple(t for t in loaded.thresholds if t.column in means),
        )
    )
    return {v.expectation: (v.passed, v.on_fail) for v in found if v.exhibit}


@pytest.mark.parametrize("preset", ["forensic_safe", "balanced"])
def test_what_is_as_steady_as_its_source_passes(preset: str) -> None:
    frames = source()
    assert all(passed for passed, _ in verdicts(preset, frames, frames).values())


@pytest.mark.parametrize("preset", ["forensic_safe", "balanced"])
def test_brightness_that_pumps_is_withheld(preset: str) -> None:
    frames = source()
    assert verdicts(preset, frames, pumping(frames))["luma_flicker_added"] == (False, "withhold")


@pytest.mark.parametrize("preset", ["forensic_safe", "balanced"])
def test_texture_that_crawls_is_withheld(preset: str) -> None:
    frames = source()
    assert verdicts(preset, frames, crawling(frames))["warped_error_ratio"] == (False, "withhold")


def test_a_preset_for_showing_says_it_and_shows_the_clip() -> None:
    frames = source()
    assert verdicts("presentation", frames, crawling(frames))["warped_error_ratio"] == (False, "warn")
