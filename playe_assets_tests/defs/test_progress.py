"""How far a stage is stands in Dagster's log at sensible steps, with rate and time left."""

from __future__ import annotations

from dataclasses import replace

from playe_assets.defs.resources import _Said
from playe_assets.examination.clips.pace import Pace
from playe_assets.examination.stage import Words


def _lines(seconds, frames, every_s):
    said, lines = _Said(), 0
    for step in range(round(seconds / every_s)):
        now = 1000 + step * every_s
        lines += said.due(now, int(frames * step * every_s / seconds), frames)
    return lines


def test_a_long_clip_leaves_at_most_a_line_a_minute_and_a_short_one_a_line_every_five_seconds():
    assert _lines(30, 700, 0.5) == 6
    assert _lines(600, 15_000, 0.5) == 50
    assert _lines(86_400, 2_000_000, 0.5) <= 86_400 / 60


def test_the_end_is_always_said_and_another_exhibit_begins_anew():
    said = _Said()
    assert said.due(0.0, 0, 100)
    assert not said.due(1.0, 50, 100)
    assert said.due(1.1, 100, 100)
    assert said.due(7.0, 3, 1000)


def test_frames_done_rate_and_time_left_are_told_at_sensible_steps(laboratory):
    told, now = [], [0.0]
    stage = replace(laboratory.stage("PACE-1"), progress=lambda *said: told.append(said))
    pace = Pace(stage, Words("clips.frames", exhibit="E001"), 1000, done=500, clock=lambda: now[0])
    for _ in range(250):
        now[0] += 0.1
        pace.advance()
    pace.finish()
    what, *counts = told[0]
    assert counts == [505, 1000]
    # Who shows it puts it into his language, whatever the laboratory's is.
    assert what.said("en") == "E001 frames 10 frames/s, 0:00:50 left"
    assert what.said("ru") == "E001: кадры 10 кадров/с, осталось 0:00:50"
    assert told[-1][1:] == (750, 750)
    assert len(told) <= 250 * 0.1 / 0.5 + 1
