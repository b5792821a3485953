"""Faces with YuNet, a small learned detector; it changes no pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model, ModelUse
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.view import faces, view
from playe_assets.inference.faces import yunet
from playe_assets.inference.faces.found import Limits

_CARD = "yunet_2023mar"


@dataclass(frozen=True)
class YuNetParams:
    """As in OpenCV's FaceDetectorYN, whose boxes it gives within a pixel (tested)."""

    min_score: float = bounds(0.05, 0.99, "score")
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    top_k: int = bounds(1, 10000, "raw findings")
    max_side_px: int = bounds(160, 8192, "px")


class YuNet(Detector):
    """Score: sqrt(class score * box score), 0..1. Landmarks: eyes, tip of the nose, corners of the mouth.

    Landmarks are in that order, the right eye and right corner (the person's) first.
    """

    name = "yunet"
    version = "2"
    reference = "W. Wu, H. Peng, S. Yu: YuNet: A Tiny Millisecond-level Face Detector, MIR 20 (2023), 656-665"
    Params: ClassVar[type] = YuNetParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        self._limits = Limits(params.min_score, params.nms_iou, params.top_k)

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The network of OpenCV's model zoo."""
        return (ModelUse(_CARD),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `face` with five landmarks."""
        seen = view(frame.pixels, self.params.max_side_px)
        return faces(yunet.find(self.models[_CARD], seen.pixels, self._limits), seen, frame)
