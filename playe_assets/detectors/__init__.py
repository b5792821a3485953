"""The detectors: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts import Detector
from playe_assets.core.registry import Registry

# Faces first (the learned ones before the cascades), then whole people, everyday objects, then anything that moves.
DETECTORS: Registry[Detector] = Registry(
    "detector",
    {
        "yunet": "playe_assets.detectors.yunet:YuNet",
        "retinaface": "playe_assets.detectors.retinaface:RetinaFace",
        "yolo_face": "playe_assets.detectors.yolo_face:YoloFace",
        "ultraface": "playe_assets.detectors.ultraface:UltraFace",
        "haar_face": "playe_assets.detectors.haar_face:HaarFace",
        "hog_people": "playe_assets.detectors.hog_people:HogPeople",
        "yolo_objects": "playe_assets.detectors.yolo_objects:YoloObjects",
        "yolo_ultralytics": "playe_assets.detectors.yolo_ultralytics:YoloUltralytics",
        "fastestdet": "playe_assets.detectors.fastestdet:FastestDet",
        "mog2_motion": "playe_assets.detectors.mog2_motion:Mog2Motion",
    },
)
