"""The source's audio, packet by packet as it is, for a derivative's container: copied, never decoded.

Each stream is first tried by itself, so that one which the container cannot hold, or which is damaged, is listed
as a deviation and stops neither the others nor the video.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Any

from playe_assets.core.values import Reason
from playe_assets.media.containers import open_container
from playe_assets.media.matroska_clock import MUXER_CLOCK, MUXER_OPTIONS, patch_clock


@dataclass(frozen=True)
class Heard:
    """One packet with the time that it is heard at."""

    time: Fraction
    """Seconds on the source's own time line; below 0 for a codec's priming."""
    order: int
    """Position of the stream among those copied."""
    packet: Any


@dataclass
class _Track:
    """One stream that the container takes."""

    index: int
    """Among the source's audio streams."""
    rate: int
    first: Fraction
    delay: Fraction = Fraction(0)
    """What a reader of the container takes off each time beyond what was written, s."""
    stream: Any = None
    last: int | None = None


class AudioCopy:
    """The audio of `source` for one `container` (`matroska` or `mp4`). `close` it, or use `with`.

    `deviations` names what is not, or not exactly, carried; it is complete after the last packet.
    """

    def __init__(self, source: Path | None, container: str) -> None:
        self.container = container
        self._source = source
        self._refused: list[Reason] = []
        self._moved = 0
        self._stack = ExitStack()
        self._tracks: list[_Track] = []
        if source is not None:
            for index in range(_count(source)):
                self._try(source, index)

    def __enter__(self) -> AudioCopy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source."""
        self._stack.close()

    @property
    def first(self) -> Fraction | None:
        """Time of the earliest packet, s, or None without audio."""
        return min((t.first for t in self._tracks), default=None)

    @property
    def streams(self) -> tuple[int, ...]:
        """Which of the source's audio streams are copied, by their position among them."""
        return tuple(t.index for t in self._tracks)

    @property
    def rates(self) -> tuple[int, ...]:
        """Samples a second of the copied streams."""
        return tuple(t.rate for t in self._tracks if t.rate > 0)

    def deviations(self) -> tuple[Reason, ...]:
        """Streams that are left out with the cause, and packets whose time had to be moved."""
        moved = (Reason("audio_times_moved", {"packets": self._moved}),) if self._moved else ()
        return (*self._refused, *moved)

    def add_to(self, target: Any) -> None:
        """Add the streams to the output container, before its first packet."""
        for track in self._tracks:
            _, stream = self._open(track.index)
            track.stream = target.add_stream_from_template(stream)

    def packets(self, shift: Fraction) -> Iterator[tuple[Fraction, Any]]:
        """(time on the container's line, packet ready to be muxed) in order of time; after the header is written."""
        tracks = [self._heard(order, track) for order, track in enumerate(self._tracks)]
        for heard in merge(*tracks, key=lambda h: (h.time, h.order)):
            track = self._tracks[heard.order]
            time = heard.time + shift
            yield time, self._timed(heard.packet, track, time)

    def _timed(self, packet: Any, track: _Track, time: Fraction) -> Any:
        clock = MUXER_CLOCK if self.container == "matroska" else Fraction(track.stream.time_base)
        unit = Fraction(1, 10**6) if self.container == "matroska" else clock
        written = round((time + track.delay) / unit)
        # Matroska lets two packets share a time, MP4 does not.
        floor = None if track.last is None else track.last + (self.container == "mp4")
        if floor is not None and written < floor:
            self._moved += 1
            written = floor
        duration = round((packet.duration or 0) * packet.time_base / unit)
        packet.time_base, packet.stream = clock, track.stream
        packet.pts = packet.dts = track.last = written
        packet.duration = duration
        return packet

    def _heard(self, order: int, track: _Track) -> Iterator[Heard]:
        container, stream = self._open(track.index)
        for time, packet in _timeline(container, stream):
            yield Heard(time, order, packet)

    def _open(self, index: int) -> tuple[Any, Any]:
        """A handle of its own for each stream: badly interleaved sources then need no memory."""
        assert self._source is not None
        return _opened(self._stack, self._source, index)

    def _try(self, source: Path, index: int) -> None:
        import av

        codec = ""
        try:
            with ExitStack() as stack:
                container, stream = _opened(stack, source, index)
                if stream.codec_context is None:
                    self._refuse(index, "unknown", "no decoder knows the codec")
                    return
                codec = stream.codec_context.name
                track, broken = self._dry_run(container, stream, index)
        except (av.error.FFmpegError, ValueError) as problem:
            self._refuse(index, codec, getattr(problem, "strerror", None) or str(problem))
            return
        if track is None:
            self._refuse(index, codec, "no packets")
            return
        if broken:
            self._refused.append(Reason("audio_incomplete", {"stream": index + 1, "codec": codec}))
        track.delay = self._delay(source, index)
        self._tracks.append(track)

    def _dry_run(self, container: Any, stream: Any, index: int) -> tuple[_Track | None, bool]:
        """Mux all packets into nothing: what a muxer refuses shows here, before the video is written."""
        import av

        track: _Track | None = None
        counted, shift = _Ends(), Fraction(0)
        with av.open(_Sink(), "w", format=self.container, options=_options(self.container)) as target:
            output = target.add_stream_from_template(stream)
            target.start_encoding()
            for time, packet in _timeline(container, stream, counted):
                if track is None:
                    track = _Track(index, int(stream.codec_context.sample_rate or 0), time, stream=output)
                    shift = max(-time, Fraction(0))
                track.first = min(track.first, time)
                target.mux(self._timed(packet, track, max(time + shift, Fraction(0))))
        self._moved = 0
        if track is not None:
            track.stream, track.last = None, None
        return track, counted.broken

    def _delay(self, source: Path, index: int) -> Fraction:
        """Matroska's readers take CodecDelay off; the muxer adds it in its own unit, which is not ours."""
        if self.container != "matroska":
            return Fraction(0)
        import av

        made = io.BytesIO()
        made.close = lambda: None  # type: ignore[method-assign]
        with ExitStack() as stack:
            container, stream = _opened(stack, source, index)
            with av.open(made, "w", format="matroska", options=_options("matroska")) as target:
                output = target.add_stream_from_template(stream)
                for _, packet in _timeline(container, stream):
                    packet.time_base, packet.stream = MUXER_CLOCK, output
                    packet.pts = packet.dts = 10**6
                    target.mux(packet)
                    break
        patch_clock(made)
        made.seek(0)
        with open_container(made) as container:
            read = container.streams.audio[0]
            back = next(p for p in container.demux(read) if p.size)
            return 1 - (back.pts or 0) * Fraction(read.time_base or 0)

    def _refuse(self, index: int, codec: str, cause: str) -> None:
        code = "audio_not_in_master" if self.container == "matroska" else "audio_not_in_proxy"
        self._refused.append(Reason(code, {"stream": index + 1, "codec": codec or "unknown", "cause": cause}))


