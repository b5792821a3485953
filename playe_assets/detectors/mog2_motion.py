"""Moving regions before a fixed camera, by mixtures of Gaussians learned over the sampled frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from playe_assets.core.contracts import NO_MODELS, Detector, Frame, Model
from playe_assets.core.errors import PresetError
from playe_assets.core.params import bounds
from playe_assets.core.values import Detection, MediaKind, StreamFacts
from playe_assets.detectors.view import ordered, placed, view


@dataclass(frozen=True)
class Mog2MotionParams:
    """Lengths are px of the shrunken region; times are counted in sampled frames.

    The region is where motion is looked for, in shares of the upright frame's width and height; its borders
    are rounded to whole px, and all of the frame is 0, 0, 1, 1.
    """

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
    """Above this the camera moved or the light was switched: nothing is reported for that frame. A region
    smaller than this share of the frame may be filled by what moves."""
    max_side_px: int = bounds(160, 8192, "px")
    region_left: float = bounds(0.0, 1.0, "share of the width")
    region_top: float = bounds(0.0, 1.0, "share of the height")
    region_right: float = bounds(0.0, 1.0, "share of the width")
    region_bottom: float = bounds(0.0, 1.0, "share of the height")


class Mog2Motion(Detector):
    """Score: share of the box that moves, 0..1. Stateful: frames must come in order; a cut begins anew.

    Shadows are not told apart: a shadow that moves is reported as motion. What stands in the first frame of
    a shot is background until it has left.
    """

    name = "mog2_motion"
    version = "2"
    kinds = frozenset({MediaKind.CLIP})
    reference = "Z. Zivkovic: Improved Adaptive Gaussian Mixture Model for Background Subtraction, ICPR 2004"
    Params: ClassVar[type] = Mog2MotionParams

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, facts, models)
        if params.region_left >= params.region_right or params.region_top >= params.region_bottom:
            raise PresetError("preset.region", left=params.region_left, top=params.region_top,
                              right=params.region_right, bottom=params.region_bottom)  # fmt: skip
        self._model: Any = None
        self._shot: int | None = None
        self._seen = 0

    def detect(self, frame: Frame) -> list[Detection]:
        """Boxes labelled `motion`, none during the warm-up."""
        import cv2

        params = self.params
        shot = None if frame.shot is None else frame.shot.number
        if self._model is None or shot != self._shot:
            self._model = cv2.createBackgroundSubtractorMOG2(params.history, params.var_threshold, False)
            self._shot, self._seen = shot, 0
        left, top, right, bottom = self._region(frame)
        seen = view(frame.pixels[top:bottom, left:right], params.max_side_px)
        # The first frame is the background until others are known.
        rate = 1.0 if self._seen == 0 else params.learning_rate
        mask = self._model.apply(seen.pixels, learningRate=rate)
        self._seen += 1
        if self._seen <= params.warm_up_frames:
            return []
        if params.open_px > 1:
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (params.open_px, params.open_px))
            mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel)
        height, width = frame.pixels.shape[:2]
        if cv2.countNonZero(mask) > params.max_moving_share * height * width * seen.scale**2:
            return []
        return ordered(self._regions(mask, seen.scale, left, top, frame))

    def _region(self, frame: Frame) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in px of the frame; at least one px each way."""
        height, width = frame.pixels.shape[:2]
        left, top = (
            min(round(share * side), side - 1)
            for share, side in ((self.params.region_left, width), (self.params.region_top, height))
        )
        right, bottom = round(self.params.region_right * width), round(self.params.region_bottom * height)
        return left, top, max(right, left + 1), max(bottom, top + 1)

    def _regions(
        self, mask: Any, scale: float, left: int, top: int, frame: Frame
    ) -> Iterator[Detection | None]:
        import cv2

        count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        for number in range(1, count):
            x, y, width, height, area = (int(v) for v in stats[number])
            if area >= self.params.min_area_px:
                box = (x + left * scale, y + top * scale, width, height)
                yield placed("motion", box, area / (width * height), scale, frame.pixels)
