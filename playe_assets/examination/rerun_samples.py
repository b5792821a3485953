"""How far two pictures or two clips are apart, sample by sample; frames pass one by one, memory is flat."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from playe_assets.examination.stage import Progress, Words

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from playe_assets.core.contracts import Pixels

_STRIP_PX = 1 << 21
"""Samples are compared so many px at a time."""
_SAY_EVERY = 50


@dataclass(frozen=True)
class Apart:
    """How far two pictures or clips are apart, in units of 1/255 of full range."""

    most: float
    mean: float
    frames_differing: int
    first_frame: int | None


class _Running:
    def __init__(self) -> None:
        self.most = 0.0
        self.sums: list[float] = []
        self.count = self.frames = self.differing = 0
        self.first: int | None = None

    def add(self, one: Pixels, other: Pixels) -> bool:
        """Adds a frame of each; False where they are not of one shape."""
        import numpy as np

        if one.shape != other.shape or one.dtype != other.dtype:
            return False
        unit = np.iinfo(one.dtype).max / 255
        most, rows = 0, max(1, _STRIP_PX // max(1, one.shape[1]))
        for top in range(0, one.shape[0], rows):
            apart = _difference(one[top : top + rows], other[top : top + rows])
            most = max(most, int(apart.max(initial=0)))
            self.sums.append(float(apart.sum(dtype=np.int64)) / unit)
        if len(self.sums) > 4096:
            self.sums = [math.fsum(self.sums)]
        self.count += one.size
        if most:
            self.differing += 1
            self.first = self.frames if self.first is None else self.first
        self.frames += 1
        self.most = max(self.most, most / unit)
        return True

    def told(self) -> Apart:
        return Apart(self.most, math.fsum(self.sums) / max(1, self.count), self.differing, self.first)


def _difference(one: Pixels, other: Pixels) -> npt.NDArray[np.int32]:
    import numpy as np

    return np.abs(one.astype(np.int32) - other.astype(np.int32))


def pictures_apart(one: Path, other: Path) -> Apart | None:
    """Two pictures, sample by sample; None where they are not of one size and depth.

    Raises:
        UndecodableError, EvidenceLimitError: one of them cannot be read.
    """
    from playe_assets.media.photo import read_photo

    running = _Running()
    return running.told() if running.add(read_photo(one).pixels, read_photo(other).pixels) else None


def clips_apart(one: Path, other: Path, progress: Progress, number: str) -> Apart | None:
    """Two clips, frame by frame; None where they have not the same number of frames of one size and depth.

    Raises:
        UndecodableError: one of them cannot be read.
    """
    from playe_assets.media.clip import read_clip

    running = _Running()
    with read_clip(one) as before, read_clip(other) as after:
        for mine, theirs in zip_longest(before, after):
            if mine is None or theirs is None or not running.add(mine.pixels, theirs.pixels):
                return None
            if running.frames % _SAY_EVERY == 0:
                progress(Words("rerun.comparing", derivative=number), running.frames, running.frames + 1)
    return running.told()


def samples_of(path: Path, picture: bool) -> str:
    """The digest of the samples that a file gives back, as reports state it for pictures and for clips.

    Raises:
        UndecodableError, EvidenceLimitError: it cannot be read.
    """
    from playe_assets.media.clip import read_clip
    from playe_assets.media.photo import read_photo
    from playe_assets.media.pixel_digest import frame_sha256, frames_sha256, pixel_sha256

    if picture:
        return pixel_sha256(read_photo(path).pixels)
    with read_clip(path) as frames:
        return frames_sha256(frame_sha256(frame.pixels) for frame in frames)
