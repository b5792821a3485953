"""What metrics compare: an exhibit's frames beside those of its derivative, each with the frame before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import zip_longest
from typing import TYPE_CHECKING

from playe_assets.core.contracts import Enhancer, Frame, Pair, Pixels
from playe_assets.core.errors import IntegrityError
from playe_assets.core.tracks import Shot
from playe_assets.core.values import Derivative, Detection, Exhibit, MediaKind, StreamFacts
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.detect import facts_of
from playe_assets.examination.measure_found import Found
from playe_assets.examination.stage import Stage
from playe_assets.media.clip import read_clip
from playe_assets.media.ledger_columns import read_ledger_columns
from playe_assets.media.photo import read_photo
from playe_assets.media.pixel_digest import frame_sha256

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SAME_MOMENT_S = Fraction(1, 200)
"""Half a frame at 100 frames a second: containers round one moment differently, Matroska as most programs write it to
1 ms, and by less than this."""


@dataclass(frozen=True)
class Compared:
    """One pair with its place in the clip; 0 and None for a photograph."""

    pair: Pair
    frame: int = 0
    pts: int = 0
    shot: int | None = None


@dataclass(frozen=True)
class Sides:
    """The three pictures or clips that belong together."""

    exhibit: Exhibit
    derivative: Derivative
    reference: Exhibit | None
    ledger: Derivative | None = None
    """The derivative's time ledger, against which its frames are held as they are read."""

    @property
    def truth(self) -> Exhibit | None:
        """The reference where it can be read as one."""
        known = self.reference
        if known is None or known.facts is None or known.media is not self.exhibit.media:
            return None
        return known


def _nobody() -> None:
    """Nobody counts the frames."""


def pairs_of(
    stage: Stage, sides: Sides, found: Found, every_s: float, advance: Callable[[], object] = _nobody
) -> Iterator[Compared]:
    """The pairs to measure: a photograph's one; of a clip the first frame, one every `every_s`, and the last.

    Frames of a clip come upright, with the frame just before in the same shot as `previous`. Both clips are
    decoded once, side by side; no more than two frames of each are held. `advance` is called for every frame
    of a clip that was read, measured or not.

    Raises:
        IntegrityError: exhibit and derivative do not have as many frames, or the derivative's frames are not
            those that were written.
    """
    if sides.exhibit.media is MediaKind.PHOTO:
        yield Compared(_photo(stage, sides, found.faces.get(0, ())))
    else:
        yield from _clip(stage, sides, found, Fraction(str(every_s)), advance)


def _photo(stage: Stage, sides: Sides, faces: tuple[Detection, ...]) -> Pair:
    truth = None
    facts, known = facts_of(sides.exhibit), sides.truth
    if known is not None:
        truth = _turn(facts_of(known)).frame(read_photo(stage.store.path(known.sha256), known.facts).pixels)
    before = _turn(facts).frame(read_photo(stage.store.path(sides.exhibit.sha256), facts).pixels)
    return Pair(before, read_photo(stage.store.path(sides.derivative.sha256)).pixels, truth, faces)


def _turn(facts: StreamFacts) -> Enhancer:
    return ENHANCERS.get("orient")(None, facts)


def _clip(
    stage: Stage, sides: Sides, found: Found, every: Fraction, advance: Callable[[], object]
) -> Iterator[Compared]:
    exhibit, facts = sides.exhibit, facts_of(sides.exhibit)
    turn, base = _turn(facts), Fraction(facts.time_base or "1/1000")
    with ExitStack() as stack:
        before_clip = stack.enter_context(read_clip(stage.store.path(exhibit.sha256), facts))
        after_clip = stack.enter_context(read_clip(stage.store.path(sides.derivative.sha256)))
        truths = _truths(stage, sides.truth, stack)
        written = _written(stage, sides.ledger)
        shots = _Shots(found.shots)
        first: int | None = None
        due = Fraction(0)
        held: Compared | None = None
        told = True
        for before, after in zip_longest(before_clip, after_clip):
            if before is None or after is None:
                raise IntegrityError(
                    "measure.frame_counts", exhibit=exhibit.number, derivative=sides.derivative.number
                )
            if written is not None and frame_sha256(after.pixels) != written[before.index].tobytes().hex():
                raise IntegrityError("measure.frame_changed", exhibit=exhibit.number,
                                     derivative=sides.derivative.number, frame=before.index)  # fmt: skip
            known = next(truths, None)
            first = before.pts if first is None else first
            at = (before.pts - first) * base
            # A reference shows the same moments or it is none: another time is not compared.
            truth = known.pixels if known is not None and abs(known.at - at) <= _SAME_MOMENT_S else None
            shot = shots.of(before.index)
            last = held.pair if held is not None and held.shot == shot else None
            pair = Pair(before.pixels, after.pixels, truth, found.faces.get(before.index, ()),
                        previous=None if last is None else replace(last, previous=None))  # fmt: skip
            held, told = Compared(pair, before.index, before.pts, shot), False
            if at >= due:
                due = every * (at // every + 1)
                yield _upright(held, turn, found)
                told = True
            advance()
        if held is not None and not told:
            yield _upright(held, turn, found)


def _written(stage: Stage, ledger: Derivative | None) -> npt.NDArray[np.uint8] | None:
    """The digest of each frame as it was handed to the encoder, (n, 32) raw bytes."""
    if ledger is None or ledger.suffix != ".parquet":
        return None
    return read_ledger_columns(stage.store.get_bytes(ledger.sha256)).output_sha256


def _upright(compared: Compared, turn: Enhancer, found: Found) -> Compared:
    """Only frames that are measured are turned."""
    pair, last = compared.pair, compared.pair.previous
    if last is not None:
        last = replace(last, exhibit=turn.frame(last.exhibit))
    pair = replace(
        pair,
        exhibit=turn.frame(pair.exhibit),
        previous=last,
        tracks=found.tracks(compared.frame, compared.pts),
    )
    return replace(compared, pair=pair)


class _Shots:
    """Number of the shot of frames that are asked for in rising order."""

    def __init__(self, shots: Sequence[Shot]) -> None:
        self._left = iter(sorted(shots, key=lambda s: s.first_frame))
        self._now: Shot | None = next(self._left, None)

    def of(self, frame: int) -> int | None:
        """None where nobody looked for cuts."""
        while self._now is not None and frame > self._now.last_frame:
            self._now = next(self._left, None)
        return self._now.number if self._now is not None and frame >= self._now.first_frame else None


@dataclass(frozen=True)
class _Timed:
    """An upright frame with its time in seconds after the first."""

    at: Fraction
    pixels: Pixels


def _truths(stage: Stage, reference: Exhibit | None, stack: ExitStack) -> Iterator[_Timed]:
    if reference is None:
        return iter(())
    clip = stack.enter_context(read_clip(stage.store.path(reference.sha256), reference.facts))
    return _timed(clip, facts_of(reference))


def _timed(frames: Iterable[Frame], facts: StreamFacts) -> Iterator[_Timed]:
    turn = _turn(facts)
    base = Fraction(facts.time_base or "1/1000")
    first: int | None = None
    for frame in frames:
        first = frame.pts if first is None else first
        yield _Timed((frame.pts - first) * base, turn.frame(frame.pixels))
