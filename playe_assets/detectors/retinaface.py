"""Faces with RetinaFace, of ResNet-50 or MobileNet 0.25; it changes no pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import Detector, Frame, ModelUse
from playe_assets.core.params import bounds, one_of
from playe_assets.core.values import Detection
from playe_assets.detectors.view import faces, view
from playe_assets.inference.faces import retinaface
from playe_assets.inference.faces.found import Limits


@dataclass(frozen=True)
class RetinaFaceParams:
    """The authors use nms_iou 0.4, and min_score 0.02 for measuring, 0.5 to 0.9 for showing."""

    model: str = one_of("retinaface_resnet50", "retinaface_mobilenet025", "retinaface_mobilenet025_port")
    """ResNet-50 finds smaller and turned faces; MobileNet is about thirty times faster."""
    min_score: float = bounds(0.02, 0.999, "probability")
    nms_iou: float = bounds(0.05, 0.95, "intersection over union")
    top_k: int = bounds(1, 10000, "raw findings")
    max_side_px: int = bounds(160, 8192, "px")


class RetinaFace(Detector):
    """Score: probability of the class face, 0..1. Landmarks: eyes, tip of the nose, corners of the mouth.

    Landmarks are in that order, the right eye and right corner (the person's) first.
    """

    name = "retinaface"
    version = "1"
    reference = "J. Deng et al.: RetinaFace: Single-shot Multi-level Face Localisation in the Wild, CVPR 2020"
    Params: ClassVar[type] = RetinaFaceParams

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The network that the parameter names."""
        return (ModelUse(params.model),)

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `face` with five landmarks."""
        params = self.params
        seen = view(frame.pixels, params.max_side_px)
        limits = Limits(params.min_score, params.nms_iou, params.top_k)
        return faces(retinaface.find(self.models[params.model], seen.pixels, limits), seen, frame)
