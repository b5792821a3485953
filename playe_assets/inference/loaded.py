"""A model as plug-ins see it: pictures go through tile by tile, with what that did kept for the record."""

from __future__ import annotations

import functools
import hashlib
import math
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from playe_assets.core.errors import GovernanceError, OutOfMemoryError
from playe_assets.core.values import AiClass
from playe_assets.inference import colour, tiling, windowed
from playe_assets.inference.architectures import fixed_side_of
from playe_assets.inference.contract import Network, Session, Target

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels
    from playe_assets.inference.cards import ModelCard
    from playe_assets.inference.contract import Tensor

Shape = tuple[int, int, int, int]
Opener = Callable[[Network, Target, Shape], Session]

BATCH_CPU, BATCH_DEVICE = 1, 4
"""Tiles a run: a processor is full with one; a GPU has idle time between small kernels."""
IN_MEMORY = 2 << 30
"""Bytes of an output picture above which it lies in a scratch file and not in memory: 200 Mpx at x4 are 9.6 GB."""

_TURNS: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@dataclass
class _Measured:
    tiles: int = 0
    seam_max: float = 0.0
    seam_mean: float = 0.0
    low_pass: float = 0.0


class LoadedModel:
    """`core.contracts.Model` over one network on one target.

    `picture` and `batch` may be called from several threads; `measured` then speaks of whichever picture ended
    last. A tile that was halved for want of memory stays halved, for this object's next pictures too.
    """

    def __init__(
        self,
        network: Network,
        target: Target,
        approval: Mapping[str, Any] | None = None,
        certificate: str | None = None,
        *,
        batch: int = 0,
        tile: int = 0,
        low_pass_px: int | None = None,
        scratch: Path | None = None,
        open_session: Opener | None = None,
    ) -> None:
        """`batch`: tiles a run, 0 for the device's default. `tile`: px, 0 for the card's.

        `low_pass_px`: radius of the colour correction (`colour.low_passed`), 0 for none; null takes
        `low_pass_px` of the card's `hyper`, and none where it has none. `scratch`: folder for output pictures
        beyond `IN_MEMORY` bytes; null takes the system's. `open_session` stands in for `sessions.session`.
        """
        self.network = network
        self.target = target
        self.approval = None if approval is None else dict(approval)
        self.certificate = certificate
        self.scratch = scratch
        card = network.card
        self._batch = batch or (BATCH_CPU if target.device == "cpu" else BATCH_DEVICE)
        self._tile = tile or card.tiling.tile
        self._low_pass = int(card.hyper.get("low_pass_px", 0)) if low_pass_px is None else low_pass_px
        self._border = card.tiling.border + colour.low_pass_reach(self._low_pass)
        self._open = open_session or _cached_session
        self._lock = threading.Lock()
        self._halved = 0
        self._shape: Shape | None = None
        self._last = _Measured()

    @property
    def name(self) -> str:
        """The model card."""
        return self.network.card.name

    @property
    def ai_class(self) -> AiClass:
        """How much it may invent."""
        return self.network.card.ai_class

    @property
    def scale(self) -> int:
        """Output px per input px along one side."""
        return self.network.card.scale

    def picture(self, pixels: Pixels) -> Pixels:
        """The network over a whole picture, tiled: (h, w, 1 or 3) uint8 or uint16 in, the same dtype out.

        The result's shape is (h * scale, w * scale, channels). Tiles go to the device a batch at a time; the
        memory beside the two pictures is a few batches and one strip over the width, whatever the height.
        A card whose tiling is `none` sees the picture whole, in one run. A network that is built for one size
        sees full tiles only (a smaller picture is mirrored up to one), and its tile is never halved.

        Raises:
            OutOfMemoryError: not even the smallest tile fits.
            GovernanceError: NaN or infinity in the output, or an output of another shape than the card says.
        """
        return self._worked([pixels], 0.0)

    def window(self, frames: Sequence[Pixels], noise: float) -> Pixels:
        """A network over frames (`windowed`): the middle one, tiled as `picture` tiles one; raises the same.

        Raises:
            GovernanceError: there are not as many frames as the card says, or not all of one shape and dtype.
        """
        expected = windowed.frames_of(self.network.card)
        kinds = {(f.shape, f.dtype) for f in frames}
        if len(frames) != expected or len(kinds) != 1:
            raise GovernanceError("models.window", name=self.name, found=len(frames), expected=expected,
                                  kinds=len(kinds))  # fmt: skip
        return self._worked(frames, noise)

    def _worked(self, frames: Sequence[Pixels], noise: float) -> Pixels:
        height, width, channels = frames[0].shape
        out = self._canvas((height * self.scale, width * self.scale, channels), frames[0].dtype)
        while True:
            tile = self._tile
            plan = self._plan(height, width, tile)
            try:
                self._run(frames, noise, out, plan)
            except OutOfMemoryError:
                if not self._halve(tile, plan):
                    raise
                # From the start, so that every pixel comes from the tile that the record names.
            else:
                return out

    def batch(self, *inputs: Tensor) -> list[Tensor]:
        """The network as it is: float32 NCHW in, its outputs in the graph's order."""
        ready = [np.ascontiguousarray(item, np.float32) for item in inputs]
        self._shape = _four(ready[0].shape)
        return self._in_turn(self._session(self._shape), ready)

    def measured(self) -> dict[str, float]:
        """What the last `picture` measured, in levels of 255 where the key says so.

        `tiles`; `tile_halvings`; `seam_max_255` and `seam_mean_255`, the difference of neighbouring tiles where
        they meet, before they are mixed; `low_pass_max_255`, the largest colour correction.
        """
        last = self._last
        found = {"tiles": float(last.tiles), "tile_halvings": float(self._halved)}
        if last.tiles > 1:
            found |= {"seam_max_255": last.seam_max * 255, "seam_mean_255": last.seam_mean * 255}
        if self._low_pass:
            found["low_pass_max_255"] = last.low_pass * 255
        return found

    def facts(self) -> dict[str, Any]:
        """For the record: `model`, `runtime`, `precision`, `tiling`, `certificate`."""
        card = self.network.card
        side = self._tile or 256
        runtime = self._session(self._shape or (1, windowed.samples_of(card), side, side)).facts
        digest = card.sha256 or hashlib.sha256(self.network.weights).hexdigest()
        return {
            "model": {
                "name": card.name,
                "version": card.version,
                "weights_sha256": digest,
                "blended_sha256": self._blended or None,
                "licence": card.licence,
                "approval": self.approval,
            },
            "variant": dict(self.network.variant),
            "runtime": runtime.plain,
            "precision": runtime.precision,
            "tiling": {
                "mode": card.tiling.mode,
                "tile": self._tile,
                "border": self._border,
                "batch": self._batch,
                "shape": None if self._shape is None else list(self._shape),
                "halved": self._halved,
                "low_pass_px": self._low_pass,
            },
            "certificate": self.certificate,
        }

    @functools.cached_property
    def _blended(self) -> dict[str, str]:
        """By card, sha256 of the further weights that the variant blends in: who withdraws those finds the case."""
        return {k: hashlib.sha256(data).hexdigest() for k, data in sorted(self.network.others.items())}

    def _plan(self, height: int, width: int, tile: int) -> tiling.Layout:
        card = self.network.card
        # An engine that is compiled for a shape sees one shape; on a processor the least work is better.
        fixed = self.target.device != "cpu"
        return tiling.layout(
            height,
            width,
            card.tiling.mode,
            tile,
            self._border,
            card.input.multiple_of,
            fixed=fixed,
            whole_tiles=one_size(card),
        )

    def _run(self, frames: Sequence[Pixels], noise: float, out: Pixels, plan: tiling.Layout) -> None:
        card, scale, pixels = self.network.card, self.scale, frames[len(frames) // 2]
        facts, channels = card.input, pixels.shape[2]
        rounds = list(tiling.batches(plan.tiles, self._batch))
        full = min(self._batch, len(plan.tiles)) if self.target.device == "cpu" else self._batch
        repeats = channels if facts.order == "grey" else 1
        shape = (full * repeats, windowed.samples_of(card), plan.y.tile, plan.x.tile)
        session = self._session(shape)
        seen = _Measured(tiles=len(plan.tiles))

        def write(y: int, x: int, block: Tensor) -> None:
            colour.quantised(block, out[y : y + block.shape[1], x : x + block.shape[2]])

        mosaic = tiling.Mosaic(plan, scale, channels, write)

        def cut(tiles: list[tiling.Tile]) -> Tensor:
            # A last batch that is not full is filled up where the engine is compiled for its size.
            given = tiles + tiles[-1:] * ((full if shape[0] > repeats else 1) - len(tiles))
            cuts = ([_cut(frame, plan, tile) for frame in frames] for tile in given)
            return np.concatenate([windowed.given(each, noise, card) for each in cuts])

        def join(tiles: list[tiling.Tile], output: Tensor) -> None:
            expected = (plan.y.tile * scale, plan.x.tile * scale)
            if output.ndim != 4 or output.shape[2:] != expected:
                raise GovernanceError("models.output_shape", name=self.name, found=str(output.shape),
                                      expected=str(expected))  # fmt: skip
            for k, tile in enumerate(tiles):
                part = output[k * repeats : (k + 1) * repeats]
                values = colour.from_network(part, facts, channels, self.name)
                if self._low_pass:
                    given = colour.to_unit(_cut(pixels, plan, tile))
                    values, largest = colour.low_passed(values, given, scale, self._low_pass)
                    seen.low_pass = max(seen.low_pass, largest)
                mosaic.add(tile, values)

        with session.held():
            tiling.pipelined(rounds, cut, lambda ready: self._in_turn(session, [ready])[0], join)
        seen.seam_max, seen.seam_mean = mosaic.seam_max, mosaic.seam_mean
        self._last, self._shape = seen, shape

    def _halve(self, tile: int, plan: tiling.Layout) -> bool:
        """Halve the tile that did not fit; False where it is the smallest already."""
        card = self.network.card
        multiple = card.input.multiple_of
        least = tiling.smallest_tile(card.tiling.mode, self._border, multiple)
        # A picture smaller than the card's tile was tried whole.
        seen = tiling.up(math.isqrt(plan.y.tile * plan.x.tile), multiple)
        tried = tile if len(plan.tiles) > 1 else min(tile, seen)
        if plan.mode == tiling.NONE or tried <= least or one_size(card):
            return False
        with self._lock:
            if self._tile == tile:  # else another thread has halved it
                self._tile = max(least, tried // 2 // multiple * multiple)
                self._halved += 1
        return True

    def _canvas(self, shape: tuple[int, ...], dtype: Any) -> Pixels:
        if math.prod(shape) * np.dtype(dtype).itemsize <= IN_MEMORY:
            return np.empty(shape, dtype)
        # The name is gone at once; the space is given back when the array is.
        with tempfile.TemporaryFile(dir=self.scratch) as handle:
            return np.memmap(handle, dtype, "w+", shape=shape)

    def _in_turn(self, session: Session, ready: list[Tensor]) -> list[Tensor]:
        """One run at a time on a device: two would share its cores and both be late (docs/adr/0010)."""
        with _TURNS[self.target.device]:
            return session.run(ready)

    def _session(self, shape: Shape) -> Session:
        return self._open(self.network, self.target, shape)


def one_size(card: ModelCard) -> bool:
    """Whether the network is built for the card's tile and takes no other size."""
    return card.tiling.tile > 0 and fixed_side_of(card) is not None


def _cut(pixels: Pixels, plan: tiling.Layout, tile: tiling.Tile) -> Pixels:
    """The tile's pixels; beyond the picture's lower and right edge they are mirrored (padding to the multiple)."""
    rows = tiling.reflected(tile.y, plan.y.tile, plan.height)
    columns = tiling.reflected(tile.x, plan.x.tile, plan.width)
    return pixels[rows][:, columns]


def _four(shape: tuple[int, ...]) -> Shape:
    n, c, h, w = shape if len(shape) == 4 else (*shape, 1, 1, 1, 1)[:4]
    return n, c, h, w


def _cached_session(network: Network, target: Target, shape: Shape) -> Session:
    from playe_assets.inference import sessions

    return sessions.session(network, target, shape)
