"""Models for a case run: every model that a preset asks for is installed, approved and certified, before any work.

Nothing is loaded by `prepare`; `load` takes the networks from the process's warm sessions.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from playe_assets.core.canonical import digest
from playe_assets.core.contracts import ModelUse
from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets.examination.settings import Settings
from playe_assets.inference.cards import ModelCard, model_cards
from playe_assets.inference.contract import Network

if TYPE_CHECKING:
    from playe_assets.inference.loaded import LoadedModel


@dataclass(frozen=True)
class Parameters:
    """A card of format `data` as plug-ins see it: the bytes that were hashed."""

    card: ModelCard
    data: bytes
    approval: Mapping[str, Any] | None

    def facts(self) -> dict[str, Any]:
        """For the record."""
        return {"model": model_field(self.card, self.approval)}


@dataclass(frozen=True)
class Prepared:
    """One use of a model that a case may make."""

    use: ModelUse
    card: ModelCard
    others: tuple[ModelCard, ...]
    """Further cards whose weights the variant blends in."""
    approval: Mapping[str, Any]
    certificate: str | None
    """sha256 of the certificate on this device; null for parameters without a network."""
    graph: str | None = None
    """sha256 of the graph that the engine runs; null where it builds the network from the weights."""
    place: str | None = None
    """Digest of the certificate's place: processor or GPU, driver, providers, versions and options."""

    @property
    def weights(self) -> dict[str, str]:
        """Card to sha256 of every file that it reads."""
        return {c.name: str(c.sha256) for c in (self.card, *self.others)}

    @property
    def facts(self) -> dict[str, Any]:
        """What decides its results beside weights and parameters: cards' facts, exported graph, device."""
        return {
            "cards": {c.name: c.facts_sha256 for c in (self.card, *self.others)},
            "graph": self.graph,
            "place": self.place,
        }


def cards_of(settings: Settings) -> dict[str, ModelCard]:
    """The tracked cards and the laboratory's own."""
    return model_cards(settings.registry, settings.own_cards)


def prepare(uses: Iterable[ModelUse], settings: Settings, preset: str) -> dict[ModelKey, Prepared]:
    """What stands behind each use.

    Raises:
        MissingResourceError: weights are not installed, or the engine was not built; names the one command.
        GovernanceError: a model is not approved, or the engine has no valid certificate on this device.
    """
    from playe_assets.inference.weights import installed

    wanted = {key_of(use): use for use in uses}
    if not wanted:
        return {}
    cards = cards_of(settings)
    found: dict[ModelKey, list[ModelCard]] = {}
    absent: list[str] = []
    for key, use in wanted.items():
        found[key] = [known(cards, use.name), *(known(cards, name) for name in blended(cards, use))]
        absent += [c.name for c in found[key] if installed(c, settings.weights) is None]
    if absent:
        first = sorted(set(absent))
        raise MissingResourceError(
            "preset.weights_absent", preset=preset, models=", ".join(first), first=" ".join(first)
        )
    from playe_assets.inference.runtimes import RUNTIMES

    # Says that a device or provider is not there before anybody is told to certify for it.
    RUNTIMES.get(settings.target.runtime)(settings.target).check()
    granted = _granted([c for group in found.values() for c in group], settings)
    return {
        key: Prepared(use, found[key][0], tuple(found[key][1:]), granted[found[key][0].name],
                      *_certificate(use, found[key], settings))
        for key, use in wanted.items()
    }  # fmt: skip


def _granted(cards: list[ModelCard], settings: Settings) -> dict[str, dict[str, Any]]:
    """The approvals by card name; of a rerun, words that nobody was asked, and for which report."""
    from playe_assets.examination.governance import State, approvals

    report = settings.models_without_approval_for_the_rerun_of
    if not report:
        return approvals(cards, settings.log)
    why = f"rerun of {report}: its own extract of the log states who approved"
    return {c.name: State("not_asked_in_a_rerun", c.name, str(c.sha256), why=why).plain for c in cards}


def load(prepared: Iterable[Prepared], settings: Settings) -> dict[str, Any]:
    """Models by card name, from the warm sessions of this process."""
    from playe_assets.inference.loaded import LoadedModel
    from playe_assets.inference.weights import read_weights

    models: dict[str, LoadedModel | Parameters] = {}
    for item in prepared:
        if item.card.format == "data":
            data = read_weights(item.card, settings.weights)
            models[item.card.name] = Parameters(item.card, data, item.approval)
            continue
        network = network_of(item.use, (item.card, *item.others), settings)
        models[item.card.name] = LoadedModel(network, settings.target, item.approval, item.certificate)
    return models


def network_of(use: ModelUse, cards: tuple[ModelCard, ...], settings: Settings) -> Network:
    """The network with its weights read and hashed, and built where the runtime needs the graph.

    Read once a process: a file that has not changed since (place, size, times) is not read and hashed again, and
    what runs is the bytes that were hashed then. A card that has changed is read anew.
    """
    from playe_assets.inference.runtimes import RUNTIMES

    needs_graph = RUNTIMES.get(settings.target.runtime).needs_onnx
    key = (key_of(use), needs_graph, str(settings.engines), *(_mark(c, settings) for c in cards))
    with _reading:
        held = _KEPT.pop(key, None) or _read(use, cards, settings, needs_graph)
        _KEPT[key] = held  # the newest last
        while len(_KEPT) > 1 and sum(map(_size, _KEPT.values())) > KEPT_BYTES:
            del _KEPT[next(iter(_KEPT))]
    return held


