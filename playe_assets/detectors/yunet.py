"""Faces with YuNet, a small learned detector run by OpenCV's own engine; it changes no pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import Detector, Frame
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.view import bgr, ordered, placed, view

_CARD = "yunet_2023mar"


@dataclass(frozen=True)
class YuNetParams:
    """As in OpenCV's FaceDetectorYN."""

    min_score: float = bounds(0.05, 0.99, "score")
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    top_k: int = bounds(1, 10000, "raw findings")
    max_side_px: int = bounds(160, 8192, "px")


class YuNet(Detector):
    """Score: sqrt(class score * box score), 0..1. Landmarks: eyes, tip of the nose, corners of the mouth.

    Landmarks are in that order, the right eye and right corner (the person's) first.
    """

    name = "yunet"
    version = "1"
    weights = (_CARD,)
    reference = "W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, MIR 20 (2023), 656-665"
    Params: ClassVar[type] = YuNetParams

    def __init__(self, params: Any, facts: StreamFacts, weights: Mapping[str, bytes]) -> None:
        import cv2

        super().__init__(params, facts, weights)
        model = np.frombuffer(weights[_CARD], np.uint8)
        nothing = np.empty(0, np.uint8)
        self._net = cv2.FaceDetectorYN.create(
            "onnx", model, nothing, (320, 320), params.min_score, params.nms_iou, params.top_k
        )

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `face` with five landmarks."""
        seen = view(frame.pixels, self.params.max_side_px)
        picture = bgr(seen)
        self._net.setInputSize((picture.shape[1], picture.shape[0]))
        _, rows = self._net.detect(picture)
        if rows is None:
            return []
        return ordered(
            placed("face", row[:4], row[14], seen.scale, frame.pixels, row[4:14].reshape(5, 2))
            for row in rows
        )
