"""How alike two aligned faces are to an embedder: a network from a face to a direction, compared by its angle.

Any embedder of faces aligned to ArcFace's template will do: input (1, 3, 112, 112), output (1, d).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from playe_assets.core.contracts import Model, Pixels
from playe_assets.core.errors import GovernanceError
from playe_assets.inference.faces.align import ARCFACE, ARCFACE_SIDE, aligned, similarity
from playe_assets.inference.faces.found import Floats, Point

RANGES = {"0..255": (255.0, 0.0), "0..1": (1.0, 0.0), "-1..1": (2.0, -1.0)}
"""Factor and offset that bring samples of 0..1 there."""
ORDERS = ("rgb", "bgr")
_ANTIALIAS = 0.5
"""Sigma per px of shrinking, the same for both faces, so that their sizes do not make a difference."""


@dataclass(frozen=True)
class Taking:
    """What an embedder was trained to take; SFace and most of InsightFace's: RGB, 0..255 and -1..1."""

    range: str
    order: str


def embedding(model: Model, pixels: Pixels, landmarks: tuple[Point, ...], taking: Taking) -> Floats:
    """(d,) unit vector of the face with these five points in `pixels` (h, w, 1 or 3).

    Raises:
        GovernanceError: the network gave no direction: not finite, or all zeros.
        ValueError: the points are all at one place.
    """
    crop = aligned(pixels, similarity(landmarks, ARCFACE), ARCFACE_SIDE, _ANTIALIAS)
    colour = np.repeat(crop, 3, axis=2) if crop.shape[2] == 1 else crop
    if taking.order == "bgr":
        colour = colour[:, :, ::-1]
    factor, offset = RANGES[taking.range]
    given = np.ascontiguousarray((colour * factor + offset).transpose(2, 0, 1)[None], dtype=np.float32)
    found = model.batch(given)[0].reshape(-1).astype(np.float64)
    length = float(np.linalg.norm(found))
    if not np.isfinite(length) or length == 0.0:
        raise GovernanceError("faces.no_direction", name=model.name)
    return np.asarray(found / length, dtype=np.float32)


def distance(one: Floats, other: Floats) -> float:
    """1 - cosine of two unit vectors: 0 the same direction, 1 unrelated, 2 opposite."""
    cosine = float(np.dot(one.astype(np.float64), other.astype(np.float64)))
    return min(2.0, max(0.0, 1.0 - cosine))
