"""Presets: named, versioned recipes (`playe_assets/presets/*.yaml`), every parameter written out.

This module knows the form of the file; whether a step's parameters fit its plug-in is checked by
`examination/plan.py`, which may see the plug-ins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playe_assets.core.errors import PresetError
from playe_assets.core.params import Where, bounds, one_number_of, one_of, parse
from playe_assets.core.values import AiClass, MediaKind, PresetRef
from playe_assets.core.yamlfile import Block, read_block

SCHEMA = "playe-preset/2"
FOLDER = Path(__file__).resolve().parent.parent / "presets"
_TOP = ("schema", "name", "version", "title", "description", "max_ai_class",
        "photo", "clip", "video", "detectors", "compare", "output", "gates")  # fmt: skip


@dataclass(frozen=True)
class Use:
    """One use of a plug-in: its registry name, its parameters as written, and where they were written."""

    name: str
    given: Mapping[str, Any]
    where: Where


@dataclass(frozen=True)
class DetectorUse(Use):
    """A detector with its sampling of clips by the stream's own time: one frame every `every_s` seconds while
    something moves, every `still_every_s` while nothing does."""

    every_s: float
    still_every_s: float
    min_track_frames: int


@dataclass(frozen=True)
class _Sampling:
    every_s: float = bounds(0.02, 60.0, "s")
    still_every_s: float = bounds(0.02, 600.0, "s")
    min_track_frames: int = bounds(1, 1000, "sampled frames")


@dataclass(frozen=True)
class Output:
    """Every option of the encoders."""

    png_compression: int = bounds(0, 9, "zlib level")
    ffv1_slices: int = one_number_of(4, 6, 9, 12, 15, 16, 20, 24)  # grids that FFV1 can lay out
    proxy_crf: int = bounds(0, 51, "x264 CRF")
    proxy_speed: str = one_of("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")
    proxy_gop: int = bounds(1, 600, "frames")
    proxy_threads: int = bounds(1, 64, "threads (part of the result: x264 differs by them)")


@dataclass(frozen=True)
class Threshold:
    """One expectation over one column of the metrics table; null leaves a side open."""

    column: str
    media: MediaKind | None
    low: float | None
    high: float | None
    on_fail: str
    """`withhold` the derivative, or `warn`."""


@dataclass(frozen=True)
class Segments:
    """How a clip is cut into parts that are worked and kept one by one (`examination/clips/segments.py`)."""

    megapixels: float = bounds(0.01, 10000.0, "million px of the source a segment")
    min_frames: int = bounds(1, 10000, "frames")
    max_frames: int = bounds(1, 100000, "frames")


@dataclass(frozen=True)
class Shots:
    """How cuts are found (PySceneDetect's content detector) and when a scene counts as moving."""

    threshold: float = bounds(1.0, 255.0, "mean change of hue, saturation and luma")
    min_frames: int = bounds(1, 1000, "frames")
    """A change after which the scene comes back within as many frames is a flash and no cut."""
    moving_share: float = bounds(0.0, 1.0, "share of px that change from frame to frame")
    """From this on detectors look at the fast rate."""


@dataclass(frozen=True)
class TrackFusion:
    """Which tracks become one picture each, and how."""

    labels: tuple[str, ...]
    at_most: int
    """Tracks a clip, the best first."""
    use: Use


@dataclass(frozen=True)
class Video:
    """What a preset says of clips beyond the steps."""

    segments: Segments
    shots: Shots
    tracker: Use
    best_frames: int
    """How many frames of each track the report shows."""
    fusion: TrackFusion


@dataclass(frozen=True)
class Preset:
    """A recipe as read from its file."""

    name: str
    version: str
    sha256: str
    title: Mapping[str, str]
    description: Mapping[str, str]
    max_ai_class: AiClass
    steps: Mapping[MediaKind, tuple[Use, ...]]
    video: Video
    detectors: Mapping[MediaKind, tuple[DetectorUse, ...]]
    compare_every_s: float
    metrics: tuple[Use, ...]
    output: Output
    thresholds: tuple[Threshold, ...]
    file: str

    @property
    def ref(self) -> PresetRef:
        """Name, version and digest, as records carry them."""
        return PresetRef(self.name, self.version, self.sha256)


def preset_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of the presets that are there, sorted."""
    return tuple(sorted(p.stem for p in folder.glob("*.yaml")))


def load_preset(name: str, folder: Path = FOLDER) -> Preset:
    """The preset `name`.

    Raises:
        PresetError: it is not there, or its file is wrong (file, line, key, value and what is allowed).
    """
    if name not in preset_names(folder):
        raise PresetError("preset.unknown", name=name, known=", ".join(preset_names(folder)))
    path = folder / f"{name}.yaml"
    return parse_preset(path.read_bytes(), path.name)


def parse_preset(raw: bytes, file: str) -> Preset:
    """A preset from its bytes; `file` is for messages."""
    block = read_block(raw.decode("utf-8"), file, PresetError)
    _exactly(block, "preset", _TOP)
    if block["schema"] != SCHEMA:
        raise _wrong(block, "schema", "preset", SCHEMA)
    if block["max_ai_class"] not in list(AiClass):
        raise _wrong(block, "max_ai_class", "preset", " | ".join(AiClass))
    detectors = _sub(block, "detectors")
    compare = _sub(block, "compare")
    _exactly(compare, "compare", ("every_s", "metrics"))
    every = parse(_Every, {"every_s": compare["every_s"]}, compare.where("compare")).every_s
    output_block = _sub(block, "output")
    return Preset(
        name=str(block["name"]),
        version=str(block["version"]),
        sha256=hashlib.sha256(raw).hexdigest(),
        title=_sub(block, "title").plain(),
        description=_sub(block, "description").plain(),
        max_ai_class=AiClass(block["max_ai_class"]),
        steps={kind: tuple(_use(b) for b in _blocks(block, kind.value)) for kind in MediaKind},
        video=_video(_sub(block, "video")),
        detectors={
            kind: tuple(_detector_use(b) for b in _blocks(detectors, kind.value)) for kind in MediaKind
        },
        compare_every_s=every,
        metrics=tuple(_use(b) for b in _blocks(compare, "metrics")),
        output=parse(Output, output_block.plain(), output_block.where("output")),
        thresholds=tuple(_threshold(b) for b in _blocks(block, "gates")),
        file=file,
    )


@dataclass(frozen=True)
class _Best:
    best_frames: int = bounds(1, 20, "frames a track")


@dataclass(frozen=True)
class _AtMost:
    at_most: int = bounds(0, 50, "tracks a clip")


def _video(block: Block) -> Video:
    _exactly(block, "video", ("segments", "shots", "tracker", "best_frames", "fusion"))
    segments, shots, fusion = (_sub(block, key) for key in ("segments", "shots", "fusion"))
    _known(fusion, "video fusion", ("labels", "at_most", "use", "with"))
    labels = fusion.get("labels")
    if not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise _wrong(fusion, "labels", "video fusion", "a list of labels, which may be empty: []")
    most = parse(_AtMost, {"at_most": fusion.get("at_most")}, fusion.where("video fusion")).at_most
    return Video(
        segments=parse(Segments, segments.plain(), segments.where("video segments")),
        shots=parse(Shots, shots.plain(), shots.where("video shots")),
        tracker=_use(_sub(block, "tracker")),
        best_frames=parse(_Best, {"best_frames": block["best_frames"]}, block.where("video")).best_frames,
        fusion=TrackFusion(tuple(labels), most, _use(fusion, ("labels", "at_most"))),
    )


@dataclass(frozen=True)
class _Every:
    every_s: float = bounds(0.02, 60.0, "s")


@dataclass(frozen=True)
class _Gate:
    on_fail: str = one_of("withhold", "warn")


def _threshold(block: Block) -> Threshold:
    _known(block, "gates", ("column", "media", "low", "high", "on_fail"))
    for key in ("column", "on_fail"):
        if key not in block:
            raise PresetError("preset.missing_key", file=block.file, line=block.line, key=key,
                              owner="gates", allowed="a column of the metrics table")  # fmt: skip
    parse(_Gate, {"on_fail": block["on_fail"]}, block.where("gates"))
    for key in ("low", "high"):
        value = block.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise _wrong(block, key, "gates", "a number")
    media = block.get("media")
    if media is not None and media not in list(MediaKind):
        raise _wrong(block, "media", "gates", " | ".join(MediaKind))
    low, high = block.get("low"), block.get("high")
    return Threshold(
        str(block["column"]),
        MediaKind(media) if media else None,
        None if low is None else float(low),
        None if high is None else float(high),
        str(block["on_fail"]),
    )


def _use(block: Block, extra: tuple[str, ...] = ()) -> Use:
    _known(block, "step", ("use", "with", *extra))
    if "use" not in block:
        raise PresetError("preset.missing_key", file=block.file, line=block.line, key="use",
                          owner="step", allowed="the name of a plug-in")  # fmt: skip
    name = str(block["use"])
    given = _sub(block, "with") if "with" in block else Block(block.file, block.line, {}, {})
    return Use(name, given.plain(), given.where(name))


def _detector_use(block: Block) -> DetectorUse:
    use = _use(block, ("sampling",))
    sampling = _sub(block, "sampling") if "sampling" in block else None
    if sampling is None:
        raise PresetError("preset.missing_key", file=block.file, line=block.line, key="sampling",
                          owner=use.name, allowed="every_s, still_every_s, min_track_frames")  # fmt: skip
    found = parse(_Sampling, sampling.plain(), sampling.where(f"{use.name} sampling"))
    return DetectorUse(use.name, use.given, use.where, found.every_s, found.still_every_s,
                       found.min_track_frames)  # fmt: skip


def _blocks(block: Block, key: str) -> list[Block]:
    value = block.get(key)
    if value is None:
        raise PresetError("preset.missing_key", file=block.file, line=block.line, key=key,
                          owner="preset", allowed="a list, which may be empty: []")  # fmt: skip
    if not isinstance(value, list) or not all(isinstance(item, Block) for item in value):
        raise _wrong(block, key, "preset", "a list of mappings")
    return value


def _sub(block: Block, key: str) -> Block:
    value = block.get(key)
    if not isinstance(value, Block):
        raise _wrong(block, key, "preset", "a mapping")
    return value


def _known(block: Block, owner: str, keys: tuple[str, ...]) -> None:
    for key in block.values:
        if key not in keys:
            raise PresetError("preset.unknown_key", file=block.file, line=block.lines[key], key=key,
                              owner=owner, allowed=", ".join(keys))  # fmt: skip


def _exactly(block: Block, owner: str, keys: tuple[str, ...]) -> None:
    _known(block, owner, keys)
    for key in keys:
        if key not in block:
            raise PresetError("preset.missing_key", file=block.file, line=block.line, key=key,
                              owner=owner, allowed=", ".join(keys))  # fmt: skip


def _wrong(block: Block, key: str, owner: str, allowed: str) -> PresetError:
    return PresetError("preset.out_of_range", file=block.file, line=block.lines.get(key, block.line),
                       key=key, owner=owner, value=repr(block.get(key)), allowed=allowed)  # fmt: skip
