"""The code location: loads `defs/`, nothing else. Importing it loads neither torch nor cv2 nor great_expectations."""

from __future__ import annotations

from playe_assets.defs.location import defs

__all__ = ["defs"]
