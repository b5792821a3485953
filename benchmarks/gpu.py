"""Learned models on a CUDA device: `python -m benchmarks.gpu`. One table; runs anywhere torch sees CUDA.

Rates are held against the matrix product of the same precision, measured in the same run; pictures against
fp32 torch on the same device. Nothing is cut into tiles but by `LoadedModel`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.contender import FLOP_PER_PX, architecture, random_state, write_weights

CARDS = tuple(FLOP_PER_PX)
SIZES = ((320, 180), (640, 360), (1280, 720))
PRECISIONS = ("fp32", "fp16", "bf16")
MODES = ("eager", "compile", "graph")
"""Plain calls; `torch.compile` for one shape; one CUDA graph for one shape. All in channels-last memory."""
PEAK_SIDE = 8192
"""px of the square matrices of the measured product."""
SHARE_ASKED, TIMES_ASKED = 0.5, 4.0
NO_CUDA = 2
"""Exit status where torch sees no CUDA device."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    card: str
    engine: str
    precision: str
    size: str
    milliseconds: float
    gflop: float
    peak: float | None
    """GFLOP/s of the matrix product in this precision; null for what is not compared with it."""
    apart: float | None
    """Greatest difference from fp32 torch, in 1/255; null where none was computed."""
    note: str = ""

    @property
    def rate(self) -> float:
        """GFLOP/s."""
        return self.gflop / self.milliseconds * 1000

    @property
    def share(self) -> float | None:
        """Of the matrix product's rate."""
        return self.rate / self.peak if self.peak else None

    @property
    def cells(self) -> tuple[str, ...]:
        """As printed."""
        share = "" if self.share is None else f"{self.share:.0%}"
        apart = "" if self.apart is None else f"{self.apart:.2f}"
        return (self.card, self.engine, self.precision, self.size, f"{self.milliseconds:.2f}",
                f"{1000 / self.milliseconds:.1f}", f"{self.rate / 1000:.2f}", share, apart, self.note)  # fmt: skip


HEADER = (
    "model",
    "engine",
    "precision",
    "size",
    "ms",
    "fps",
    "TFLOP/s",
    "of matmul",
    "from fp32, /255",
    "note",
)


def main() -> None:
    """Measure and print, or say in words why that cannot be done here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--repeats", type=int, default=20, help="measurements a line (20)")
    given = parser.parse_args()
    problem = why_not()
    if problem:
        sys.stderr.write(f"benchmarks.gpu measures a CUDA device, and there is none to measure: {problem}\n")
        raise SystemExit(NO_CUDA)
    import torch

    sys.stdout.write(f"{torch.cuda.get_device_name(given.device)}, torch {torch.__version__}\n")
    rows: list[Row] = []
    for row in measured(given.device, given.repeats):
        rows.append(row)
        sys.stderr.write("  ".join(row.cells) + "\n")  # a long run shows that it goes on
    sys.stdout.write(table(rows))
    sys.stdout.write("\n".join(verdicts(rows)) + "\n")


def why_not() -> str:
    """Why no CUDA device can be measured, in words; empty where one can."""
    try:
        import torch
    except ImportError as error:
        return f"torch is not installed ({error})."
    if torch.cuda.is_available():
        return ""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built for processors only; install a CUDA build of torch."
    return f"torch {torch.__version__} is built for CUDA {torch.version.cuda} but sees no device; see nvidia-smi."


def measured(device: str, repeats: int) -> Iterator[Row]:
    """All rows: bare networks, then pictures uint8 to uint8 beside RealESRGANer."""
    peaks = {p: peak(device, p, PEAK_SIDE) for p in PRECISIONS}
    with tempfile.TemporaryDirectory() as scratch:
        for card in CARDS:
            for size in SIZES:
                yield from bare(card, size, device, PRECISIONS, MODES, peaks, repeats)
        for card in CARDS:
            weights, _ = write_weights(card, Path(scratch), None)
            for size in SIZES:
                yield from pictures(card, weights, size, device, repeats)


def peak(device: str, precision: str, side: int) -> float:
    """GFLOP/s of the best of ten products of two matrices of `side` px; fp32 without TF32."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    one, other = (torch.randn(side, side, device=device, dtype=_dtype(precision)) for _ in range(2))
    times = clocked(device, lambda: torch.mm(one, other), 10)
    return 2 * side**3 / min(times) / 1e9


