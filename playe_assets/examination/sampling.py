"""Which frames a detector looks at: motion decides the rate between two bounds, by exact time stamps."""

from __future__ import annotations

from fractions import Fraction

from playe_assets.core.presets import DetectorUse


class Sampling:
    """One detector's sampling of one clip; depends on time stamps and the survey only."""

    def __init__(self, every: Fraction, still_every: Fraction, moving_share: float) -> None:
        self.every = every
        """Seconds between samples while something moves."""
        self.still_every = still_every
        """Seconds between samples while nothing does."""
        self.moving_share = moving_share
        self._last: Fraction | None = None
        self._moved = False

    def takes(self, at: Fraction, motion_share: float, starts_shot: bool) -> bool:
        """Whether the frame at `at` seconds after the first is sampled; to be asked for every frame in order.

        Yes for a shot's first frame, `still_every` after the last sample, and `every` after it where the
        scene moved in any frame since.
        """
        self._moved = self._moved or motion_share >= self.moving_share
        since = None if self._last is None else at - self._last
        # A clock that goes back (recordings joined end to end) says nothing of how long ago the last look was.
        due = since is None or since < 0 or since >= self.still_every or (self._moved and since >= self.every)
        if not due and not starts_shot:
            return False
        self._last, self._moved = at, False
        return True


def sampling_of(use: DetectorUse, moving_share: float) -> Sampling:
    """As the preset says."""
    return Sampling(Fraction(str(use.every_s)), Fraction(str(use.still_every_s)), moving_share)
