"""What every face network's answer becomes: boxes with scores and five points, overlapping ones suppressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]
else:
    Floats: TypeAlias = Any

Point = tuple[float, float]


@dataclass(frozen=True)
class Limits:
    """Which raw findings count."""

    min_score: float
    nms_iou: float
    """Of two boxes that overlap by more than this (intersection over union) the higher score stays."""
    top_k: int
    """Only so many of the highest raw scores are looked at."""


@dataclass(frozen=True)
class Face:
    """One face in px of the picture that was searched; the box may reach over its borders."""

    x: float
    y: float
    width: float
    height: float
    score: float
    landmarks: tuple[Point, ...] = ()
    """Empty, or the person's right eye, left eye, tip of the nose, right and left corner of the mouth."""


def chosen(boxes: Floats, scores: Floats, points: Floats, limits: Limits) -> list[Face]:
    """The faces out of a network's n candidates, by descending score.

    Args:
        boxes: (n, 4) left, top, width, height in px.
        scores: (n,).
        points: (n, 5, 2) x, y in px; (n, 0, 2) where the network gives none.
        limits: what counts.
    """
    order = np.flatnonzero(scores >= limits.min_score)
    # Stable, so that equal scores keep the network's own order on every machine.
    order = order[np.argsort(-scores[order], kind="stable")][: limits.top_k]
    kept = [int(order[i]) for i in _unsuppressed(boxes[order], limits.nms_iou)]
    return [_face(boxes[i], float(scores[i]), points[i]) for i in kept]


def _face(box: Floats, score: float, points: Floats) -> Face:
    left, top, width, height = (float(v) for v in box)
    return Face(left, top, width, height, score, tuple((float(x), float(y)) for x, y in points))


def _unsuppressed(boxes: Floats, most: float) -> list[int]:
    """Indices of boxes, best first, that overlap no better one by more than `most`."""
    left, top = boxes[:, 0], boxes[:, 1]
    right, bottom = left + boxes[:, 2], top + boxes[:, 3]
    area = boxes[:, 2] * boxes[:, 3]
    alive = np.ones(len(boxes), dtype=bool)
    kept: list[int] = []
    for index in range(len(boxes)):
        if not alive[index]:
            continue
        kept.append(index)
        width = np.minimum(right, right[index]) - np.maximum(left, left[index])
        height = np.minimum(bottom, bottom[index]) - np.maximum(top, top[index])
        shared = np.clip(width, 0.0, None) * np.clip(height, 0.0, None)
        whole = np.maximum(area + area[index] - shared, np.finfo(np.float32).tiny)
        alive &= shared / whole <= most
    return kept
