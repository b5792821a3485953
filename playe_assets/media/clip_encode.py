"""What the writers of clips share: times, shape, tags and the sound beside the picture.

The same frames give the same bytes (`+bitexact`: no dates, no random ids).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from playe_assets.core.errors import IntegrityError
from playe_assets.media.colour_names import PRIMARIES, TRANSFERS
from playe_assets.media.pixel_digest import PixelDigest
from playe_assets.media.write_report import WriteReport

if TYPE_CHECKING:
    from playe_assets.core.contracts import Frame, Pixels
    from playe_assets.core.presets import Output
    from playe_assets.core.values import StreamFacts
    from playe_assets.media.clip_audio import AudioCopy


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


def duration_of(index: int, pts: Sequence[int], base: Fraction, facts: StreamFacts | None) -> Fraction:
    """How long frame `index` stands, s; the last as the source says, so that the clip ends when the source does."""
    if index + 1 < len(pts):
        return max(pts[index + 1] - pts[index], 0) * base
    last = max(pts[index] - pts[index - 1], 0) if index else 0
    if facts is not None and facts.start_pts is not None and facts.duration_ticks:
        last = max(facts.start_pts + facts.duration_ticks - pts[index], 0) or last
    return last * base


class ClipEncoder(ABC):
    """What both writers share. The first frame fixes size, channels and depth."""

    container: ClassVar[str]
    codec: str

    def __init__(
        self,
        path: Path,
        time_base: Fraction,
        output: Output,
        facts: StreamFacts | None = None,
        *,
        audio: AudioCopy | None = None,
        digest: bool = True,
    ) -> None:
        """`digest=False` leaves `pixel_sha256` of the report empty, where the caller hashes frames anyway."""
        self.path = path
        self.time_base = time_base
        self.output = output
        self.facts = facts
        self.report = WriteReport()
        self.audio = audio
        self._digest = PixelDigest() if digest else None
        self._heard: Iterator[tuple[Fraction, Any]] = iter(())
        self._coming: tuple[Fraction, Any] | None = None
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
                self._mux(self._stream.encode(None))
                self._sound(None)
        finally:
            self._target.close()
        if kind is None:
            self._finish()
        if self._digest is not None:
            self.report.pixel_sha256 = self._digest.hexdigest()
        if self.audio is not None:
            self.report.others = (*self.report.others, *self.audio.deviations())

    def add(self, frame: Frame) -> None:
        """Encodes one frame; all must share shape and dtype.

        Raises:
            IntegrityError: a frame of another shape or sample type than the first.
        """
        self.add_pixels(frame.pixels, frame.pts, frame.corrupt)

    def add_pixels(
        self, pixels: Pixels, pts: int, corrupt: bool = False, duration: Fraction | None = None
    ) -> None:
        """As `add`, for a plane beside the frames, such as the map of contributors; `duration` in seconds."""
        if self._target is None:
            self._open(pixels, pts)
        if (*pixels.shape, pixels.dtype.itemsize) != self._shape:
            raise IntegrityError("media.frame_shape", file=self.path.name, index=len(self.report.rows),
                                 found=str(pixels.shape), expected=str(self._shape[:-1]))  # fmt: skip
        if self._digest is not None:
            self._digest.update(pixels)
        picture = self._picture(pixels)
        written = self._clock(pts)
        picture.pts, picture.time_base = written, self._encoder_clock()
        if duration is not None:
            picture.duration = max(round(duration / self.report.written_time_base), 1)
        self.report.rows.append(pts, written, corrupt)
        self._mux(self._stream.encode(picture))

    def _mux(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            if self.audio is not None:
                self._sound((packet.dts or 0) * Fraction(packet.time_base))
            self._target.mux(packet)

    def _sound(self, until: Fraction | None) -> None:
        """Mux the audio up to a time, s; None: all that is left."""
        while self._coming is not None and (until is None or self._coming[0] <= until):
            self._target.mux(self._coming[1])
            self._coming = next(self._heard, None)

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
        if self.audio is not None:
            self.audio.add_to(target)
            target.start_encoding()
            self._heard = self.audio.packets(r.shift_s)
            self._coming = next(self._heard, None)
        version = ".".join(str(n) for n in av.library_versions["libavcodec"])
        r.encoder = {"name": self.codec, "library": f"PyAV {av.__version__} (libavcodec {version})",
                     "container": self.container, "pixel_format": self._pix_fmt, "options": options,
                     "muxer_options": muxer, "time_base": str(r.written_time_base),
                     "threads": self._threads(), **self._recorded()}  # fmt: skip

    def _recorded(self) -> dict[str, Any]:
        """Further entries of the encoder's record."""
        return {} if self.audio is None else {"audio_streams_copied": len(self.audio.streams)}

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
