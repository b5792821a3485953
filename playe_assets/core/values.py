"""The words in the data (design, "Words in the data") as small frozen values, and the stages' manifests.

A manifest is what one stage hands to the next: canonical JSON, stored under its own sha256, without clock
times or run ids, so that the same examination made again has the same digest.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.tracks import Event, FusedTrack, Mark, Shot, Track


class MediaKind(enum.StrEnum):
    """What an exhibit is for the examination."""

    PHOTO = "photo"
    CLIP = "clip"


class AiClass(enum.StrEnum):
    """How much a step may invent: nothing, faithful learning, or detail absent from its input."""

    NONE = "none"
    FIDELITY = "fidelity"
    GENERATIVE = "generative"

    @property
    def rank(self) -> int:
        """0, 1, 2: a preset's `max_ai_class` bounds this."""
        return list(AiClass).index(self)


class ExhibitStatus(enum.StrEnum):
    """What became of an exhibit at intake and decoding."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"  # what decodes is used and labelled
    QUARANTINED = "quarantined"  # kept, listed with the reason, not processed
    DUPLICATE = "duplicate"  # the same bytes as an earlier exhibit, processed there


class Role(enum.StrEnum):
    """An exhibit is examined; a reference is only what a full-reference metric compares with."""

    EXHIBIT = "exhibit"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Reason:
    """A catalogue key under `reason.` with its facts, so that every language can say it."""

    code: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class StreamFacts:
    """Technical facts of one photograph or one clip's video stream, as the decoder states them."""

    container: str
    """Demuxer or Pillow format, such as `mov,mp4,m4a,3gp,3g2,mj2` or `JPEG`."""
    codec: str
    pixel_format: str
    """FFmpeg's name (`yuv420p`) or Pillow's mode (`RGB`, `I;16`)."""
    bit_depth: int
    width: int
    """Stored width in px, before orientation."""
    height: int
    orientation: int = 1
    """EXIF orientation 1..8; a clip's display matrix is expressed in the same eight values."""
    colour_range: str | None = None
    colour_primaries: str | None = None
    colour_transfer: str | None = None
    colour_matrix: str | None = None
    icc_sha256: str | None = None
    has_alpha: bool = False
    frame_count: int = 1
    """Frames found by demuxing (clip) or stated by the container (animated picture)."""
    timing: str | None = None
    """`constant` or `variable` for clips, null for photographs."""
    time_base: str | None = None
    """Exact fraction such as `1/12800`, seconds per tick."""
    start_pts: int | None = None
    duration_ticks: int | None = None
    average_rate: str | None = None
    sample_aspect_ratio: str | None = None
    interlaced: bool = False
    field_order: str | None = None
    """`tt`, `bb`, `tb`, `bt` as FFmpeg names them where the stream is interlaced, else null."""
    audio_streams: int = 0
    exif: Mapping[str, str] | None = None
    decoder: str = ""
    """Library and version, such as `Pillow 13.0.0` or `PyAV 18.1.0 (libavcodec 62.28.102)`."""


@dataclass(frozen=True)
class Exhibit:
    """One item received. Names are bytes as received; they are shown escaped, never interpreted."""

    number: str
    """`E001` upward within the case, in order of delivery and of raw name; CASE's `exhibitNumber`."""
    name_hex: str
    """Path below the drop folder, raw bytes in hexadecimal."""
    name_shown: str
    """The same, printable: control and non-UTF-8 bytes as `\\xNN`."""
    sha256: str
    size: int
    delivery: int
    role: Role
    status: ExhibitStatus
    media: MediaKind | None = None
    facts: StreamFacts | None = None
    reason: Reason | None = None
    missing: tuple[Reason, ...] = ()
    """Of a partial exhibit: what is missing (catalogue keys under `reason.`)."""
    duplicate_of: str | None = None
    ledger_sha256: str | None = None
    """Of a clip: the object with one line a frame: index, PTS, key frame."""
    reference: str | None = None
    """Number of the reference exhibit that full-reference metrics compare with."""
    notes: tuple[Reason, ...] = ()
    """Observations that change no pixel (keys under `reason.`): wrong extension, data after the picture's end."""
    marks: tuple[Mark, ...] = ()
    """Of a clip: regions that the operator wants followed and fused."""

    @property
    def processable(self) -> bool:
        """Whether detection and enhancement work on it."""
        return self.role is Role.EXHIBIT and self.status in (ExhibitStatus.ACCEPTED, ExhibitStatus.PARTIAL)


@dataclass(frozen=True)
class PresetRef:
    """Which recipe, and the sha256 of its bytes."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Refusal:
    """A directory entry that was never opened as a file: link out of the folder, FIFO, device, empty."""

    name_hex: str
    name_shown: str
    delivery: int
    reason: Reason


@dataclass(frozen=True)
class IngestManifest:
    """What `ingested_media` hands on."""

    case_id: str
    examination_id: str
    preset: PresetRef
    exhibits: tuple[Exhibit, ...]
    refused: tuple[Refusal, ...]
    deliveries: tuple[str, ...]
    """sha256 of each delivery's record, in order."""
    inputs: Mapping[str, Any]
    """The five inputs of the examination id: exhibits, preset, weights, code version, runtime."""
    schema: str = "playe-ingest/1"


@dataclass(frozen=True)
class Detection:
    """One finding in one frame. Boxes are px after orientation, origin top left."""

    label: str
    """`face`, `person`, `motion` ..."""
    x: float
    y: float
    width: float
    height: float
    score: float
    """The detector's own score; the scale stands in the detector's docstring."""
    landmarks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class FrameDetections:
    """All findings of one detector in one frame."""

    detector: str
    frame: int
    pts: int | None
    found: tuple[Detection, ...]


