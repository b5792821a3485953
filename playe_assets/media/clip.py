"""Reads a clip frame by frame with its exact time stamps; memory does not grow with its length.

One decoding thread: where a stream is damaged, FFmpeg's concealment depends on how many frames are in flight,
and the same exhibit must give the same pixels on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import UndecodableError
from playe_assets.media.colour import Conversion, ToRgb, conversion_of, other_form
from playe_assets.media.containers import open_container
from playe_assets.media.ffv1_check import SliceCheck

if TYPE_CHECKING:
    from playe_assets.core.values import StreamFacts


@dataclass
class ClipReport:
    """What reading a clip met; complete once the last frame was taken."""

    frames_decoded: int = 0
    """Frames decoded, those before `start` included."""
    frames_corrupt: int = 0
    """Of these, frames that the decoder marks or whose checksum fails: parts are concealed, not decoded.
    H.264 and its kin carry no checksums, so a changed bit that still parses shows in no count."""
    packets_refused: int = 0
    """Packets that the decoder refused altogether; they gave no frame."""
    demux_failed: bool = False
    """The container broke off before its end."""
    other_size: int = 0
    """Frames of another size than the first, left out: scaling them would invent pixels."""
    other_form: int = 0
    """Frames coded in another form than the first (grey or colour, bits, matrix, range), read as the first is."""
    pts_from_dts: int = 0
    """Frames whose presentation time is the decoding time, because the container gives no other."""
    pts_invented: int = 0
    """Frames without any time stamp, which got the one before plus one tick."""
    conversion: Conversion | None = None
    """How samples became RGB."""


class ClipReader:
    """Iterate once over the frames; `report` afterwards. `with` closes the file early; the end does too.

    Frames come in order of presentation as (height, width, 1 or 3), not rotated: orientation is a step.
    """

    def __init__(self, path: Path, facts: StreamFacts | None = None, start: int = 0) -> None:
        self.path = path
        self.facts = facts
        self.start = start
        self.report = ClipReport()
        self._frames: Iterator[Frame] | None = None

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()

    def __iter__(self) -> Iterator[Frame]:
        if self._frames is None:
            self._frames = self._read()
        return self._frames

    def _read(self) -> Iterator[Frame]:
        import av

        with self.path.open("rb") as file:
            try:
                with open_container(file) as container:
                    stream = first_video(container)
                    if stream is None:
                        raise UndecodableError("media.no_video", file=self.path.name)
                    yield from self._frames_of(container, stream)
            except av.error.FFmpegError as problem:
                raise UndecodableError(
                    "media.undecodable", file=self.path.name, problem=problem.strerror
                ) from None

    def _frames_of(self, container: Any, stream: Any) -> Iterator[Frame]:
        report, scaler, last, size, form = self.report, None, None, None, None
        for decoded, damaged in decoded_frames(container, stream, report):
            if size is None:
                size = (decoded.width, decoded.height)
                stated = self.facts.interlaced if self.facts is not None else None
                report.conversion = conversion_of(decoded, stream.codec_context.name, stated)
                scaler = ToRgb(report.conversion)
                form = _form(decoded)
            if (decoded.width, decoded.height) != size or scaler is None:
                report.other_size += 1
                continue
            if _form(decoded) != form and report.conversion is not None:
                report.other_form += other_form(decoded, stream.codec_context.name, report.conversion)
            pts = self._pts(decoded, last)
            corrupt = damaged or bool(decoded.is_corrupt)
            report.frames_corrupt += corrupt
            index, last = report.frames_decoded, pts
            if index >= self.start:
                yield Frame(index, pts, scaler.pixels(decoded), corrupt)
            report.frames_decoded += 1

    def _pts(self, decoded: Any, last: int | None) -> int:
        if decoded.pts is not None:
            return int(decoded.pts)
        if decoded.dts is not None:
            self.report.pts_from_dts += 1
            return int(decoded.dts)
        self.report.pts_invented += 1
        return 0 if last is None else last + 1


def read_clip(path: Path, facts: StreamFacts | None = None, start: int = 0) -> ClipReader:
    """The frames of the clip at `path`, lazily, from index `start` on.

    Whether fields are kept apart is decided once for the clip: by `facts`, without them by the first frame.

    Frames before `start` are decoded, since what follows depends on them, but neither converted nor handed out;
    index, time stamp and the report's counts are as if they were. Seeking instead would give other pixels
    wherever a stream is damaged or its key frames are not what they claim.

    Raises (while iterating):
        UndecodableError: no accepted demuxer or decoder reads it, or it holds no video.
    """
    return ClipReader(path, facts, start)


def first_video(container: Any) -> Any:
    """The first video stream that is no cover picture, or None."""
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            return stream
    return None


def _form(decoded: Any) -> tuple[str, int, int]:
    return decoded.format.name, int(decoded.color_range), int(decoded.colorspace)


def decoded_frames(container: Any, stream: Any, report: ClipReport) -> Iterator[tuple[Any, bool]]:
    """`av.VideoFrame`s of `stream` and whether their checksum fails; refusals are counted in `report`."""
    import av

    context = stream.codec_context
    if context.name == "ffv1":  # our own masters: slices are independent and carry checksums
        context.thread_count, context.thread_type = 4, "SLICE"
    else:
        context.thread_count, context.thread_type = 1, "NONE"
    # Frames before the first intact key frame are handed out, marked corrupt, instead of being dropped.
    context.flags |= int(av.codec.context.Flags.output_corrupt)
    check = SliceCheck() if context.name == "ffv1" else None
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            report.demux_failed = True
            yield from ((frame, False) for frame in _flush(stream))
            return
        damaged = check is not None and packet.size > 0 and check.damaged(bytes(packet))
        try:
            frames = packet.decode()
        except (av.error.EOFError, StopIteration):
            return
        except av.error.FFmpegError:
            report.packets_refused += 1
            continue
        yield from ((frame, damaged) for frame in frames)


def _flush(stream: Any) -> Iterator[Any]:
    import av

    try:
        yield from stream.decode(None)
    except av.error.FFmpegError:
        return
