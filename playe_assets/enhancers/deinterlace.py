"""Whole frames where the stream is interlaced; every other stream passes through untouched.

Fields are lines of the picture as it is stored, so this step comes before `orient`, which may turn lines
into columns, and before everything else that moves pixels or mixes frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from playe_assets.core.contracts import Enhancer, Frame, Pixels
from playe_assets.core.values import MediaKind
from playe_assets.enhancers.window import same_shot
from playe_assets.media.deinterlace import FIRST_FIELD, LEAST_HEIGHT, LEAST_WIDTH, FieldsToFrames


@dataclass(frozen=True)
class DeinterlaceParams:
    """None: interlacing and the order of fields are facts of the exhibit, not choices."""


class Deinterlace(Enhancer):
    """One frame for each, with its time: the field shown first keeps its lines, the others are interpolated.

    Half of the lines of a deinterlaced frame are interpolated (`interpolated_lines_share`), and what the
    second field alone shows, half a frame later, is not in it. A frame depends on the one before and the one
    after it; none is looked at across a cut or a corrupt frame, and corrupt frames stay as they are. Streams
    that are not interlaced, or whose order of fields is not known, pass through bit by bit.
    Each frame has its own source frame, so it is `fused`, never `interpolated`: `fused_from` grows by the
    neighbours that were looked at. A frame without any is made of itself alone and keeps its kind.
    """

    name = "deinterlace"
    version = "1"
    kinds = frozenset({MediaKind.CLIP})
    reference = (
        "FFmpeg libavfilter, bwdif (Bob Weaver deinterlacing filter); BBC R&D White Paper WHP 141, 2007"
    )
    Params: ClassVar[type] = DeinterlaceParams
    summaries: ClassVar[Mapping[str, str]] = {"deinterlaced": "sum", "interpolated_lines_share": "mean"}

    @classmethod
    def reach(cls, params: Any) -> int:
        """The frame before and the frame after."""
        return 1

    def frame(self, pixels: Pixels) -> Pixels:
        """A single picture stays as it is: its fields' order in time is not known."""
        return pixels.copy()

    def touched(self) -> bool:
        """Whether the stream is interlaced."""
        return self._applies

    @property
    def _applies(self) -> bool:
        return self.facts.interlaced and self.facts.field_order in FIRST_FIELD

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """At most two frames are held."""
        waiting: Frame | None = None  # its whole frame comes with its successor
        before = 0  # neighbours of the waiting frame, 0 or 1, on this side
        fields: FieldsToFrames | None = None
        for item in frames:
            if waiting is not None and fields is not None and not _joined(waiting, item):
                yield from _whole(waiting, fields.finish(), before)
                waiting = fields = None
            if not self._applies or item.corrupt or not _large_enough(item.pixels):
                yield replace(item, numbers={"deinterlaced": 0.0, "interpolated_lines_share": 0.0})
                continue
            fields = fields or FieldsToFrames(str(self.facts.field_order))
            found = fields.push(item.pixels)
            if waiting is not None:
                yield from _whole(waiting, found, before + 1)
            before = int(waiting is not None)
            waiting = item
        if waiting is not None and fields is not None:
            yield from _whole(waiting, fields.finish(), before)


def _large_enough(pixels: Pixels) -> bool:
    return bool(pixels.shape[0] >= LEAST_HEIGHT and pixels.shape[1] >= LEAST_WIDTH)


def _joined(before: Frame, item: Frame) -> bool:
    return bool(
        same_shot(before, item)
        and not item.corrupt
        and before.pixels.shape == item.pixels.shape
        and before.pixels.dtype == item.pixels.dtype
    )


def _whole(item: Frame, found: list[Pixels], neighbours: int) -> Iterator[Frame]:
    (pixels,) = found
    kept = (item.pixels.shape[0] + 1) // 2
    yield replace(
        item,
        pixels=pixels,
        kind="fused" if neighbours else item.kind,
        fused_from=item.fused_from + neighbours,
        numbers={"deinterlaced": 1.0, "interpolated_lines_share": 1.0 - kept / item.pixels.shape[0]},
    )
