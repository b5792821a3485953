"""YOLOv8-face: the pose form of YOLOv8 with one class and five key points.

The graph is Ultralytics' ONNX export of a pose network: one output (1, 20, n) of centre x, centre y, width,
height, score, and five times x, y, visibility, all in px of the input. Exports that leave the box
distributions undecoded (three outputs) are another layout.
"""

from __future__ import annotations

import numpy as np

from playe_assets.core.contracts import Model
from playe_assets.core.errors import GovernanceError
from playe_assets.inference.faces.found import Face, Floats, Limits, chosen
from playe_assets.inference.faces.picture import Bytes, colours, tensor

_GREY = 114
"""Ultralytics' padding."""
_ROWS = 4 + 1 + 5 * 3


def find(model: Model, picture: Bytes, limits: Limits, side: int) -> list[Face]:
    """Faces in an 8-bit picture (h, w, 1 or 3); score is the class's, 0..1.

    Args:
        model: takes RGB 0..1.
        picture: scaled to fit a square of `side` px and centred in it on grey, as Ultralytics does.
        limits: which raw findings count.
        side: px, a multiple of 32.

    Raises:
        GovernanceError: the graph's output has another layout.
    """
    import cv2

    height, width = picture.shape[:2]
    scale = min(side / height, side / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Linear as in Ultralytics' letterbox, also where the picture is made smaller: the network was trained so.
    fitted = cv2.resize(np.ascontiguousarray(colours(picture, "rgb")), size, interpolation=cv2.INTER_LINEAR)
    # Ultralytics puts the odd pixel on the right and below.
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.full((side, side, 3), _GREY, np.uint8)
    square[top : top + size[1], left : left + size[0]] = fitted
    outputs = model.batch(tensor(square, 1, divisor=255.0))
    if len(outputs) != 1 or outputs[0].ndim != 3 or outputs[0].shape[1] != _ROWS:
        raise GovernanceError(
            "faces.yolo_layout", name=model.name, found=", ".join(str(o.shape) for o in outputs), rows=_ROWS
        )
    return decoded(outputs[0], (left, top), (size[0] / width, size[1] / height), limits)


def decoded(
    output: Floats, offset: tuple[int, int], scale: tuple[float, float], limits: Limits
) -> list[Face]:
    """The faces in (1, 20, n), taken back by `offset` px and the two scales of the letterbox."""
    rows = output[0].T
    shift, scales = np.array(offset, np.float32), np.array(scale, np.float32)
    centre, size = (rows[:, :2] - shift) / scales, rows[:, 2:4] / scales
    points = (rows[:, 5:].reshape(-1, 5, 3)[:, :, :2] - shift) / scales
    return chosen(np.concatenate([centre - size / 2, size], axis=1), rows[:, 4], points, limits)
