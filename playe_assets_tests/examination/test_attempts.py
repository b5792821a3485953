"""Failed and cut-off attempts as the report lists them: each once, with its exhibit where one is known."""

from __future__ import annotations

from contextlib import suppress

import pytest

from playe_assets.custody.record import Activity
from playe_assets.examination.conclude import _attempts


@pytest.fixture
def at(laboratory):
    """Records in the log as the stage `asset` of the run `run_id` would."""
    stage = laboratory.stage("TRIED-1")

    def recorder(asset, run_id):
        own = laboratory.stage("TRIED-1").recorder
        own.log, own.activity = stage.recorder.log, Activity(asset, "TRIED-1", run_id, asset)
        return own

    return recorder


def told(laboratory, run_id="now"):
    """(what, outcome, exhibit) of every attempt that a report of the run `run_id` lists."""
    return [(a.what, a.outcome, a.exhibit) for a in _attempts(laboratory.log("TRIED-1"), run_id)]


class _Killed:
    """A log to which a process writes that is killed before anything ends."""

    def __init__(self, log):
        self._log = log

    def append(self, entries):
        return self._log.append([e for e in entries if e["status"] == "started"])


def test_an_exhibit_that_failed_within_a_stage_that_went_on_is_listed(laboratory, at):
    recorder = at("detections", "first")
    stage, detect = (recorder.record("processing.stage", step="detections"),
                     recorder.record("processing.detect", exhibit="E001", step="detect"))  # fmt: skip
    with stage, suppress(ValueError), detect:
        raise ValueError
    assert told(laboratory) == [("detections: detect", "failed", "E001")]


def test_a_stage_that_failed_because_of_an_operation_is_not_listed_beside_it(laboratory, at):
    recorder = at("ingested_media", "first")
    stage, received = (recorder.record("processing.stage", step="ingested_media"),
                       recorder.record("custody.received", step="delivery 1"))  # fmt: skip
    with suppress(ValueError), stage, received:
        raise ValueError
    assert told(laboratory) == [("ingested_media: delivery 1", "failed", None)]


def test_a_stage_that_failed_by_itself_is_listed(laboratory, at):
    with suppress(ValueError), at("qa_metrics", "first").record("processing.stage", step="qa_metrics"):
        raise ValueError
    assert told(laboratory) == [("qa_metrics: qa_metrics", "failed", None)]


def test_what_a_kill_cut_off_is_listed_once_and_not_in_its_own_run(laboratory, at):
    recorder = at("enhanced_frames", "first")
    recorder.log = _Killed(recorder.log)
    with recorder.record("processing.stage", step="enhanced_frames"):
        recorder.note("processing.step", exhibit="E002", step="1 denoise")
    assert told(laboratory) == [("enhanced_frames: 1 denoise", "interrupted", "E002")]
    assert told(laboratory, "first") == []


def test_a_run_that_failed_is_one_attempt(laboratory, at):
    recorder = at("detections", "first")
    with suppress(ValueError), recorder.record("processing.stage", step="detections"):
        raise ValueError
    recorder.note(
        "processing.run_failed", step="detections", error={"type": "RunFailure", "code": "x", "message": "y"}
    )
    assert told(laboratory) == [("detections: detections", "failed", None)]


def test_what_went_well_is_no_attempt(laboratory, at):
    with at("detections", "first").record("processing.stage", step="detections"):
        pass
    assert told(laboratory) == []
