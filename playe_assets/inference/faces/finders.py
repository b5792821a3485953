"""Which decoder belongs to a face detector's model card: by the family, the beginning of the card's name."""

from __future__ import annotations

from collections.abc import Callable

from playe_assets.core.contracts import Model
from playe_assets.core.errors import GovernanceError
from playe_assets.inference.faces import retinaface, yolo_face, yunet
from playe_assets.inference.faces.found import Face, Limits
from playe_assets.inference.faces.picture import Bytes

_YOLO_SIDE = 640
"""px that Ultralytics exports graphs for unless told otherwise."""


def _yolo(model: Model, picture: Bytes, limits: Limits) -> list[Face]:
    return yolo_face.find(model, picture, limits, _YOLO_SIDE)


FAMILIES: dict[str, Callable[[Model, Bytes, Limits], list[Face]]] = {
    "yunet": yunet.find,
    "retinaface": retinaface.find,
    "yolov8": _yolo,
}
"""Only those that give five landmarks."""


def find(model: Model, picture: Bytes, limits: Limits) -> list[Face]:
    """Faces with five landmarks in an 8-bit picture (h, w, 1 or 3), by descending score.

    Raises:
        GovernanceError: the card is of no family that is decoded here.
    """
    for family, finder in FAMILIES.items():
        if model.name.startswith(family):
            return finder(model, picture, limits)
    raise GovernanceError("faces.no_finder", name=model.name, known=", ".join(FAMILIES))