@dataclass(frozen=True)
class ExhibitDetections:
    """The JSON manifest of one exhibit's findings."""

    exhibit: str
    source_sha256: str
    width: int
    """px after orientation: the frame that boxes lie in."""
    height: int
    frames_seen: int
    frames: tuple[FrameDetections, ...]
    tracks: tuple[Track, ...]
    methods: tuple[Mapping[str, Any], ...]
    """One object a detector, the tracker last: name, version, params, weights."""
    shots: tuple[Shot, ...] = ()
    events: tuple[Event, ...] = ()
    survey: str | None = None
    """Of a clip: sha256 of the survey, one row a decoded frame (`media/survey.py`)."""
    schema: str = "playe-detections/2"


@dataclass(frozen=True)
class DetectionEntry:
    """One exhibit's line in the stage's manifest."""

    exhibit: str
    sha256: str | None
    counts: Mapping[str, int]
    tracks: int = 0
    frames_seen: int = 0
    failure: Reason | None = None


@dataclass(frozen=True)
class DetectionManifest:
    """What `detections` hands on; `sha256` of each entry names the exhibit's `ExhibitDetections`."""

    case_id: str
    examination_id: str
    ingest: str
    entries: tuple[DetectionEntry, ...]
    schema: str = "playe-detection-stage/1"


@dataclass(frozen=True)
class Step:
    """One processing step as it was applied to one exhibit (no times: those stand in the log)."""

    number: int
    use: str
    version: str
    params: Mapping[str, Any]
    ai_class: AiClass
    reference: str
    """Paper, standard or clause."""
    measured: Mapping[str, float]
    """What the step itself measured, such as the mean registration residual in px."""
    weights: Mapping[str, str]
    """File to sha256; empty without a model."""


@dataclass(frozen=True)
class Derivative:
    """Any media that we produced; `kind` says which."""

    number: str
    """`D001` upward within the examination."""
    exhibit: str
    kind: str
    """`photo`; of a clip `master`, `proxy`, `ledger` (where each frame comes from and when it stands) and planes beside
    the frames: `contributors` (frames fused into each px), `coverage` (what the camera saw, after stabilisation); of a
    track or mark `track_fusion` (its picture) and `track_uncertainty` (the standard error of that, px by px)."""
    sha256: str
    size: int
    media_type: str
    was_derived_from: tuple[str, ...]
    """sha256 of the exhibit or of the derivatives that it was made of."""
    ai_class: AiClass
    pixel_sha256: str | None = None
    """Of the samples, container aside (rows packed, little-endian). Of a picture: the sha256 of its samples. Of a
    clip: the sha256 over its frames' sha256 (32 raw bytes each), in order, as `media/pixel_digest.py` makes it; of
    the proxy those are the frames that were handed to its encoder, which loses some of them."""
    width: int | None = None
    height: int | None = None
    frame_count: int | None = None
    suffix: str = ""
    """File name ending such as `.png`, for people's programs."""
    encoder: Mapping[str, Any] | None = None
    """Name, version and every option of the encoder."""


@dataclass(frozen=True)
class Enhanced:
    """One exhibit's line in `EnhancedManifest`."""

    exhibit: str
    steps: tuple[Step, ...]
    derivatives: tuple[str, ...]
    """Numbers of the derivatives."""
    frames_in: int
    """Frames that the container promised."""
    frames_decoded: int
    frames_corrupt: int
    frames_out: int
    missing: tuple[Reason, ...] = ()
    deviations: tuple[Reason, ...] = ()
    """What could not be carried into the derivative, such as audio or a finer time base."""
    failure: Reason | None = None
    segments: int = 0
    """Of a clip: how many parts it was worked in."""
    fused: tuple[FusedTrack, ...] = ()


@dataclass(frozen=True)
class PictureRef:
    """A small picture for the report and the UI: `role` is before, after, difference or contributors."""

    exhibit: str
    role: str
    sha256: str
    frame: int | None = None
    """Index of the clip's frame; null for photographs."""
    track: int | None = None
    """Of `best_1` ..., `fused`, `single`, `uncertainty` of a track: its number; 0, -1 ... for marks."""


@dataclass(frozen=True)
class EnhancedManifest:
    """What `enhanced_frames` hands on."""

    case_id: str
    examination_id: str
    ingest: str
    detections: str
    entries: tuple[Enhanced, ...]
    derivatives: tuple[Derivative, ...]
    pictures: tuple[PictureRef, ...] = ()
    schema: str = "playe-enhanced/1"


@dataclass(frozen=True)
class Verdict:
    """A gate's answer about the case, an exhibit or a derivative."""

    gate: str
    kind: str
    """`integrity` or `quality`."""
    passed: bool
    exhibit: str | None = None
    derivative: str | None = None
    expectation: str | None = None
    observed: str | None = None
    allowed: str | None = None
    on_fail: str = "withhold"
    """`withhold` (the derivative, or the report for integrity) or `warn`."""


@dataclass(frozen=True)
class MetricsManifest:
    """What `qa_metrics` hands on; the table is Parquet under `table`, `rows` is the same for people."""

    case_id: str
    examination_id: str
    enhanced: str
    table: str
    columns: tuple[Mapping[str, Any], ...]
    """name, unit, range, better (`higher` | `lower` | `none`), reference, in the table's order."""
    rows: tuple[Mapping[str, Any], ...]
    verdicts: tuple[Verdict, ...]
    schema: str = "playe-metrics/1"
