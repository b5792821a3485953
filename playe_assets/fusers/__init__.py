"""The fusers, which make one picture of a track: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.contracts_tracks import Fuser
from playe_assets.core.registry import Registry

FUSERS: Registry[Fuser] = Registry(
    "fuser",
    {
        "track_fusion": "playe_assets.fusers.track_fusion:TrackFusion",
    },
)
