"""Faces with the boosted Haar cascades that OpenCV ships: frontal, or profile of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from playe_assets.core.boxes import overlap
from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model
from playe_assets.core.params import bounds, one_of
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.view import View, grey, ordered, placed, view

_FILES = {
    "frontal": "haarcascade_frontalface_default.xml",
    "profile": "haarcascade_profileface.xml",
}
# The cascades were trained on windows of 24 px (frontal) and 20 px (profile): nothing smaller is found.
_SMALLEST_WINDOW = 20


@dataclass(frozen=True)
class HaarFaceParams:
    """Lengths are px of the frame, before it is shrunk."""

    cascade: str = one_of(*_FILES)
    scale_factor: float = bounds(1.01, 2.0, "times")
    """Step of the picture pyramid."""
    min_neighbours: int = bounds(1, 50, "overlapping hits")
    """How many raw hits must agree; more of them, fewer false faces."""
    min_size_px: int = bounds(20, 2000, "px")
    max_side_px: int = bounds(160, 8192, "px")
    """The frame is shrunk to this longer side first."""


class HaarFace(Detector):
    """Score: the last stage's sum of weak classifiers, the best of the group; about 0..10, no probability.

    `profile` is trained on one side of the face, so the mirrored picture is searched too; of findings that
    overlap by 0.3 or more the higher score stays.
    """

    name = "haar_face"
    version = "1"
    reference = "P. Viola, M. Jones: Rapid Object Detection using a Boosted Cascade, CVPR 2001"
    Params: ClassVar[type] = HaarFaceParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        import cv2

        super().__init__(params, facts, models)
        folder = Path(cv2.__file__).parent / "data"
        self._cascade = cv2.CascadeClassifier(str(folder / _FILES[params.cascade]))

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `face`."""
        seen = view(frame.pixels, self.params.max_side_px)
        found = ordered(self._faces(frame, seen))
        kept: list[Detection] = []
        for item in found:
            if all(overlap(item, other) < 0.3 for other in kept):
                kept.append(item)
        return kept

    def _faces(self, frame: Frame, seen: View) -> Iterator[Detection | None]:
        picture = grey(seen)
        width = picture.shape[1]
        for box, score in self._hits(picture, seen.scale):
            yield placed("face", box, score, seen.scale, frame.pixels)
        if self.params.cascade == "profile":
            for (x, y, w, h), score in self._hits(picture[:, ::-1].copy(), seen.scale):
                yield placed("face", (width - x - w, y, w, h), score, seen.scale, frame.pixels)

    def _hits(self, picture: Any, scale: float) -> list[tuple[tuple[int, int, int, int], float]]:
        least = max(_SMALLEST_WINDOW, round(self.params.min_size_px * scale))
        if min(picture.shape) < least:
            return []
        boxes, _, weights = self._cascade.detectMultiScale3(
            picture,
            scaleFactor=self.params.scale_factor,
            minNeighbors=self.params.min_neighbours,
            minSize=(least, least),
            outputRejectLevels=True,
        )
        return [
            ((int(b[0]), int(b[1]), int(b[2]), int(b[3])), float(w))
            for b, w in zip(boxes, weights, strict=True)
        ]
