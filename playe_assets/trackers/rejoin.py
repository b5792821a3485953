"""Re-identification: pieces of one thing joined over gaps and cuts by what they look like, or left apart."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts_tracks import Look, Trail
from playe_assets.trackers.kalman import side_of


class RejoinParams(Protocol):
    """What the joining is bound by; the tracker's own parameters carry these."""

    @property
    def rejoin_gap_s(self) -> float:
        """The longest absence, s; 0 joins nothing."""
        ...

    @property
    def rejoin_similarity(self) -> float:
        """The least similarity of the two mean appearances, 0..1."""
        ...

    @property
    def rejoin_margin(self) -> float:
        """By how much every rival must be less similar."""
        ...

    @property
    def rejoin_size_ratio(self) -> float:
        """How many times the median side may differ."""
        ...

    @property
    def rejoin_members(self) -> int:
        """Findings that each piece needs at least: one look alone is no appearance."""
        ...


@dataclass
class _Piece:
    members: tuple[tuple[int, int], ...]
    start: Fraction
    end: Fraction
    place: tuple[float, ...]
    """The first box and its score."""
    look: npt.NDArray[np.float64]
    """Mean appearance, length 1."""
    side: float
    """Median side of its boxes, px."""
    weight: int
    rejoined: int = 0

    def joined(self, later: _Piece) -> _Piece:
        both = self.weight + later.weight
        side = (self.side * self.weight + later.side * later.weight) / both
        look = _unit(self.look * self.weight + later.look * later.weight)
        return replace(self, members=self.members + later.members, end=later.end, look=look, side=side,
                       weight=both, rejoined=self.rejoined + 1)  # fmt: skip


def rejoin(trails: Sequence[Trail], looks: Sequence[Look], params: RejoinParams) -> list[Trail]:
    """`trails` with those joined that are one thing without doubt, by first member.

    A piece is joined to the one earlier piece that looks most like it, unless a rival comes within the margin:
    another earlier piece, or another piece that was there at the same time as it and must be something else.
    Of two things that look alike neither is joined: a wrong claim of sameness is worse than two numbers.
    """
    fit: list[Trail] = []
    unfit: list[Trail] = []
    for trail in trails:
        usable = (
            len(trail.members) >= params.rejoin_members and len(looks[trail.members[0][0]].appearance) > 0
        )
        (fit if usable and params.rejoin_gap_s > 0 else unfit).append(trail)
    # Pieces that begin together come by place: the order of findings within a look must not matter.
    pieces = sorted((_piece(t, looks) for t in fit), key=lambda p: (p.start, p.place))
    starts = [p.start for p in pieces]
    chains: list[_Piece] = []
    waiting: list[int] = []  # chains that may still be continued
    gap = Fraction(str(params.rejoin_gap_s))
    for number, piece in enumerate(pieces):
        waiting = [c for c in waiting if piece.start - chains[c].end <= gap]
        earlier = [c for c in waiting if chains[c].end < piece.start]
        chosen = _choice(piece, [chains[c] for c in earlier], pieces, starts, number, params)
        if chosen is None:
            chains.append(piece)
            waiting.append(len(chains) - 1)
        else:
            chains[earlier[chosen]] = chains[earlier[chosen]].joined(piece)
    return sorted([*unfit, *(Trail(c.members, c.rejoined) for c in chains)], key=lambda t: t.members[0])


def _choice(
    piece: _Piece,
    earlier: list[_Piece],
    pieces: list[_Piece],
    starts: list[Fraction],
    number: int,
    params: RejoinParams,
) -> int | None:
    """Position in `earlier` of the one that `piece` continues without doubt."""
    alike = [_alike(one, piece, params) for one in earlier]
    good = [n for n, value in enumerate(alike) if value >= params.rejoin_similarity]
    if not good:
        return None
    best = max(good, key=lambda n: (alike[n], -n))
    least = alike[best] - params.rejoin_margin
    if any(value > least for n, value in enumerate(alike) if n != best):
        return None
    # Rivals of the piece itself: what began since the other was last seen and was there together with the piece.
    for place in range(bisect_right(starts, earlier[best].end), len(pieces)):
        other = pieces[place]
        if other.start > piece.end:
            break
        together = place != number and other.end >= piece.start
        if together and _alike(earlier[best], other, params) > least:
            return None
    return best


def _alike(one: _Piece, other: _Piece, params: RejoinParams) -> float:
    """Similarity 0..1, 0 where their sizes do not fit; rounded, so that last bits of a sum decide nothing."""
    if max(one.side, other.side) > params.rejoin_size_ratio * min(one.side, other.side):
        return 0.0
    return round(float((one.look * other.look).sum()), 6)


def _piece(trail: Trail, looks: Sequence[Look]) -> _Piece:
    shown = [looks[p].appearance[i].astype(np.float64) for p, i in trail.members]
    side = float(np.median([side_of(looks[p].found[i]) for p, i in trail.members]))
    first, last = looks[trail.members[0][0]], looks[trail.members[-1][0]]
    box = first.found[trail.members[0][1]]
    return _Piece(
        members=trail.members,
        start=first.time,
        end=last.time,
        place=(box.x, box.y, box.width, box.height, box.score),
        look=_unit(np.sum(shown, axis=0)),
        side=side,
        weight=len(shown),
    )


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.sqrt((vector * vector).sum()))
    return vector / length if length else vector
