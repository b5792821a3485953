"""Where a clip is cut into segments: a function of its frames and the preset alone, so every machine agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playe_assets.core.presets import Segments


@dataclass(frozen=True)
class Segment:
    """Consecutive frames that are worked and kept together."""

    number: int
    """1 upward."""
    first_frame: int
    last_frame: int
    """Inclusive, by the container's promise; the clip's last segment takes whatever else decodes."""
    last: bool = False
    """Nothing comes after it."""

    @property
    def frames(self) -> int:
        """How many it holds by the container's promise."""
        return self.last_frame - self.first_frame + 1


def frames_of(width: int, height: int, params: Segments) -> int:
    """Frames a segment: as many as hold `params.megapixels` of the stored frame, within the two bounds."""
    fitting = int(params.megapixels * 1_000_000 // max(1, width * height))
    return max(params.min_frames, min(params.max_frames, fitting))


def segments_of(frames: int, width: int, height: int, params: Segments) -> tuple[Segment, ...]:
    """The segments of a clip of `frames` frames (the rows of its source ledger), `width` x `height` px as stored.

    All have the same length; a last one shorter than `params.min_frames` joins the one before. At least one.
    """
    each = frames_of(width, height, params)
    starts = list(range(0, max(1, frames), each))
    if len(starts) > 1 and frames - starts[-1] < params.min_frames:
        starts.pop()
    ends = [*(s - 1 for s in starts[1:]), max(1, frames) - 1]
    return tuple(
        Segment(n, first, last, n == len(starts))
        for n, (first, last) in enumerate(zip(starts, ends, strict=True), 1)
    )


def runs_of(segments: Sequence[Segment]) -> list[list[Segment]]:
    """`segments`, in order, split where one between is not among them: each run is one pass over the clip."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if runs and runs[-1][-1].number + 1 == segment.number:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs
