"""Writes lossless clips: FFV1 in Matroska. The exact source time stamps stand in the ledger beside them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from playe_assets.core.errors import PresetError
from playe_assets.media.clip_encode import ClipEncoder, sample_aspect
from playe_assets.media.matroska_clock import CLOCK, MUXER_CLOCK, MUXER_OPTIONS, set_microseconds

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels

FFV1_SLICES: Final = (4, 6, 9, 12, 15, 16, 20, 24)
"""Slice counts that FFV1 can lay out as a grid; others are refused by the encoder."""


class ClipWriter(ClipEncoder):
    """The lossless master: FFV1 version 3, every frame a key frame, a checksum a slice, in Matroska.

    RGB of 8 bits as `bgr0`, of 16 as `gbrp16le`; grey as `gray` or `gray16le`. `read_clip` gives the same
    pixels back. Times are rounded to 1 microsecond, which gives the source's tick back for every clock whose
    tick is at least 2 microseconds.

    Raises (at the first frame):
        PresetError: `output.ffv1_slices` is no count that FFV1 can lay out.
    """

    container: ClassVar[str] = "matroska"
    codec = "ffv1"

    def _layout(self, pixels: Pixels) -> None:
        deep, grey = pixels.dtype.itemsize == 2, pixels.shape[2] == 1
        self._pix_fmt = ("gray16le" if deep else "gray") if grey else ("gbrp16le" if deep else "bgr0")

    def _options(self, width: int, height: int) -> dict[str, str]:
        if self.output.ffv1_slices not in FFV1_SLICES:
            raise PresetError("media.ffv1_slices", value=self.output.ffv1_slices,
                              allowed=", ".join(map(str, FFV1_SLICES)))  # fmt: skip
        # Golomb-Rice costs a quarter less time than the range coder, both ways, for a tenth more bytes; above
        # 8 bits FFV1 has no such choice.
        coder = "range_def" if "16" in self._pix_fmt else "rice"
        options = {"level": "3", "slicecrc": "1", "g": "1", "coder": coder, "context": "0",
                   "flags": "+bitexact"}  # fmt: skip
        if min(width, height) >= 16:  # a picture of a few pixels cannot be cut into slices
            options["slices"] = str(self.output.ffv1_slices)
        return options

    def _muxer_options(self) -> dict[str, str]:
        return dict(MUXER_OPTIONS)

    def _encoder_clock(self) -> Fraction:
        return MUXER_CLOCK

    def _finish(self) -> None:
        r = self.report
        set_microseconds(self.path, r.width, r.height, sample_aspect(self.facts, r.width, r.height))

    def _threads(self) -> int:
        return 4  # slices are coded independently: the bytes are the same for any number (a test)

    def _written_time_base(self) -> Fraction:
        return CLOCK

    def _tag(self, context: Any) -> None:
        super()._tag(context)
        context.color_range = 2
        if self._shape[2] == 3:
            context.colorspace = 0

    def _picture(self, pixels: Pixels) -> Any:
        from av import VideoFrame

        array: Any = np.ascontiguousarray(pixels)
        if pixels.shape[2] == 1:
            return VideoFrame.from_ndarray(array[:, :, 0], format=self._pix_fmt)
        if pixels.dtype.itemsize == 2:
            return VideoFrame.from_ndarray(array, format="gbrp16le")
        return _bgr0(array)


def _bgr0(pixels: Pixels) -> Any:
    """As swscale's rgb24 to bgr0, in a seventh of its time: the same bytes, the fourth 255."""
    import cv2
    from av import VideoFrame

    height, width, _ = pixels.shape
    frame = VideoFrame(width, height, "bgr0")
    plane: Any = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, : 4 * width]
    cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA, dst=rows.reshape(height, width, 4))
    return frame
