"""The contracts of what works on things over time: Tracker and Fuser. One file and one registry line adds one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from playe_assets.core.contracts import Pixels
from playe_assets.core.values import Detection

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Look:
    """One sampled frame as a tracker sees it: the findings of one detector and one label."""

    frame: int
    time: Fraction
    """Seconds after the clip's first frame, exact."""
    shot: int
    found: tuple[Detection, ...]
    appearance: tuple[npt.NDArray[np.float32], ...]
    """One vector a finding, of length 1 by the Euclidean norm; all of one length within a clip."""


@dataclass(frozen=True)
class Trail:
    """One thing through the looks: `members` are (position of the look, index of the finding in it), in order."""

    members: tuple[tuple[int, int], ...]
    rejoined: int = 0
    """Gaps over which appearance joined it."""


class Tracker(ABC):
    """Joins findings over sampled frames; says nothing of identity. Changes no pixel.

    Its parameters have a field `smooth_s`: half width of the window over which landmarks become one path, s.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    reference: ClassVar[str]
    Params: ClassVar[type]

    def __init__(self, params: Any) -> None:
        self.params = params

    @abstractmethod
    def follow(self, looks: Sequence[Look], width: int, height: int) -> list[Trail]:
        """Trails over `looks` (in order of time; looks without findings are there too), by first member.

        No trail crosses a shot's end unless it is counted in `rejoined`. `width` and `height` are the
        upright frame's, in px. The same looks give the same trails.
        """

    @abstractmethod
    def bridges_s(self, every_s: float) -> float:
        """The longest gap between two members that is not re-identification, where looks are at most `every_s`
        apart, s: boxes are interpolated up to it."""


@dataclass(frozen=True)
class Crop:
    """The surroundings of a thing in one frame, cut at whole px."""

    frame: int
    pts: int
    pixels: Pixels
    """(h, w, 1 or 3), the box with a margin; crops of one track may differ in size."""
    x: float
    """The box within the crop, px."""
    y: float
    width: float
    height: float
    quality: float
    """0..1, as the track ranks it."""
    corrupt: bool = False


@dataclass(frozen=True)
class Fused:
    """One picture of a thing from many frames."""

    pixels: Pixels
    """(h * scale, w * scale, channels) of the reference crop, its dtype."""
    uncertainty: Pixels
    """uint8, one channel, its size: standard error of each sample in 8-bit units times `uncertainty_gain`."""
    contributors: Pixels
    """uint8, one channel, its size: frames behind each sample."""
    single: Pixels
    """The reference crop alone, enlarged by Lanczos to the same size: what the fusion is to be held against."""
    reference_frame: int
    frames: tuple[int, ...]
    refused: dict[str, int]
    measured: dict[str, float]


class Fuser(ABC):
    """Makes one picture of many crops of one thing. Deterministic; a crop that does not fit contributes nothing."""

    name: ClassVar[str]
    version: ClassVar[str]
    reference: ClassVar[str]
    Params: ClassVar[type]

    def __init__(self, params: Any) -> None:
        self.params = params
        self.refused: dict[str, int] = {}
        """Of the last call, why crops did not contribute; also where it returned None."""

    @abstractmethod
    def fuse(self, crops: Sequence[Crop]) -> Fused | None:
        """`crops` of one track in order of frames; None where fewer than the parameters' least agree."""
