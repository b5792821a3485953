"""A preset made executable: every plug-in found, every parameter checked, every weight file there, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playe_assets.core.canonical import to_plain
from playe_assets.core.contracts import Detector, Enhancer, Metric
from playe_assets.core.errors import MissingResourceError, PresetError
from playe_assets.core.params import parse
from playe_assets.core.presets import DetectorUse, Preset, Use, load_preset
from playe_assets.core.values import MediaKind
from playe_assets.detectors import DETECTORS
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.settings import Settings
from playe_assets.inference.weights import installed, load_weights
from playe_assets.metrics import METRICS


@dataclass(frozen=True)
class PlannedStep:
    """An enhancer with its checked parameters."""

    cls: type[Enhancer]
    params: Any

    @property
    def plain(self) -> dict[str, Any]:
        """The parameters as the record carries them."""
        found: dict[str, Any] = to_plain(self.params)
        return found


@dataclass(frozen=True)
class PlannedDetector:
    """A detector with its checked parameters and its sampling of clips."""

    cls: type[Detector]
    params: Any
    use: DetectorUse

    @property
    def plain(self) -> dict[str, Any]:
        """Parameters and sampling as the record carries them."""
        return {**to_plain(self.params), "every_s": self.use.every_s, "track_iou": self.use.track_iou,
                "min_track_frames": self.use.min_track_frames}  # fmt: skip


@dataclass(frozen=True)
class PlannedMetric:
    """A metric with its checked parameters."""

    cls: type[Metric]
    params: Any


@dataclass(frozen=True)
class Plan:
    """A preset whose every plug-in exists and whose every value is allowed."""

    preset: Preset
    steps: Mapping[MediaKind, tuple[PlannedStep, ...]]
    detectors: Mapping[MediaKind, tuple[PlannedDetector, ...]]
    metrics: tuple[PlannedMetric, ...]
    weights: Mapping[str, str]
    """Model card to sha256 of every weight file that the preset needs."""


def plan(name: str, settings: Settings) -> Plan:
    """The preset `name`, ready to run.

    Raises:
        PresetError: an unknown plug-in, key or value, a step that the preset's `max_ai_class` forbids, or a
            threshold on a column that no metric of the preset measures.
        MissingResourceError: a weight file is not installed; the message names the one command.
    """
    made = check(load_preset(name))
    needed = {w for found in made.detectors.values() for d in found for w in d.cls.weights}
    there = {w: installed(w, settings.registry, settings.weights) for w in sorted(needed)}
    absent = [w for w, sha256 in there.items() if sha256 is None]
    if absent:
        raise MissingResourceError(
            "preset.weights_absent", preset=name, models=", ".join(absent), first=absent[0]
        )
    return Plan(made.preset, made.steps, made.detectors, made.metrics, {w: s for w, s in there.items() if s})


def check(preset: Preset) -> Plan:
    """The preset with every plug-in and parameter checked; weights are not looked for."""
    steps = {kind: tuple(_step(use, kind, preset) for use in uses) for kind, uses in preset.steps.items()}
    detectors = {kind: tuple(_detector(use, kind) for use in uses) for kind, uses in preset.detectors.items()}
    metrics = tuple(_metric(use) for use in preset.metrics)
    columns = {column.name for metric in metrics for column in metric.cls.columns}
    for threshold in preset.thresholds:
        if threshold.column not in columns:
            raise PresetError("preset.no_such_column", file=preset.file, column=threshold.column,
                              allowed=", ".join(sorted(columns)))  # fmt: skip
    return Plan(preset, steps, detectors, metrics, {})


def read_weights(names: tuple[str, ...], settings: Settings) -> dict[str, bytes]:
    """The bytes of the named models, hashed as they are loaded."""
    return {name: load_weights(name, settings.registry, settings.weights) for name in names}


def _step(use: Use, kind: MediaKind, preset: Preset) -> PlannedStep:
    cls = ENHANCERS.get(use.name)
    if kind not in cls.kinds:
        raise PresetError("preset.wrong_media", file=use.where.file, line=use.where.line, name=use.name,
                          media=kind.value, allowed=", ".join(sorted(cls.kinds)))  # fmt: skip
    if cls.ai_class.rank > preset.max_ai_class.rank:
        raise PresetError("preset.ai_class", file=use.where.file, line=use.where.line, name=use.name,
                          ai_class=cls.ai_class.value, allowed=preset.max_ai_class.value)  # fmt: skip
    return PlannedStep(cls, parse(cls.Params, use.given, use.where))


def _detector(use: DetectorUse, kind: MediaKind) -> PlannedDetector:
    cls = DETECTORS.get(use.name)
    if kind not in cls.kinds:
        raise PresetError("preset.wrong_media", file=use.where.file, line=use.where.line, name=use.name,
                          media=kind.value, allowed=", ".join(sorted(cls.kinds)))  # fmt: skip
    return PlannedDetector(cls, parse(cls.Params, use.given, use.where), use)


def _metric(use: Use) -> PlannedMetric:
    cls = METRICS.get(use.name)
    return PlannedMetric(cls, parse(cls.Params, use.given, use.where))
