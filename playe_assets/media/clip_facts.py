"""Technical facts and the time ledger of a clip, from all its packets and a few decoded frames.

Bounded work on purpose: the first frames and the last group are decoded to see that they do; the enhance
stage decodes all and counts what did not.
"""

from __future__ import annotations

import struct
from array import array
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO, Any, Final

from playe_assets.core.errors import EvidenceLimitError, UndecodableError
from playe_assets.core.values import ExhibitStatus, MediaKind, Reason, StreamFacts
from playe_assets.media.clip import first_video
from playe_assets.media.colour_names import MATRICES, PRIMARIES, RANGES, TRANSFERS
from playe_assets.media.containers import decoder_name, open_container
from playe_assets.media.fields import field_order_of, field_order_stated
from playe_assets.media.ledger import LedgerRow, write_ledger
from playe_assets.media.light import light_of
from playe_assets.media.limits import Limits
from playe_assets.media.metadata import plain_dict
from playe_assets.media.probe_result import Probe

_KEY, _CORRUPT, _DTS, _UNTIMED = 1, 2, 4, 8
_FIRST_PACKETS: Final = 200
"""Packets tried until a frame decodes; a recording may begin between two key frames."""
_FIRST_FRAMES: Final = 8
"""Decoded frames looked at for fields: a stream may code some of its pictures whole and others by fields."""
_RAW: Final = ("h264", "hevc", "mjpeg", "mpegvideo")
"""Streams without a container have no clock; libavformat counts frames at an assumed rate."""

