"""The contracts of the plug-ins: Enhancer, Detector, Metric, Gate. One file and one registry line adds one.

Pixels are numpy arrays of shape (height, width, channels), channels 1 (grey) or 3 (RGB), dtype uint8 or
uint16 over the full range of the dtype, gamma-encoded as received. A plug-in never changes its input array,
keeps dtype and channels, and imports heavy libraries (cv2, skimage) inside its methods.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from playe_assets.core.presets import Threshold
from playe_assets.core.tracks import Seen, Shot
from playe_assets.core.values import (
    AiClass,
    Detection,
    EnhancedManifest,
    ExhibitDetections,
    IngestManifest,
    MediaKind,
    MetricsManifest,
    StreamFacts,
    Verdict,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
else:
    Pixels: TypeAlias = Any

BOTH = frozenset(MediaKind)


class Model(Protocol):
    """A network as plug-ins see it: approved, certified on this device, loaded once per process."""

    @property
    def name(self) -> str:
        """The model card."""
        ...

    @property
    def ai_class(self) -> AiClass:
        """How much it may invent."""
        ...

    @property
    def scale(self) -> int:
        """Output px per input px along one side."""
        ...

    def picture(self, pixels: Pixels) -> Pixels:
        """The network over a whole picture, tiled: (h, w, 1 or 3) uint8 or uint16 in, the same dtype out.

        Grey in gives grey out; range, channel order and padding follow the card.
        """
        ...

    def batch(self, *inputs: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
        """The network as it is: float32 NCHW in, its outputs in the graph's order."""
        ...

    def measured(self) -> dict[str, float]:
        """What the last `picture` measured: tiles, halvings of the tile, seam error where tiles are blended."""
        ...

    def facts(self) -> dict[str, Any]:
        """For the record: `model`, `runtime`, `precision`, `tiling`, each as the log's field of that name."""
        ...


@dataclass(frozen=True)
class ModelUse:
    """A model that a plug-in asks for: the card's name, and what changes the network beside its weights."""

    name: str
    variant: Mapping[str, float] = field(default_factory=dict)
    """Such as `{"denoise": 0.5}` for the -wdn blend or `{"w": 0.7}` for CodeFormer."""


NO_MODELS: Mapping[str, Model] = {}
"""Plug-ins are given their models by the card's name."""


@dataclass(frozen=True)
class Frame:
    """One decoded frame of a clip, or the only one of a photograph.

    `pts` is in ticks of the stream's time base. `side` carries by-products of the same height and width,
    such as `contributors` (uint8, how many frames were fused into each pixel). Steps keep `shot` and `seen`
    (`dataclasses.replace`), and put what they measured in this frame into `numbers`.
    """

    index: int
    pts: int
    pixels: Pixels
    corrupt: bool = False
    side: Mapping[str, Pixels] = field(default_factory=dict)
    shot: Shot | None = None
    """The shot that it belongs to; None where nobody looked for cuts."""
    seen: tuple[Seen, ...] = ()
    """The tracks that stand in it, in px of the upright source frame."""
    kind: str = "kept"
    """For the time ledger: `kept`, `fused` (of `fused_from` frames), `interpolated`, `repeated`."""
    fused_from: int = 1
    numbers: Mapping[str, float] = field(default_factory=dict)
    """What the last step measured in this frame; keys name their unit."""


