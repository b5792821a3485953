"""Reads a photograph with Pillow from an explicit list of formats, keeping 16 bits, alpha and profile.

The strict way is tried first, because a tolerant decoder gives a truncated JPEG back whole without a word.
What then decodes in part is filled with black, and the rows that are missing are counted.
"""

from __future__ import annotations

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from playe_assets.core.errors import EvidenceLimitError, UndecodableError
from playe_assets.core.values import Reason

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels
    from playe_assets.core.values import StreamFacts

FORMATS: Final = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "AVIF", "JPEG2000")
"""Pillow's names (JPEG includes MPO): what cameras, phones, scanners and recorders write. Left out on
purpose: formats that run an interpreter (EPS, PDF, WMF), lead elsewhere (FPX, MIC), or have a history of
decoder faults and no such source (PSD, SGI, DDS, BLP, FLI, PCX, ICNS, ICO and the rest)."""

PILLOW_ERRORS: Final = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
    OverflowError, ZeroDivisionError, RuntimeError, AssertionError, zlib.error, struct.error, UnicodeError,
)  # fmt: skip
"""What Pillow's parsers were seen to raise on hostile files, beside MemoryError."""

_ONE_AT_A_TIME = threading.RLock()
"""Pillow's tolerance is a module-wide switch."""


@dataclass(frozen=True)
class Photo:
    """A photograph as numbers; not rotated, orientation is a step."""

    pixels: Pixels
    """(height, width, 1 or 3), uint8 or uint16."""
    alpha: Pixels | None
    """(height, width, 1) of the same dtype, not multiplied in."""
    icc: bytes | None
    """The embedded profile, where it describes these pixels."""
    dpi: tuple[float, float] | None
    notes: tuple[Reason, ...] = ()
    """Conversions that were made."""
    missing: tuple[Reason, ...] = ()
    """What could not be decoded and is black."""


@dataclass
class Loaded:
    """A decoded Pillow image, or the frame of PyAV where 16-bit colour is at stake (`deep`)."""

    image: Any
    deep: Any | None
    notes: list[Reason]
    missing: list[Reason]


def read_photo(path: Path, facts: StreamFacts | None = None, max_pixels: int | None = None) -> Photo:
    """The photograph at `path`; the same pixels each time, of partial ones too.

    Raises:
        UndecodableError: no accepted decoder reads any of it.
        EvidenceLimitError: more than `max_pixels` (default: that of `Limits`).
    """
    from playe_assets.media.limits import Limits
    from playe_assets.media.photo_pixels import to_photo

    with path.open("rb") as file, quiet():
        return to_photo(load_photo(file, max_pixels or Limits().max_pixels))


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow's warnings about damaged metadata are not for the log: what matters comes back as reasons."""
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def open_photo(file: IO[bytes], max_pixels: int) -> Any:
    """The header of `file`, as a Pillow image whose pixels are not yet read.

    Raises:
        UndecodableError: not one of `FORMATS`.
        EvidenceLimitError: it states more than `max_pixels`.
    """
    from PIL import Image

    register_formats()
    Image.MAX_IMAGE_PIXELS = None  # ours is checked below, with a reason instead of a warning
    file.seek(0)
    try:
        image = Image.open(file, formats=FORMATS)
        width, height = image.size
    except PILLOW_ERRORS as problem:
        raise UndecodableError(
            "media.undecodable", file=Path(str(file.name)).name, problem=type(problem).__name__
        ) from None
    if width * height > max_pixels:
        raise EvidenceLimitError("media.pixels", width=width, height=height, limit=max_pixels)
    return image


def register_formats() -> None:
    """Loads the plug-ins of `FORMATS` and no others; Pillow's own `init` would load all forty."""
    import importlib

    for name in ("Jpeg", "Mpo", "Png", "Tiff", "WebP", "Bmp", "Gif", "Avif", "Jpeg2K"):
        importlib.import_module(f"PIL.{name}ImagePlugin")


def load_photo(file: IO[bytes], max_pixels: int) -> Loaded:
    """`file` decoded strictly, else tolerantly with what is missing; call within `quiet()`."""
    image = open_photo(file, max_pixels)
    notes: list[Reason] = []
    missing = _further_pictures(image)
    deep = None
    if bits := deep_colour_bits(image, file):
        deep = _load_deep(file, image.format)
        if deep is None:
            notes.append(Reason("bits_lost", {"bits": bits, "kept": 8}))
    try:
        if deep is None:
            image.load()
            check_samples(image)
    except MemoryError:
        raise EvidenceLimitError("media.memory") from None
    except PILLOW_ERRORS as problem:
        image, rows = _load_tolerantly(file, max_pixels, problem)
        missing.append(rows)
    return Loaded(image, deep, notes, missing)


