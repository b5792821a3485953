"""Each frame of a clip with its neighbours of the same shot: what every step over time walks along.

What is given out depends on the window alone, so a pass that starts `radius` frames before a segment gives
the segment's frames the same windows as a pass from the clip's first frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from playe_assets.core.contracts import Frame


class Held(Protocol):
    """A frame with whatever a step keeps beside it."""

    @property
    def frame(self) -> Frame:
        """The frame itself."""
        ...


T = TypeVar("T", bound=Held)


def same_shot(one: Frame, other: Frame) -> bool:
    """Whether no known cut lies between two frames; where nobody looked for cuts there is none."""
    return one.shot is None or other.shot is None or one.shot.number == other.shot.number


def windows(items: Iterable[T], radius: int) -> Iterator[tuple[tuple[T, ...], int]]:
    """For each item those of its shot within `radius` to each side, and its own place among them.

    At most 2 * radius + 1 items are held; an item is given out as soon as `radius` later ones are known.
    """
    held: deque[T] = deque(maxlen=2 * radius + 1)
    centre = 0  # place in `held` of the next item to give out
    for item in items:
        if len(held) == held.maxlen:
            centre -= 1
        held.append(item)
        if len(held) - centre > radius:
            yield _around(held, centre, radius)
            centre += 1
    while centre < len(held):
        yield _around(held, centre, radius)
        centre += 1


def _around(held: deque[T], centre: int, radius: int) -> tuple[tuple[T, ...], int]:
    first = last = centre
    while first > max(0, centre - radius) and same_shot(held[first - 1].frame, held[first].frame):
        first -= 1
    while last < min(len(held) - 1, centre + radius) and same_shot(held[last].frame, held[last + 1].frame):
        last += 1
    return tuple(held[i] for i in range(first, last + 1)), centre - first