class Enhancer(ABC):
    """Makes derivatives. Constructed once per exhibit and step.

    A spatial enhancer implements `frame`; a temporal one overrides `stream`, which must yield exactly one
    frame for each that it takes, with the same index and pts, holding a bounded number of them, never looking
    across two shots, and whose frames depend on no more than `reach` neighbours to each side.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    kinds: ClassVar[frozenset[MediaKind]] = BOTH
    ai_class: ClassVar[AiClass] = AiClass.NONE
    geometry: ClassVar[bool] = False
    """Moves pixels (rotation, scaling), so alpha and other planes must follow it."""
    reference: ClassVar[str]
    """Paper, standard or clause."""
    Params: ClassVar[type]
    summaries: ClassVar[Mapping[str, str]] = {}
    """Of clips: how a name of `Frame.numbers` becomes one value of the record: `mean`, `max` or `sum`. A name
    `applied` (0 or 1) says whether a learned step changed the frame."""

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        self.params = params
        self.facts = facts
        self.models = models

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The models that it uses with these parameters; empty for signal processing."""
        return ()

    @classmethod
    def reach(cls, params: Any) -> int:
        """How many frames to each side the result of a clip's frame may depend on; 0 for a spatial step.

        `stream` keeps to it: a clip worked in segments must give the same bits as in one piece.
        """
        return 0

    @abstractmethod
    def frame(self, pixels: Pixels) -> Pixels:
        """The enhanced pixels of one frame by itself."""

    def stream(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The enhanced frames of a clip, in order."""
        for item in frames:
            side = {k: self.frame(v) for k, v in item.side.items()} if self.geometry else item.side
            yield replace(item, pixels=self.frame(item.pixels), side=side, numbers={})

    def plane(self, pixels: Pixels) -> Pixels:
        """A plane beside a frame (alpha), moved as the frame is where `geometry`; it is not judged or counted."""
        return self.frame(pixels)

    def measured(self) -> dict[str, float]:
        """What the step measured while it worked, after the last frame; keys name their unit."""
        return {}

    def touched(self) -> bool:
        """Whether it changed anything so far; a learned step that its own conditions left out has class `none`."""
        return True

    def maps(self) -> dict[str, Pixels]:
        """Pictures beside the last frame, of its size: `uncertainty`, `consistency` ...; uint8, one channel."""
        return {}


class Detector(ABC):
    """Finds things in one frame at a time; changes no pixel. Constructed once per exhibit."""

    name: ClassVar[str]
    version: ClassVar[str]
    kinds: ClassVar[frozenset[MediaKind]] = BOTH
    reference: ClassVar[str]
    Params: ClassVar[type]

    def __init__(self, params: Any, facts: StreamFacts, models: Mapping[str, Model] = NO_MODELS) -> None:
        self.params = params
        self.facts = facts
        self.models = models

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The models that it uses with these parameters; empty for what the libraries ship."""
        return ()

    @abstractmethod
    def detect(self, frame: Frame) -> list[Detection]:
        """Findings in `frame` (oriented pixels), sorted by descending score, then x, then y."""


@dataclass(frozen=True)
class Pair:
    """What a metric may look at: the oriented exhibit frame, its derivative and, if any, the reference."""

    exhibit: Pixels
    derivative: Pixels
    reference: Pixels | None
    """Known truth, at the size of the derivative or of the exhibit; null where none was delivered."""
    faces: tuple[Detection, ...] = ()
    """What the preset's detectors labelled `face` in this frame, in px of the exhibit's frame."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """What the derivative's steps measured; of several steps the highest value of a name."""
    previous: Pair | None = None
    """Of a clip: the frame just before in the same shot, for metrics over time; without `previous` of its own."""
    tracks: tuple[Seen, ...] = ()
    """Where tracks stand in this frame, in px of the exhibit's frame."""


@dataclass(frozen=True)
class Column:
    """One column that a metric adds to the table."""

    name: str
    unit: str
    low: float | None
    high: float | None
    better: str
    """`higher`, `lower` or `none` (a description, not a merit)."""
    over: str = "mean"
    """How the compared frames become one row: their `mean`, or the `max` where one bad frame must show."""


class Metric(ABC):
    """Measures; never judges. Constructed once per derivative, called once per compared frame."""

    name: ClassVar[str]
    version: ClassVar[str]
    reference: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    Params: ClassVar[type]

    def __init__(self, params: Any, models: Mapping[str, Model] = NO_MODELS) -> None:
        self.params = params
        self.models = models

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The models that it uses with these parameters."""
        return ()

    @abstractmethod
    def measure(self, pair: Pair) -> dict[str, float | None]:
        """One value a column; null where it cannot apply (no reference)."""

    def finish(self) -> dict[str, float | None]:
        """After a derivative's last frame: columns whose value is of the whole, such as of tracks; they replace
        what the frames' values would have given."""
        return {}


class Objects(Protocol):
    """What a gate may ask the evidence store: objects by sha256, always read again."""

    def has(self, sha256: str) -> bool:
        """Whether the object is there."""
        ...

    def verify(self, sha256: str) -> bool:
        """Whether its bytes still have this digest."""
        ...

    def get_bytes(self, sha256: str) -> bytes:
        """Its bytes, hashed again."""
        ...


@dataclass(frozen=True)
class Evidence:
    """What a gate looks at: the examination's manifests as far as they exist, and the store."""

    objects: Objects
    ingest: IngestManifest
    suites: Path
    """Folder of the Great Expectations suites."""
    detections: Mapping[str, ExhibitDetections] = field(default_factory=dict)
    enhanced: EnhancedManifest | None = None
    metrics: MetricsManifest | None = None
    thresholds: tuple[Threshold, ...] = ()
    report: Mapping[str, Any] | None = None


class Gate(ABC):
    """Refuses: its answer is verdicts, at least one (a gate that looked at nothing has not judged).

    `integrity` gates block what is downstream and withhold the report; `quality` gates withhold a derivative
    or warn, as the preset says, and the rest goes on.
    """

    name: ClassVar[str]
    stage: ClassVar[str]
    """The asset that it judges."""
    kind: ClassVar[str]
    description: ClassVar[str]

    @abstractmethod
    def judge(self, evidence: Evidence) -> list[Verdict]:
        """One verdict an exhibit, derivative or expectation; all of them, passed or not."""
