"""The commands' way to a model's engine: built and certified as a case run would ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from playe_assets.core.contracts import ModelUse
from playe_assets.examination.engine import blended, cards_of, known, network_of
from playe_assets.examination.settings import Settings
from playe_assets.inference.cards import ModelCard
from playe_assets.inference.contract import Network

if TYPE_CHECKING:
    from playe_assets.inference.certificate import Certificate


def built(use: ModelUse, settings: Settings) -> Network:
    """The network of `use`, its graph exported (or taken from where it is kept).

    Raises:
        MissingResourceError: weights, torch or onnx are not installed.
        GovernanceError: the weights are refused, or the graph is not the network.
        CommandError: the variant is not one that the architecture knows.
    """
    return network_of(use, cards_for(use, settings), settings)


def certified(use: ModelUse, settings: Settings) -> Certificate:
    """Compare the engine with fp32 torch on the golden tiles, and keep the certificate."""
    from playe_assets.inference.certificate import certify

    return certify(built(use, settings), settings.target, settings.engines)


def certificate_of(use: ModelUse, settings: Settings) -> Certificate | None:
    """The valid certificate for the settings' target on this device, if there is one."""
    from playe_assets.inference.certificate import find

    return find(built(use, settings), settings.target, settings.engines)


def warmed(preset: str, settings: Settings) -> dict[str, dict[str, float]]:
    """Load every model that the preset asks for and run one tile of each; `load_seconds`, `run_seconds` by card.

    Raises:
        MissingResourceError, GovernanceError: as a case run would, for a model that is not there or not allowed.
    """
    from playe_assets.examination.plan import plan
    from playe_assets.inference.certificate import golden_size
    from playe_assets.inference.sessions import clear, warm
    from playe_assets.inference.windowed import samples_of

    networks = []
    for item in plan(preset, settings).models.values():
        if item.card.format == "data":
            continue
        network = network_of(item.use, (item.card, *item.others), settings)
        tile = item.card.tiling.tile
        height, width = (tile, tile) if tile else golden_size(network, settings.target)
        networks.append((network, (1, samples_of(item.card), height, width)))
    clear()  # what the plan opened for its certificates; the figures are those of a fresh worker
    return warm(networks, settings.target)


def cards_for(use: ModelUse, settings: Settings) -> tuple[ModelCard, ...]:
    """The card of `use` and those that its variant blends in."""
    cards = cards_of(settings)
    return (known(cards, use.name), *(known(cards, name) for name in blended(cards, use)))


def words_of(variant: Mapping[str, float]) -> str:
    """A variant as the commands take it: ` --denoise 0.5`."""
    return "".join(f" --{key} {value:g}" for key, value in sorted(variant.items()))
