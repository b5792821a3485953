"""Upright people with histograms of oriented gradients and the linear SVM that OpenCV ships."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model
from playe_assets.core.params import bounds, one_number_of
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.view import bgr, ordered, placed, view

_WINDOW = (64, 128)


@dataclass(frozen=True)
class HogPeopleParams:
    """Lengths are px of the shrunken frame: the window's cells of 8 px lie on that grid.

    Only whole cells are allowed: OpenCV would round other lengths, and the record would state what was not used.
    """

    stride_px: int = one_number_of(8, 16, 24, 32)
    """Step of the window, px."""
    padding_px: int = one_number_of(0, 8, 16, 24, 32, 40, 48, 56, 64)
    """Margin around the frame, px."""
    scale_factor: float = bounds(1.01, 2.0, "times")
    min_score: float = bounds(0.0, 10.0, "SVM margin")
    """Findings below are dropped; at 0 about every second one is false."""
    max_side_px: int = bounds(160, 8192, "px")


class HogPeople(Detector):
    """Score: distance from the SVM's plane (margin), about 0..3, no probability.

    Finds people of at least 96 px in the shrunken frame who stand upright and are seen whole, and takes
    upright things for people: bottles on a shelf scored up to 2.5, true people 0.9 to 1.8 (measured).
    """

    name = "hog_people"
    version = "1"
    reference = "N. Dalal, B. Triggs: Histograms of Oriented Gradients for Human Detection, CVPR 2005"
    Params: ClassVar[type] = HogPeopleParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        import cv2

        super().__init__(params, facts, models)
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `person`."""
        seen = view(frame.pixels, self.params.max_side_px)
        height, width = seen.pixels.shape[:2]
        padding = self.params.padding_px
        if width + 2 * padding < _WINDOW[0] or height + 2 * padding < _WINDOW[1]:
            return []
        stride = self.params.stride_px
        boxes, scores = self._hog.detectMultiScale(
            bgr(seen),
            winStride=(stride, stride),
            padding=(padding, padding),
            scale=self.params.scale_factor,
        )
        return ordered(
            placed("person", box, float(score), seen.scale, frame.pixels)
            for box, score in zip(boxes, list(scores), strict=True)
            if float(score) >= self.params.min_score
        )
