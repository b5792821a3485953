"""The detectors: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts import Detector
from playe_assets.core.registry import Registry

# Faces first (the learned one before the cascades), then whole people, then anything that moves.
DETECTORS: Registry[Detector] = Registry(
    "detector",
    {
        "yunet": "playe_assets.detectors.yunet:YuNet",
        "haar_face": "playe_assets.detectors.haar_face:HaarFace",
        "hog_people": "playe_assets.detectors.hog_people:HogPeople",
        "mog2_motion": "playe_assets.detectors.mog2_motion:Mog2Motion",
    },
)
