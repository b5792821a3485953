"""Moving regions before a fixed camera, by mixtures of Gaussians learned over the sampled frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection, MediaKind, StreamFacts
from playe_assets.detectors.view import ordered, placed, view


@dataclass(frozen=True)
class Mog2MotionParams:
    """Lengths are px of the shrunken frame; times are counted in sampled frames."""

    history: int = bounds(2, 5000, "sampled frames")
    var_threshold: float = bounds(4.0, 200.0, "squared sigmas")
    """Squared Mahalanobis distance above which a pixel is no background."""
    learning_rate: float = bounds(0.0, 1.0, "share a sampled frame")
    warm_up_frames: int = bounds(1, 1000, "sampled frames")
    """Frames that only teach the background."""
    open_px: int = bounds(1, 31, "px", odd=True)
    """Morphological opening against single noisy pixels; 1 does nothing."""
    min_area_px: int = bounds(1, 1000000, "px")
    max_moving_share: float = bounds(0.01, 1.0, "share of the frame")
    """Above this the camera moved or the light was switched: nothing is reported for that frame."""
    max_side_px: int = bounds(160, 8192, "px")


class Mog2Motion(Detector):
    """Score: share of the box that moves, 0..1. Stateful: frames must come in order.

    Shadows are not told apart: a shadow that moves is reported as motion.
    """

    name = "mog2_motion"
    version = "1"
    kinds = frozenset({MediaKind.CLIP})
    reference = "Z. Zivkovic: Improved Adaptive Gaussian Mixture Model for Background Subtraction, ICPR 2004"
    Params: ClassVar[type] = Mog2MotionParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        import cv2

        super().__init__(params, facts, models)
        self._model = cv2.createBackgroundSubtractorMOG2(params.history, params.var_threshold, False)
        self._seen = 0

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `motion`, none during the warm-up."""
        import cv2

        params = self.params
        seen = view(frame.pixels, params.max_side_px)
        # The first frame is the background until others are known.
        rate = 1.0 if self._seen == 0 else params.learning_rate
        mask = self._model.apply(seen.pixels, learningRate=rate)
        self._seen += 1
        if self._seen <= params.warm_up_frames:
            return []
        if params.open_px > 1:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (params.open_px, params.open_px))
            mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
        if cv2.countNonZero(mask) > params.max_moving_share * mask.size:
            return []
        return ordered(self._regions(mask, seen.scale, frame))

    def _regions(self, mask: Any, scale: float, frame: Frame) -> Iterator[Detection | None]:
        import cv2

        count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for number in range(1, count):
            x, y, width, height, area = (int(v) for v in stats[number])
            if area >= self.params.min_area_px:
                yield placed("motion", (x, y, width, height), area / (width * height), scale, frame.pixels)
