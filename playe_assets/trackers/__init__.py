"""The trackers: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts_tracks import Tracker
from playe_assets.core.registry import Registry

TRACKERS: Registry[Tracker] = Registry(
    "tracker",
    {
        "kalman_iou": "playe_assets.trackers.kalman_iou:KalmanIou",
        "bytetrack": "playe_assets.trackers.bytetrack:ByteTrack",
        "overlap": "playe_assets.trackers.overlap:Overlap",
    },
)
