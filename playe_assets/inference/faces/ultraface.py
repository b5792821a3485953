"""UltraFace RFB-320: boxes are decoded inside the graph; it gives no landmarks.

Linzaer: Ultra-Light-Fast-Generic-Face-Detector-1MB (2019), trained on WIDER FACE at 320 x 240.
"""

from __future__ import annotations

import numpy as np

from playe_assets.core.contracts import Model
from playe_assets.inference.faces.found import Face, Limits, chosen
from playe_assets.inference.faces.picture import Bytes, colours, tensor

_WIDTH, _HEIGHT = 320, 240
_MEAN, _DIVISOR = (127.0, 127.0, 127.0), 128.0


def find(model: Model, picture: Bytes, limits: Limits) -> list[Face]:
    """Faces in an 8-bit picture (h, w, 1 or 3); score is the probability of the class face, 0..1.

    The graph takes RGB at 320 x 240 px only, so the picture is stretched to that as in training, and boxes
    are stretched back. The graph gives scores (1, n, 2) and boxes (1, n, 4) as shares of the sides.
    """
    import cv2

    height, width = picture.shape[:2]
    small = cv2.resize(
        np.ascontiguousarray(colours(picture, "rgb")), (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA
    )
    scores, corners = (output[0] for output in model.batch(tensor(small, 1, _MEAN, _DIVISOR)))
    corners = corners * np.array([width, height, width, height], np.float32)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    return chosen(boxes, scores[:, 1], np.zeros((len(boxes), 0, 2), np.float32), limits)