def clocked(device: str, job: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, the device's work included; three calls before them do not count."""
    import torch

    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    for _ in range(3):
        job()
    wait()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        job()
        wait()
        times.append(time.perf_counter() - began)
    return times


def bare(
    card: str, size: tuple[int, int], device: str, precisions: tuple[str, ...], modes: tuple[str, ...],
    peaks: dict[str, float], repeats: int,
) -> Iterator[Row]:  # fmt: skip
    """The network itself, input and output on the device, in each precision and mode."""
    import torch

    width, height = size
    generator = torch.Generator().manual_seed(1)
    values = torch.rand((1, 3, height, width), generator=generator)
    reference = None
    for precision in precisions:
        module = network(card).to(device, _dtype(precision)).to(memory_format=torch.channels_last)
        given = values.to(device, _dtype(precision)).contiguous(memory_format=torch.channels_last)
        for mode in modes:
            with torch.inference_mode():
                try:
                    job = _job(module, given, mode)
                    found = job().float()
                    reference = found.clone() if reference is None else reference
                    apart = float((found - reference).abs().max()) * 255
                    times = clocked(device, job, repeats)
                except (RuntimeError, torch.cuda.OutOfMemoryError) as error:
                    sys.stderr.write(f"{card} {mode} {precision} {width}x{height}: {str(error)[:200]}\n")
                    continue
            yield Row(card, f"torch {mode}", precision, f"{width}x{height}", statistics.median(times) * 1000,
                      FLOP_PER_PX[card] * width * height / 1e9, peaks[precision], apart)  # fmt: skip


def network(card: str) -> Any:
    """The module as our torch runtime builds it, with seeded weights."""
    import torch

    from playe_assets.inference.networks import torch_module

    data = io.BytesIO()
    torch.save({"params": random_state(card)}, data)
    return torch_module(_network(card, data.getvalue()))


def pictures(card: str, weights: Path, size: tuple[int, int], device: str, repeats: int) -> Iterator[Row]:
    """uint8 array in, uint8 array out: RealESRGANer in fp16 with its defaults, then ours on every runtime here."""
    import numpy as np

    from playe_assets.inference.contract import Target

    width, height = size
    picture = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    gflop = FLOP_PER_PX[card] * width * height / 1e9
    label = f"{width}x{height}"
    kind = device.partition(":")[0]
    targets = [Target("torch", device, kind, p) for p in PRECISIONS]
    targets += [Target("onnxruntime", device, p, q) for p, q in onnx_providers(kind)]
    theirs = realesrganer(card, weights, device)
    if theirs is not None:
        times = clocked(device, lambda: theirs(picture), repeats)
        precision = "fp16" if kind == "cuda" else "fp32"
        yield Row(card, "RealESRGANer", precision, label, statistics.median(times) * 1000, gflop, None, None)
    reference = None
    for target in targets:
        try:
            model = _loaded(card, weights, target)
            found = model.picture(picture)
        except Exception as error:  # noqa: BLE001 - one engine that is not there must not end the table
            sys.stderr.write(f"{card} {target} {label}: {str(error)[:300]}\n")
            continue
        reference = found if reference is None else reference
        apart = float(np.abs(found.astype(int) - reference.astype(int)).max())
        times = clocked(device, lambda m=model: m.picture(picture), repeats)  # type: ignore[misc]
        engine = f"ours {target.runtime} {target.provider}"
        yield Row(card, engine, target.precision, label, statistics.median(times) * 1000, gflop, None, apart,
                  verdict_of(card, weights, target))  # fmt: skip


def onnx_providers(kind: str) -> list[tuple[str, str]]:
    """Providers of ONNX Runtime on `kind` of device, each with the precisions worth a line."""
    try:
        import onnxruntime
    except ImportError:
        return []
    there = onnxruntime.get_available_providers()
    wanted = {
        "CUDAExecutionProvider": ("cuda", ("fp32", "fp16")),
        "TensorrtExecutionProvider": ("tensorrt", ("fp16", "bf16")),
    }
    if kind != "cuda":
        return [(kind, "fp32")]
    return [(wanted[name][0], p) for name in there if name in wanted for p in wanted[name][1]]


def realesrganer(card: str, weights: Path, device: str) -> Callable[[Any], Any] | None:
    """RealESRGANer with its command's defaults (no tiles, fp16 on CUDA); null where it is not installed."""
    try:
        module = architecture(card)
        from realesrgan import RealESRGANer
    except ImportError as error:
        sys.stderr.write(f"RealESRGANer is not compared: {error}\n")
        return None
    with contextlib.redirect_stdout(sys.stderr):
        upsampler = RealESRGANer(
            scale=4, model_path=str(weights), model=module, tile=0, tile_pad=10, pre_pad=0,
            half=device.startswith("cuda"), device=device,
        )  # fmt: skip

    def job(picture: Any) -> Any:
        with contextlib.redirect_stdout(sys.stderr):
            return upsampler.enhance(picture, outscale=4)[0]

    return job


def verdict_of(card: str, weights: Path, target: Any) -> str:
    """What the runtime-equivalence certificate says of this engine on this device."""
    from playe_assets.inference.certificate import certify

    found = certify(_loaded(card, weights, target).network, target, weights.parent / "engines")
    return "certificate: " + ("passed" if found.passed else "refused")


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, so that it can stand in docs/performance.md."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row.cells for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def verdicts(rows: list[Row]) -> list[str]:
    """What was asked beside what came."""
    shares = [
        r for r in rows if r.card == "realesrgan_x4plus" and r.precision in ("fp16", "bf16") and r.share
    ]
    found = []
    if shares:
        best = max(shares, key=lambda r: r.share or 0.0)
        found.append(f"RRDBNet: {best.share:.0%} of the matrix product ({best.engine}, {best.precision}, {best.size}); "
                     f"asked {SHARE_ASKED:.0%}: {_said((best.share or 0.0) >= SHARE_ASKED)}")  # fmt: skip
    for theirs in (r for r in rows if r.engine == "RealESRGANer"):
        ours = [
            r for r in rows if r.engine.startswith("ours") and (r.card, r.size) == (theirs.card, theirs.size)
        ]
        if ours:
            best = min(ours, key=lambda r: r.milliseconds)
            times = theirs.milliseconds / best.milliseconds
            found.append(f"{best.card} {best.size}: {times:.1f} x RealESRGANer ({best.engine}, {best.precision}); "
                         f"asked {TIMES_ASKED:g}: {_said(times >= TIMES_ASKED)}")  # fmt: skip
    return found


def _said(holds: bool) -> str:
    return "holds" if holds else "missed"


def _job(module: Any, given: Any, mode: str) -> Callable[[], Any]:
    import torch

    if mode == "eager":
        return lambda: module(given)
    if mode == "compile":
        compiled = torch.compile(module, dynamic=False)
        return lambda: compiled(given)
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            module(given)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = module(given)

    def replay() -> Any:
        graph.replay()
        return found

    return replay


def _dtype(precision: str) -> Any:
    import torch

    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]


def _network(card: str, data: bytes) -> Any:
    from playe_assets.examination.settings import PROJECT_ROOT
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.contract import Network

    known = model_cards(PROJECT_ROOT / "models-data" / "registry.yaml")[card]
    return Network(replace(known, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()), data)


def _loaded(card: str, weights: Path, target: Any) -> Any:
    from playe_assets.inference.export import build
    from playe_assets.inference.loaded import LoadedModel
    from playe_assets.inference.runtimes import RUNTIMES

    found = replace(_network(card, weights.read_bytes()), cache=weights.parent / "engines")
    if RUNTIMES.get(target.runtime).needs_onnx:
        found = build(found, weights.parent / "engines")
    return LoadedModel(found, target)


if __name__ == "__main__":
    main()
