"""Thumbnails small enough for a database: JPEG, long side 200 px, for looking only."""

from __future__ import annotations

import numpy as np

from playe_assets.core.errors import IntegrityError


def thumbnail(data: bytes, long_side: int = 200, quality: int = 80) -> bytes:
    """A report's picture (PNG) as a small JPEG, about 5 to 10 KB.

    Raises:
        IntegrityError: the bytes are no picture.
    """
    import cv2

    found = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise IntegrityError("report.picture_unknown", exhibit="-", size=len(data))
    scale = min(1.0, long_side / max(found.shape[:2]))
    size = (max(1, round(found.shape[1] * scale)), max(1, round(found.shape[0] * scale)))
    small = cv2.resize(found, size, interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
