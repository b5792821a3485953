"""Eighty everyday classes with YOLOv8, run by the chosen runtime and decoded here: no AGPL code takes part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model, ModelUse
from playe_assets.core.params import bounds, card, one_number_of
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.scenes import SceneParams, sought
from playe_assets.detectors.view import colour, ordered, placed
from playe_assets.inference.objects.decode import Found, suppressed, yolov8
from playe_assets.inference.objects.letterbox import letterbox
from playe_assets.inference.objects.names import COCO

TASK = "object detection (COCO, 80 classes)"


@dataclass(frozen=True)
class YoloObjectsParams(SceneParams):
    """As in ultralytics' predict: `conf` is the scene's threshold."""

    model: str = card(TASK)
    """A YOLOv8 of COCO's classes."""
    side_px: int = one_number_of(320, 480, 640, 960, 1280)
    """Side of the square that the network sees; the official weights were trained at 640."""
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    max_found: int = bounds(1, 3000, "findings in a frame")


class YoloObjects(Detector):
    """Score: the class's own, 0..1, no probability. Labels: COCO's names with underscores.

    Boxes agree with ultralytics' own within a pixel (tested with random weights: official ones are not shipped).
    """

    name = "yolo_objects"
    version = "1"
    reference = "G. Jocher, A. Chaurasia, J. Qiu: Ultralytics YOLOv8 (2023); no paper"
    Params: ClassVar[type] = YoloObjectsParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        self._model = models[params.model]
        self._sought = sought(params)

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The network of that size."""
        return (ModelUse(params.model),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled with COCO's names."""
        square = letterbox(colour(frame.pixels), self.params.side_px)
        output = self._model.batch(square.tensor)[0][0]
        found = yolov8(output, self._sought.least, self._sought.classes)
        found = suppressed(found, self.params.nms_iou, self.params.max_found)
        found = Found(square.outside(found.boxes), found.scores, found.classes)
        return findings(found, self._sought.thresholds, frame)


def findings(found: Found, thresholds: tuple[float, ...], frame: Frame) -> list[Detection]:
    """`found`, in px of the frame, as detections above the threshold of their class."""
    keep = found.scores > np.array(thresholds, np.float32)[found.classes]
    found = found.only(keep)
    return ordered(
        placed(COCO[kind], (x1, y1, x2 - x1, y2 - y1), score, 1.0, frame.pixels)
        for (x1, y1, x2, y2), score, kind in zip(found.boxes, found.scores, found.classes, strict=True)
    )
