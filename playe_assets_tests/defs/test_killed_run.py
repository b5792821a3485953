"""A run that is killed in the enhance stage, and the case launched again: what was finished is not made twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from playe_assets_tests.laboratory import write_clip

FRAMES = 270  # at 96x64 px the shipped preset cuts 250 frames a segment


def _lines(laboratory, **wanted):
    return [e for e in laboratory.log("KILLED-1") if all(e.get(k) == v for k, v in wanted.items())]


@pytest.mark.slow
def test_the_case_launched_again_takes_the_finished_segments_of_a_killed_run(laboratory, tmp_path):
    folder = tmp_path / "KILLED-1"
    write_clip(folder / "clip.mp4", FRAMES)
    # The real job under the real executor: a process a step out of the forkserver, all in one process group.
    command = [sys.executable, "-m", "benchmarks.executors", "forkserver", str(folder), "KILLED-1"]
    with (tmp_path / "first.log").open("wb") as log:
        first = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 240
        while not _lines(laboratory, event="processing.step", status="ok", step="1 deinterlace"):
            assert first.poll() is None, (tmp_path / "first.log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert not laboratory.reports("KILLED-1")
    subprocess.run(command, check=True, capture_output=True, timeout=400)
    (report,) = laboratory.reports("KILLED-1")
    assert report["report_id"] == "KILLED-1-R01"
    begun = [e["params"]["segment"]["number"] for e in _lines(laboratory, event="processing.step", status="started")
             if e["step"] == "1 deinterlace"]  # fmt: skip
    assert set(begun) == {1, 2}
    assert len(begun) <= 2 + 1, "one segment was at work when the run was killed"
    (reused,) = _lines(laboratory, event="processing.segments_reused", status="ok")
    assert reused["metrics"]["segments_reused"] >= 1
    assert not (laboratory.case("KILLED-1").root / "segments").exists(), "a concluded case keeps no parts"
    assert not (laboratory.case("KILLED-1").root / "found").exists(), "nor notes of what was found"
    (looked,) = _lines(laboratory, event="processing.detect", status="ok")
    (again,) = _lines(laboratory, event="processing.detection_reused", status="ok")
    assert again["params"] == {"found_by": looked["op_id"]}
