"""From the decoder's samples to RGB: which matrix and range are used, and the arithmetic.

8-bit material goes through swscale with accurate rounding (measured against the formulas of ITU-T H.273: at
most 0.51 of one level). Deeper material does not: swscale 9.5 makes 10-bit limited-range white 1020 of 1023,
so there only the chroma is interpolated by swscale and the matrix is applied here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from playe_assets.core.errors import UndecodableError
from playe_assets.media.colour_names import MATRICES, RANGES
from playe_assets.media.fields import as_stated, chroma_lines, lacks_chroma, with_whole_fields

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels

_SWS_MATRIX: Final = {"bt709": 1, "fcc": 4, "bt470bg": 5, "smpte170m": 5, "smpte240m": 7, "bt2020nc": 9}
_LUMA: Final = {
    "bt709": (0.2126, 0.0722), "fcc": (0.30, 0.11), "bt470bg": (0.299, 0.114),
    "smpte170m": (0.299, 0.114), "smpte240m": (0.212, 0.087), "bt2020nc": (0.2627, 0.0593),
}  # fmt: skip
"""Kr and Kb of ITU-T H.273, table 4."""


@dataclass(frozen=True)
class Conversion:
    """How samples of one clip become RGB; stands in the record of the enhance stage."""

    matrix: str
    matrix_assumed: bool
    """The stream does not state it: BT.709 from 720 lines or 1280 columns upward, else BT.601."""
    full_range: bool
    range_assumed: bool
    """The stream does not state it: limited for YCbCr and grey, full for RGB."""
    depth: int
    """Bits a component; above 8 the pixels are uint16, scaled to 0..65535."""
    grey: bool
    interlaced: bool = False
    """The stream is interlaced and a line of chroma serves several of luma (4:2:0): the lines between are
    interpolated in each field by itself. Else false: no line of one field takes part in the other's."""


def conversion_of(frame: Any, codec: str, interlaced: bool | None = None) -> Conversion:
    """The conversion for `frame` (`av.VideoFrame`) of the codec named `codec`.

    `interlaced` is what intake found of the whole stream; without it the frame's own flag decides.

    Raises:
        UndecodableError: a matrix that has no defined way to RGB here (YCgCo, ICtCp, constant luminance).
    """
    pixel_format = frame.format
    name: str = pixel_format.name
    depth = max(c.bits for c in pixel_format.components)
    grey = name.startswith(("gray", "ya", "mono"))
    fields = bool(frame.interlaced_frame) if interlaced is None else interlaced
    fields = fields and not grey and chroma_lines(pixel_format) > 1 and frame.height > 1
    rgb = pixel_format.is_rgb or pixel_format.has_palette
    stated_range = RANGES.get(int(frame.color_range))
    full = stated_range == "full" or name.startswith("yuvj")
    if stated_range is None:
        # FFV1 and still pictures carry grey over the full range; a monochrome H.264 stream does not.
        full = full or rgb or (grey and codec in ("ffv1", "png", "tiff", "mjpeg")) or name.startswith("mono")
    stated = MATRICES.get(int(frame.colorspace))
    if rgb:
        return Conversion("gbr", False, True, stated_range is None, depth, False, fields)
    if stated in (None, "gbr"):
        chosen = "bt709" if frame.height >= 720 or frame.width >= 1280 else "smpte170m"
        return Conversion(chosen, True, full, stated_range is None, depth, grey, fields)
    if stated not in _SWS_MATRIX:
        raise UndecodableError("media.matrix", matrix=stated)
    return Conversion(stated, False, full, stated_range is None, depth, grey, fields)


def other_form(frame: Any, codec: str, first: Conversion) -> bool:
    """Whether `frame` states that its samples mean something else than `first` says; what it does not state, it
    does not deny."""
    try:
        found = conversion_of(frame, codec)
    except UndecodableError:
        return True
    if (found.grey, found.depth) != (first.grey, first.depth):
        return True
    full = found.full_range != first.full_range
    return (found.matrix != first.matrix and not found.matrix_assumed) or (
        full and (found.full_range or not found.range_assumed)
    )


