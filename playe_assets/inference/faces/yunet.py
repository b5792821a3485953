"""YuNet's answer decoded: anchor-free, one candidate a cell of three grids.

W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, MIR 20 (2023), 656-665.
"""

from __future__ import annotations

import numpy as np

from playe_assets.core.contracts import Model
from playe_assets.inference.faces.found import Face, Floats, Limits, chosen
from playe_assets.inference.faces.picture import Bytes, colours, tensor

_STRIDES = (8, 16, 32)
"""px of the input per cell. The graph's outputs are cls, obj, bbox and kps, each for the three in this order."""


def find(model: Model, picture: Bytes, limits: Limits) -> list[Face]:
    """Faces in an 8-bit picture (h, w, 1 or 3); score is sqrt(class x object), 0..1.

    The network takes BGR 0..255 of any size that its largest stride divides; the picture is padded with black
    on the right and below, as OpenCV's FaceDetectorYN does.
    """
    given = tensor(colours(picture, "bgr"), _STRIDES[-1])
    return decoded(model.batch(given), given.shape[3], limits)


def decoded(outputs: list[Floats], width: int, limits: Limits) -> list[Face]:
    """The faces in the twelve outputs of a run over an input of `width` px."""
    grids = len(_STRIDES)
    boxes, scores, points = [], [], []
    for level, stride in enumerate(_STRIDES):
        cls, obj, box, kps = (outputs[kind * grids + level][0] for kind in range(4))
        count = cls.shape[0]
        columns = width // stride
        corner = np.stack([np.arange(count) % columns, np.arange(count) // columns], axis=1).astype(
            np.float32
        )
        centre = (corner + box[:, :2]) * stride
        size = np.exp(box[:, 2:]) * stride
        boxes.append(np.concatenate([centre - size / 2, size], axis=1))
        scores.append(np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1)))
        points.append((kps.reshape(count, 5, 2) + corner[:, None]) * stride)
    return chosen(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points), limits)
