"""Whether a derivative's faces are still those of the exhibit, to a face embedder. No proof of who it is.

A photograph's faces are judged one by one; of a clip each track is judged as one face.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Column, Metric, Model, ModelUse, Pair
from playe_assets.core.params import bounds, card, one_of
from playe_assets.core.tracks import Seen
from playe_assets.core.values import Detection
from playe_assets.inference.faces.align import ARCFACE, misfit, similarity
from playe_assets.inference.faces.found import Floats, Point
from playe_assets.inference.faces.likeness import ORDERS, RANGES, Taking, distance, embedding

_NO_DIRECTION = 1e-3
"""Mean of unit vectors shorter than this: the track's frames point everywhere, so it has no direction."""


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


@dataclass
class _Kept:
    """One track over the frames that were compared: sums of unit vectors."""

    exhibit: Any = None
    derivative: Any = None
    frames: int = 0

    def add(self, before: Floats, after: Floats) -> None:
        zero = np.zeros(before.shape, np.float64)
        self.exhibit = (zero if self.exhibit is None else self.exhibit) + before
        self.derivative = (zero if self.derivative is None else self.derivative) + after
        self.frames += 1

    def distance(self) -> float:
        """Between the two means, each brought to length 1; 2 where the vectors of one cancel out."""
        lengths = [float(np.linalg.norm(v)) for v in (self.exhibit, self.derivative)]
        if min(lengths) < _NO_DIRECTION * self.frames:
            return 2.0
        one, other = (v / n for v, n in zip((self.exhibit, self.derivative), lengths, strict=True))
        return distance(np.asarray(one, np.float32), np.asarray(other, np.float32))


@dataclass
class _Tracks:
    """What a clip's frames gave so far; `loose` are faces that no track holds."""

    kept: dict[int, _Kept] = field(default_factory=dict)
    numbers: set[int] = field(default_factory=set)
    loose: float | None = None
    loose_judged: int = 0
    loose_unjudged: int = 0


class Identity(Metric):
    """1 - cosine between the embeddings of the same place in the exhibit and in the derivative, five-point aligned.

    The exhibit's landmarks are used for both, scaled by the ratio of the sizes: were the derivative's own found,
    a face that moved would be compared as if it had not. Null where no face could be judged.

    On clips a track has one embedding in the exhibit and one in the derivative, each the mean of the unit vectors
    over the compared frames, brought to length 1 again: one frame that fails says little, a track that drifts much.
    Then `identity_distance` is that of the worst track, the counts are of tracks, and `identity_worst_track` names
    it. A face that no track holds is judged by itself, frame by frame, as in a photograph (its track is null).
    """

    name = "identity"
    version = "2"
    reference = (
        "J. Deng et al.: ArcFace, CVPR 2019 (alignment); Y. Zhong et al.: SFace, IEEE TIP 30 (2021); "
        "same face for OpenCV's SFace: cosine of at least 0.363 (LFW), a distance of at most 0.637"
    )
    columns = (
        Column("identity_distance", "1", 0.0, 2.0, "lower", over="max"),
        Column("identity_faces", "faces", 0.0, None, "none", over="max"),
        Column("identity_unjudged", "faces", 0.0, None, "lower", over="max"),
        Column("identity_worst_track", "track", 0.0, None, "none", over="max"),
    )
    Params: ClassVar[type] = IdentityParams

    def __init__(self, params: Any, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, models)
        self._tracks = _Tracks()

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The embedder."""
        return (ModelUse(params.model),)

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """The largest distance of the frame's faces, how many were judged, how many could not be."""
        seen = {s.track: s for s in pair.tracks if s.label == "face"}
        distances = []
        for track in sorted(seen):
            self._tracks.numbers.add(track)
            if self._judged(seen[track]):
                before, after = self._embeddings(pair, seen[track].landmarks)
                self._tracks.kept.setdefault(track, _Kept()).add(before, after)
                distances.append(distance(before, after))
        loose = [f for f in pair.faces if not any(_same_place(f, s) for s in seen.values())]
        alone = [distance(*self._embeddings(pair, f.landmarks)) for f in loose if self._judged(f)]
        self._remember(alone, len(loose) - len(alone))
        found = distances + alone
        return {
            "identity_distance": max(found, default=None),
            "identity_faces": float(len(found)),
            "identity_unjudged": float(len(seen) + len(loose) - len(found)),
            "identity_worst_track": None,
        }

    def finish(self) -> dict[str, float | None]:
        """Of a clip: the worst track's distance and number, and how many tracks were judged; else nothing."""
        tracks = self._tracks
        if not tracks.numbers:
            return {}
        judged = {track: kept.distance() for track, kept in sorted(tracks.kept.items())}
        worst = max(judged, key=lambda track: judged[track], default=None)
        high = None if worst is None else judged[worst]
        if tracks.loose is not None and (high is None or tracks.loose > high):
            worst, high = None, tracks.loose
        return {
            "identity_distance": None if high is None else round(high, 6),
            "identity_faces": float(len(judged) + tracks.loose_judged),
            "identity_unjudged": float(len(tracks.numbers) - len(judged) + tracks.loose_unjudged),
            "identity_worst_track": None if worst is None else float(worst),
        }

    def _remember(self, alone: list[float], unjudged: int) -> None:
        tracks = self._tracks
        if alone:
            tracks.loose = max([*alone, *([tracks.loose] if tracks.loose is not None else [])])
        tracks.loose_judged = max(tracks.loose_judged, len(alone))
        tracks.loose_unjudged = max(tracks.loose_unjudged, unjudged)

    def _embeddings(self, pair: Pair, landmarks: tuple[Point, ...]) -> tuple[Floats, Floats]:
        """Unit vectors of the face in the exhibit and in the derivative."""
        params = self.params
        model, taking = self.models[params.model], Taking(params.input_range, params.input_order)
        before = embedding(model, pair.exhibit, landmarks, taking)
        return before, embedding(model, pair.derivative, _scaled(landmarks, pair), taking)

    def _judged(self, face: Detection | Seen) -> bool:
        points = face.landmarks
        if len(points) != len(ARCFACE) or math.dist(points[0], points[1]) < self.params.min_eyes_px:
            return False
        return bool(misfit(similarity(points, ARCFACE), points, ARCFACE) <= self.params.max_misfit_px)


def _same_place(face: Detection, seen: Seen) -> bool:
    """Whether the middle of the finding lies in the track's box: the finding that made it, or another detector's."""
    x, y = face.x + face.width / 2, face.y + face.height / 2
    return seen.x <= x <= seen.x + seen.width and seen.y <= y <= seen.y + seen.height


def _scaled(points: tuple[Point, ...], pair: Pair) -> tuple[Point, ...]:
    """Points of the exhibit's frame in the derivative's; a pixel's centre is at its whole number."""
    down, across = (pair.derivative.shape[axis] / pair.exhibit.shape[axis] for axis in (0, 1))
    return tuple(((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5) for x, y in points)
