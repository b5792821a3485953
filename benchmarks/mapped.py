"""Segments inside one op against a mapped op each: what either costs beside the work (docs/adr/0011).

`python -m benchmarks.mapped job N` runs N trivial mapped ops under the project's executor;
`python -m benchmarks.mapped work CLIP FIRST LAST THREADS ROOT` works a stretch of a clip by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.inference import shared_data
from benchmarks.measure import Bench, Figure, Options, bench, clip, here, python, timed

MAPPED = 8
FRAMES, SEGMENT = 48, 16
PART_BYTES = 20 << 20
"""About what 250 frames of 640x360 px take as FFV1."""


def run(options: Options) -> list[Figure]:
    """Both shapes' own costs, then the same clip by one process with two threads and by two with one each."""
    repeats = max(1, min(options.repeats, 3))
    with bench() as place:
        each = [_mapped(place) for _ in range(repeats)]
        with here(place):
            kept = [_bookkeeping(place.root / f"parts-{n}") for n in range(repeats)]
        one, two = [], []
        path = _clip(place.root)
        for number in range(repeats):
            one.append(_worked(place, path, [(0, FRAMES)], 2, f"one-{number}"))
            two.append(_worked(place, path, [(0, FRAMES // 2), (FRAMES // 2, FRAMES)], 1, f"two-{number}"))
    return [
        Figure("a trivial mapped op, forkserver with preload", each, "s", note=f"{MAPPED} of them less 1, divided"),
        Figure("a segment's bookkeeping inside the op", kept, "s",
               note="key, part of 20 MiB hashed and synchronised, part.json, 10 log lines"),
        Figure(f"{path.stem}, {FRAMES} frames: 1 process, 2 threads", one, "s"),
        Figure(f"{path.stem}, {FRAMES} frames: 2 processes, 1 thread each", two, "s", note="starts not counted"),
        Figure("2 processes / 1 process", [b / a for a, b in zip(one, two, strict=True)], "x"),
    ]  # fmt: skip


def _mapped(place: Bench) -> float:
    seconds = {}
    for count in (1, MAPPED):
        _, said = timed(python("-m", "benchmarks.mapped", "job", str(count)), place.env)
        seconds[count] = float(said.split()[-1])
    return (seconds[MAPPED] - seconds[1]) / (MAPPED - 1)


def mapped_job() -> Any:
    """A job of `count` mapped ops that do nothing, collected, under the project's executor."""
    import dagster as dg

    from playe_assets.defs.executors import local

    @dg.op(config_schema={"count": int}, out=dg.DynamicOut(int))
    def cut(context) -> Any:  # type: ignore[no-untyped-def]
        for number in range(context.op_config["count"]):
            yield dg.DynamicOutput(number, mapping_key=f"s{number}")

    @dg.op
    def work(number: int) -> int:
        return number

    @dg.op
    def collect(numbers: list[int]) -> int:
        return len(numbers)

    @dg.job(executor_def=local)
    def segments() -> None:
        collect(cut().map(work).collect())

    return segments


def _job(count: str) -> None:
    import dagster as dg

    from benchmarks import mapped
    from playe_assets.defs.launch import open_instance

    config = {"ops": {"cut": {"config": {"count": int(count)}}},
              "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}  # fmt: skip
    with open_instance() as instance:
        began = time.perf_counter()
        done = dg.execute_job(dg.reconstructable(mapped.mapped_job), instance=instance, run_config=config)
        seconds = time.perf_counter() - began
    if not done.success:
        raise RuntimeError("the mapped job failed")
    print(seconds)


def _bookkeeping(root: Path) -> float:
    from benchmarks.crash import _stage
    from playe_assets.core.canonical import digest
    from playe_assets.examination.clips.parts import FRAMES as NAME
    from playe_assets.examination.clips.parts import Part, Parts

    stage, parts = _stage("BENCH"), Parts(root)
    sha, frames, made = "0" * 64, 250, b"x" * PART_BYTES
    part = Part(1, 0, tuple(range(frames)), (), (sha,) * frames, ((sha,) * frames,) * 5, ("kept",) * frames,
                (1,) * frames, (0,) * frames, {f"2_n{i}": (0.5,) * frames for i in range(6)})  # fmt: skip
    rounds, spent = 5, 0.0
    for number in range(rounds):
        key = digest({"number": number})
        began = time.perf_counter()
        folder = parts.begin(key)
        spent += time.perf_counter() - began
        (folder / NAME).write_bytes(made)  # the encoder writes as it goes, in either shape
        began = time.perf_counter()
        parts.finish(key, part)
        for _ in range(5):
            with stage.recorder.record("processing.step", exhibit="E001", step="1 bench"):
                pass
        spent += time.perf_counter() - began
    shutil.rmtree(root)
    return spent / rounds


def _clip(folder: Path) -> Path:
    data = shared_data()
    found = data / "media" / "cctv_intel" / "car-detection.mp4" if data else None
    return found if found is not None and found.is_file() else clip(folder / "rendered.mp4", 768, 432, FRAMES)


def _worked(place: Bench, path: Path, stretches: list[tuple[int, int]], threads: int, name: str) -> float:
    """Wall seconds from the word until the last process has finished."""
    children = []
    for number, (first, last) in enumerate(stretches):
        command = python("-m", "benchmarks.mapped", "work", str(path), str(first), str(last), str(threads),
                         str(place.root / f"{name}-{number}"))  # fmt: skip
        child = subprocess.Popen(
            command, env=place.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        children.append(child)
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # it has imported everything
    began = time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        if child.wait():
            raise RuntimeError("a stretch failed")
    return time.perf_counter() - began


def _work(path: str, first: str, last: str, threads: str, root: str) -> None:
    import cv2

    from playe_assets.core.presets import load_preset
    from playe_assets.core.values import MediaKind, StreamFacts
    from playe_assets.examination.clips.clip import ClipJob, work_run
    from playe_assets.examination.clips.parts import Parts
    from playe_assets.examination.clips.segments import Segment
    from playe_assets.examination.plan import check

    cv2.setNumThreads(int(threads))
    planned = check(load_preset("forensic_safe"))
    steps = planned.steps[MediaKind.CLIP]
    facts = StreamFacts("mov", "h264", "yuv420p", 8, 768, 432, frame_count=FRAMES, time_base="1/1000")
    job = ClipJob("E001", Path(path), facts, Fraction(1, 1000), planned.preset.output, None,
                  tuple(s.cls.reach(s.params) for s in steps), -1)  # fmt: skip
    starts = range(int(first), int(last), SEGMENT)
    run = [Segment(n, a, a + SEGMENT - 1) for n, a in enumerate(starts, 1)]
    keys = {s.number: f"{s.number:04d}" for s in run}
    workers = [s.cls(s.params, facts) for s in steps]
    print("ready", flush=True)
    sys.stdin.readline()
    work_run(job, run, workers, Parts(Path(root)), keys, opened=_unrecorded, finished=lambda *_: None,
             advance=lambda _: None)  # fmt: skip
    shutil.rmtree(root)


def _unrecorded(_segment: Any) -> Any:
    from contextlib import nullcontext

    return nullcontext(())


if __name__ == "__main__":
    {"job": _job, "work": _work}[sys.argv[1]](*sys.argv[2:])
