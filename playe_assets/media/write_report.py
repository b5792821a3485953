"""What writing a clip did to its times and its size, for the record and the ledger."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from playe_assets.core.values import Reason
from playe_assets.media.ledger import WrittenRows, write_ledger
from playe_assets.media.matroska_clock import CLOCK


@dataclass
class WriteReport:
    """What was written; complete after the writer was closed."""

    rows: WrittenRows = field(default_factory=WrittenRows)
    """One a frame: source PTS, and `written_pts` in ticks of `written_time_base`."""
    written_time_base: Fraction = CLOCK
    pixel_sha256: str = ""
    """Of the frames as handed in (a lossless file gives them back, a viewing copy does not)."""
    width: int = 0
    height: int = 0
    encoder: dict[str, Any] = field(default_factory=dict)
    """Name, version and every option."""
    max_deviation_s: Fraction = Fraction(0)
    """Largest difference between a written and its source time, after `shift_s`, of frames whose source tick
    cannot be had back from the written one."""
    rounded: int = 0
    """Frames of which it cannot."""
    shift_s: Fraction = Fraction(0)
    """Added to every time because the container cannot hold times before zero."""
    moved: int = 0
    """Frames whose source time is not after the one before, moved to keep the order."""
    read_back: array[int] = field(default_factory=lambda: array("q"))
    """Of a viewing copy: each frame's tick of `written_time_base`, in order of time, as the finished file's packets
    give it back."""
    padded: tuple[int, int] = (0, 0)
    """Columns on the right and rows at the bottom that repeat the edge (viewing copy of an odd size)."""
    others: tuple[Reason, ...] = ()
    """Further deviations: audio that is not, or not exactly, carried; light that the coding cannot state."""

    def written(self, pts: int, base: Fraction, least_step: int) -> int:
        """The container's tick for source tick `pts`, at least `least_step` after the one before; counts what
        is not exact."""
        exact = (pts * base + self.shift_s) / self.written_time_base
        written = round(exact)
        floor = self.rows[-1].written_pts if self.rows else None
        if floor is not None and written < floor + least_step:
            self.moved += 1
            written = floor + least_step
        if self.recovered(written, base) != pts:
            self.rounded += 1
            deviation = abs(written - exact) * self.written_time_base
            self.max_deviation_s = max(self.max_deviation_s, deviation)
        return written

    def recovered(self, written: int, base: Fraction) -> int:
        """The source tick that a written one stands for."""
        return round((written * self.written_time_base - self.shift_s) / base)

    def ledger(self, time_base: Fraction) -> bytes:
        """The derivative's ledger; `time_base` is the source's."""
        return write_ledger(self.rows, time_base)

    def deviations(self) -> tuple[Reason, ...]:
        """What could not be carried over exactly, as reasons for the record."""
        found: list[Reason] = []
        if self.max_deviation_s:
            found.append(Reason("timing_rounded", {"max_us": float(round(self.max_deviation_s * 10**6, 3)),
                                                   "clock": str(self.written_time_base)}))  # fmt: skip
        if self.shift_s:
            found.append(Reason("timing_shifted", {"shift_s": str(self.shift_s)}))
        if self.moved:
            found.append(Reason("timing_moved", {"frames": self.moved}))
        found += self.others
        if any(self.padded):
            found.append(Reason("padded", {"columns": self.padded[0], "rows": self.padded[1]}))
        return tuple(found)
