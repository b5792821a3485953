"""What the outputs of YOLOv8 and FastestDet mean, as boxes with classes and scores, and their suppression."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]

_CLASS_STEP = 7680.0
"""px between the planes that boxes of different classes are moved to before suppression. In float32, as
ultralytics does it: at class 79 that rounds corners to 1/16 px, and boxes on the brink decide alike."""
_MOST_CANDIDATES = 30_000


@dataclass(frozen=True)
class Found:
    """Boxes by descending score."""

    boxes: Plane
    """(n, 4) corners x1, y1, x2, y2."""
    scores: Plane
    """(n,) 0..1."""
    classes: npt.NDArray[np.intp]
    """(n,) index of the class."""

    def __len__(self) -> int:
        return len(self.scores)

    def only(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Found:
        """Those that `keep` selects, in its order."""
        return Found(self.boxes[keep], self.scores[keep], self.classes[keep])


def yolov8(output: Plane, min_score: float, wanted: Iterable[int] | None = None) -> Found:
    """Candidates of one picture: `output` is (4 + classes, anchors) with centre x, centre y, width, height in px
    of the network's input and class scores 0..1. A box has its best class only.

    Source: G. Jocher et al.: Ultralytics YOLOv8 (2023); the export's output.
    """
    scores = output[4:]
    best = scores.argmax(axis=0)
    top = scores.max(axis=0)
    keep = top > min_score
    if wanted is not None:
        keep &= np.isin(best, np.fromiter(wanted, np.intp))
    centre, half = output[:2, keep], output[2:4, keep] / np.float32(2)
    boxes = np.concatenate([centre - half, centre + half]).T
    return Found(np.ascontiguousarray(boxes, np.float32), top[keep], best[keep])


def fastestdet(output: Plane, min_score: float, wanted: Iterable[int] | None = None) -> Found:
    """Candidates of one picture: `output` is (5 + classes, rows, columns): objectness 0..1, offset of the centre
    from its cell (through tanh, in cells), width and height (through the logistic function, in parts of the
    picture), class probabilities. Boxes are in parts of the picture, 0..1. Score: objectness^0.6 * class^0.4.

    Source: X. Ma: FastestDet (2022), its ONNX export.
    """
    rows, columns = output.shape[1:]
    classes = output[5:]
    best = classes.argmax(axis=0)
    score = np.maximum(output[0], 0) ** np.float32(0.6) * classes.max(axis=0) ** np.float32(0.4)
    keep = score > min_score
    if wanted is not None:
        keep &= np.isin(best, np.fromiter(wanted, np.intp))
    row, column = np.nonzero(keep)
    across, down, wide, high = output[1:5, keep]
    centre = np.stack([(column + np.tanh(across)) / columns, (row + np.tanh(down)) / rows])
    half = np.stack([1 / (1 + np.exp(-wide)), 1 / (1 + np.exp(-high))]) / 2
    boxes = np.concatenate([centre - half, centre + half]).T
    return Found(np.ascontiguousarray(boxes, np.float32), score[keep].astype(np.float32), best[keep])


def suppressed(found: Found, max_iou: float, most: int, step: float = _CLASS_STEP) -> Found:
    """Greedy suppression within each class: a box goes when it overlaps a better one of its class by more than
    `max_iou`; at most `most` stay, the best first.

    `step`: distance that is larger than any box, in the unit of the boxes.
    """
    order = np.argsort(-found.scores, kind="stable")[:_MOST_CANDIDATES]
    found = found.only(order)
    moved = found.boxes + (found.classes[:, np.newaxis] * step).astype(np.float32)
    left, top, right, bottom = moved.T
    areas = (right - left) * (bottom - top)
    alive = np.ones(len(found), bool)
    kept: list[int] = []
    for index in range(len(found)):
        if not alive[index]:
            continue
        kept.append(index)
        if len(kept) == most:
            break
        rest = slice(index + 1, None)
        width = np.minimum(right[index], right[rest]) - np.maximum(left[index], left[rest])
        height = np.minimum(bottom[index], bottom[rest]) - np.maximum(top[index], top[rest])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        # Boxes without area share nothing; 0 / 0 must not warn, and NaN compares as "keep".
        with np.errstate(invalid="ignore", divide="ignore"):
            alive[rest] &= ~(shared / (areas[index] + areas[rest] - shared) > max_iou)
    return found.only(np.array(kept, np.intp))
