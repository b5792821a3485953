"""Kill -9 the enhance stage at random moments, again and again, and compare what comes out with an undisturbed run.

`python -m benchmarks crash [--kills N] [--seconds S]`. The clip, the moments and all results are determined by
seeds, but which instruction a moment hits is up to the machine. `python -m benchmarks.crash enhance CASE ...` is
the process that is killed: the real stage on a real case, by itself.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import Bench, Figure, Options, bench, clip, python

CASE = "CRASH-1"
WIDTH, HEIGHT, RATE = 320, 180, 25
SEED = 4
SPANS = 8
"""Moments are drawn from the first eighth of the undisturbed time: kills come often, and work still goes on."""


@dataclass
class _Tried:
    """What the attempts at one case gave."""

    result: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    seconds: float = 0.0
    begun: list[list[int]] = field(default_factory=list)
    """Of each attempt: the segments that were begun, in order."""

    @property
    def twice(self) -> list[int]:
        """For each attempt after a kill: how many segments it computed that an earlier one had begun."""
        seen: set[int] = set()
        found = []
        for numbers in self.begun:
            found.append(sum(n in seen for n in numbers))
            seen |= set(numbers)
        return found[1:]


def run(options: Options) -> list[Figure]:
    """One undisturbed run, then as many kills as asked; a case that is finished earlier is begun anew."""
    with bench() as place:
        manifests = _prepared(place, options.seconds)
        whole = _attempts(place, manifests, "whole", [], options)
        moments = random.Random(SEED)
        tries: list[_Tried] = []
        while sum(t.kills for t in tries) < options.kills:
            left = options.kills - sum(t.kills for t in tries)
            span = whole.seconds / SPANS
            tries.append(
                _attempts(
                    place,
                    manifests,
                    f"try-{len(tries)}",
                    [moments.uniform(0, span) for _ in range(left)],
                    options,
                )
            )
    kills = [t.kills for t in tries]
    same = [float(t.result == whole.result) for t in tries]
    twice = [n for t in tries for n in t.twice]
    name = f"{options.seconds:g} s of {WIDTH}x{HEIGHT}"
    parts = len(set(whole.begun[0]))
    killed = [t.seconds for t in tries]
    return [
        Figure(f"{name}: kills", [float(sum(kills))], "", note=f"over {len(tries)} case(s), {parts} segments each"),
        Figure("master, proxy, planes, ledger, manifest identical", same, "1: yes", at_least=1.0,
               note=" ".join(f"{k} {v[:8]}" for k, v in sorted(whole.result.items()))),
        Figure("segments computed twice, a kill", [float(max(twice, default=0))], "", at_most=1.0,
               note=f"{sum(twice)} in all"),
        Figure("undisturbed", [whole.seconds], "s"),
        Figure("with kills, a case", killed, "s", note="starts of the process included"),
    ]  # fmt: skip


def _prepared(place: Bench, seconds: float) -> tuple[str, str]:
    """The case taken in and detected, once; digests of the two manifests."""
    folder = place.root / CASE
    folder.mkdir()
    clip(folder / "clip.mp4", WIDTH, HEIGHT, max(1, round(seconds * RATE)))
    done = subprocess.run(python("-m", "benchmarks.crash", "prepare", CASE, str(folder)), env=place.env,
                          capture_output=True, text=True, check=True)  # fmt: skip
    ingest, detections = json.loads(done.stdout.splitlines()[-1])
    shutil.move(place.root / "data", place.root / "prepared")
    return ingest, detections


def _attempts(
    place: Bench, manifests: tuple[str, str], name: str, moments: list[float], options: Options
) -> _Tried:
    """The stage on a fresh copy of the prepared case, killed at each of `moments`, until it finishes."""
    data = place.root / name
    shutil.copytree(place.root / "prepared", data)
    env = {**place.env, "PLAYE_DATA_ROOT": str(data)}
    command = python("-m", "benchmarks.crash", "enhance", CASE, *manifests, str(options.segment_frames))
    tried = _Tried()
    began = time.monotonic()
    waits: list[float | None] = [*moments, None]
    for wait in waits:
        before = _begun(data)
        answer = data / "answer.json"
        with (place.root / f"{name}.log").open("ab") as log:
            # A session of its own: the signal goes to everything that works, and to nothing else.
            child = subprocess.Popen(
                [*command, str(answer)], env=env, stdout=log, stderr=log, start_new_session=True
            )
            try:
                _at_work(child, Path(f"{answer}.ready"))
                child.wait(wait)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        tried.begun.append(_begun(data)[len(before) :])
        if answer.is_file():
            tried.result = json.loads(answer.read_text())
            break
        if child.returncode != -signal.SIGKILL:
            raise RuntimeError((place.root / f"{name}.log").read_text()[-3000:])
        tried.kills += 1
    tried.seconds = time.monotonic() - began
    shutil.rmtree(data)
    return tried


def _at_work(child: subprocess.Popen[bytes], mark: Path) -> None:
    """Wait until the process has imported everything and begins: moments count from there."""
    while not mark.exists() and child.poll() is None:
        time.sleep(0.01)
    mark.unlink(missing_ok=True)


def _begun(data: Path) -> list[int]:
    """Segments whose first step began, by the custody log, in its order."""
    from playe_assets.custody.log import CustodyLog

    return [
        entry["params"]["segment"]["number"]
        for _, entry, _ in CustodyLog(data / "audit" / "events.jsonl").read()
        if entry and entry.get("event") == "processing.step" and entry.get("status") == "started"
        and str(entry.get("step")).startswith("1 ")
    ]  # fmt: skip


def _stage(case_id: str) -> Any:
    from playe_assets.custody.log import CustodyLog
    from playe_assets.custody.record import Operator, Recorder
    from playe_assets.examination.cases import CaseFolder
    from playe_assets.examination.settings import load_settings
    from playe_assets.examination.stage import Stage

    settings = load_settings()
    recorder = Recorder(CustodyLog(settings.log_path), request_id="bench", case_id=case_id,
                        operator=Operator("bench", "operator", "os-user"))  # fmt: skip
    return Stage(settings, CaseFolder(settings, case_id), recorder)


def _prepare(case_id: str, folder: str) -> None:
    from playe_assets.examination.detect import detect
    from playe_assets.examination.ingest import ingest

    stage = _stage(case_id)
    taken = ingest(stage, Path(folder), None, in_place=True)
    print(json.dumps([taken.sha256, detect(stage, taken.sha256).sha256]))


def _enhance(case_id: str, ingest: str, detections: str, frames: str, answer: str) -> None:
    from playe_assets.examination.enhance import enhance

    stage = _stage(case_id)
    Path(f"{answer}.ready").touch()
    with _segments_of(int(frames)):
        done = enhance(stage, ingest, detections)
    failed = [e.failure for e in done.manifest.entries if e.failure]
    if failed:
        raise RuntimeError(str(failed))
    found = {d.kind: d.sha256 for d in done.manifest.derivatives} | {"manifest": done.sha256}
    half = Path(f"{answer}.half")
    half.write_text(json.dumps(found))
    half.rename(answer)


@contextmanager
def _segments_of(frames: int) -> Iterator[None]:
    """Segments of `frames` frames instead of the preset's; 0 leaves the preset alone."""
    from dataclasses import replace

    from playe_assets.core.presets import Segments, load_preset
    from playe_assets.examination import plan

    def found(name: str, *folder: Any) -> Any:
        preset = load_preset(name, *folder)
        return replace(preset, video=replace(preset.video, segments=Segments(0.01, frames, frames)))

    if frames:
        plan.load_preset = found
    try:
        yield
    finally:
        plan.load_preset = load_preset


if __name__ == "__main__":
    {"prepare": _prepare, "enhance": _enhance}[sys.argv[1]](*sys.argv[2:])
