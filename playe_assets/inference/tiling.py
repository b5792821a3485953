"""How a picture is cut into tiles and put together again, and how cutting, running and joining overlap in time.

Everything is in px of the network's input until `Mosaic`, which works in px of its output. Nothing here knows
pixels' dtype or colour.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from playe_assets.core.errors import GovernanceError

if TYPE_CHECKING:
    from playe_assets.inference.contract import Tensor

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

HALO, OVERLAP, NONE = "halo", "overlap", "none"
IN_FLIGHT = 2
"""Batches that are prepared ahead, and batches that wait to be joined: enough to hide both behind the run."""


@dataclass(frozen=True)
class Axis:
    """One side of the picture: tiles of one length, their starts, and where each hands over to the next."""

    length: int
    """px, padded to the network's multiple."""
    tile: int
    """px; at most `length`."""
    starts: tuple[int, ...]
    """Multiples of the network's multiple, so that strided layers fall on the same grid in every tile. The first
    is 0 and the last ends at `length`: the network's own zero padding acts at true edges of the picture only."""
    handovers: tuple[int, ...]
    """First px of the ramp between tile k and k + 1, in the middle of what both cover."""
    ramp: int
    """px over which the two are mixed; 1 in halo mode, where both are the same."""


@dataclass(frozen=True)
class Tile:
    """One tile: its row and column in the layout, its upper left corner in px."""

    row: int
    column: int
    y: int
    x: int


@dataclass(frozen=True)
class Layout:
    """A picture's tiles, all of one shape (`y.tile`, `x.tile`)."""

    height: int
    width: int
    mode: str
    border: int
    """px that neighbours share at least, see `shared_px`."""
    y: Axis
    x: Axis

    @property
    def tiles(self) -> list[Tile]:
        """Row by row, as `Mosaic.add` wants them."""
        return [
            Tile(i, j, top, left)
            for i, top in enumerate(self.y.starts)
            for j, left in enumerate(self.x.starts)
        ]

    @property
    def computed(self) -> int:
        """px that the network sees in all tiles together."""
        return len(self.y.starts) * len(self.x.starts) * self.y.tile * self.x.tile


