"""Faces on tracks: where a track's face lies in a frame, how it comes and goes, and its change averaged over time.

Nothing here ever takes from one track for another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from playe_assets.core.tracks import Seen
from playe_assets.core.values import StreamFacts
from playe_assets.inference.faces.align import Matrix
from playe_assets.inference.faces.found import Face, Floats

COMPARED_PX = 33
"""Side of the window, px of the 512 px template, over which two frames of a face are compared: half an eye."""
_SWAPPED = (5, 6, 7, 8)
"""EXIF orientations that exchange the sides."""


@dataclass(frozen=True)
class Part:
    """One track's face in one frame, on the template."""

    matrix: Matrix
    crop: Floats
    change: Floats
    """What the network would change, (512, 512, c)."""
    share: float
    """0..1, how much of it the limits let through."""


def upright_size(facts: StreamFacts) -> tuple[int, int]:
    """(width, height) of the upright source frame, in whose px tracks lie."""
    if facts.orientation in _SWAPPED:
        return facts.height, facts.width
    return facts.width, facts.height


def on_frame(seen: Seen, upright: tuple[int, int], size: tuple[int, int]) -> Face:
    """Where the track's face lies in a frame that steps brought to `size` (width, height); px centres are whole."""
    across, down = (now / then if then else 1.0 for now, then in zip(size, upright, strict=True))
    points = tuple(((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5) for x, y in seen.landmarks)
    return Face(seen.x * across, seen.y * down, seen.width * across, seen.height * down, 1.0, points)


def limited(value: float, limit: float, soft: float) -> float:
    """0 below `limit`, 1 from `soft` x |limit| above it, linear between; a step where `soft` is 0."""
    room = soft * abs(limit)
    if room == 0.0:
        return float(value >= limit)
    return min(1.0, max(0.0, (value - limit) / room))


def faded(present: Sequence[bool], centre: int, frames: int) -> float:
    """1 where the track stands in all frames within `frames` of the `centre`, less the nearer it is to one without.

    Frames beyond the window's ends (a cut, the clip's first and last) do not count against it.
    """
    nearest = min((abs(i - centre) for i, there in enumerate(present) if not there), default=frames + 1)
    return min(1.0, nearest / (frames + 1))


def averaged(own: Part, others: Sequence[Part], agreement: float) -> tuple[Floats, int]:
    """The track's change at one frame, averaged with other frames of the same track, and how many took part.

    Another frame counts where its crop agrees with this one's, `agreement` in 8-bit units of mean difference over
    33 px of the template: where the face turned, spoke or was covered, each frame keeps its own.
    """
    import cv2

    total, weight = own.change.copy(), np.ones(own.change.shape[:2], np.float32)
    used = 1
    for other in others:
        apart = 255.0 * np.abs(other.crop - own.crop).mean(axis=2)
        apart = cv2.blur(apart, (COMPARED_PX, COMPARED_PX), borderType=cv2.BORDER_REFLECT)
        share = np.clip(2.0 - apart / agreement, 0.0, 1.0).astype(np.float32)
        if share.any():
            total += other.change * share[:, :, np.newaxis]
            weight += share
            used += 1
    return total / weight[:, :, np.newaxis], used
