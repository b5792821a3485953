"""What the tests of steps over time share: cuts, summaries of per-frame numbers, and the window-pure check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from playe_assets.core.contracts import Enhancer, Frame
from playe_assets.core.tracks import Shot


def with_cut(frames: Sequence[Frame], cut: int | None) -> list[Frame]:
    """`frames` in two shots, the second from frame `cut`; without shots where it is None."""
    if cut is None:
        return list(frames)
    shots = (Shot(0, 0, cut - 1), Shot(1, cut, len(frames) - 1))
    return [dataclasses.replace(f, shot=shots[f.index >= cut]) for f in frames]


def summary(cls: type[Enhancer], frames: Sequence[Frame]) -> dict[str, float]:
    """One value a name over the frames that have it, as `summaries` says."""
    how = {"mean": np.mean, "max": np.max, "sum": np.sum}
    found = {}
    for name, over in cls.summaries.items():
        values = [f.numbers[name] for f in frames if name in f.numbers]
        if values:
            found[name] = float(how[over](values))
    return found


def assert_same(one: Frame, other: Frame) -> None:
    """Every bit of two frames, of what stands beside them and of their numbers."""
    assert one.index == other.index and one.pts == other.pts and one.kind == other.kind
    assert one.fused_from == other.fused_from and one.shot == other.shot
    assert np.array_equal(one.pixels, other.pixels), one.index
    assert one.side.keys() == other.side.keys()
    for name in one.side:
        assert np.array_equal(one.side[name], other.side[name]), (one.index, name)
    assert dict(one.numbers) == dict(other.numbers), one.index


def assert_window_pure(make: Callable[[], Enhancer], source: Sequence[Frame], reach: int) -> None:
    """At every border: a pass over a part with `reach` frames more on each side gives the whole pass's bits."""
    whole = list(make().stream(iter(source)))
    assert [f.index for f in whole] == [f.index for f in source]
    for border in range(1, len(source)):
        # The segment before the border and the one after it, each of three frames.
        for first, last in ((max(0, border - 3), border), (border, min(len(source), border + 3))):
            start, stop = max(0, first - reach), min(len(source), last + reach)
            for made in make().stream(iter(source[start:stop])):
                if first <= made.index < last:
                    assert_same(made, whole[made.index])
