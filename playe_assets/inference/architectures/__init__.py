"""The architectures of the portfolio: one line each. Importing this loads no torch."""

from __future__ import annotations

import re

from playe_assets.core.registry import Registry
from playe_assets.inference.architectures.contract import Architecture
from playe_assets.inference.cards import ModelCard

_HERE = "playe_assets.inference.architectures"

# Super-resolution, restoration, video, faces, detection; the names are the first word of a card's `architecture`.
ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture",
    {
        "RRDBNet": f"{_HERE}.spandrel_:RRDBNet",
        "SRVGGNetCompact": f"{_HERE}.srvgg:SRVGGNetCompact",
        "SwinIR": f"{_HERE}.spandrel_:SwinIR",
        "RLFN": f"{_HERE}.rlfn:Rlfn",
        "NAFNet": f"{_HERE}.nafnet:NAFNet",
        "Restormer": f"{_HERE}.restricted:Restormer",
        "SCUNet": f"{_HERE}.spandrel_:SCUNet",
        "DnCNN": f"{_HERE}.spandrel_:DnCNN",
        "DRUNet": f"{_HERE}.levels:DRUNet",
        "FBCNN": f"{_HERE}.levels:FBCNN",
        "FastDVDnet": f"{_HERE}.fastdvdnet:FastDVDnet",
        "IAT": f"{_HERE}.iat:Iat",
        "GFPGANv1Clean": f"{_HERE}.faces:GFPGANv1Clean",
        "RestoreFormer": f"{_HERE}.faces:RestoreFormer",
        "CodeFormer": f"{_HERE}.restricted:CodeFormer",
        "RetinaFace": f"{_HERE}.retinaface:RetinaFace",
        "YOLOv8": f"{_HERE}.yolov8:YoloV8",
    },
)

FIXED_SIDES = {"SwinIR": 0, "SCUNet": 0, "GFPGANv1Clean": 512, "RestoreFormer": 512, "CodeFormer": 512}
"""`fixed_side` of the architectures that have one (0: the card's tile), known here without importing torch: a case
run asks for it, and must need the kept graph only. Held equal to the classes by a test."""


def word_of(card: ModelCard) -> str:
    """The first word of the card's `architecture`, by which an architecture is asked for."""
    found = re.match(r"[A-Za-z0-9]+", card.architecture)
    return found.group() if found else ""


def fixed_side_of(card: ModelCard) -> int | None:
    """Height and width that the exported graph has (0: the card's tile); null where it takes any."""
    return FIXED_SIDES.get(word_of(card))
