"""Progress of a clip: frames done, rate and time left, as the terminal and Dagster's log show it."""

from __future__ import annotations

import time
from collections.abc import Callable

from playe_assets.examination.stage import Stage, Words

_SAY_EVERY_S = 0.5


class Pace:
    """Counts frames and tells the stage now and then; the rate is that of the frames worked, not of those reused."""

    def __init__(
        self,
        stage: Stage,
        what: Words,
        total: int,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stage = stage
        self.what = what
        self.total = total
        self.done = done
        self._clock = clock
        self._began = clock()
        self._first = done
        self._said = self._began

    def advance(self, frames: int = 1) -> None:
        """`frames` more are done."""
        self.done += frames
        now = self._clock()
        if now - self._said >= _SAY_EVERY_S:
            self._said = now
            self.stage.progress(self.words(now), self.done, max(self.total, self.done))

    def finish(self) -> None:
        """All of it is done, whatever the container promised."""
        self.stage.progress(self.words(self._clock()), self.done, self.done)

    def words(self, now: float) -> Words:
        """Such as `E001 frames 35.2 frames/s, 0:01:34 left`."""
        seconds, worked = now - self._began, self.done - self._first
        if worked <= 0 or seconds <= 0:
            return self.what
        rate = worked / seconds
        left = max(0, round((self.total - self.done) / rate))
        shown = f"{left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}"
        return Words("clips.pace", what=self.what, rate=f"{rate:.3g}", left=shown)
