"""Eighty everyday classes with YOLOv8 as the package ultralytics runs it (AGPL-3.0, extra `yolo`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model, ModelUse
from playe_assets.core.values import Detection, StreamFacts
from playe_assets.detectors.scenes import sought
from playe_assets.detectors.view import colour
from playe_assets.detectors.yolo_objects import YoloObjectsParams, findings
from playe_assets.inference.objects.decode import Found

if TYPE_CHECKING:
    from playe_assets.inference.loaded import LoadedModel
    from playe_assets.inference.ultralytics_fence import Predictor


@dataclass(frozen=True)
class YoloUltralyticsParams(YoloObjectsParams):
    """Those of `yolo_objects`: the two find the same."""


class YoloUltralytics(Detector):
    """Score: the class's own, 0..1, no probability. Labels: COCO's names with underscores.

    The peer of `yolo_objects`, for checking one against the other. The network runs in torch on the CPU whatever
    runtime the laboratory has chosen, and the record says so.
    """

    name = "yolo_ultralytics"
    version = "1"
    reference = "G. Jocher, A. Chaurasia, J. Qiu: Ultralytics YOLOv8 (2023); no paper"
    Params: ClassVar[type] = YoloUltralyticsParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        from playe_assets.inference.ultralytics_fence import Predictor
        from playe_assets.inference.ultralytics_weights import state_dict

        super().__init__(params, facts, models)
        self._sought = sought(params)
        self._predictor: Predictor | None = None
        if not self._sought.classes:
            return
        given = cast("LoadedModel", models[params.model])
        network = given.network
        self._predictor = Predictor(
            state_dict(network.weights, network.card),
            network.card,
            side=params.side_px,
            least=self._sought.least,
            iou=params.nms_iou,
            most=params.max_found,
            classes=self._sought.classes,
        )
        self.models = {**models, params.model: cast("Model", _InTorch(given, self._predictor))}

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The network of that size."""
        return (ModelUse(params.model),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled with COCO's names."""
        if self._predictor is None:
            return []
        bgr = np.ascontiguousarray(colour(frame.pixels)[:, :, ::-1])
        rows = self._predictor.boxes(bgr)
        found = Found(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.intp))
        return findings(found, self._sought.thresholds, frame)


class _InTorch:
    """The model as the record shall name it: its weights and approval, and the engine that really ran it."""

    def __init__(self, given: LoadedModel, predictor: Predictor) -> None:
        self._given, self._predictor = given, predictor

    def facts(self) -> dict[str, Any]:
        """No certificate: that is of the laboratory's engine, which took no part."""
        ran = self._predictor.facts()
        return {"model": self._given.facts()["model"], "runtime": ran.plain, "precision": ran.precision,
                "tiling": None, "certificate": None}  # fmt: skip
