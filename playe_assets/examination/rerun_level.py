"""How closely a rerun is held to the report: the environments of then and now, and the level that follows.

L0: the same decoded samples, byte for byte; asked for where engine, code, packages and device class are the report's.
L1: no sample differs by more than `L1_MOST` of 255; asked for elsewhere, where the original derivative is at hand.
L2: what was measured agrees within `L2_SHARE`; all that a report alone can be held against elsewhere.
"""

from __future__ import annotations

import enum
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playe_assets.custody import environment

L1_MOST = 1.0
"""Largest difference of a sample that L1 allows, in units of 1/255 of full range: what rounding alone gives."""
L2_SHARE = 0.02
"""Largest difference of a measured value that L2 allows, as a share of the larger of the two."""
L2_FLOOR = 0.001
"""Differences below this are none, whatever their share: values are stated with six digits."""
_BLAS_CHOICE = "OPENBLAS_CORETYPE"


class Level(enum.StrEnum):
    """What was reached, the best first."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    DIFFERS = "differs"
    NOT_MADE = "not_made"

    @property
    def rank(self) -> int:
        """0 (best) to 4."""
        return list(Level).index(self)


@dataclass(frozen=True)
class Other:
    """Something of the environment that is not as it was; null where one side does not know it."""

    what: str
    then: Any
    now: Any
    decides: bool
    """Whether it takes the rerun out of the report's engine and device class, so that L0 is not asked for."""


@dataclass(frozen=True)
class Environments:
    """What the report says of its environment beside this one."""

    then: Mapping[str, Any]
    now: Mapping[str, Any]
    others: tuple[Other, ...]

    @property
    def same_class(self) -> bool:
        """Whether L0 can be asked for."""
        return not any(o.decides for o in self.others)


def compared(
    report: Mapping[str, Any], engine: Mapping[str, Any] | None, threads: int, kernel: str | None
) -> Environments:
    """The environment of `report` beside this one, whose `engine` is null where no learned model runs."""
    then, now = _then(report), _now(engine, threads, kernel)
    others = []
    for key in sorted({*then, *now}):
        before, after = then.get(key), now.get(key)
        if before == after or (key == "blas_kernel" and before is None and not os.environ.get(_BLAS_CHOICE)):
            continue
        if before is None and key.startswith("package "):
            continue  # the report names all that can change a result; a newer list names more
        others.append(Other(key, before, after, _decides(key)))
    return Environments(then, now, tuple(others))


_ASIDE = ("threads", "python", "image_digest", "package dagster", "package great-expectations",
          "package reportlab", "package matplotlib", "package pandas", "package pyarrow")  # fmt: skip
"""What changes no pixel; pandas and pyarrow write tables, whose content is compared and not their bytes."""


def _decides(what: str) -> bool:
    return what not in _ASIDE


def _then(report: Mapping[str, Any]) -> dict[str, Any]:
    inputs = report["findings"]["inputs"]
    stated = report["sections"]["steps"]["environment"]
    runtime, device = stated.get("runtime") or {}, stated.get("device") or {}
    packages = {**(inputs["runtime"].get("packages") or {}), **(stated.get("packages") or {})}
    return {
        "code_version": inputs["code_version"],
        "python": device.get("python") or inputs["runtime"].get("python"),
        "machine": inputs["runtime"].get("machine"),
        "processor": runtime.get("device"),
        "image_digest": device.get("image_digest"),
        "blas_kernel": runtime.get("blas_kernel"),
        "threads": _threads(report["sections"]["custody"].get("extract") or ()),
        **_flat("package", packages),
        **_flat("engine", _plain_engine(inputs["runtime"].get("engine"))),
    }


def _now(engine: Mapping[str, Any] | None, threads: int, kernel: str | None) -> dict[str, Any]:
    runtime, env = environment.runtime(), environment.env()
    return {
        "code_version": environment.code_version(),
        "python": env["python"],
        "machine": environment.examination_runtime()["machine"],
        "processor": runtime["device"],
        "image_digest": env["image_digest"],
        "blas_kernel": kernel,
        "threads": threads,
        **_flat("package", environment.packages()),
        **_flat("engine", _plain_engine(engine)),
    }


def _plain_engine(engine: Mapping[str, Any] | None) -> dict[str, Any]:
    # `models` is a digest over certificates' places too; cards, weights and processor are compared by themselves.
    return {k: v for k, v in (engine or {}).items() if k != "models"}


def _flat(word: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{word} {name}": value for name, value in sorted(values.items())}


def _threads(extract: Sequence[Mapping[str, Any]]) -> int | None:
    """Threads of the last enhancement that the extract records."""
    runtimes = [line.get("runtime") for line in extract if line.get("event") == "processing.enhance"]
    stated = [r.get("threads") for r in runtimes if isinstance(r, dict)]
    return next((n for n in reversed(stated) if isinstance(n, int)), None)


def share_apart(then: float, now: float | None) -> float:
    """|difference| as a share of the larger value; 0 below `L2_FLOOR`, 1 where one side has no value."""
    if now is None or not (math.isfinite(then) and math.isfinite(now)):
        return 1.0  # JSON's reader takes NaN and 1e999, no comparison with which is ever true
    apart = abs(float(then) - float(now))
    return 0.0 if apart <= L2_FLOOR else apart / max(abs(float(then)), abs(float(now)))
