"""The architectures of the portfolio: one line each. Importing this loads no torch."""

from __future__ import annotations

from playe_assets.core.registry import Registry
from playe_assets.inference.architectures.contract import Architecture

_HERE = "playe_assets.inference.architectures"

# Super-resolution, restoration, faces, detection; the names are the first word of a card's `architecture`.
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
        "IAT": f"{_HERE}.iat:Iat",
        "GFPGANv1Clean": f"{_HERE}.faces:GFPGANv1Clean",
        "RestoreFormer": f"{_HERE}.faces:RestoreFormer",
        "CodeFormer": f"{_HERE}.restricted:CodeFormer",
        "RetinaFace": f"{_HERE}.retinaface:RetinaFace",
        "YOLOv8": f"{_HERE}.yolov8:YoloV8",
    },
)
