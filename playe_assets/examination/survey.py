"""Measures every decoded frame of a clip once, on small copies: brightness, noise, motion, change against the
frame before. Nothing here changes a pixel of a derivative; steps and sampling decide by these figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Frame, Pixels
from playe_assets.enhancers.luma import planes
from playe_assets.enhancers.noise_level import BLOCK_PX, noise_sigma
from playe_assets.examination.shots import ContentScore
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.survey import SurveyRow

SMALL_PX = 320
"""Longer side of the small copy at most; it is made by averaging whole blocks of pixels."""
NOISE_BLOCKS = 1536
"""Blocks of 8 x 8 px at the frame's own resolution in which noise is looked for, in bands spread over it."""
LEAST_CHANGE = 6.0
"""8-bit units by which a px of the small copy must differ to move: above what coders do to a still scene."""
MOST_CHANGE = 24.0
"""Where most of the picture moves, its own differences may not raise the bar above this."""
CHANGE_SIGMAS = 5.0
"""Bar in standard deviations of the small copy's differences, by their median: noise alone does not pass."""
_SIGMA_OF_MEDIAN = 1.4826
METHOD = {
    "small_px": SMALL_PX,
    "noise_blocks": NOISE_BLOCKS,
    "least_change": LEAST_CHANGE,
    "most_change": MOST_CHANGE,
    "change_sigmas": CHANGE_SIGMAS,
}
"""The figures above as the manifest states them."""

Small = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Looked:
    """A frame with its row and its small copy, (h, w, 3) RGB, 8 bit."""

    frame: Frame
    row: SurveyRow
    small: Small


class Surveyor:
    """Looks at the frames of one clip in order."""

    def __init__(self, change: ContentScore) -> None:
        self._change = change
        self._grey: Small | None = None

    def look(self, frame: Frame) -> Looked:
        """The frame's row; its change is against the frame that was looked at before."""
        import cv2

        small = small_copy(frame.pixels)
        grey: Small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        motion = 0.0 if self._grey is None else moving_share(self._grey, grey)
        self._grey = grey
        row = SurveyRow(
            frame=frame.index,
            pts=frame.pts,
            sha256=frame_sha256(frame.pixels),
            luma_mean=float(grey.mean()),
            noise_sigma=sampled_noise(frame.pixels),
            motion_share=motion,
            cut_score=self._change.score(small),
            corrupt=frame.corrupt,
        )
        return Looked(frame, row, small)


def small_copy(pixels: Pixels) -> Small:
    """(h, w, 3) 8-bit RGB whose px are means of k x k px, k the least that keeps `SMALL_PX`; grey is repeated.

    What does not fill a block at the right and lower border is left out.
    """
    import cv2

    height, width = pixels.shape[:2]
    factor = min(-(-max(height, width) // SMALL_PX), height, width)
    tall, wide = height // factor, width // factor
    found: Any = pixels[: tall * factor, : wide * factor]
    if factor > 1:
        found = cv2.resize(found, (wide, tall), interpolation=cv2.INTER_AREA).reshape(tall, wide, -1)
    eight = found if found.dtype == np.uint8 else (found >> 8).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(eight, 3, axis=2) if eight.shape[2] == 1 else eight)


def moving_share(before: Small, now: Small) -> float:
    """Share of px, 0..1, that differ between two small grey copies (h, w) by more than noise and coding do.

    A change of all brightness alike (exposure, a coder's key frame) is taken away first, by the median; the
    differences are averaged over 3 x 3 px, and a px moves where that is beyond `CHANGE_SIGMAS` of them,
    within `LEAST_CHANGE` and `MOST_CHANGE`.
    """
    import cv2

    if before.shape != now.shape:
        return 1.0
    apart = now.astype(np.float32) - before
    apart -= np.median(apart)
    smooth = np.abs(cv2.blur(apart, (3, 3)))
    bar = CHANGE_SIGMAS * _SIGMA_OF_MEDIAN * float(np.median(smooth))
    beyond = np.count_nonzero(smooth > min(max(bar, LEAST_CHANGE), MOST_CHANGE))
    return float(beyond) / float(smooth.size)


def sampled_noise(pixels: Pixels) -> float:
    """`noise_sigma` of luma over bands of the frame that hold at most `NOISE_BLOCKS` blocks (or one band)."""
    height, width = pixels.shape[:2]
    bands = height // BLOCK_PX
    taken = min(bands, max(1, NOISE_BLOCKS // max(1, width // BLOCK_PX)))
    if taken and taken < bands:
        starts = [i * bands // taken * BLOCK_PX for i in range(taken)]
        pixels = np.concatenate([pixels[s : s + BLOCK_PX] for s in starts])
    sigma: float = noise_sigma(planes(pixels)[:, :, :1])
    return sigma
