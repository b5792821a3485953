"""Clips: reading and writing beside FFmpeg, the stage beside its bare filters, memory of long and short clips.

`python -m benchmarks.video pass CLIP WIDTH HEIGHT FRAMES` works a clip with all steps, by itself.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.measure import OUT, Figure, Options, bench, clip, peak_of, python, scenes
from benchmarks.steps import BARE

CODED_AT_LEAST, STAGE_AT_LEAST, MEMORY_AT_MOST = 0.9, 0.8, 1.2
CODED, FILTERED = (1280, 720, 75), (1920, 1080, 6)
SHORT, LONG = 150, 900
SLICES, SLICE_THREADS = 4, 4
"""Of `ClipWriter` and the presets."""


def run(options: Options) -> list[Figure]:
    """The three, each in one run on the same clips."""
    repeats = max(1, min(options.repeats, 3))
    OUT.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=OUT))
    try:
        return [*_coded(folder, repeats), *_filtered(folder, repeats), *_memory(folder, options)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _coded(folder: Path, repeats: int) -> list[Figure]:
    width, height, frames = CODED
    path = clip(folder / "coded.mp4", width, height, frames)
    ours, theirs, plain = [], [], []
    if shutil.which("ffmpeg") is None:
        return [Figure("decode + FFV1", [], "x", note="no ffmpeg on this machine")]
    for _ in range(repeats):
        ours.append(_pass(path, width, height, frames, (), folder))
        theirs.append(_ffmpeg(path, folder / "theirs.mkv", "bgr0"))
        plain.append(_ffmpeg(path, folder / "plain.mkv", None))
    label = f"{width}x{height}, {frames} frames"
    return [
        Figure(f"{label}: decode, digests, FFV1 (no steps)", [frames / s for s in ours], "frames/s"),
        Figure("ffmpeg -c:v ffv1 -pix_fmt bgr0, same threads", [frames / s for s in theirs], "frames/s"),
        Figure("ffmpeg -c:v ffv1 as yuv420p, same threads", [frames / s for s in plain], "frames/s",
               note="half the samples: another file"),
        Figure("ours / ffmpeg bgr0", [t / o for o, t in zip(ours, theirs, strict=True)], "x",
               at_least=CODED_AT_LEAST),
    ]  # fmt: skip


def _ffmpeg(path: Path, out: Path, pixel_format: str | None) -> float:
    chosen = ["-pix_fmt", pixel_format] if pixel_format else []
    command = ["ffmpeg", "-v", "error", "-y", "-threads", "1", "-i", str(path), "-an", "-c:v", "ffv1",
               "-level", "3", "-g", "1", "-slices", str(SLICES), "-slicecrc", "1",
               "-threads", str(SLICE_THREADS), *chosen, str(out)]  # fmt: skip
    began = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - began


def _steps() -> tuple[Any, ...]:
    from playe_assets.core.presets import load_preset
    from playe_assets.core.values import MediaKind
    from playe_assets.examination.plan import check

    return check(load_preset("forensic_safe")).steps[MediaKind.CLIP]


def _pass(path: Path, width: int, height: int, frames: int, steps: tuple[Any, ...], folder: Path) -> float:
    """Seconds of one pass: decoding, steps, digests, FFV1, parts on the disk; as the stage does it."""
    from contextlib import nullcontext

    from playe_assets.core.presets import load_preset
    from playe_assets.core.tracks import Shot
    from playe_assets.core.values import ExhibitDetections, StreamFacts
    from playe_assets.examination.clips.clip import ClipJob, work_run
    from playe_assets.examination.clips.parts import Parts
    from playe_assets.examination.clips.segments import segments_of

    preset = load_preset("forensic_safe")
    facts = StreamFacts("mov", "h264", "yuv420p", 8, width, height, frame_count=frames, time_base="1/25")
    found = ExhibitDetections("E001", "", width, height, 0, (), (), (), (Shot(0, 0, frames, 110.0, 5.0),))
    job = ClipJob("E001", path, facts, Fraction(1, 25), preset.output, found,
                  tuple(s.cls.reach(s.params) for s in steps), -1)  # fmt: skip
    run = segments_of(frames, width, height, preset.video.segments)
    keys = {s.number: f"{s.number:04d}" for s in run}
    root = folder / "parts"
    began = time.perf_counter()
    work_run(job, run, [s.cls(s.params, facts) for s in steps], Parts(root), keys, finished=lambda *_: None,
             opened=lambda _: nullcontext(()), advance=lambda _: None)  # fmt: skip
    seconds = time.perf_counter() - began
    shutil.rmtree(root)
    return seconds


def _filtered(folder: Path, repeats: int) -> list[Figure]:
    width, height, frames = FILTERED
    path = clip(folder / "filtered.mp4", width, height, frames)
    steps = _steps()
    decoded = _inputs(width, height, frames, steps)
    ours, bare = [], []
    spent: dict[str, list[float]] = {}
    for _ in range(repeats):
        ours.append(_pass(path, width, height, frames, steps, folder))
        total = 0.0
        for step, inputs in zip(steps, decoded, strict=True):
            call: Callable[[Any, Any], None] | None = BARE.get(step.cls.name)
            began = time.perf_counter()
            for pixels in inputs if call is not None else ():
                call(pixels, step.params)  # type: ignore[misc]
            seconds = time.perf_counter() - began
            total += seconds
            spent.setdefault(step.cls.name, []).append(seconds / frames * 1000)
        bare.append(total)
    label = f"{width}x{height}, {frames} frames"
    parts = ", ".join(f"{name} {min(v):.0f}" for name, v in spent.items() if max(v) > 0.1)
    return [
        Figure(f"{label}: forensic_safe, from file to parts", [s / frames * 1000 for s in ours], "ms a frame"),
        Figure("its bare OpenCV calls on decoded frames", [s / frames * 1000 for s in bare], "ms a frame", note=parts),
        Figure("bare / stage", [b / o for o, b in zip(ours, bare, strict=True)], "x", at_least=STAGE_AT_LEAST),
    ]  # fmt: skip


def _inputs(width: int, height: int, frames: int, steps: tuple[Any, ...]) -> list[list[Any]]:
    """What each step is given: decoded frames, then frames of the size that the steps before it make."""
    import cv2

    sources, found, scale = scenes(width, height, min(frames, 3)), [], 1
    for step in steps:
        size = (width * scale, height * scale)
        found.append([cv2.resize(s, size) for s in (sources * frames)[:frames]])
        scale *= getattr(step.params, "scale", 1)
    return found


def _memory(folder: Path, options: Options) -> list[Figure]:
    peaks, found = {}, []
    with bench() as place:
        for frames in (SHORT, LONG * (10 if options.long else 1)):
            path = clip(folder / f"m{frames}.mp4", 320, 180, frames)
            command = python("-m", "benchmarks.video", "pass", str(path), "320", "180", str(frames))
            seconds, tree, _ = peak_of(command, place.env)
            peaks[frames] = tree
            found.append(
                Figure(f"320x180, {frames} frames: peak of a pass", [tree], "MiB", note=f"{seconds:.0f} s")
            )
    few, many = peaks
    return [
        *found,
        Figure(f"{many} frames / {few} frames", [peaks[many] / peaks[few]], "x", at_most=MEMORY_AT_MOST),
    ]


if __name__ == "__main__":
    _, what, given, wide, high, count = sys.argv
    with tempfile.TemporaryDirectory(dir=OUT) as scratch:
        print(_pass(Path(given), int(wide), int(high), int(count), _steps(), Path(scratch)))