def check_samples(image: Any) -> None:
    """Refuses samples without a fixed range.

    Raises:
        UndecodableError: floating point, or integers outside 0..65535.
    """
    if image.mode == "F":
        raise UndecodableError("media.samples", mode="F", low="float", high="float")
    if image.mode == "I":
        low, high = image.getextrema()
        if low < 0 or high > 65535:
            raise UndecodableError("media.samples", mode="I", low=int(low), high=int(high))


def _further_pictures(image: Any) -> list[Reason]:
    try:
        count = int(getattr(image, "n_frames", 1))
    except PILLOW_ERRORS:
        return [Reason("picture_list_damaged", {})]
    found = [Reason("further_pictures", {"count": count - 1, "total": count})] if count > 1 else []
    if image.format == "TIFF" and int(image.tag_v2.get(254) or 0) & 1:
        # Raw files of cameras (DNG, NEF, CR2) are TIFF with a small preview in front.
        found.append(Reason("preview_only", {"width": image.width, "height": image.height}))
    return found


def deep_colour_bits(image: Any, file: IO[bytes]) -> int:
    """Bits a component where Pillow would cut colour to 8 (48-bit PNG and TIFF), else 0."""
    if image.format == "PNG":
        file.seek(24)
        depth, kind = file.read(2)
        return 16 if depth == 16 and kind in (2, 4, 6) else 0
    if image.format == "TIFF":
        bits = image.tag_v2.get(258)
        if isinstance(bits, tuple) and len(bits) >= 3 and set(bits) == {16} and image.mode != "CMYK":
            return 16
    return 0


def _load_deep(file: IO[bytes], container: str) -> Any | None:
    import av

    from playe_assets.media.containers import open_container

    file.seek(0)
    try:
        with open_container(file, ("png_pipe" if container == "PNG" else "tiff_pipe",)) as source:
            source.streams.video[0].codec_context.thread_count = 1
            frame = next(source.decode(video=0))
    except (av.error.FFmpegError, StopIteration, IndexError):
        return None
    return None if frame.is_corrupt else frame


def _load_tolerantly(file: IO[bytes], max_pixels: int, first: BaseException) -> tuple[Any, Reason]:
    """The image with black where nothing decoded, and which rows those are.

    It is decoded twice over different grounds: a row in which the ground shows through was not decoded.
    """
    white = _row_sums(_decode_over(file, max_pixels, 255, first))
    image = _decode_over(file, max_pixels, 0, first)
    black = _row_sums(image)
    lost = [row for row, (a, b) in enumerate(zip(white, black, strict=True)) if a != b]
    if len(lost) == image.height:
        raise UndecodableError("media.nothing_decoded", problem=type(first).__name__)
    if image.info.get("progressive"):
        return image, Reason("scans_missing", {"rows_total": image.height})
    if not lost:
        return image, Reason("end_damaged", {})
    return image, Reason("rows_missing", {"rows": len(lost), "rows_total": image.height, "first": lost[0]})


def _decode_over(file: IO[bytes], max_pixels: int, ground: int, first: BaseException) -> Any:
    from PIL import Image, ImageFile

    image = open_photo(file, max_pixels)
    if image.format in ("JPEG", "MPO") and not image.info.get("progressive"):
        # Keeps Pillow from appending an end marker, upon which libjpeg would invent the missing rows. A
        # progressive picture needs the marker: its scans refine the whole area.
        image._ended = True
    bands = len(image.getbands())
    try:
        if image.mode in ("1", "L", "P", "LA", "PA", "RGB", "RGBA", "CMYK", "YCbCr"):
            colour = ground if bands == 1 else (ground,) * bands
            image.im = Image.new(image.mode, image.size, colour).im
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
        try:
            image.load()
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before
    except MemoryError:
        raise EvidenceLimitError("media.memory") from None
    except PILLOW_ERRORS:
        raise UndecodableError("media.nothing_decoded", problem=type(first).__name__) from None
    return image


def _row_sums(image: Any) -> list[int]:
    sums = []
    for row in range(image.height):
        sums.append(zlib.crc32(image.crop((0, row, image.width, row + 1)).tobytes()))
    return sums
