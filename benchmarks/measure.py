"""What the figures share: a laboratory of their own, evidence made quickly, times of processes, peaks of memory."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out"
MIB = 1 << 20


@dataclass(frozen=True)
class Options:
    """How thoroughly to measure."""

    repeats: int = 5
    long: bool = False
    kills: int = 50
    """Of `crash`."""
    seconds: float = 180.0
    """Length of the clip of `crash`."""
    segment_frames: int = 0
    """Frames a segment in `crash`; 0: as the preset says."""


@dataclass(frozen=True)
class Figure:
    """One line of the table. `values` are single measurements; the median is held against `asked`."""

    name: str
    values: Sequence[float]
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle of the measurements."""
        return statistics.median(self.values)

    @property
    def asked(self) -> str:
        """The target in words, empty where there is none."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else ""

    @property
    def verdict(self) -> str:
        """`holds`, `missed`, or nothing where nothing was asked."""
        if self.at_most is not None:
            return "holds" if self.median <= self.at_most else "missed"
        if self.at_least is not None:
            return "holds" if self.median >= self.at_least else "missed"
        return ""

    def plain(self) -> dict[str, Any]:
        """The line as JSON types."""
        return {"figure": self.name, "median": self.median, "min": min(self.values), "max": max(self.values),
                "values": list(self.values), "unit": self.unit, "asked": self.asked, "verdict": self.verdict,
                "n": len(self.values), "note": self.note}  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """A laboratory below `root` on the project's own disk; `env` makes a child process work in it."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)


@contextmanager
def bench() -> Iterator[Bench]:
    """A fresh data root and Dagster home, removed afterwards."""
    OUT.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="scratch-", dir=OUT))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PLAYE_", "DAGSTER_"))}
    env = {**kept, "PLAYE_DATA_ROOT": str(root / "data"), "DAGSTER_HOME": str(root / "home")}
    (root / "home").mkdir()
    try:
        yield Bench(root, env)
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def here(place: Bench) -> Iterator[None]:
    """This process works in `place`, as its children do."""
    names = ("PLAYE_DATA_ROOT", "DAGSTER_HOME")
    before = {n: os.environ.get(n) for n in names}
    os.environ.update({n: place.env[n] for n in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, str]:
    """Wall seconds of a whole process, and what it printed.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    began = time.perf_counter()
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds, done.stdout


def processor_seconds(command: list[str]) -> float:
    """Processor seconds, user and system, of a whole process: less swayed by what else runs than wall time."""
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def peak_of(command: list[str], env: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds; peak of the sum of resident memory over the process tree, sampled, in MiB; and the largest
    resident memory of any one process of it as the kernel counted it, in MiB."""
    import psutil

    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, env=env, cwd=ROOT, stdout=said, stderr=said)
        peak, done = 0, threading.Event()

        def watch() -> None:
            nonlocal peak
            root = psutil.Process(child.pid)
            while not done.wait(0.03):
                total = 0
                try:
                    for process in (root, *root.children(recursive=True)):
                        total += process.memory_info().rss
                except psutil.Error:
                    continue  # one of them ended while it was looked at
                peak = max(peak, total)

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        done.set()
        watcher.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise RuntimeError(f"{command} ended with {child.returncode}: {said.read()[-2000:]!r}")
    return time.perf_counter() - began, peak / MIB, usage.ru_maxrss / 1024


def photograph(folder: Path) -> Path:
    """A folder with one photograph of 256x256 px and a case.yaml that lists it."""
    from PIL import Image

    from playe_assets.examination.demo_evidence import _picture

    folder.mkdir(parents=True)
    path = folder / "photo.jpg"
    Image.fromarray(_picture("astronaut.png")[:256, 128:384]).save(path, "JPEG", quality=92)
    (folder / "case.yaml").write_text(
        f"case: {folder.name}\nexhibits:\n  - {{name: photo.jpg, size: {path.stat().st_size}}}\n",
        encoding="utf-8",
    )
    return folder


def scenes(width: int, height: int, count: int) -> list[Any]:
    """`count` RGB frames of a swaying, noisy camera, seeded."""
    import cv2
    import numpy as np

    from playe_assets.examination.demo_evidence import _picture

    rng = np.random.default_rng(7)
    whole = cv2.resize(_picture("astronaut.png")[:300], (width + 32, height + 32))
    found = []
    for index in range(count):
        x, y = 16 + 8 * np.sin(index / 9), 16 + 6 * np.sin(index / 7)
        moved = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
        frame = cv2.warpAffine(whole, moved, (width, height))
        noise = rng.normal(0.0, 5.0, frame.shape).astype(np.float32)
        found.append(np.clip(frame + noise, 0, 255).astype(np.uint8))
    return found


def clip(path: Path, width: int, height: int, frames: int) -> Path:
    """An H.264 clip of 25 frames a second; a few scenes over and over, so that it is quick to write."""
    import av

    base = scenes(width, height, 24)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 25)
        order = [*range(len(base)), *range(len(base) - 2, 0, -1)]
        for index in range(frames):
            picture = av.VideoFrame.from_ndarray(base[order[index % len(order)]], format="rgb24")
            picture.pts = index
            target.mux(stream.encode(picture))
        target.mux(stream.encode(None))
    return path