KEPT_BYTES = 2 << 30
"""Of weight files and graphs that the process keeps; the newest stays whatever its size."""
_KEPT: dict[tuple[Any, ...], Network] = {}
_reading = threading.Lock()


def _mark(card: ModelCard, settings: Settings) -> tuple[Any, ...]:
    path = settings.weights / card.file
    try:
        seen = path.stat()
    except FileNotFoundError:
        return repr(card), str(path), 0
    return repr(card), str(path), seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _size(network: Network) -> int:
    return sum(map(len, (network.weights, network.onnx or b"", *network.others.values())))


def _read(use: ModelUse, cards: tuple[ModelCard, ...], settings: Settings, needs_graph: bool) -> Network:
    from playe_assets.inference.export import build
    from playe_assets.inference.weights import read_weights

    first, *others = cards
    network = Network(
        first,
        read_weights(first, settings.weights),
        dict(use.variant),
        others={c.name: read_weights(c, settings.weights) for c in others},
        cache=settings.engines,
    )
    return build(network, settings.engines) if needs_graph else network


def engine_of(settings: Settings) -> dict[str, str]:
    """Runtime, provider, precision and kind of device, with the library's version: what can change a result."""
    target = settings.target
    packages = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime")}.get(target.runtime, (target.runtime,))
    return {
        "runtime": target.runtime,
        "provider": target.provider,
        "precision": target.precision,
        "device": target.device.partition(":")[0],
        "version": next((v for v in map(_version, packages) if v), "absent"),
    }


def fields_before(prepared: Iterable[Prepared], settings: Settings) -> dict[str, Any]:
    """The record's fields about learned models before they have run, so that a failure names them too.

    Always `model`, null without any; `runtime` and `precision` as asked for, where one of them is a network. What
    only the engine knows (driver, tiling) is null until `engine_fields` says it.
    """
    items = list(prepared)
    fields: dict[str, Any] = {"model": {i.card.name: model_field(i.card, i.approval) for i in items} or None}
    if any(i.certificate for i in items):
        asked, target = engine_of(settings), settings.target
        fields["precision"] = target.precision
        fields["runtime"] = {"name": asked["runtime"], "version": asked["version"], "provider": asked["provider"],
                             "device": target.device, "driver": None, "cuda": None,
                             "threads": target.threads or None, "deterministic": None}  # fmt: skip
    return fields


@functools.cache
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def model_field(card: ModelCard, approval: Mapping[str, Any] | None) -> dict[str, Any]:
    """One model as the record's `model` field carries it."""
    return {"name": card.name, "version": card.version, "weights_sha256": card.sha256,
            "licence": card.licence, "approval": dict(approval) if approval else None}  # fmt: skip


def engine_fields(models: Mapping[str, Any]) -> dict[str, Any]:
    """The record's `model` and `tiling` by card name, `runtime` and `precision` of the engine that ran them.

    A model that another engine ran than the first one says so in its own entry.
    """
    if not models:
        return {}
    facts = {name: model.facts() for name, model in sorted(models.items())}
    ran = [found for found in facts.values() if found.get("runtime")]
    entries = {name: dict(found["model"]) for name, found in facts.items()}
    for name, found in facts.items():
        if found.get("runtime") and _engine(found) != _engine(ran[0]):
            entries[name] |= {"runtime": found["runtime"], "precision": found["precision"]}
    return {
        "model": entries,
        "tiling": {name: found["tiling"] for name, found in facts.items() if found.get("tiling")} or None,
        **({"runtime": ran[0]["runtime"], "precision": ran[0]["precision"]} if ran else {}),
    }


def _engine(found: Mapping[str, Any]) -> tuple[Any, ...]:
    return found["runtime"].get("name"), found["runtime"].get("provider"), found["precision"]


ModelKey = tuple[str, tuple[tuple[str, float], ...]]


def key_of(use: ModelUse) -> ModelKey:
    """A use as a key: name and variant."""
    return use.name, tuple(sorted(use.variant.items()))


def known(cards: Mapping[str, ModelCard], name: str) -> ModelCard:
    """The card `name`; GovernanceError lists what there is."""
    if name not in cards:
        raise GovernanceError("models.no_card", name=name, known=", ".join(sorted(cards)))
    return cards[name]


def blended(cards: Mapping[str, ModelCard], use: ModelUse) -> tuple[str, ...]:
    """Cards whose weights the variant needs beside the model's own (the -wdn file for `denoise`)."""
    other = known(cards, use.name).hyper.get("blend_with")
    return (str(other),) if other and "denoise" in use.variant else ()


def _certificate(
    use: ModelUse, cards: list[ModelCard], settings: Settings
) -> tuple[str | None, str | None, str | None]:
    """sha256 of the certificate, of the graph that it is for, and the digest of its place."""
    from playe_assets.inference.certificate import find

    if cards[0].format == "data":
        return None, None, None
    found = find(network_of(use, tuple(cards), settings), settings.target, settings.engines)
    if found is None and settings.models_without_approval_for_the_rerun_of:
        return None, None, None  # a rerun is itself the comparison that a certificate stands for
    if found is None:
        variant = "".join(f" --{k} {v:g}" for k, v in sorted(use.variant.items()))
        raise GovernanceError("models.not_certified", name=use.name, target=str(settings.target),
                              variant=variant)  # fmt: skip
    return found.sha256, found.graph_sha256, digest(found.place)
