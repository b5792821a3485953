"""Technical facts of a photograph, from decoding it whole; runs in the child process."""

from __future__ import annotations

import hashlib
from typing import IO, Any, Final

from playe_assets.core.values import ExhibitStatus, MediaKind, Reason, StreamFacts
from playe_assets.media.containers import decoder_name
from playe_assets.media.limits import Limits
from playe_assets.media.metadata import exif_of
from playe_assets.media.photo import load_photo, quiet
from playe_assets.media.probe_result import Probe

_DEPTHS: Final = {"1": 1, "I": 16, "I;16": 16, "I;16B": 16, "I;16L": 16}


def probe_photo(file: IO[bytes], limits: Limits) -> Probe:
    """Decodes `file` and states what it is.

    Raises:
        UndecodableError, EvidenceLimitError: it is to be quarantined; the code says why.
    """
    import PIL

    with quiet():
        loaded = load_photo(file, limits.max_pixels)
        image, deep = loaded.image, loaded.deep
        exif, orientation = exif_of(image)
        icc = image.info.get("icc_profile") or None
        alpha = image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info
        pillow = f"Pillow {PIL.__version__}"
        facts = StreamFacts(
            container=image.format,
            codec=image.format.lower() + (" progressive" if image.info.get("progressive") else ""),
            pixel_format=image.mode if deep is None else deep.format.name,
            bit_depth=_DEPTHS.get(image.mode, 8) if deep is None else 16,
            width=image.width,
            height=image.height,
            orientation=orientation,
            colour_range="full",
            icc_sha256=hashlib.sha256(icc).hexdigest() if icc else None,
            has_alpha=alpha if deep is None else len(deep.format.components) in (2, 4),
            frame_count=_pictures(image),
            exif=exif,
            decoder=pillow if deep is None else decoder_name(image.format.lower()),
        )
    notes = list(loaded.notes)
    if image.format in ("JPEG", "MPO") and not loaded.missing:
        notes += _after_the_end(file)
    status = ExhibitStatus.PARTIAL if loaded.missing else ExhibitStatus.ACCEPTED
    return Probe(status, MediaKind.PHOTO, facts, None, tuple(loaded.missing), tuple(notes))


def _pictures(image: Any) -> int:
    count = getattr(image, "n_frames", 1)
    return count if isinstance(count, int) and count > 0 else 1


def _after_the_end(file: IO[bytes]) -> list[Reason]:
    """A note on bytes after a JPEG's end marker: phones hide a motion clip or a gain map there."""
    end = file.seek(0, 2)
    file.seek(0)
    data = memoryview(file.read(min(end, 64 << 20)))
    stop = _jpeg_end(data)
    if stop is None or end - stop < 64:
        return []
    rest = bytes(data[stop : stop + 64])
    kind = "ISO media (a clip)" if rest[4:8] == b"ftyp" else "JPEG" if rest[:2] == b"\xff\xd8" else "unknown"
    return [Reason("trailing_data", {"bytes": end - stop, "found": kind})]


def _jpeg_end(data: memoryview) -> int | None:
    """The position after the end-of-image marker (ITU-T T.81, annex B), or None if none is reached."""
    raw, position = data.obj, 2
    if not isinstance(raw, bytes):
        return None
    while position + 4 <= len(raw):
        if raw[position] != 0xFF:
            return None
        marker = raw[position + 1]
        if marker == 0xD9:
            return position + 2
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:
            position += 1 if marker == 0xFF else 2
            continue
        position += 2 + int.from_bytes(raw[position + 2 : position + 4], "big")
        if marker == 0xDA:
            position = _scan_end(raw, position)
            if position < 0:
                return None
    return None


def _scan_end(raw: bytes, position: int) -> int:
    while True:
        position = raw.find(b"\xff", position)
        if position < 0 or position + 1 >= len(raw):
            return -1
        if raw[position + 1] != 0 and not 0xD0 <= raw[position + 1] <= 0xD7:
            return position
        position += 2
