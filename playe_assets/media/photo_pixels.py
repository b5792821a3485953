"""From a decoded picture of any mode to grey or RGB samples, alpha apart; every conversion leaves a note."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from playe_assets.core.values import Reason
from playe_assets.media.photo import Loaded, Photo
from playe_assets.media.png import icc_fits

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels


def to_photo(loaded: Loaded) -> Photo:
    """The numbers of a loaded picture."""
    image, notes = loaded.image, list(loaded.notes)
    icc = image.info.get("icc_profile") or None
    if loaded.deep is not None:
        array = _packed16(loaded.deep)
    else:
        image, converted = _plain_mode(image, icc)
        notes += converted
        if any(n.code == "converted_to_srgb" for n in converted):
            icc = None
        array = np.asarray(image)
        array = array[:, :, None] if array.ndim == 2 else array
        if image.mode == "I" or array.dtype.byteorder == ">" or array.dtype.itemsize == 2:
            array = array.astype(np.uint16)
    channels = 1 if array.shape[2] <= 2 else 3
    pixels: Pixels = np.ascontiguousarray(array[:, :, :channels])
    alpha: Pixels | None = np.ascontiguousarray(array[:, :, channels:]) if array.shape[2] > channels else None
    if icc is not None and not icc_fits(icc, channels):
        notes.append(Reason("profile_left_out", {"space": icc[16:20].decode("latin-1").strip()}))
        icc = None
    return Photo(pixels, alpha, icc, _dpi(image), tuple(notes), tuple(loaded.missing))


def _dpi(image: Any) -> tuple[float, float] | None:
    try:
        x, y = (float(v) for v in image.info.get("dpi") or ())
    except (ValueError, TypeError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x <= 100_000 and 1 <= y <= 100_000 else None


def _packed16(frame: Any) -> Any:
    """Samples of a packed 16-bit frame (`rgb48be`, `rgba64le`, `ya16be`) in the machine's byte order."""
    name, plane = frame.format.name, frame.planes[0]
    count = len(frame.format.components)
    order = ">u2" if name.endswith("be") else "<u2"
    rows = np.frombuffer(plane, order).reshape(plane.height, plane.line_size // 2)
    return rows[:, : frame.width * count].reshape(frame.height, frame.width, count).astype(np.uint16)


def _plain_mode(image: Any, icc: bytes | None) -> tuple[Any, list[Reason]]:
    mode = image.mode
    if mode in ("L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image, []
    if mode.startswith("I;16") or mode == "I":
        return image, []
    if mode == "CMYK":
        return _from_cmyk(image, icc)
    goal = {"1": "L", "La": "LA", "L": "LA"}.get(mode, "RGB")
    if mode in ("PA", "RGBa") or "transparency" in image.info:
        goal = "LA" if goal in ("L", "LA") else "RGBA"
    if mode == "LAB":
        by = {"mode": mode, "by": "CIELAB D50"}
        return _through_profile(image, None), [Reason("converted_to_srgb", by)]
    exact = mode in ("1", "P", "PA", "L", "RGB", "RGBX")
    return image.convert(goal), [] if exact else [Reason("converted", {"mode": mode, "to": goal})]


def _from_cmyk(image: Any, icc: bytes | None) -> tuple[Any, list[Reason]]:
    if icc is not None and icc[16:20] == b"CMYK":
        converted = _through_profile(image, icc)
        if converted is not None:
            return converted, [Reason("converted_to_srgb", {"mode": "CMYK", "by": "embedded ICC profile"})]
    plain = Reason("converted_to_srgb", {"mode": "CMYK", "by": "255 - min(255, ink + black), no profile"})
    return image.convert("RGB"), [plain]


def _through_profile(image: Any, icc: bytes | None) -> Any:
    """Relative colorimetric to sRGB; None where LittleCMS refuses the profile."""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if icc else ImageCms.createProfile("LAB")
        intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
        return ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), renderingIntent=intent, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return None
