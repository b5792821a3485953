"""Whether a derivative's faces are still those of the exhibit, to a face embedder. No proof of who it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import Column, Metric, ModelUse, Pair
from playe_assets.core.params import bounds, card, one_of
from playe_assets.core.values import Detection
from playe_assets.inference.faces.align import ARCFACE, misfit, similarity
from playe_assets.inference.faces.found import Point
from playe_assets.inference.faces.likeness import ORDERS, RANGES, Taking, distance, embedding


@dataclass(frozen=True)
class IdentityParams:
    """Lengths are px of the exhibit: what it does not hold, no derivative can be compared with."""

    model: str = card("face embedding (128 values)", "face embedding (512 values)", "face embedding")
    input_range: str = one_of(*RANGES)
    """What the embedder was trained to take: SFace 0..255, InsightFace's networks -1..1."""
    input_order: str = one_of(*ORDERS)
    min_eyes_px: float = bounds(4.0, 200.0, "px")
    """Between the eyes; below it there is too little information to judge. The embedder sees 35 px there."""
    max_misfit_px: float = bounds(0.5, 50.0, "px of 112")
    """A face whose five points lie further from the template (root mean square) is turned away: not judged."""


class Identity(Metric):
    """1 - cosine between the embeddings of the same place in the exhibit and in the derivative, five-point aligned.

    The exhibit's landmarks are used for both, scaled by the ratio of the sizes: were the derivative's own found,
    a face that moved would be compared as if it had not. Null where no face could be judged.
    """

    name = "identity"
    version = "1"
    reference = (
        "J. Deng et al.: ArcFace, CVPR 2019 (alignment); Y. Zhong et al.: SFace, IEEE TIP 30 (2021); "
        "same face for OpenCV's SFace: cosine of at least 0.363 (LFW), a distance of at most 0.637"
    )
    columns = (
        Column("identity_distance", "1", 0.0, 2.0, "lower", over="max"),
        Column("identity_faces", "faces", 0.0, None, "none", over="max"),
        Column("identity_unjudged", "faces", 0.0, None, "lower", over="max"),
    )
    Params: ClassVar[type] = IdentityParams

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The embedder."""
        return (ModelUse(params.model),)

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """The largest distance of the frame's faces, how many were judged, how many could not be."""
        params = self.params
        model, taking = self.models[params.model], Taking(params.input_range, params.input_order)
        distances = []
        for face in pair.faces:
            if self._judged(face):
                there = _scaled(face.landmarks, pair)
                before = embedding(model, pair.exhibit, face.landmarks, taking)
                distances.append(distance(before, embedding(model, pair.derivative, there, taking)))
        return {
            "identity_distance": max(distances, default=None),
            "identity_faces": float(len(distances)),
            "identity_unjudged": float(len(pair.faces) - len(distances)),
        }

    def _judged(self, face: Detection) -> bool:
        points = face.landmarks
        if len(points) != len(ARCFACE) or math.dist(points[0], points[1]) < self.params.min_eyes_px:
            return False
        return bool(misfit(similarity(points, ARCFACE), points, ARCFACE) <= self.params.max_misfit_px)


def _scaled(points: tuple[Point, ...], pair: Pair) -> tuple[Point, ...]:
    """Points of the exhibit's frame in the derivative's; a pixel's centre is at its whole number."""
    down, across = (pair.derivative.shape[axis] / pair.exhibit.shape[axis] for axis in (0, 1))
    return tuple(((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5) for x, y in points)
