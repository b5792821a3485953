"""benchmarks/gpu.py where there is no GPU: it says so, and its table is made from tiny runs on the processor."""

from __future__ import annotations

import subprocess
import sys

import pytest

from playe_assets.examination.settings import PROJECT_ROOT
from playe_assets_tests.parity.engines import spandrel

torch = pytest.importorskip("torch")
gpu = pytest.importorskip("benchmarks.gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch sees a CUDA device here")
def test_without_a_cuda_device_the_benchmark_says_so_and_measures_nothing():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.gpu"],
        cwd=PROJECT_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == gpu.NO_CUDA
    assert "there is none to measure" in done.stderr and "torch" in done.stderr
    assert done.stdout == ""


def test_the_table_holds_rates_shares_and_differences():
    spandrel()
    peaks = {p: gpu.peak("cpu", p, 64) for p in ("fp32", "bf16")}
    rows = list(gpu.bare("realesr_general_x4v3", (16, 8), "cpu", ("fp32", "bf16"), ("eager",), peaks, 2))
    assert [r.precision for r in rows] == ["fp32", "bf16"]
    assert rows[0].apart == 0.0 and 0.0 < rows[1].apart < 60.0
    assert all(r.share and r.rate > 0 for r in rows)
    lines = gpu.table(rows).splitlines()
    assert len(lines) == 4 and all(line.count("|") == len(gpu.HEADER) + 1 for line in lines)


def test_the_verdicts_hold_what_came_against_what_was_asked():
    plus = "realesrgan_x4plus"
    rows = [
        gpu.Row(plus, "torch graph", "fp16", "8x8", 1.0, 600.0, 1_000_000.0, 0.1),
        gpu.Row(plus, "RealESRGANer", "fp16", "8x8", 10.0, 600.0, None, None),
        gpu.Row(plus, "ours torch cuda", "bf16", "8x8", 4.0, 600.0, None, 1.0),
    ]
    share, times = gpu.verdicts(rows)
    assert "60%" in share and share.endswith("holds")
    assert "2.5 x" in times and times.endswith("missed")
    assert gpu.verdicts(rows[2:]) == []


@pytest.mark.parametrize("card", gpu.CARDS)
def test_the_counted_work_is_what_torch_counts(card):
    spandrel()
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        gpu.network(card).to("meta")(torch.rand(1, 3, 8, 8, device="meta"))
    assert counter.get_total_flops() == gpu.FLOP_PER_PX[card] * 64
