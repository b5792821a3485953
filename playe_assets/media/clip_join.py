"""Joins the lossless parts of a clip to its master: packets are copied, nothing is coded again.

FFV1 with intra frames only keeps no state between packets, so parts and one undivided pass give the same bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import IntegrityError
from playe_assets.media.clip_audio import AudioCopy
from playe_assets.media.clip_encode import duration_of, sample_aspect, start_shift
from playe_assets.media.containers import open_container
from playe_assets.media.light import light_not_carried
from playe_assets.media.matroska_clock import CLOCK, MUXER_CLOCK, MUXER_OPTIONS, set_microseconds
from playe_assets.media.write_report import WriteReport

if TYPE_CHECKING:
    from playe_assets.core.presets import Output
    from playe_assets.core.values import StreamFacts


def join_clips(
    parts: Sequence[Path],
    out: Path,
    rows: Sequence[tuple[int, bool]],
    *,
    base: Fraction,
    output: Output,
    facts: StreamFacts | None,
    audio_from: Path | None,
) -> WriteReport:
    """Write the frames of `parts` (of `ClipWriter`, in order) to `out`, with the audio of `audio_from`.

    `rows` is (source PTS in ticks of `base`, corrupt) of each frame; the parts' own stamps do not count. One
    shift, the same for video and audio, is added where anything lies before zero. `pixel_sha256` of the
    report stays empty: the caller has the frames' digests.

    Raises:
        IntegrityError: the parts were not coded alike, or hold another number of frames than `rows`.
    """
    import av

    report = WriteReport()
    times = array("q", (pts for pts, _ in rows))
    with ExitStack() as stack:
        first = _video(stack.enter_context(open_container(stack.enter_context(parts[0].open("rb")))))
        form = _form(first)
        audio = stack.enter_context(AudioCopy(audio_from, "matroska"))
        report.shift_s = start_shift(min(times, default=0) * base, audio.first)
        report.width, report.height = first.width, first.height
        target = av.open(str(out), "w", format="matroska", options=dict(MUXER_OPTIONS))
        try:
            stream = target.add_stream_from_template(first)
            audio.add_to(target)
            target.start_encoding()
            heard = audio.packets(report.shift_s)
            coming = next(heard, None)
            for index, packet in enumerate(_packets(parts, form)):
                if index == len(rows):
                    raise IntegrityError(
                        "media.parts_frames", file=out.name, found=index + 1, expected=len(rows)
                    )
                pts, corrupt = rows[index]
                written = report.written(pts, base, 0)
                while coming is not None and coming[0] <= written * CLOCK:
                    target.mux(coming[1])
                    coming = next(heard, None)
                packet.stream, packet.time_base = stream, MUXER_CLOCK
                packet.pts = packet.dts = written
                packet.duration = round(duration_of(index, times, base, facts) / CLOCK)
                report.rows.append(pts, written, corrupt)
                target.mux(packet)
            if len(report.rows) != len(rows):
                raise IntegrityError(
                    "media.parts_frames", file=out.name, found=len(report.rows), expected=len(rows)
                )
            while coming is not None:
                target.mux(coming[1])
                coming = next(heard, None)
        finally:
            target.close()
        report.others = (*audio.deviations(), *light_not_carried(facts, "master"))
        report.encoder = {**_encoder(first, output), "audio_streams_copied": len(audio.streams)}
    aspect = sample_aspect(facts, report.width, report.height)
    set_microseconds(out, report.width, report.height, aspect)
    return report


def _packets(parts: Sequence[Path], form: dict[str, Any]) -> Iterator[Any]:
    for part in parts:
        with part.open("rb") as file, open_container(file) as container:
            stream = _video(container)
            found = _form(stream)
            for name, expected in form.items():
                if found[name] != expected:
                    raise IntegrityError("media.parts_differ", file=part.name, what=name,
                                         found=_shown(found[name]), expected=_shown(expected))  # fmt: skip
            for packet in container.demux(stream):
                if packet.size:
                    yield packet


def _video(container: Any) -> Any:
    return container.streams.video[0]


def _form(stream: Any) -> dict[str, Any]:
    """What must be the same in all parts, or a decoder set up by the first would misread the others."""
    c = stream.codec_context
    return {"codec": c.name, "width": c.width, "height": c.height, "pixel_format": c.pix_fmt,
            "extradata": c.extradata,
            "colour": (c.color_range, c.color_primaries, c.color_trc, c.colorspace)}  # fmt: skip


def _shown(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _encoder(stream: Any, output: Output) -> dict[str, Any]:
    import av

    version = ".".join(str(n) for n in av.library_versions["libavformat"])
    return {"name": "ffv1", "library": f"PyAV {av.__version__} (libavformat {version})", "container": "matroska",
            "pixel_format": stream.codec_context.pix_fmt, "muxer_options": dict(MUXER_OPTIONS),
            "time_base": str(CLOCK), "ffv1_slices": output.ffv1_slices, "joined": "packets copied"}  # fmt: skip
