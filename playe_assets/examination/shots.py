"""Where a clip is cut, by PySceneDetect's content detector fed with our own pixels and frame numbers.

Its own filter against flashes drops cuts near the clip's ends and near each other, across which frames would
then be fused; so it is off, and a flash is told by the scene that comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from playe_assets.core.presets import Shots
from playe_assets.core.tracks import Shot
from playe_assets.media.survey import Survey

if TYPE_CHECKING:
    from playe_assets.examination.survey import Looked, Small

REFERENCE = (
    "B. Castellano: PySceneDetect, ContentDetector (HSV, luma weights 1, 1, 1), github.com/Breakthrough"
)
_ANY_RATE = Fraction(25)
"""Only frame numbers are asked of PySceneDetect, never a time, so its rate says nothing."""


BLUR_PX = 5
"""Side of the mean over the small copy before it is compared, so that noise is no change; of the means every
second one each way is taken."""
COLOURLESS = 16
"""8-bit units between the largest and least of R, G and B up to which a px counts as grey: its hue would be
noise. Measured: of a dark grey scene with noise of sigma 5 every frame was a cut without this."""
METHOD = {"blur_px": BLUR_PX, "colourless": COLOURLESS}
"""The figures above as the manifest states them."""


class ContentScore:
    """Change from picture to picture, 0..255: the greater of PySceneDetect's content value (hue, saturation and
    brightness alike) and its value of brightness alone, which grey scenes need."""

    def __init__(self, threshold: float) -> None:
        from scenedetect.detectors import ContentDetector

        self.threshold = threshold
        self._detectors: tuple[Any, ...] = tuple(
            ContentDetector(threshold=threshold, min_scene_len=0, luma_only=luma_only)
            for luma_only in (False, True)
        )
        self._count = 0

    def score(self, small: Small) -> float:
        """Against the picture before, 0 for the first; `small` is (h, w, 3) RGB, all of one size."""
        from scenedetect.common import FrameTimecode

        picture, at = quiet_bgr(small), FrameTimecode(self._count, _ANY_RATE)
        for detector in self._detectors:
            detector.process_frame(at, picture)
        self._count += 1
        # The only other way to the figure is a table of every frame in memory, with edges that nobody reads.
        return max(float(detector._frame_score) for detector in self._detectors)

    def alike(self, one: Small, other: Small) -> bool:
        """Whether no cut would be seen between these two."""
        fresh = ContentScore(self.threshold)
        fresh.score(one)
        return fresh.score(other) < self.threshold


def quiet_bgr(small: Small) -> Small:
    """BGR as PySceneDetect wants it, half as high and wide, noise averaged and colourless px made grey."""
    import cv2

    mean = np.ascontiguousarray(cv2.blur(small, (BLUR_PX, BLUR_PX))[::2, ::2])
    grey: Any = cv2.cvtColor(mean, cv2.COLOR_RGB2GRAY)[:, :, np.newaxis]
    spread = mean.max(axis=2, keepdims=True) - mean.min(axis=2, keepdims=True)
    found: Small = np.ascontiguousarray(np.where(spread <= COLOURLESS, grey, mean)[:, :, ::-1])
    return found


@dataclass(frozen=True)
class InShot:
    """A looked-at frame whose shot is settled."""

    looked: Looked
    shot: int
    starts: bool
    """It is the first frame of its shot."""


def in_shots(frames: Iterable[Looked], change: ContentScore, wanted: Shots) -> Iterator[InShot]:
    """The frames in order, each with its shot; at most `min_frames` + 1 are held back.

    A score of `threshold` or more begins a shot, unless a frame like the last one before the change comes
    within `min_frames` (a flash), and no such change came as shortly before (cameras that take turns are
    cuts). A fade is a cut only where one of its frames changes that much. At the clip's end an unsettled
    change is a cut: what is never fused can do no harm.
    """
    shot, began = 0, False
    held: list[Looked] = []
    before: Looked | None = None
    last: int | None = None
    for looked in frames:
        changed = looked.row.cut_score >= wanted.threshold
        number = looked.row.frame
        if held:
            held.append(looked)
            if before is not None and change.alike(before.small, looked.small):
                yield from (InShot(item, shot, False) for item in held)
                held, last = [], number
            elif len(held) > wanted.min_frames:
                for settled in _cut(held, shot, wanted.threshold):
                    shot = settled.shot
                    yield settled
                last = max(h.row.frame for h in held if h.row.cut_score >= wanted.threshold)
                held = []
        elif changed and (last is None or number - last > wanted.min_frames):
            held = [looked]
            continue  # `before` stays the last frame of the settled scene
        else:
            if changed:
                shot, last = shot + 1, number
            yield InShot(looked, shot, changed or not began)
            began = True
        if not held:
            before = looked
    yield from _cut(held, shot, wanted.threshold)


def _cut(held: list[Looked], shot: int, threshold: float) -> Iterator[InShot]:
    for item in held:
        starts = item.row.cut_score >= threshold
        shot += starts
        yield InShot(item, shot, starts)


def shots_of(starts: list[int], survey: Survey) -> tuple[Shot, ...]:
    """The shots that begin at the frames `starts`, with the medians of their frames; none of no frames."""
    if not starts:
        return ()
    luma, noise = (np.asarray(survey.numbers(name)) for name in ("luma_mean", "noise_sigma"))
    ends = [*starts[1:], len(survey)]
    return tuple(
        Shot(n, first, end - 1, _median(luma[first:end]), _median(noise[first:end]))
        for n, (first, end) in enumerate(zip(starts, ends, strict=True))
    )


def _median(values: Any) -> float:
    return round(float(np.median(values)), 4)
