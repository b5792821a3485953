"""EXIF and container metadata as plain, bounded, printable strings: it is evidence, and it is hostile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from playe_assets.media.photo import PILLOW_ERRORS

MAX_ENTRIES: Final = 200
MAX_LENGTH: Final = 256
"""Characters a value. Maker notes of megabytes would otherwise fill manifest and report."""


def printable(value: Any) -> str:
    """`value` as text: control characters and lone surrogates as `\\xNN`, long values cut with `...`."""
    if isinstance(value, bytes):
        stripped = value.rstrip(b"\0")
        if stripped.isascii() and all(32 <= b < 127 for b in stripped):
            text = stripped.decode("ascii")
        else:
            text = f"0x{value[:32].hex()}" + (f"... ({len(value)} bytes)" if len(value) > 32 else "")
    elif isinstance(value, (tuple, list)):
        text = ", ".join(printable(v) for v in value[:16]) + (" ..." if len(value) > 16 else "")
    else:
        text = str(value)[: MAX_LENGTH * 2].rstrip("\0")
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return safe if len(safe) <= MAX_LENGTH else safe[:MAX_LENGTH] + "..."


def plain_dict(found: Mapping[str, Any]) -> dict[str, str] | None:
    """At most `MAX_ENTRIES` printable entries in sorted order, or None where there are none."""
    entries = {printable(k): printable(found[k]) for k in sorted(found, key=str)[:MAX_ENTRIES]}
    return entries or None


def exif_of(image: Any) -> tuple[dict[str, str] | None, int]:
    """EXIF of a Pillow image as strings (IFD0, Exif, `GPS ...`), and its orientation 1..8 (1 if unusable)."""
    from PIL import ExifTags

    found: dict[str, Any] = {}
    orientation = 1
    try:
        exif = image.getexif()
        stated = exif.get(0x0112)
        orientation = int(stated) if isinstance(stated, int) and 1 <= stated <= 8 else 1
        for tag, value in exif.items():
            if tag not in (0x8769, 0x8825, 0xA005):
                found[ExifTags.TAGS.get(tag, f"0x{tag:04x}")] = value
        for tag, value in exif.get_ifd(0x8769).items():
            found[ExifTags.TAGS.get(tag, f"0x{tag:04x}")] = value
        for tag, value in exif.get_ifd(0x8825).items():
            found[f"GPS {ExifTags.GPSTAGS.get(tag, f'0x{tag:04x}')}"] = value
    except PILLOW_ERRORS:
        found.setdefault("(damaged)", "the EXIF block could not be read to its end")
    found.pop("MakerNote", None)
    return plain_dict(found), orientation
