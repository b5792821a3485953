"""What is known of things over the frames of a clip: shots, tracks, events, and a track fused to one picture.

Boxes are px of the upright frame, origin top left; times are ticks of the stream's time base.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shot:
    """Frames between two cuts; nothing is ever fused, smoothed or tracked across its ends."""

    number: int
    """0 upward."""
    first_frame: int
    last_frame: int
    """Inclusive."""
    luma_mean: float = 0.0
    """Median over the shot's frames of the mean luma, 0..255: what a step decides by, once a shot."""
    noise_sigma: float = 0.0
    """Median over the shot's frames of the noise's standard deviation on luma, 8-bit units."""


@dataclass(frozen=True)
class Track:
    """One thing followed over sampled frames, always within one shot unless it was re-identified."""

    number: int
    detector: str
    label: str
    first_frame: int
    last_frame: int
    members: tuple[tuple[int, int], ...]
    """(frame, index of the detection among that detector's findings in it), in order."""
    best_frame: int
    """The first of `best_frames`."""
    best_frames: tuple[int, ...] = ()
    """The members' frames in order of falling quality, as many as the preset names."""
    quality: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """One value a member: `size` (px, square root of the area), `sharpness`, `pose` (0..1, 1 frontal; absent
    without landmarks), `overall` (0..1)."""
    rejoined: int = 0
    """Gaps over which appearance, not overlap, joined it."""


@dataclass(frozen=True)
class Event:
    """A thing appears or leaves; the frame is the first or last in which it was seen."""

    kind: str
    """`appear` or `leave`."""
    track: int
    label: str
    frame: int
    pts: int
    uncertain_ticks: int = 0
    """The true moment lies this much earlier (`appear`) or later (`leave`) at most: the sampling's interval."""


@dataclass(frozen=True)
class Seen:
    """Where a track stands in one frame: found there, or interpolated between two sampled frames."""

    track: int
    label: str
    x: float
    y: float
    width: float
    height: float
    landmarks: tuple[tuple[float, float], ...] = ()
    found: bool = True
    """False: interpolated."""


@dataclass(frozen=True)
class Mark:
    """A region of one frame that the operator wants followed and fused (`marks` in `case.yaml`)."""

    label: str
    x: float
    """px of the upright frame, as the others."""
    y: float
    width: float
    height: float
    frame: int | None = None
    """Index of the frame; null where the time is given instead."""
    time: str | None = None
    """Exact seconds after the clip's first frame such as `24/5`: the last frame not later than it."""


def mark_of(track: int) -> int | None:
    """Which mark of its clip `track` stands for, 1 upward in the order of `case.yaml`; None for a track.

    Marks count as tracks 0, -1, -2 ...: each is told from the others and from every track.
    """
    return 1 - track if track <= 0 else None


@dataclass(frozen=True)
class FusedTrack:
    """One track made into one picture from many frames, as the manifest states it."""

    track: int
    """Number of the track, 1 upward; of the operator's marks of the clip, in their order, 0, -1, -2 (`mark_of`)."""
    label: str
    derivative: str
    """Number of the derivative (kind `track_fusion`)."""
    uncertainty: str
    """Number of the derivative (kind `track_uncertainty`)."""
    use: str
    version: str
    params: Mapping[str, Any]
    best_frame: int
    """The frame that the others were registered to."""
    frames: tuple[int, ...]
    """Every frame that contributed, in order."""
    refused: Mapping[str, int]
    """Why frames did not contribute, with counts: `residual`, `registration`, `corrupt`, `size` ..."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """`frames_used`, `registration_residual_px`, `residual_rms`, `noise_sigma`, `psf_sigma_px` ..."""
