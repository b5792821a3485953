"""What the runtimes run on, as the machine itself tells it: processor, GPU, driver, threads that may be used."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from playe_assets.core.errors import CommandError, MissingResourceError
from playe_assets.inference.contract import PRECISIONS, Target

NVIDIA_SMI_SECONDS = 20
"""A driver that does not answer within this is treated as absent."""


@functools.cache
def processor() -> str:
    """The processor's marketing name."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown processor"


def threads_for(target: Target) -> int:
    """Threads inside one run: those asked for, else as many as processors that this process may use."""
    if target.threads > 0:
        return target.threads
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA device, as `nvidia-smi` lists it."""

    name: str
    driver: str


@functools.cache
def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA devices, empty where there is no driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=NVIDIA_SMI_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [line.split(",") for line in told.stdout.splitlines() if line.count(",") == 1]
    return tuple(Gpu(name.strip(), driver.strip()) for name, driver in rows)


def gpu_index(target: Target) -> int:
    """The number of the CUDA device that the target names (`cuda` is the first).

    Raises:
        CommandError: `device` is neither `cpu` nor `cuda:N`.
    """
    found = re.fullmatch(r"cuda(?::(\d+))?", target.device)
    if found is None:
        raise CommandError("runtime.device", device=target.device)
    return int(found.group(1) or 0)


def check_target(target: Target, providers: tuple[str, ...], precisions: tuple[str, ...]) -> None:
    """Raise `CommandError` where the runtime has no such provider or precision, or device and provider differ."""
    if target.provider not in providers:
        raise CommandError("runtime.provider_unknown", runtime=target.runtime, provider=target.provider,
                           known=", ".join(providers))  # fmt: skip
    if target.precision not in PRECISIONS or target.precision not in precisions:
        raise CommandError("runtime.precision", runtime=target.runtime, provider=target.provider,
                           precision=target.precision, known=", ".join(precisions))  # fmt: skip
    if (target.provider == "cpu") != (target.device == "cpu"):
        raise CommandError("runtime.device_provider", device=target.device, provider=target.provider)
    if target.provider != "cpu":
        gpu_index(target)


def require_gpu(target: Target) -> Gpu:
    """The device that the target names.

    Raises:
        MissingResourceError: there is no NVIDIA driver here, or no device of that number.
    """
    index, there = gpu_index(target), gpus()
    if index >= len(there):
        raise MissingResourceError(
            "runtime.no_gpu", device=target.device, target=str(target), count=len(there)
        )
    return there[index]