def up(value: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is not below `value`."""
    return -(-value // multiple) * multiple


def shared_px(mode: str, border: int, multiple: int) -> int:
    """px that neighbouring tiles share, at least: the border in overlap mode; in halo mode twice the border and one
    px, so that there is a px at which both have their border whole and must agree.
    """
    return up(2 * border + 1 if mode == HALO else max(1, border), multiple)


def smallest_tile(mode: str, border: int, multiple: int) -> int:
    """The least side of a tile, px: something is left between its borders, and ramps do not meet."""
    shared = shared_px(mode, border, multiple)
    spare = max(multiple, up(16, multiple))
    return shared + spare if mode == HALO else 3 * shared + 2 * spare


def layout(
    height: int,
    width: int,
    mode: str,
    tile: int,
    border: int,
    multiple: int,
    fixed: bool = True,
    whole_tiles: bool = False,
) -> Layout:
    """The tiles of a picture of `height` x `width` px.

    `fixed`: tiles are squares of `tile` px (one compiled shape for all large pictures); else rectangles of no
    more than `tile` x `tile` px in area, chosen so that the fewest px are computed twice. A side that is
    shorter than a tile is taken whole, padded to `multiple` only: padding it to a full tile would move the
    network's own edge away from the picture's and change the pixels there. `whole_tiles` does that all the same,
    for networks that are built for one size of input (masks and embeddings of transformers).

    Raises:
        GovernanceError: the tile is too small for its border.
    """
    high, wide = up(height, multiple), up(width, multiple)
    if mode == NONE:
        whole = (Axis(high, high, (0,), (), 0), Axis(wide, wide, (0,), (), 0))
        return Layout(height, width, mode, 0, *whole)
    shared = shared_px(mode, border, multiple)
    least = smallest_tile(mode, border, multiple)
    side = tile // multiple * multiple
    if side < least and (high > side or wide > side):
        raise GovernanceError("models.tile_too_small", tile=tile, border=border, least=least)
    if whole_tiles:
        high, wide = max(high, side), max(wide, side)
    sides = (side, side) if fixed or whole_tiles else _best(high, wide, side, shared, least, multiple)
    ramp = 1 if mode == HALO else shared
    axes = [_axis(n, min(n, s), shared, ramp, multiple) for n, s in zip((high, wide), sides, strict=True)]
    return Layout(height, width, mode, shared, *axes)


def _best(high: int, wide: int, side: int, shared: int, least: int, multiple: int) -> tuple[int, int]:
    """Height and width of the tile of at most side x side px in area with the fewest px computed in all."""
    found: tuple[int, int, int, int] | None = None
    for rows in range(1, 2 * math.ceil(high / max(1, side - shared)) + 2):
        tall = high if rows == 1 else up(math.ceil((high - shared) / rows), multiple) + shared
        if rows > 1 and tall < least:
            break
        room = side * side // tall // multiple * multiple
        if wide <= room:
            columns, broad = 1, wide
        elif room < least:
            continue
        else:
            columns = math.ceil((wide - shared) / (room - shared))
            broad = min(room, max(least, up(math.ceil((wide - shared) / columns), multiple) + shared))
        computed = rows * columns * tall * broad
        candidate = (computed, rows * columns, tall, broad)
        found = min(found, candidate) if found else candidate
    return found[2:] if found else (side, side)


def _axis(length: int, tile: int, shared: int, ramp: int, multiple: int) -> Axis:
    if tile >= length:
        return Axis(length, length, (0,), (), ramp)
    count = math.ceil((length - shared) / (tile - shared))
    units = (length - tile) // multiple
    starts = tuple(k * units // (count - 1) * multiple for k in range(count))
    handovers = tuple((a + tile + b - ramp + 1) // 2 for a, b in itertools.pairwise(starts))
    return Axis(length, tile, starts, handovers, ramp)


def reflected(start: int, count: int, length: int) -> slice | np.ndarray[Any, np.dtype[np.intp]]:
    """Indices `start` .. `start + count` of a side of `length` px, mirrored about its last px beyond it."""
    if start + count <= length:
        return slice(start, start + count)
    period = max(1, 2 * (length - 1))
    folded = np.arange(start, start + count) % period
    return np.minimum(folded, period - folded)


class Mosaic:
    """Joins the tiles' outputs in the order of `Layout.tiles`, and hands finished blocks to `write`.

    It holds one strip of `ramp` rows over the whole width and one of `ramp` columns over a tile, never the
    picture. Where two tiles meet, both values are compared before they are mixed: `seam_max` and `seam_mean`
    are on the scale of the values (0..1).
    """

    def __init__(
        self, plan: Layout, scale: int, channels: int, write: Callable[[int, int, Tensor], None]
    ) -> None:
        self.plan = plan
        self.scale = scale
        self.write = write
        self.seam_max = 0.0
        self._sum = 0.0
        self._count = 0
        self._row = -1
        strip = (
            (channels, plan.y.ramp * scale, plan.x.length * scale) if len(plan.y.starts) > 1 else (0, 0, 0)
        )
        self._above = np.empty(strip, np.float32)
        self._below = np.empty(strip, np.float32)
        self._left = np.empty((0, 0, 0), np.float32)
        self._weights_y = self._weights(plan.y.ramp)[:, None]
        self._weights_x = self._weights(plan.x.ramp)

    @property
    def seam_mean(self) -> float:
        """Mean difference of neighbouring tiles where they meet; 0 where there is one tile."""
        return self._sum / self._count if self._count else 0.0

    def add(self, tile: Tile, values: Tensor) -> None:
        """Take the output of `tile`: float32 (channels, height, width) in output px; it may be overwritten."""
        if tile.row != self._row:
            self._above, self._below = self._below, self._above
            self._row = tile.row
        s, x, y = self.scale, self.plan.x, self.plan.y
        left, right = self._span(x, tile.column)
        near = x.ramp * s
        part = values[:, :, left - tile.x * s : right - tile.x * s]
        if tile.column:
            part[:, :, :near] = self._mix(self._left, part[:, :, :near], self._weights_x)
        if tile.column < len(x.starts) - 1:
            self._left = values[:, :, right - tile.x * s : right - tile.x * s + near].copy()
        top, bottom = self._span(y, tile.row)
        block = part[:, top - tile.y * s : bottom - tile.y * s]
        deep = y.ramp * s
        if tile.row:
            block[:, :deep] = self._mix(self._above[:, :, left:right], block[:, :deep], self._weights_y)
        if tile.row < len(y.starts) - 1:
            first = bottom - tile.y * s
            self._below[:, :, left:right] = part[:, first : first + deep]
        rows, columns = self.plan.height * s - top, self.plan.width * s - left
        if rows > 0 and columns > 0:
            self.write(top, left, block[:, :rows, :columns])

    def _span(self, axis: Axis, k: int) -> tuple[int, int]:
        """First and end output px that tile k finishes: from its ramp to the next tile's."""
        first = axis.handovers[k - 1] * self.scale if k else 0
        last = axis.handovers[k] if k < len(axis.handovers) else axis.length
        return first, last * self.scale

    def _weights(self, ramp: int) -> Tensor:
        """Share of the later tile, raised cosine; 1 throughout in halo mode, where its border is complete."""
        count = ramp * self.scale
        if self.plan.mode != OVERLAP:
            return np.ones(count, np.float32)
        middle = (np.arange(count) + 0.5) / max(1, count)
        return (0.5 - 0.5 * np.cos(np.pi * middle)).astype(np.float32)

    def _mix(self, earlier: Tensor, later: Tensor, weights: Tensor) -> Tensor:
        difference = later - earlier
        if difference.size:
            size = np.abs(difference)
            self.seam_max = max(self.seam_max, float(size.max()))
            self._sum += float(size.sum(dtype=np.float64))
            self._count += size.size
        if self.plan.mode != OVERLAP:
            return later
        return earlier + difference * weights


def batches(items: Sequence[A], size: int) -> Iterator[list[A]]:
    """`items` in order, `size` at a time; the last may be shorter."""
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def pipelined(
    items: Sequence[A], prepare: Callable[[A], B], run: Callable[[B], C], finish: Callable[[A, C], None]
) -> None:
    """`finish(run(prepare(item)))` for all, in order: preparing and finishing have a thread each, `run` has this one.

    At most `IN_FLIGHT` items are prepared ahead and as many wait to be finished. The first error ends it, after
    what is under way has stopped; nothing is left running.
    """
    if len(items) < 2:  # nothing to hide, and a thread costs more than a small tile
        for item in items:
            finish(item, run(prepare(item)))
        return
    with ThreadPoolExecutor(1, "tiles-cut") as before, ThreadPoolExecutor(1, "tiles-join") as after:
        ahead: deque[Future[B]] = deque()
        behind: deque[Future[None]] = deque()
        coming = iter(items)
        try:
            for item in items:
                while len(ahead) < IN_FLIGHT and (following := next(coming, None)) is not None:
                    ahead.append(before.submit(prepare, following))
                result = run(ahead.popleft().result())
                while len(behind) >= IN_FLIGHT:
                    behind.popleft().result()
                behind.append(after.submit(finish, item, result))
                del result
            while behind:
                behind.popleft().result()
        finally:
            for waiting in ahead:
                waiting.cancel()
            for unfinished in behind:
                unfinished.cancel()
