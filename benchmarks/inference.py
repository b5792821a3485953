"""Learned models on the processor: uint8 picture in, uint8 picture out, ours beside RealESRGANer and bare engines.

Each contender has a process of its own; rounds are interleaved, so that a slow minute slows all of them alike.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.contender import FLOP_PER_PX, write_weights
from benchmarks.measure import OUT, ROOT, Figure, Options, python

SIZES = ((320, 180), (640, 360))
RUNTIMES = ("torch", "onnxruntime", "openvino")
THEIRS = ("realesrganer-untiled", "realesrganer-tiled")
GENERAL = "realesr_general_x4v3"
PLUS = "realesrgan_x4plus"
TARGETS = {"realesrganer-untiled": 2.3, "realesrganer-tiled": 1.5}
"""Ours over RealESRGANer, frames per second, for the general model."""


@dataclass(frozen=True)
class Run:
    """One table: a card, a picture size, who takes part."""

    card: str
    size: tuple[int, int]
    kinds: tuple[str, ...]
    rounds: int


class Contender:
    """A process that times one picture whenever it is asked."""

    def __init__(self, kind: str, card: str, weights: Path) -> None:
        self.kind = kind
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._child = subprocess.Popen(
            python("-W", "ignore", "-m", "benchmarks.contender", kind, card, str(weights)),
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True, bufsize=1,
        )  # fmt: skip
        self._answer()

    def seconds(self, size: tuple[int, int], save: Path | None = None) -> tuple[float, float]:
        """Wall and processor seconds of one picture of `size` (width, height); `save` takes the result as .npy."""
        asked = {"width": size[0], "height": size[1], "save": str(save) if save else None}
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(asked) + "\n")
        answer = self._answer()
        return float(answer["seconds"]), float(answer["processor"])

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            self._child.wait()
            self._said.seek(0)
            raise RuntimeError(f"{self.kind} ended: {self._said.read()[-1500:].decode(errors='replace')}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Contender:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()
        self._said.close()


def run(options: Options) -> list[Figure]:
    """The general model at both sizes, x4plus at the small one; `--long` adds x4plus at the large one."""
    ours = tuple(f"ours-{r}" for r in RUNTIMES)
    bare = tuple(f"bare-{r}" for r in RUNTIMES)
    corrected = f"corrected-{default_runtime()}"
    rounds = options.repeats
    wanted = [Run(GENERAL, size, (*THEIRS, "eager", *ours, corrected, *bare), rounds) for size in SIZES]
    wanted.append(Run(PLUS, SIZES[0], (*THEIRS, "eager", *ours), max(1, rounds // 2)))
    if options.long:
        wanted.append(Run(PLUS, SIZES[1], (*THEIRS, "eager", *ours), max(1, rounds // 2)))
    found: list[Figure] = []
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT, prefix="scratch-") as scratch:
        for item in wanted:
            found += measure(item, Path(scratch))
    return found


def measure(item: Run, folder: Path) -> list[Figure]:
    """One table's figures."""
    weights, made = write_weights(item.card, folder, shared_data())
    times: dict[str, list[float]] = {kind: [] for kind in (*item.kinds, "matmul")}
    worked: dict[str, list[float]] = {kind: [] for kind in times}
    with ExitStack() as stack:
        contenders = [stack.enter_context(Contender(k, item.card, weights)) for k in times]
        for contender in contenders:  # the first picture compiles and allocates; it also shows what is made
            whole = contender.kind.startswith(("realesrganer", "ours", "corrected"))
            contender.seconds(item.size, folder / f"{contender.kind}.npy" if whole else None)
        for _ in range(item.rounds):
            for contender in contenders:
                wall, processor = contender.seconds(item.size)
                times[contender.kind].append(wall)
                worked[contender.kind].append(processor)
    return figures(item, times, worked, differences(item.kinds, folder), made)


def figures(
    item: Run,
    times: dict[str, list[float]],
    worked: dict[str, list[float]],
    apart: dict[str, int],
    weights: str,
) -> list[Figure]:
    """Seconds and rates a contender, then the default runtime over RealESRGANer, round by round."""
    width, height = item.size
    label = f"{item.card} {width}x{height}"
    work = FLOP_PER_PX[item.card] * width * height / 1e9
    peak = 2 * 2048**3 / 1e9 / min(times["matmul"])
    found = [Figure(f"{label}: matrix product", [17.18 / s for s in times["matmul"]], "GFLOP/s",
                    note=f"fp32, {os.cpu_count()} cores; the best is the peak below; {weights} weights")]  # fmt: skip
    for kind in item.kinds:
        values = times[kind]
        rate = work / Figure(kind, values, "s").median
        busy = Figure(kind, worked[kind], "s").median
        note = f"{rate:.0f} GFLOP/s, {rate / peak:.0%} of the peak; {busy:.3g} s of the processor"
        if kind in apart:
            note += f"; at most {apart[kind]}/255 from RealESRGANer untiled"
        found.append(Figure(f"{label}: {kind}", values, "s", note=note))
    for theirs in THEIRS:
        for ours in (k for k in item.kinds if k.startswith("ours-")):
            default = ours == f"ours-{default_runtime()}"
            found.append(Figure(
                f"{label}: {ours} / {theirs}, frames per second",
                [t / o for t, o in zip(times[theirs], times[ours], strict=True)], "x",
                at_least=TARGETS[theirs] if default and item.card == GENERAL else None,
                note=("the default runtime; " if default else "") + _saved(worked[theirs], worked[ours]),
            ))  # fmt: skip
    for runtime in RUNTIMES:
        ours, bare = f"ours-{runtime}", f"bare-{runtime}"
        if ours in times and bare in times:
            share = [o / b for o, b in zip(times[ours], times[bare], strict=True)]
            found.append(
                Figure(f"{label}: {ours} / {bare}, time", share, "x", note="what tiling and uint8 cost")
            )
    return found


def _saved(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """The same in processor time, which other work on the machine sways less."""
    ratio = Figure("theirs", theirs, "s").median / Figure("ours", ours, "s").median
    return f"{ratio:.2f} x by processor time"


def differences(kinds: Sequence[str], folder: Path) -> dict[str, int]:
    """Greatest difference of each contender's picture from untiled RealESRGANer's, in 1/255."""
    import numpy as np

    pictures = {k: folder / f"{k}.npy" for k in kinds if (folder / f"{k}.npy").is_file()}
    first = np.load(pictures["realesrganer-untiled"]).astype(np.int16)
    return {
        k: int(np.abs(np.load(path).astype(np.int16) - first).max())
        for k, path in pictures.items()
        if k != "realesrganer-untiled"
    }


def default_runtime() -> str:
    """What a laboratory runs on when it says nothing."""
    from playe_assets.examination.settings import Settings

    return Settings().runtime


def shared_data() -> Path | None:
    """The laboratory's test data, where they are."""
    found = Path(os.environ.get("PLAYE_TEST_DATA", ROOT.parent / "shared" / "data"))
    return found if found.is_dir() else None


if __name__ == "__main__":
    sys.exit("python -m benchmarks inference")
