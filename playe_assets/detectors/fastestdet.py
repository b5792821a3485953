"""Eighty everyday classes with FastestDet, a network of a quarter of a million parameters under the BSD licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model, ModelUse
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.scenes import SceneParams, sought
from playe_assets.detectors.view import bgr, view
from playe_assets.detectors.yolo_objects import findings
from playe_assets.inference.objects.decode import Found, fastestdet, suppressed

_CARD = "fastestdet"
_SIDE = 352
"""px; the graph takes no other size. The picture is stretched to a square, as in training."""
_UNIT_STEP = 10.0
"""Distance between the planes of classes, in sides of the picture: a box is at most one wide."""


@dataclass(frozen=True)
class FastestDetParams(SceneParams):
    """The authors use a score of 0.65 and an overlap of 0.45."""

    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    max_found: int = bounds(1, 484, "findings in a frame")
    """The network has 22 x 22 cells, one finding each."""


class FastestDet(Detector):
    """Score: objectness^0.6 * class probability^0.4, 0..1. Labels: COCO's names with underscores.

    Small and quick, not thorough: it misses what is hidden in part or below about 20 px in its 352 px square.
    """

    name = "fastestdet"
    version = "1"
    reference = "X. Ma: FastestDet, an anchor-free detector for ARM (2022); no paper"
    Params: ClassVar[type] = FastestDetParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        self._model = models[_CARD]
        self._sought = sought(params)

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """Its network."""
        return (ModelUse(_CARD),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled with COCO's names."""
        import cv2

        height, width = frame.pixels.shape[:2]
        picture = bgr(view(frame.pixels, max(height, width)))
        square = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        planes = np.ascontiguousarray(square.transpose(2, 0, 1)[np.newaxis], np.float32) / np.float32(255)
        output = self._model.batch(planes)[0][0]
        found = fastestdet(output, self._sought.least, self._sought.classes)
        found = suppressed(found, self.params.nms_iou, self.params.max_found, _UNIT_STEP)
        full = np.array([width, height, width, height], np.float32)
        return findings(
            Found(found.boxes * full, found.scores, found.classes), self._sought.thresholds, frame
        )