ORIENTATIONS: Final = {
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip
"""Signs of a, b, c, d of the display matrix (ISO/IEC 14496-12, 8.3.2.3) to the EXIF orientation."""


@dataclass
class _Packets:
    pts: array[int] = field(default_factory=lambda: array("q"))
    flags: bytearray = field(default_factory=bytearray)
    hidden: int = 0
    duration_of_last: int = 0
    broken: bool = False
    first: Any = None
    looked_at: int = 0
    """Frames asked for their fields, `_FIRST_FRAMES` once this is over."""
    in_fields: Any = None
    """The first of them that is interlaced."""


def probe_clip(file: IO[bytes], limits: Limits) -> Probe:
    """Demuxes `file` to its end and states what it is.

    Raises:
        UndecodableError, EvidenceLimitError: it is to be quarantined; the code says why.
        av.error.FFmpegError: no listed demuxer accepts it.
    """
    file.seek(0)
    with open_container(file) as container:
        stream = first_video(container)
        audio = len(container.streams.audio)
        if stream is None:
            raise UndecodableError("media.audio_only" if audio else "media.no_video", file="")
        if stream.width * stream.height > limits.max_pixels:
            raise EvidenceLimitError("media.pixels", width=stream.width, height=stream.height,
                                     limit=limits.max_pixels)  # fmt: skip
        if stream.codec_context is None:
            raise UndecodableError("media.no_decoder", codec="")
        found = _walk(container, stream, limits)
        if found.first is None:
            raise UndecodableError("media.no_frame", packets=len(found.pts))
        tail_lost = _tail_fails(container, stream, found, limits)
        order = sorted(range(len(found.pts)), key=found.pts.__getitem__)
        facts = _facts(container, stream, found, order, audio)
        missing = _missing(stream, found, tail_lost)
        notes = _notes(container, stream, found)
        base = Fraction(stream.time_base)
    rows = (LedgerRow(i, found.pts[k], bool(found.flags[k] & _KEY), _words(found.flags[k]))
            for i, k in enumerate(order))  # fmt: skip
    status = ExhibitStatus.PARTIAL if missing else ExhibitStatus.ACCEPTED
    return Probe(status, MediaKind.CLIP, facts, None, missing, notes, write_ledger(rows, base))


def _walk(container: Any, stream: Any, limits: Limits) -> _Packets:
    import av

    found = _Packets()
    stream.codec_context.thread_count, stream.codec_context.thread_type = 1, "NONE"
    stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return found
        except av.error.FFmpegError:
            found.broken = True
            return found
        if packet.size:
            _note(packet, found)
            if len(found.pts) > limits.max_frames:
                raise EvidenceLimitError("media.frames", limit=limits.max_frames)
        wanted = found.first is None or (packet.size and found.looked_at < _FIRST_FRAMES)
        if wanted and len(found.pts) <= _FIRST_PACKETS:
            _look_at_first(packet, found)


def _note(packet: Any, found: _Packets) -> None:
    if packet.is_discard:
        found.hidden += 1
        return
    flags = (_KEY if packet.is_keyframe else 0) | (_CORRUPT if packet.is_corrupt else 0)
    time = packet.pts
    if time is None:
        time, flags = packet.dts, flags | _DTS
    if time is None:
        time, flags = (found.pts[-1] + 1 if found.pts else 0), flags ^ _DTS ^ _UNTIMED
    found.pts.append(time)
    found.flags.append(flags)
    found.duration_of_last = packet.duration or found.duration_of_last


def _look_at_first(packet: Any, found: _Packets) -> None:
    import av

    try:
        frames = packet.decode()
    except av.error.MemoryError:
        if found.first is None:
            raise EvidenceLimitError("media.memory") from None
        found.looked_at = _FIRST_FRAMES
        return
    except (av.error.FFmpegError, ValueError):
        return
    for frame in frames[: _FIRST_FRAMES - found.looked_at]:
        found.first = found.first or frame
        found.looked_at += 1
        if found.in_fields is None and frame.interlaced_frame:
            found.in_fields = frame


def _tail_fails(container: Any, stream: Any, found: _Packets, limits: Limits) -> bool:
    """Whether nothing decodes from the last key frame on. A container that cannot seek is not blamed."""
    import av

    keys = [found.pts[i] for i, flag in enumerate(found.flags) if flag & _KEY]
    if found.broken or len(found.pts) <= 2 or not keys:
        return False
    tried = 0
    try:
        container.seek(max(keys), stream=stream, backward=True)
        for packet in container.demux(stream):
            try:
                if packet.decode():
                    return False
            except (av.error.FFmpegError, ValueError):
                tried += 1
            if tried > limits.tail_packets:
                return True
    except av.error.FFmpegError:
        return False
    return tried > 0


def _facts(container: Any, stream: Any, found: _Packets, order: list[int], audio: int) -> StreamFacts:
    first, context = found.first, stream.codec_context
    times = [found.pts[k] for k in order]
    end = times[-1] + max(found.duration_of_last, 0)
    aspect = stream.sample_aspect_ratio
    return StreamFacts(
        container=container.format.name,
        codec=context.name,
        pixel_format=first.format.name,
        bit_depth=max(c.bits for c in first.format.components),
        width=first.width,
        height=first.height,
        orientation=_orientation(first) or 1,
        colour_range=RANGES.get(int(first.color_range)),
        colour_primaries=PRIMARIES.get(int(first.color_primaries)),
        colour_transfer=TRANSFERS.get(int(first.color_trc)),
        colour_matrix=MATRICES.get(int(first.colorspace)),
        has_alpha="a" in first.format.name.split("p")[0] and len(first.format.components) in (2, 4),
        frame_count=len(times),
        timing="constant" if _constant(times) else "variable",
        time_base=str(Fraction(stream.time_base)),
        start_pts=times[0],
        duration_ticks=end - times[0],
        average_rate=str(stream.average_rate) if stream.average_rate else None,
        sample_aspect_ratio=f"{aspect.numerator}:{aspect.denominator}" if aspect else None,
        interlaced=found.in_fields is not None,
        field_order=_field_order(found.in_fields, context) if found.in_fields is not None else None,
        audio_streams=audio,
        exif=plain_dict(
            {
                **dict(container.metadata),
                **{f"video {k}": v for k, v in stream.metadata.items()},
                **light_of(first),
            }
        ),
        decoder=decoder_name(context.name),
    )


def _field_order(first: Any, context: Any) -> str | None:
    import av

    try:
        return field_order_of(first, int(context.field_order))
    except (av.error.FFmpegError, ValueError):  # a sample format that the filter does not take
        return field_order_stated(int(context.field_order))


def _constant(times: list[int]) -> bool:
    """Whether one rate explains every time to within one tick (clocks of 1 ms cannot say 1/30 s)."""
    count = len(times)
    if count < 3:
        return True
    first, span = times[0], times[-1] - times[0]
    return all(abs((t - first) * (count - 1) - span * i) <= count - 1 for i, t in enumerate(times))


def _orientation(frame: Any) -> int | None:
    """1..8 out of the display matrix, None where it is neither a quarter turn nor a mirror."""
    for side in frame.side_data.keys():  # noqa: SIM118  (its iterator yields values, not keys)
        if getattr(side, "type", None) is not None and side.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack("=5i", bytes(side)[:20])
            return ORIENTATIONS.get(tuple((v > 0) - (v < 0) for v in (a, b, c, d)))
    return 1


def _missing(stream: Any, found: _Packets, tail_lost: bool) -> tuple[Reason, ...]:
    missing = []
    there = len(found.pts) + found.hidden
    if found.broken:
        missing.append(Reason("container_broken", {"frames": len(found.pts)}))
    if stream.frames > there:
        missing.append(Reason("frames_absent", {"promised": stream.frames, "found": there}))
    if found.hidden:
        missing.append(Reason("frames_hidden", {"count": found.hidden}))
    damaged = sum(1 for flag in found.flags if flag & _CORRUPT)
    if damaged:
        missing.append(Reason("packets_damaged", {"count": damaged}))
    if tail_lost:
        missing.append(Reason("end_not_decodable", {}))
    return tuple(missing)


def _notes(container: Any, stream: Any, found: _Packets) -> tuple[Reason, ...]:
    notes = []
    untimed = sum(1 for flag in found.flags if flag & (_DTS | _UNTIMED))
    if container.format.name in _RAW:
        notes.append(Reason("timing_assumed", {"rate": str(stream.average_rate or stream.guessed_rate)}))
    elif untimed:
        notes.append(Reason("timing_from_decoding_order", {"frames": untimed}))
    if len(container.streams.video) > 1:
        notes.append(Reason("further_video_streams", {"count": len(container.streams.video) - 1}))
    others = Counter(s.type or "unknown" for s in container.streams if s.type not in ("video", "audio"))
    if others:
        said = ", ".join(f"{kind} {count}" for kind, count in sorted(others.items()))
        notes.append(Reason("further_streams", {"streams": said}))
    if _orientation(found.first) is None:
        notes.append(Reason("odd_display_matrix", {}))
    return tuple(notes)


def _words(flags: int) -> tuple[str, ...]:
    return tuple(w for bit, w in ((_CORRUPT, "corrupt"), (_DTS, "dts"), (_UNTIMED, "untimed")) if flags & bit)
