"""Faces with UltraFace RFB-320, a very small network for large faces; it changes no pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import Detector, Frame, ModelUse
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection
from playe_assets.detectors.view import View, faces
from playe_assets.inference.faces import ultraface
from playe_assets.inference.faces.found import Limits
from playe_assets.inference.faces.picture import eight_bit

_CARD = "ultraface_rfb320"


@dataclass(frozen=True)
class UltraFaceParams:
    """The authors use min_score 0.7 and nms_iou 0.3. The working size is the graph's own, 320 x 240 px."""

    min_score: float = bounds(0.05, 0.999, "probability")
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    top_k: int = bounds(1, 10000, "raw findings")


class UltraFace(Detector):
    """Score: probability of the class face, 0..1. No landmarks, so neither restoration nor identity can use it.

    The frame is stretched to 320 x 240 px: faces under about a twentieth of its width are not found.
    """

    name = "ultraface"
    version = "1"
    reference = "Linzaer: Ultra-Light-Fast-Generic-Face-Detector-1MB, 2019"
    Params: ClassVar[type] = UltraFaceParams

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The network for 320 x 240 px."""
        return (ModelUse(_CARD),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `face`."""
        params = self.params
        seen = View(eight_bit(frame.pixels), 1.0)
        limits = Limits(params.min_score, params.nms_iou, params.top_k)
        return faces(ultraface.find(self.models[_CARD], seen.pixels, limits), seen, frame)
