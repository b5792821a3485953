"""ByteTrack as the package ultralytics runs it (AGPL-3.0, extra `yolo`), behind the same fence as its detector."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from playe_assets.inference.ultralytics_fence import fenced, load

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class _Found:
    """What its tracker takes: boxes as centre and size in px, scores, classes; indexed by a mask."""

    xywh: npt.NDArray[np.float32]
    conf: npt.NDArray[np.float32]
    cls: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, chosen: Any) -> _Found:
        return _Found(self.xywh[chosen], self.conf[chosen], self.cls[chosen])


class ByteTracker:
    """One run of BYTETracker over looks of one shot; camera motion is not compensated."""

    def __init__(
        self, *, high: float, low: float, new: float, match: float, buffer: int, fuse_score: bool
    ) -> None:
        """Thresholds of the score, of the cost of a match, and how many looks a lost track is kept.

        Raises:
            MissingResourceError: the extra `yolo` is absent.
        """
        tracker = _tracker_class()
        settings = SimpleNamespace(track_high_thresh=high, track_low_thresh=low, new_track_thresh=new,
                                   match_thresh=match, track_buffer=buffer, fuse_score=fuse_score)  # fmt: skip
        with fenced():
            self._tracker = tracker(settings)

    def look(self, boxes: Sequence[Sequence[float]], scores: Sequence[float]) -> list[tuple[int, int]]:
        """(its number of the track, position of the box) for each box that a track took in this look.

        `boxes` are rows of centre x, centre y, width, height in px; new tracks that wait for a second look to
        be confirmed are among them.
        """
        rows = np.array(boxes, np.float32).reshape(-1, 4)
        found = _Found(rows, np.array(scores, np.float32), np.zeros(len(rows), np.float32))
        with fenced():
            self._tracker.update(found)
        now = self._tracker.frame_id
        return sorted(
            (int(t.track_id), int(t.idx)) for t in self._tracker.tracked_stracks if t.frame_id == now
        )


def package_version() -> str:
    """The version of ultralytics that is installed."""
    return str(load().__version__)


def _tracker_class() -> Any:
    load()
    with fenced(), _assignment_by_scipy():
        from ultralytics.trackers.byte_tracker import BYTETracker

    return BYTETracker


@contextmanager
def _assignment_by_scipy() -> Iterator[None]:
    """While its matching is imported, `lap` is our stand-in: one function, answered by scipy.

    The package would install the compiled `lap` by itself. The stand-in is taken where `lap` is there too, so
    that ties fall alike in every laboratory.
    """
    stand_in = types.ModuleType("lap")
    stand_in.__dict__.update(__version__="0 (scipy)", lapjv=lapjv)
    before = sys.modules.get("lap")
    sys.modules["lap"] = stand_in
    try:
        yield
    finally:
        del sys.modules["lap"]
        if before is not None:
            sys.modules["lap"] = before


def lapjv(
    cost: npt.NDArray[Any], extend_cost: bool = True, cost_limit: float = np.inf
) -> tuple[float, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The cheapest assignment in which each pair costs at most `cost_limit`: total, column of each row, row of each
    column, -1 for none. As `lap.lapjv` states it: leaving a row or a column alone costs half the limit.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = cost.shape
    whole = np.full((rows + columns, rows + columns), cost_limit / 2, np.float64)
    whole[rows:, columns:] = 0.0
    whole[:rows, :columns] = cost
    chosen = [(r, c) for r, c in zip(*linear_sum_assignment(whole), strict=True) if r < rows and c < columns]
    column_of, row_of = np.full(rows, -1, np.intp), np.full(columns, -1, np.intp)
    for row, column in chosen:
        column_of[row], row_of[column] = column, row
    return float(sum(cost[r, c] for r, c in chosen)), column_of, row_of