class ToRgb:
    """Converts frames of one clip; keeps swscale's context between frames."""

    def __init__(self, conversion: Conversion) -> None:
        from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

        self.conversion = conversion
        self._scaler = VideoReformatter()
        self._flags = int(
            Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
            | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
        )  # fmt: skip
        self._source_range = ColorRange.JPEG if conversion.full_range else ColorRange.MPEG
        self._full = ColorRange.JPEG

    def pixels(self, frame: Any) -> Pixels:
        """(height, width, 1 or 3), uint8, or uint16 where a component has more than 8 bits.

        Every frame is treated as the conversion states, whatever its own flag says of fields.
        """
        if self.conversion.interlaced and lacks_chroma(frame):
            larger: Any = self._pixels(as_stated(with_whole_fields(frame), True))
            lines: Pixels = np.ascontiguousarray(larger[: frame.height])
            return lines
        return self._pixels(as_stated(frame, self.conversion.interlaced))

    def _pixels(self, frame: Any) -> Pixels:
        c = self.conversion
        if c.grey:
            return self._grey(frame)
        if c.matrix == "gbr":
            if c.depth <= 8:
                return self._array(frame, "rgb24", self._full)
            return _stretch(self._array(frame, _planar(c.depth), self._full), c.depth)
        if c.depth <= 8:
            return _interleaved(self._scale(frame, "gbrp", self._source_range, self._full))
        wide = self._scale(frame, f"yuv444p{_even_depth(c.depth)}le", self._source_range, self._source_range)
        return _ycbcr_to_rgb(_planes(wide), _even_depth(c.depth), c)

    def _grey(self, frame: Any) -> Pixels:
        c = self.conversion
        if c.depth <= 8:
            plain: Any = self._array(frame, "gray", self._source_range, self._source_range)[:, :, None]
            return plain if c.full_range else _LIMITED_GREY[plain]  # type: ignore[no-any-return]
        depth = _even_depth(c.depth)
        plain = self._array(frame, f"gray{depth}le", self._source_range, self._source_range)[:, :, None]
        if c.full_range:
            return _stretch(plain, depth)
        low, span = 16 << (depth - 8), 219 << (depth - 8)
        return _to_uint16((plain.astype(np.float64) - low) / span)

    def _array(self, frame: Any, name: str, source: int, goal: int | None = None) -> Pixels:
        array = self._scale(frame, name, source, self._full if goal is None else goal).to_ndarray()
        contiguous: Pixels = np.ascontiguousarray(array)
        return contiguous

    def _scale(self, frame: Any, name: str, source: int, goal: int) -> Any:
        matrix = _SWS_MATRIX.get(self.conversion.matrix)
        # threads=1: the same samples everywhere, and the encoder beside us has its own threads.
        return self._scaler.reformat(
            frame, format=name, src_colorspace=matrix, dst_colorspace=matrix, interpolation=self._flags,
            src_color_range=source, dst_color_range=goal, threads=1,
        )  # fmt: skip


def _interleaved(frame: Any) -> Pixels:
    """Planes G, B, R as (h, w, 3) RGB; five times as fast as PyAV's own way, the same samples."""
    import cv2

    green, blue, red = (
        np.frombuffer(p, np.uint8).reshape(p.height, p.line_size)[:, : p.width] for p in frame.planes
    )
    together: Pixels = cv2.merge([red, green, blue])
    return together


_LIMITED_GREY: Final = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)


def _even_depth(depth: int) -> int:
    return next(d for d in (10, 12, 14, 16) if d >= depth)


def _planar(depth: int) -> str:
    return f"gbrp{_even_depth(depth)}le"


def _stretch(array: Any, depth: int) -> Pixels:
    """Integers of `depth` bits as uint16 over the full range, rounded."""
    depth = _even_depth(depth)
    if depth == 16:
        return np.ascontiguousarray(array, dtype=np.uint16)
    top = (1 << depth) - 1
    wide: Pixels = ((array.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
    return wide


def _to_uint16(unit: Any) -> Pixels:
    wide: Pixels = np.rint(np.clip(unit, 0.0, 1.0) * 65535.0).astype(np.uint16)
    return wide


def _planes(frame: Any) -> list[Any]:
    return [
        np.frombuffer(p, np.uint16).reshape(p.height, p.line_size // 2)[:, : p.width] for p in frame.planes
    ]


def _ycbcr_to_rgb(planes: list[Any], depth: int, c: Conversion) -> Pixels:
    """H.273 clause 8.3: y, cb, cr of `depth` bits to RGB of 16.

    Single precision carries 24 bits; with at most 16 in the samples the error stays below 0.01 of a level.
    """
    scale, top = 1 << (depth - 8), (1 << depth) - 1
    low, y_span, c_span = (0, top, top) if c.full_range else (16 * scale, 219 * scale, 224 * scale)
    kr, kb = _LUMA[c.matrix]
    kg = 1 - kr - kb
    y, cb, cr = (p.astype(np.float32) for p in planes)
    y -= low
    y *= np.float32(65535 / y_span)
    for chroma in (cb, cr):
        chroma -= 1 << (depth - 1)
        chroma *= np.float32(65535 / c_span)
    out = np.empty((*y.shape, 3), np.uint16)
    parts = ((0.0, 2 * (1 - kr)), (-2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg), (2 * (1 - kb), 0.0))
    for channel, (of_cb, of_cr) in enumerate(parts):
        sample = y.copy()
        for chroma, factor in ((cb, of_cb), (cr, of_cr)):
            if factor:
                sample += chroma * np.float32(factor)
        np.clip(sample, 0, 65535, out=sample)
        out[:, :, channel] = np.rint(sample, out=sample)
    return out
