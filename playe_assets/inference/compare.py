"""The tests of a certificate: differences from the reference, finite, not black, colour mean; and their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from playe_assets.inference.cards import ModelCard
    from playe_assets.inference.contract import Tensor

_SPAN = {"0..1": 1.0, "0..255": 255.0, "-1..1": 2.0}


@dataclass(frozen=True)
class Thresholds:
    """Largest allowed values, all on the scale 0..1."""

    max_difference: float
    """At any one sample."""
    mean_difference: float
    """Over one tile."""
    colour_difference: float
    """Of the mean of one channel over one tile: a cast that no single pixel would betray."""


POLICY = {
    # fp32 engines only sum in another order: a quarter of one level never changes an 8-bit sample by more than one.
    "fp32": Thresholds(0.25 / 255, 1e-4, 0.05 / 255),
    # 10 bits of mantissa through tens of layers; a flat field is off by 0.06 levels before the first and again
    # after the last.
    "fp16": Thresholds(2 / 255, 0.25 / 255, 0.2 / 255),
    # 7 bits of mantissa: a flat field is off by up to half a level before the first layer. Of the real networks
    # tried, Real-ESRGAN general (6.7 and 0.97 levels) and RLFN (25 and 0.45) fail, animevideov3 (3.2, 0.53) passes.
    "bf16": Thresholds(4 / 255, 0.75 / 255, 0.5 / 255),
}
"""By precision of the target."""


@dataclass(frozen=True)
class TileResult:
    """One golden tile, engine against reference; differences are null where the engine was not finite."""

    name: str
    max_difference: float | None
    mean_difference: float | None
    colour_difference: float | None
    """Null also where no output is a picture (detectors)."""
    finite: bool
    black: bool
    """The engine's picture is black and the reference's is not."""


def compared(
    name: str,
    given: Tensor,
    found: Sequence[Tensor],
    expected: Sequence[Tensor],
    spans: Sequence[float],
    card: ModelCard,
) -> TileResult:
    """The outputs of engine and reference for one input, all outputs together, the worst of each measure.

    Pictures are compared on the scale of the card's range, or on the reference's own span where that is
    larger; other outputs relative to the reference's span. `spans` are those of each output over all tiles
    (`spans_of`): on a flat tile alone a detector has hardly any. An output that is missing or of another
    shape counts as not finite.
    """
    same = len(found) == len(expected) and all(
        a.shape == b.shape for a, b in zip(found, expected, strict=True)
    )
    finite = same and all(bool(np.isfinite(array).all()) for array in found)
    if not finite:
        return TileResult(name, None, None, None, False, False)
    worst = mean = 0.0
    colour: float | None = None
    black = False
    for ours, theirs, span in zip(found, expected, spans, strict=True):
        if theirs.size == 0:
            continue
        picture = is_picture(given, theirs, card)
        scale = max(span, _SPAN[card.input.range]) if picture else span
        difference = (ours.astype(np.float64) - theirs) / scale
        worst = max(worst, float(np.abs(difference).max()))
        mean = max(mean, float(np.abs(difference).mean()))
        if picture:
            cast = float(np.abs(difference.mean(axis=(0, 2, 3))).max())
            colour = max(colour or 0.0, cast)
            black = black or (_is_black(ours, card) and not _is_black(theirs, card))
    return TileResult(name, worst, mean, colour, True, black)


def spans_of(outputs: Sequence[Sequence[Tensor]]) -> list[float]:
    """Largest less smallest value of each output over all tiles; 1 for an output that is constant or empty."""
    spans = []
    for same in zip(*outputs, strict=True):
        filled = [array for array in same if array.size]
        span = max((float(a.max()) for a in filled), default=0) - min(
            (float(a.min()) for a in filled), default=0
        )
        spans.append(span or 1.0)
    return spans


def reasons(tiles: Sequence[TileResult], limits: Thresholds) -> tuple[str, ...]:
    """What failed, as `tile: test`, such as `text: max_difference 0.02 > 0.0078`."""
    found: list[str] = []
    for tile in tiles:
        if not tile.finite:
            found.append(f"{tile.name}: not finite, or not the reference's outputs")
        if tile.black:
            found.append(f"{tile.name}: black")
        for measure in ("max_difference", "mean_difference", "colour_difference"):
            value, limit = getattr(tile, measure), getattr(limits, measure)
            if value is not None and value > limit:
                found.append(f"{tile.name}: {measure} {value:.3g} > {limit:.3g}")
    return tuple(found)


def flat_shift(given: Tensor, found: Tensor, card: ModelCard) -> float:
    """How far the mean of a channel moved on a flat field, in levels of 255; 0 where the output is no picture."""
    if not is_picture(given, found, card) or given.shape[1] != found.shape[1]:
        return 0.0
    span = _SPAN[card.input.range]
    low = -1.0 if card.input.range == "-1..1" else 0.0
    shown = np.clip((found.astype(np.float64) - low) / span, 0, 1).mean(axis=(0, 2, 3))
    sent = ((given.astype(np.float64) - low) / span).mean(axis=(0, 2, 3))
    moved = float(np.abs(shown - sent).max()) * 255
    return moved if np.isfinite(moved) else 0.0


def is_picture(given: Tensor, output: Tensor, card: ModelCard) -> bool:
    """Whether `output` has the size of the input times the card's scale, and 1 or 3 channels."""
    if output.ndim != 4 or output.shape[1] not in (1, 3):
        return False
    return output.shape[2:] == (given.shape[2] * card.scale, given.shape[3] * card.scale)


def _is_black(picture: Tensor, card: ModelCard) -> bool:
    """No sample above one level of 255."""
    low = -1.0 if card.input.range == "-1..1" else 0.0
    return float(picture.max()) <= low + _SPAN[card.input.range] / 255
