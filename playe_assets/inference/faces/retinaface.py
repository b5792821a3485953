"""RetinaFace's answer decoded: two square priors a cell of three grids.

J. Deng et al.: RetinaFace: Single-shot Multi-level Face Localisation in the Wild, CVPR 2020 (arXiv 1905.00641).
"""

from __future__ import annotations

import numpy as np

from playe_assets.core.contracts import Model
from playe_assets.inference.faces.found import Face, Floats, Limits, chosen
from playe_assets.inference.faces.picture import Bytes, colours, tensor

_STRIDES = (8, 16, 32)
_PRIOR_SIDES = ((16.0, 32.0), (64.0, 128.0), (256.0, 512.0))
"""px, two for each stride."""
_OTHER_PRIOR_SIDES = {"retinaface_mobilenet025_port": ((10.0, 20.0), (32.0, 64.0), (128.0, 256.0))}
"""Weights that were trained with others, as their card's `hyper` says; with those above the boxes came out about
twice too large."""
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_MEAN_BGR = (104.0, 117.0, 123.0)


def find(model: Model, picture: Bytes, limits: Limits) -> list[Face]:
    """Faces in an 8-bit picture (h, w, 1 or 3); score is the probability of the class face, 0..1.

    The picture is padded with the mean colour on the right and below to a multiple of the largest stride.
    """
    given = tensor(colours(picture, "bgr"), _STRIDES[-1], _MEAN_BGR)
    prior = priors(given.shape[2], given.shape[3], _OTHER_PRIOR_SIDES.get(model.name, _PRIOR_SIDES))
    return decoded(model.batch(given), prior, limits)


def decoded(outputs: list[Floats], prior: Floats, limits: Limits) -> list[Face]:
    """The faces in loc (1, n, 4), conf (1, n, 2; probabilities) and landms (1, n, 10) of one run."""
    loc, conf, landms = (output[0] for output in outputs)
    side = prior[:, 2:]
    centre = prior[:, :2] + loc[:, :2] * np.float32(_CENTRE_VARIANCE) * side
    size = side * np.exp(loc[:, 2:] * np.float32(_SIZE_VARIANCE))
    offsets = landms.reshape(len(prior), 5, 2) * np.float32(_CENTRE_VARIANCE)
    points = prior[:, None, :2] + offsets * side[:, None]
    return chosen(np.concatenate([centre - size / 2, size], axis=1), conf[:, 1], points, limits)


def priors(height: int, width: int, sides_of: tuple[tuple[float, float], ...] = _PRIOR_SIDES) -> Floats:
    """(n, 4) centre x, centre y, side, side in px, in the network's order: stride, row, column, size."""
    found = []
    for stride, sides in zip(_STRIDES, sides_of, strict=True):
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = (np.indices((rows, columns), dtype=np.float32) + np.float32(0.5)) * stride
        for_each = [np.stack([x, y, np.full_like(x, s), np.full_like(x, s)], axis=-1) for s in sides]
        found.append(np.stack(for_each, axis=2).reshape(-1, 4))
    return np.concatenate(found)
