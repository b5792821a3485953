"""What the work ran on: package versions, the source's digest, device and threads, as records carry them."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from playe_assets import __version__
from playe_assets.core.canonical import digest

# Whatever can change a pixel, a number or a decision of the default examination.
# Learned engines are not among them: the `runtime` of the operation in which one worked names it with its version.
PACKAGES = (
    "av", "dagster", "great-expectations", "matplotlib", "numpy", "opencv-python-headless", "opencv-python",
    "pandas", "pillow", "pyarrow", "pyyaml", "reportlab", "scikit-image", "scipy",
)  # fmt: skip
# What decides pixels and metrics; the presentation (reports, Dagster, CLI) may change without a new examination.
_EXAMINING = (
    "core",
    "media",
    "inference",
    "stores",
    "enhancers",
    "detectors",
    "trackers",
    "fusers",
    "metrics",
    "gates",
    "examination",
)


# Modules of examination/ that only tell, check or show what was done: mending them changes no examination.
_TELLING = (
    "conclude.py", "report.py", "verify.py", "verify_clips.py", "overview.py", "submission.py", "demo_evidence.py",
    "governance.py", "models_engine.py", "models_import.py", "overview_models.py", "fetch.py",
    "conclude_custody.py", "signed_files.py", "signing.py",
    "rerun.py", "rerun_compare.py", "rerun_evidence.py", "rerun_level.py", "rerun_models.py", "rerun_result.py",
    "rerun_samples.py", "verify_signed.py",
    "verify_derivation.py", "verify_report.py",
    "verify_checkpoint.py", "verify_dagster.py", "verify_documents.py", "verify_found.py", "verify_log.py",
    "verify_signatures.py", "verify_store.py",
    "exchange.py", "release.py",
)  # fmt: skip


@functools.cache
def packages() -> dict[str, str]:
    """Installed versions of `PACKAGES`; a package that is not installed is left out."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def code_version() -> str:
    """Version and digest of the sources that examine, such as `0.1.0+3f9a0c1d2b4e`."""
    root = Path(__file__).resolve().parent.parent
    seen = hashlib.sha256()
    for folder in _EXAMINING:
        for path in sorted(p for p in (root / folder).rglob("*.py") if p.name not in _TELLING):
            seen.update(path.relative_to(root).as_posix().encode() + b"\0")
            seen.update(hashlib.sha256(path.read_bytes()).digest())
    # The suites decide verdicts, the pictures stand in the report, so they are code as much as the rest.
    others = [
        root / "exporters" / "pictures.py",
        *sorted((root.parent / "quality" / "suites").glob("*.json")),
    ]
    for path in others:
        seen.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return f"{__version__}+{seen.hexdigest()[:12]}"


def runtime() -> dict[str, Any]:
    """The `runtime` field of a record for work on the CPU; learned engines fill in their own.

    `blas_kernel` is null where this process has not loaded NumPy, so that nothing was computed with it, and where
    NumPy computes with another library than OpenBLAS. Nothing is imported for a record's sake.
    """
    return {**_processor(), "blas_kernel": blas_kernel() if "numpy" in sys.modules else None}


@functools.cache
def blas_kernel() -> str | None:
    """The kernel that NumPy's OpenBLAS chose for this processor, such as `Haswell`; null where it is another library.

    Sums of floating-point numbers come out differently in their last bits from kernel to kernel. Imports NumPy.
    """
    import numpy as np

    np.ones((2, 2)) @ np.ones((2, 2))
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # SciPy and OpenCV bring copies of their own; by path NumPy's comes first.
    for path in sorted({line.split()[-1] for line in maps.splitlines() if "openblas" in line.lower()}):
        if not path.startswith("/"):
            continue
        library = ctypes.CDLL(path)
        for name in ("scipy_openblas_get_corename64_", "openblas_get_corename64_", "openblas_get_corename"):
            asked = getattr(library, name, None)
            if asked is not None:
                asked.restype = ctypes.c_char_p
                return str(asked().decode("ascii"))
    return None


@functools.cache
def _processor() -> dict[str, Any]:
    return {
        "name": "opencv",
        "version": packages().get("opencv-python-headless") or packages().get("opencv-python"),
        "provider": "cpu",
        "device": _cpu_name(),
        "driver": None,
        "cuda": None,
        "threads": None,
        "deterministic": True,
    }


@functools.cache
def env() -> dict[str, Any]:
    """The `env` field of a record: a digest over the package versions; image digest where one is set."""
    return {
        "packages_sha256": digest(packages()),
        "python": platform.python_version(),
        "image_digest": os.environ.get("PLAYE_IMAGE_DIGEST"),
    }


def examination_runtime() -> dict[str, Any]:
    """The part of the runtime that enters the examination id: what can change a result, not where it ran.

    The BLAS kernel is left out: it follows the processor, and changes last bits of sums that most recipes round away;
    with it the same examination would have another id on each machine. The report states it, and a rerun under
    another one is held to L1 (examination/rerun_level.py).
    """
    relevant = {k: v for k, v in packages().items() if k not in {"dagster", "reportlab", "matplotlib"}}
    return {"packages": relevant, "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
            "machine": platform.machine()}  # fmt: skip


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
