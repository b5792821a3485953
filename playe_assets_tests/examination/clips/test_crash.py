"""The stage killed at random moments and begun again gives the bytes of an undisturbed run (`benchmarks/crash.py`)."""

from __future__ import annotations

import pytest

from benchmarks import crash
from benchmarks.measure import Options


def _figures(options):
    return {f.name: f for f in crash.run(options)}


def test_a_killed_stage_goes_on_after_its_last_finished_segment(monkeypatch):
    monkeypatch.setattr(crash, "WIDTH", 96)
    monkeypatch.setattr(crash, "HEIGHT", 64)
    found = _figures(Options(kills=4, seconds=3, segment_frames=10))
    assert found["3 s of 96x64: kills"].median == 4
    assert found["master, proxy, planes, ledger, manifest identical"].values == [1.0] * len(
        found["with kills, a case"].values
    )
    assert found["segments computed twice, a kill"].median <= 1


@pytest.mark.slow
def test_fifty_kills_over_three_minutes_of_a_clip_change_no_byte():
    found = _figures(Options())
    assert {f.name: f.verdict for f in found.values() if f.asked} == {
        "master, proxy, planes, ledger, manifest identical": "holds",
        "segments computed twice, a kill": "holds",
    }
