"""A preset made executable: every plug-in found, every parameter checked, every weight file there, before any work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from playe_assets.core.canonical import digest, to_plain
from playe_assets.core.contracts import Detector, Enhancer, Metric, ModelUse
from playe_assets.core.contracts_tracks import Fuser, Tracker
from playe_assets.core.errors import PresetError
from playe_assets.core.params import parse
from playe_assets.core.presets import DetectorUse, Preset, TrackFusion, Use, load_preset
from playe_assets.core.values import AiClass, MediaKind
from playe_assets.detectors import DETECTORS
from playe_assets.enhancers import ENHANCERS
from playe_assets.examination.engine import (
    ModelKey,
    Prepared,
    cards_of,
    engine_of,
    key_of,
    known,
    load,
    prepare,
)
from playe_assets.examination.release import check_release
from playe_assets.examination.settings import Settings
from playe_assets.fusers import FUSERS
from playe_assets.inference.cards import ModelCard
from playe_assets.metrics import METRICS
from playe_assets.trackers import TRACKERS


@dataclass(frozen=True)
class PlannedStep:
    """An enhancer with its checked parameters."""

    cls: type[Enhancer]
    params: Any
    ai_class: AiClass
    """The plug-in's own class or its models', whichever may invent more."""

    @property
    def needs(self) -> tuple[ModelUse, ...]:
        """The models that it asks for."""
        return self.cls.needs(self.params)

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
    def needs(self) -> tuple[ModelUse, ...]:
        """The models that it asks for."""
        return self.cls.needs(self.params)

    @property
    def plain(self) -> dict[str, Any]:
        """Parameters and sampling as the record carries them."""
        return {**to_plain(self.params), "every_s": self.use.every_s,
                "still_every_s": self.use.still_every_s,
                "min_track_frames": self.use.min_track_frames}  # fmt: skip


@dataclass(frozen=True)
class PlannedTracker:
    """The preset's tracker with its checked parameters."""

    cls: type[Tracker]
    params: Any


@dataclass(frozen=True)
class PlannedFuser:
    """What makes pictures of tracks, with its checked parameters."""

    cls: type[Fuser]
    params: Any


@dataclass(frozen=True)
class PlannedMetric:
    """A metric with its checked parameters."""

    cls: type[Metric]
    params: Any

    @property
    def needs(self) -> tuple[ModelUse, ...]:
        """The models that it asks for."""
        return self.cls.needs(self.params)


@dataclass(frozen=True)
class Plan:
    """A preset whose every plug-in exists and whose every value is allowed."""

    preset: Preset
    steps: Mapping[MediaKind, tuple[PlannedStep, ...]]
    detectors: Mapping[MediaKind, tuple[PlannedDetector, ...]]
    metrics: tuple[PlannedMetric, ...]
    tracker: PlannedTracker
    fuser: PlannedFuser | None
    """None where the preset fuses no tracks."""
    models: Mapping[ModelKey, Prepared]
    """Every model that the preset asks for, installed, approved and certified."""

    @property
    def weights(self) -> dict[str, str]:
        """Model card to sha256 of every weight file that the preset needs."""
        return {k: v for p in self.models.values() for k, v in sorted(p.weights.items())}

    def engine(self, settings: Settings) -> dict[str, str] | None:
        """What learned models run on, as the examination id counts it; null where the preset asks for none.

        `models` is one digest over the facts of their cards, their exported graphs and the device.
        """
        if not self.models:
            return None
        facts = [[name, variant, item.facts] for (name, variant), item in sorted(self.models.items())]
        return {**engine_of(settings), "models": digest(facts)}

    def prepared(self, needs: tuple[ModelUse, ...]) -> tuple[Prepared, ...]:
        """What stands behind the models that one plug-in asks for."""
        return tuple(self.models[key_of(use)] for use in needs)

    def load(self, needs: tuple[ModelUse, ...], settings: Settings) -> dict[str, Any]:
        """Those models by card name, from the process's warm sessions."""
        return load(self.prepared(needs), settings)


def plan(name: str, settings: Settings) -> Plan:
    """The preset `name`, ready to run.

    Raises:
        PresetError: an unknown plug-in, key or value, a step that the preset's `max_ai_class` forbids, or a
            threshold on a column that no metric of the preset measures.
        MissingResourceError: a weight file, or a package that the release asks for, is not installed; the message
            names the one command.
        GovernanceError: a model is not approved, or its engine is not certified on this device.
    """
    check_release(settings)
    made = check(load_preset(name, settings.presets), settings)
    made.tracker.cls(made.tracker.params)  # a package that it lacks is said before any work
    return replace(made, models=prepare(needed(made), settings, name))