@dataclass
class _Ends:
    broken: bool = False


class _Sink:
    """A file that keeps nothing but its length."""

    name = "nowhere"

    def __init__(self) -> None:
        self._at = self._end = 0

    def write(self, data: bytes) -> int:
        self._at += len(data)
        self._end = max(self._end, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def tell(self) -> int:
        return self._at


def _options(container: str) -> dict[str, str]:
    return dict(MUXER_OPTIONS) if container == "matroska" else {"fflags": "+bitexact"}


def _count(source: Path) -> int:
    with source.open("rb") as file, open_container(file) as container:
        return len(container.streams.audio)


def _opened(stack: ExitStack, source: Path, index: int) -> tuple[Any, Any]:
    from av.stream import Discard

    container = stack.enter_context(open_container(stack.enter_context(source.open("rb"))))
    stream = container.streams.audio[index]
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    return container, stream


def _timeline(container: Any, stream: Any, ends: _Ends | None = None) -> Iterator[tuple[Fraction, Any]]:
    """Packets with their times; one without any follows on the one before. Ends where the container breaks."""
    import av

    unit = Fraction(stream.time_base)
    following = Fraction(0)
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            if ends is not None:
                ends.broken = True
            return
        if not packet.size:
            continue
        stamp = packet.pts if packet.pts is not None else packet.dts
        time = following if stamp is None else stamp * unit
        following = time + (packet.duration or 0) * unit
        yield time, packet
