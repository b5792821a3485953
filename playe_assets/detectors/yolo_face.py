"""Faces with YOLOv8-face, decoded here from its ONNX graph; it changes no pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import Detector, Frame, ModelUse
from playe_assets.core.params import bounds, one_number_of
from playe_assets.core.values import Detection
from playe_assets.detectors.view import View, faces
from playe_assets.inference.faces import yolo_face
from playe_assets.inference.faces.found import Limits
from playe_assets.inference.faces.picture import eight_bit

_CARD = "yolov8n_face"


@dataclass(frozen=True)
class YoloFaceParams:
    """Ultralytics uses min_score 0.25 and nms_iou 0.7 for showing; its graphs are exported for 640 px."""

    min_score: float = bounds(0.01, 0.99, "score")
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    top_k: int = bounds(1, 10000, "raw findings")
    side_px: int = one_number_of(320, 480, 640, 960, 1280)
    """The frame is fitted into a square of this side; the graph must have been exported for it."""


class YoloFace(Detector):
    """Score: the class's, 0..1. Landmarks: eyes, tip of the nose, corners of the mouth.

    Landmarks are in that order, the right eye and right corner (the person's) first.
    """

    name = "yolo_face"
    version = "1"
    reference = "derronqi: yolov8-face (2023), after Ultralytics YOLOv8 (G. Jocher et al., 2023)"
    Params: ClassVar[type] = YoloFaceParams

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The smallest of the family."""
        return (ModelUse(_CARD),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `face` with five landmarks."""
        params = self.params
        seen = View(eight_bit(frame.pixels), 1.0)
        limits = Limits(params.min_score, params.nms_iou, params.top_k)
        found = yolo_face.find(self.models[_CARD], seen.pixels, limits, params.side_px)
        return faces(found, seen, frame)