def needed(made: Plan) -> list[ModelUse]:
    """Every model that the preset asks for, each use once, in the recipe's order."""
    planned: list[PlannedStep | PlannedDetector | PlannedMetric] = []
    planned += [d for group in made.detectors.values() for d in group]
    planned += [s for group in made.steps.values() for s in group]
    planned += made.metrics
    return list({key_of(use): use for item in planned for use in item.needs}.values())


def check(preset: Preset, settings: Settings | None = None) -> Plan:
    """The preset with every plug-in and parameter checked; weights and approvals are not looked for."""
    cards = _Cards(settings or Settings())
    steps = {
        kind: tuple(_step(use, kind, preset, cards) for use in uses) for kind, uses in preset.steps.items()
    }
    detectors = {
        kind: tuple(_detector(use, kind, cards) for use in uses) for kind, uses in preset.detectors.items()
    }
    metrics = tuple(_metric(use, cards) for use in preset.metrics)
    columns = {column.name for metric in metrics for column in metric.cls.columns}
    for threshold in preset.thresholds:
        if threshold.column not in columns:
            raise PresetError("preset.no_such_column", file=preset.file, column=threshold.column,
                              allowed=", ".join(sorted(columns)))  # fmt: skip
    tracker = preset.video.tracker
    follows = TRACKERS.get(tracker.name)
    return Plan(preset, steps, detectors, metrics,
                PlannedTracker(follows, _params(follows.Params, tracker, cards)),
                _fuser(preset.video.fusion, cards), {})  # fmt: skip


@dataclass
class _Cards:
    """The cards, read when a step first asks for a model: a preset without models needs no registry."""

    settings: Settings
    read: dict[str, ModelCard] | None = None

    def all(self) -> dict[str, ModelCard]:
        if self.read is None:
            self.read = cards_of(self.settings)
        return self.read

    def get(self, name: str) -> ModelCard:
        return known(self.all(), name)


def _step(use: Use, kind: MediaKind, preset: Preset, cards: _Cards) -> PlannedStep:
    cls = ENHANCERS.get(use.name)
    if kind not in cls.kinds:
        raise PresetError("preset.wrong_media", file=use.where.file, line=use.where.line, name=use.name,
                          media=kind.value, allowed=", ".join(sorted(cls.kinds)))  # fmt: skip
    params = _params(cls.Params, use, cards)
    classes = [cls.ai_class, *(cards.get(need.name).ai_class for need in cls.needs(params))]
    highest = max(classes, key=lambda c: c.rank)
    if highest.rank > preset.max_ai_class.rank:
        raise PresetError("preset.ai_class", file=use.where.file, line=use.where.line, name=use.name,
                          ai_class=highest.value, allowed=preset.max_ai_class.value)  # fmt: skip
    return PlannedStep(cls, params, highest)


def _detector(use: DetectorUse, kind: MediaKind, cards: _Cards) -> PlannedDetector:
    cls = DETECTORS.get(use.name)
    if kind not in cls.kinds:
        raise PresetError("preset.wrong_media", file=use.where.file, line=use.where.line, name=use.name,
                          media=kind.value, allowed=", ".join(sorted(cls.kinds)))  # fmt: skip
    return PlannedDetector(cls, _params(cls.Params, use, cards), use)


def _fuser(fusion: TrackFusion, cards: _Cards) -> PlannedFuser | None:
    if not fusion.labels or not fusion.at_most:
        return None
    cls = FUSERS.get(fusion.use.name)
    return PlannedFuser(cls, _params(cls.Params, fusion.use, cards))


def _metric(use: Use, cards: _Cards) -> PlannedMetric:
    cls = METRICS.get(use.name)
    return PlannedMetric(cls, _params(cls.Params, use, cards))


def _params(cls: type, use: Use, cards: _Cards) -> Any:
    """The checked parameters; a model that they name must have a card of a task that fits."""
    params: Any = parse(cls, use.given, use.where)
    for field in fields(cls):
        tasks = field.metadata.get("tasks")
        name = getattr(params, field.name)
        if tasks and (name not in cards.all() or cards.get(name).task not in tasks):
            fitting = ", ".join(sorted(c.name for c in cards.all().values() if c.task in tasks))
            raise PresetError("preset.out_of_range", file=use.where.file, line=use.where.of(field.name),
                              key=field.name, owner=use.name, value=repr(name), allowed=fitting)  # fmt: skip
    return params
