"""Non-local means denoising of luma and chroma: each sample becomes an average of places that look alike."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import Enhancer, Frame, Pixels
from playe_assets.core.params import bounds
from playe_assets.enhancers.luma import planes, unit, with_delta


@dataclass(frozen=True)
class NlmParams:
    """Strengths are standard deviations of noise in 8-bit units, for either bit depth."""

    h_luma: float = bounds(0.0, 30.0, "8-bit units")
    """Filter strength on Y; 0 leaves it alone. About 0.8 times the noise's sigma keeps texture."""
    h_chroma: float = bounds(0.0, 30.0, "8-bit units")
    """Filter strength on Cr and Cb together; colour noise is coarser and hides less detail."""
    template_px: int = bounds(3, 11, "px", odd=True)
    """Side of the patches that are compared."""
    search_px: int = bounds(5, 35, "px", odd=True)
    """Side of the square in which like patches are sought; time grows with its square."""
    clip_from_sigma: float = bounds(0.0, 50.0, "8-bit units")
    """Of clips: a shot whose noise is estimated lower is left as it is, and so is one without a known shot when this
    is above 0. Compressed recordings have lost their noise: there the step costs detail (docs/performance.md)."""


class NonLocalMeans(Enhancer):
    """OpenCV's fastNlMeansDenoising on Y and on (Cr, Cb); grey pictures on their one plane.

    8 bit: patch distance is the mean square (L2). 16 bit: OpenCV offers the mean absolute difference (L1)
    only; its h is multiplied by sqrt(2/pi), the ratio of the two for Gaussian noise, so that the same
    parameter means the same strength.
    """

    name = "nlm"
    version = "2"
    reference = "A. Buades, B. Coll, J.-M. Morel: Non-Local Means Denoising, IPOL 1 (2011), 208-212"
    Params: ClassVar[type] = NlmParams
    summaries: ClassVar[Mapping[str, str]] = {"applied": "mean"}

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Whole shots are denoised or left: a decision by the frame would flicker."""
        for item in frames:
            noise = item.shot.noise_sigma if item.shot else 0.0
            applied = noise >= self.params.clip_from_sigma
            pixels = self.frame(item.pixels) if applied else item.pixels
            yield replace(item, pixels=pixels, numbers={"applied": float(applied)})

    def frame(self, pixels: Pixels) -> Pixels:
        """`pixels` denoised, same shape and dtype."""
        import cv2

        before = planes(pixels)
        delta = np.zeros(before.shape, np.float32)
        luma = np.ascontiguousarray(before[:, :, 0])
        delta[:, :, 0] = cv2.subtract(self._denoised(luma, self.params.h_luma), luma, dtype=cv2.CV_32F)
        if before.shape[2] == 3:
            chroma = np.ascontiguousarray(before[:, :, 1:])
            after = self._denoised(chroma, self.params.h_chroma)
            delta[:, :, 1:] = cv2.subtract(after, chroma, dtype=cv2.CV_32F)
            return with_delta(pixels, delta)
        return with_delta(pixels, delta[:, :, 0])

    def _denoised(self, plane: Any, h: float) -> Any:
        import cv2

        if h == 0.0:
            return plane
        template, search = self.params.template_px, self.params.search_px
        if plane.dtype == np.uint8:
            return cv2.fastNlMeansDenoising(plane, [h], None, template, search, cv2.NORM_L2)
        strength = h * unit(plane) * math.sqrt(2.0 / math.pi)
        return cv2.fastNlMeansDenoising(plane, [strength], None, template, search, cv2.NORM_L1)
