"""What a step measured over a clip or a segment, out of the numbers of its frames, in order: never of the pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from playe_assets.core.contracts import Enhancer
from playe_assets.core.values import AiClass
from playe_assets.examination.clips.table import Numbers

APPLIED = "applied"
"""0 or 1 a frame: whether a learned step changed it."""


def summarised(cls: type[Enhancer], number: int, numbers: Numbers) -> dict[str, float]:
    """One value for each name of `cls.summaries` that any frame states; step `number` counts from 1."""
    found = {}
    for name, way in sorted(cls.summaries.items()):
        values = numbers.of(f"{number}_{name}")
        if values:
            found[name] = round(_WAYS[way](values), 6)
    return found


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


_WAYS: Mapping[str, Callable[[Sequence[float]], float]] = {"mean": _mean, "max": max, "sum": math.fsum}


def class_of(planned: AiClass, number: int, numbers: Numbers) -> AiClass:
    """The step's class; `none` where it says of every frame that it left it as it was."""
    applied = numbers.of(f"{number}_{APPLIED}")
    return AiClass.NONE if applied and not any(applied) else planned
