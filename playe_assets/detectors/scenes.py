"""Thresholds of object detectors by scene: one word in the preset chooses a row, every number stands in the preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playe_assets.core.params import bounds, one_of
from playe_assets.inference.objects.names import COCO, GROUP_OF, GROUPS

SCENES = ("indoor", "street", "document", "night")
NOT_SOUGHT = 1.0
"""As a threshold: the group is left out, because no score is above 1."""


def _score() -> Any:
    return bounds(0.01, NOT_SOUGHT, "score; 1 leaves the group out")


@dataclass(frozen=True)
class SceneParams:
    """The least score a group of classes (`inference/objects/names.py`) must exceed, in each scene."""

    scene: str = one_of(*SCENES)
    """The row that applies; the others are kept in the record, so that two runs differ by one word."""

    indoor_people: float = _score()
    indoor_vehicles: float = _score()
    indoor_street: float = _score()
    indoor_animals: float = _score()
    indoor_carried: float = _score()
    indoor_office: float = _score()
    indoor_household: float = _score()

    street_people: float = _score()
    street_vehicles: float = _score()
    street_street: float = _score()
    street_animals: float = _score()
    street_carried: float = _score()
    street_office: float = _score()
    street_household: float = _score()

    document_people: float = _score()
    document_vehicles: float = _score()
    document_street: float = _score()
    document_animals: float = _score()
    document_carried: float = _score()
    document_office: float = _score()
    document_household: float = _score()

    night_people: float = _score()
    night_vehicles: float = _score()
    night_street: float = _score()
    night_animals: float = _score()
    night_carried: float = _score()
    night_office: float = _score()
    night_household: float = _score()


@dataclass(frozen=True)
class Sought:
    """What the chosen scene asks for."""

    thresholds: tuple[float, ...]
    """Least score of each of COCO's classes, in their order."""

    @property
    def classes(self) -> tuple[int, ...]:
        """Classes that are looked for at all."""
        return tuple(index for index, least in enumerate(self.thresholds) if least < NOT_SOUGHT)

    @property
    def least(self) -> float:
        """The lowest threshold of any class: what the network's candidates are cut at first.

        Suppression works within a class, and what suppresses has the higher score, so cutting each class at its
        own threshold afterwards gives the same boxes as cutting before.
        """
        return min(self.thresholds)


def sought(params: SceneParams) -> Sought:
    """The thresholds of `params.scene`."""
    row = {group: float(getattr(params, f"{params.scene}_{group}")) for group in GROUPS}
    return Sought(tuple(row[GROUP_OF[name]] for name in COCO))
