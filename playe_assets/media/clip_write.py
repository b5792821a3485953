"""Writes clips: `ClipWriter` lossless ones (FFV1, Matroska), `ProxyWriter` the viewing copy (H.264, MP4).

Both write the same bytes for the same frames (`+bitexact`: no dates, no random ids). The exact source time stamps
stand in the ledger, beside what was written.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from playe_assets.core.errors import IntegrityError, PresetError
from playe_assets.media.colour_names import PRIMARIES, TRANSFERS
from playe_assets.media.matroska_clock import CLOCK, MUXER_CLOCK, MUXER_OPTIONS, set_microseconds
from playe_assets.media.pixel_digest import PixelDigest
from playe_assets.media.write_report import WriteReport

if TYPE_CHECKING:
    from playe_assets.core.contracts import Frame, Pixels
    from playe_assets.core.presets import Output
    from playe_assets.core.values import StreamFacts

FFV1_SLICES: Final = (4, 6, 9, 12, 15, 16, 20, 24)
"""Slice counts that FFV1 can lay out as a grid; others are refused by the encoder."""


def start_shift(*times: Fraction | None) -> Fraction:
    """What is added to every time so that none lies before zero: whole microseconds, 0 where none does."""
    earliest = min((t for t in times if t is not None), default=Fraction(0))
    return Fraction(-(-(-earliest * 10**6) // 1), 10**6) if earliest < 0 else Fraction(0)


def rate_of(facts: StreamFacts | None) -> Fraction | None:
    """The stated average rate, frames a second; encoders plan by it, no time is made of it."""
    stated = Fraction(facts.average_rate) if facts and facts.average_rate else Fraction(0)
    return stated if 0 < stated <= 1000 else None


def sample_aspect(facts: StreamFacts | None, width: int, height: int) -> Fraction | None:
    """The sample aspect ratio of written frames, inverted where `orient` has exchanged the sides.

    Whether it has is seen by the written sides; a square picture of orientation 5..8 counts as turned.
    """
    if facts is None or not facts.sample_aspect_ratio:
        return None
    stated = Fraction(facts.sample_aspect_ratio.replace(":", "/"))
    if stated <= 0:
        return None
    square = facts.width == facts.height
    turned = facts.orientation >= 5 and (square or (width > height) != (facts.width > facts.height))
    return 1 / stated if turned else stated


class _Writer(ABC):
    """What both writers share. The first frame fixes size, channels and depth."""

    container: ClassVar[str]
    codec: ClassVar[str]

    def __init__(self, path: Path, time_base: Fraction, output: Output,
                 facts: StreamFacts | None = None) -> None:  # fmt: skip
        self.path = path
        self.time_base = time_base
        self.output = output
        self.facts = facts
        self.report = WriteReport()
        self._digest = PixelDigest()
        self._target: Any = None
        self._stream: Any = None
        self._shape: tuple[int, ...] = ()

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._target is None:
            return
        try:
            if kind is None:
                self._target.mux(self._stream.encode(None))
        finally:
            self._target.close()
        if kind is None:
            self._finish()
        self.report.pixel_sha256 = self._digest.hexdigest()

    def add(self, frame: Frame) -> None:
        """Encodes one frame; all must share shape and dtype.

        Raises:
            IntegrityError: a frame of another shape or sample type than the first.
        """
        self.add_pixels(frame.pixels, frame.pts, frame.corrupt)

    def add_pixels(self, pixels: Pixels, pts: int, corrupt: bool = False) -> None:
        """As `add`, for a plane beside the frames, such as the map of contributors."""
        if self._target is None:
            self._open(pixels, pts)
        if (*pixels.shape, pixels.dtype.itemsize) != self._shape:
            raise IntegrityError("media.frame_shape", file=self.path.name, index=len(self.report.rows),
                                 found=str(pixels.shape), expected=str(self._shape[:-1]))  # fmt: skip
        self._digest.update(pixels)
        picture = self._picture(pixels)
        written = self._clock(pts)
        picture.pts, picture.time_base = written, self._encoder_clock()
        self.report.rows.append(pts, written, corrupt)
        self._target.mux(self._stream.encode(picture))

    def _open(self, pixels: Pixels, pts: int) -> None:
        import av

        height, width, _ = pixels.shape
        self._shape = (*pixels.shape, pixels.dtype.itemsize)
        r = self.report
        r.width, r.height = width + r.padded[0], height + r.padded[1]
        self._layout(pixels)
        r.written_time_base = self._written_time_base()
        r.shift_s = start_shift(pts * self.time_base)
        options = self._options(width, height)
        muxer = self._muxer_options()
        target = av.open(str(self.path), "w", format=self.container, options=muxer)
        self._target = target
        stream: Any = target.add_stream(self.codec, rate=rate_of(self.facts), options=options)
        stream.width, stream.height, stream.pix_fmt = r.width, r.height, self._pix_fmt
        stream.time_base = self._encoder_clock()
        context = stream.codec_context
        context.time_base = self._encoder_clock()
        context.thread_count = self._threads()
        context.thread_type = "SLICE" if self.codec == "ffv1" else "AUTO"
        self._tag(context)
        aspect = sample_aspect(self.facts, width, height)
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        self._stream = stream
        version = ".".join(str(n) for n in av.library_versions["libavcodec"])
        r.encoder = {"name": self.codec, "library": f"PyAV {av.__version__} (libavcodec {version})",
                     "container": self.container, "pixel_format": self._pix_fmt, "options": options,
                     "muxer_options": muxer, "time_base": str(r.written_time_base),
                     "threads": self._threads()}  # fmt: skip

    def _clock(self, pts: int) -> int:
        return self.report.written(pts, self.time_base, self._least_step)

    def _encoder_clock(self) -> Fraction:
        """What libav is told to count in."""
        return self.report.written_time_base

    def _finish(self) -> None:  # noqa: B027  (most containers need nothing)
        """After the file was closed."""

    def _tag(self, context: Any) -> None:
        """Primaries and transfer go over as stated; matrix and range are ours: we made the samples."""
        facts = self.facts
        numbers = {name: code for code, name in PRIMARIES.items()}
        context.color_primaries = numbers.get(facts.colour_primaries or "", 2) if facts else 2
        numbers = {name: code for code, name in TRANSFERS.items()}
        context.color_trc = numbers.get(facts.colour_transfer or "", 2) if facts else 2

    _pix_fmt: str = ""
    _least_step: ClassVar[int] = 0

    @abstractmethod
    def _layout(self, pixels: Pixels) -> None: ...

    @abstractmethod
    def _options(self, width: int, height: int) -> dict[str, str]: ...

    @abstractmethod
    def _muxer_options(self) -> dict[str, str]: ...

    @abstractmethod
    def _threads(self) -> int: ...

    @abstractmethod
    def _written_time_base(self) -> Fraction: ...

    @abstractmethod
    def _picture(self, pixels: Pixels) -> Any: ...


class ClipWriter(_Writer):
    """The lossless master: FFV1 version 3, every frame a key frame, a checksum a slice, in Matroska.

    RGB of 8 bits as `bgr0`, of 16 as `gbrp16le`; grey as `gray` or `gray16le`. `read_clip` gives the same
    pixels back. Times are rounded to 1 microsecond, which gives the source's tick back for every clock whose
    tick is at least 2 microseconds.

    Raises (at the first frame):
        PresetError: `output.ffv1_slices` is no count that FFV1 can lay out.
    """

    container: ClassVar[str] = "matroska"
    codec: ClassVar[str] = "ffv1"

    def _layout(self, pixels: Pixels) -> None:
        deep, grey = pixels.dtype.itemsize == 2, pixels.shape[2] == 1
        self._pix_fmt = ("gray16le" if deep else "gray") if grey else ("gbrp16le" if deep else "bgr0")

    def _options(self, width: int, height: int) -> dict[str, str]:
        if self.output.ffv1_slices not in FFV1_SLICES:
            raise PresetError("media.ffv1_slices", value=self.output.ffv1_slices,
                              allowed=", ".join(map(str, FFV1_SLICES)))  # fmt: skip
        options = {"level": "3", "slicecrc": "1", "g": "1", "coder": "range_def", "context": "0",
                   "flags": "+bitexact"}  # fmt: skip
        if min(width, height) >= 16:  # a picture of a few pixels cannot be cut into slices
            options["slices"] = str(self.output.ffv1_slices)
        return options

    def _muxer_options(self) -> dict[str, str]:
        return dict(MUXER_OPTIONS)

    def _encoder_clock(self) -> Fraction:
        return MUXER_CLOCK

    def _finish(self) -> None:
        set_microseconds(self.path)

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
        return VideoFrame.from_ndarray(array, format="rgb24").reformat(format="bgr0")


class ProxyWriter(_Writer):
    """The viewing copy: H.264 High, yuv420p, BT.709 limited range, in MP4 with the index first.

    8 bits and subsampled colour: never a basis for findings. An odd width or height is padded by repeating
    the last column or row, because 4:2:0 has no odd sizes; the report says so.
    """

    container: ClassVar[str] = "mp4"
    codec: ClassVar[str] = "libx264"
    _least_step: ClassVar[int] = 1  # players drop frames that share a time

    def _layout(self, pixels: Pixels) -> None:
        height, width, _ = pixels.shape
        r = self.report
        r.padded = (width % 2, height % 2)
        r.width, r.height = width + width % 2, height + height % 2
        self._pix_fmt = "yuv420p"

    def _options(self, width: int, height: int) -> dict[str, str]:
        o = self.output
        return {"crf": str(o.proxy_crf), "preset": o.proxy_speed, "g": str(o.proxy_gop), "profile": "high",
                "flags": "+bitexact"}  # fmt: skip

    def _muxer_options(self) -> dict[str, str]:
        return {"fflags": "+bitexact", "movflags": "+faststart",
                "video_track_timescale": str(self._written_time_base().denominator)}  # fmt: skip

    def _threads(self) -> int:
        return self.output.proxy_threads

    def _written_time_base(self) -> Fraction:
        # MP4 keeps whole ticks of 1/n s with n below 2^31; finer clocks (WebM's 1 ns) go to 1/90000 s.
        n = self.time_base.denominator
        return Fraction(1, n) if n < 1 << 24 else Fraction(1, 90000)

    def _tag(self, context: Any) -> None:
        super()._tag(context)
        context.color_range, context.colorspace = 1, 1

    def _picture(self, pixels: Pixels) -> Any:
        from av import VideoFrame
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        right, below = self.report.padded
        shown: Any = pixels if pixels.dtype.itemsize == 1 else (pixels >> 8).astype(np.uint8)
        if shown.shape[2] == 1:
            shown = np.repeat(shown, 3, axis=2)
        if right or below:
            shown = np.pad(shown, ((0, below), (0, right), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")
        exact = Interpolation.ACCURATE_RND | Interpolation.BITEXACT
        flags = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | exact
        return frame.reformat(
            format="yuv420p", src_colorspace=Colorspace.ITU709, dst_colorspace=Colorspace.ITU709, threads=1,
            interpolation=int(flags), src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG,
        )  # fmt: skip
