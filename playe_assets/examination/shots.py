"""Where a clip is cut, by PySceneDetect's content detector fed with our own pixels and frame numbers.

Its own filter against flashes drops cuts near the clip's ends and near each other, across which frames would
then be fused; so it is off, and a flash is told by the scene that comes back.
"""

from __future__ import annotations

from collections import deque
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


SCORE_PX = 64
"""Longer side at most of what is compared; it is made of the small copy by averaging whole blocks of px."""
BLUR_PX = 5
"""Side of the mean over that before it is compared: both, so that noise is no change. Measured on a clip of
384 px with noise of sigma 33 in brightness and colour: a score of 1.5, of 31 on a copy of 192 px."""
COLOURLESS = 16
"""8-bit units between the largest and least of R, G and B up to which a px counts as grey: its hue would be
noise. Measured: of a dark grey scene with noise of sigma 5 every frame was a cut without this."""
STANDS_OUT = 1.5
"""A change is believed where it is this many times what the calmest quarter of the frames around it changes by."""
METHOD = {"score_px": SCORE_PX, "blur_px": BLUR_PX, "colourless": COLOURLESS, "stands_out": STANDS_OUT}
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
    """BGR as PySceneDetect wants it, at most `SCORE_PX` long, noise averaged and colourless px made grey."""
    import cv2

    height, width = small.shape[:2]
    factor = min(-(-max(height, width) // SCORE_PX), height, width)
    tall, wide = height // factor, width // factor
    mean: Any = cv2.resize(
        small[: tall * factor, : wide * factor], (wide, tall), interpolation=cv2.INTER_AREA
    )
    mean = cv2.blur(mean, (BLUR_PX, BLUR_PX))
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
    """The frames in order, each with its shot; at most 2 * `min_frames` + 1 are held back.

    A believed change (see `believed`) begins a shot, unless a frame like the last one before the change comes
    within `min_frames` (a flash), and no such change came as shortly before (cameras that take turns are
    cuts). A fade is a cut only where one of its frames changes that much. At the clip's end an unsettled
    change is a cut: what is never fused can do no harm.
    """
    shot, began = 0, False
    held: list[tuple[Looked, bool]] = []
    before: Looked | None = None
    last: int | None = None
    for looked, changed in believed(frames, wanted):
        number = looked.row.frame
        if held:
            held.append((looked, changed))
            if before is not None and change.alike(before.small, looked.small):
                yield from (InShot(item, shot, False) for item, _ in held)
                held, last = [], number
            elif len(held) > wanted.min_frames:
                last = max(item.row.frame for item, starts in held if starts)
                for settled in _cut(held, shot):
                    shot = settled.shot
                    yield settled
                held = []
        elif changed and (last is None or number - last > wanted.min_frames):
            held = [(looked, True)]
            continue  # `before` stays the last frame of the settled scene
        else:
            if changed:
                shot, last = shot + 1, number
            yield InShot(looked, shot, changed or not began)
            began = True
        if not held:
            before = looked
    yield from _cut(held, shot)


def _cut(held: list[tuple[Looked, bool]], shot: int) -> Iterator[InShot]:
    for item, starts in held:
        shot += starts
        yield InShot(item, shot, starts)


def believed(frames: Iterable[Looked], wanted: Shots) -> Iterator[tuple[Looked, bool]]:
    """The frames in order, each with whether a cut may lie before it; up to `min_frames` are held back.

    That is a score of `threshold` or more which stands out: where hardly a frame of those within `min_frames`
    to each side changes less, every frame of a run would be a shot of its own, and what makes it so (noise,
    flicker, a picture that breaks up) is no cut.
    """
    waiting: deque[Looked] = deque()
    behind: deque[float] = deque(maxlen=wanted.min_frames)
    began = False

    def settled(item: Looked) -> tuple[Looked, bool]:
        nonlocal began
        score, ahead = item.row.cut_score, [w.row.cut_score for w in waiting]
        stands = score >= wanted.threshold and score >= STANDS_OUT * _calmest([*behind, *ahead])
        if began:  # the clip's first frame has no frame before it: its score does not say that it is calm
            behind.append(score)
        began = True
        return item, stands

    for looked in frames:
        waiting.append(looked)
        while waiting and (waiting[0].row.cut_score < wanted.threshold or len(waiting) > wanted.min_frames):
            yield settled(waiting.popleft())
    while waiting:
        yield settled(waiting.popleft())


def _calmest(scores: list[float]) -> float:
    """Their lower quartile, one of them; 0 of none."""
    return sorted(scores)[len(scores) // 4] if scores else 0.0


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
