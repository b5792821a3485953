"""The viewing copy of a clip: H.264, or HEVC of 10 bits for deeper material, in MP4 with the source's sound.

Made once, from the lossless master, whose every frame is checked against its digest on the way.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from playe_assets.core.errors import IntegrityError
from playe_assets.media.clip import read_clip
from playe_assets.media.clip_audio import AudioCopy
from playe_assets.media.clip_encode import ClipEncoder, duration_of
from playe_assets.media.containers import open_container
from playe_assets.media.light import light_not_carried, x265_light
from playe_assets.media.matroska_clock import CLOCK
from playe_assets.media.pixel_digest import frame_sha256
from playe_assets.media.proxy_pixels import ten_bit_420

if TYPE_CHECKING:
    from playe_assets.core.contracts import Frame, Pixels
    from playe_assets.core.presets import Output
    from playe_assets.core.values import StreamFacts
    from playe_assets.media.write_report import WriteReport

_MOVIE_TICKS: Final = 10**9
"""A second has no more ticks of the movie's clock than this (a signed number of 32 bits in the file)."""
_AHEAD: Final = 4
"""Frames that are decoded and hashed while the encoder works; more would only take memory."""


class ProxyWriter(ClipEncoder):
    """The viewing copy: H.264 High, yuv420p, of 8-bit frames; HEVC Main 10, yuv420p10le, of 16-bit ones.

    Limited range; the matrix is BT.2020's where the source's primaries are, else BT.709's. Lossy with subsampled
    colour: never a basis for findings. An odd width or height is padded by repeating the last column or row,
    because 4:2:0 has no odd sizes; the report says so.
    """

    container: ClassVar[str] = "mp4"
    codec = "libx264"
    _least_step: ClassVar[int] = 1  # players drop frames that share a time

    def _layout(self, pixels: Pixels) -> None:
        height, width, _ = pixels.shape
        r = self.report
        r.padded = (width % 2, height % 2)
        r.width, r.height = width + width % 2, height + height % 2
        self._deep = pixels.dtype.itemsize == 2
        self.codec, self._pix_fmt = ("libx265", "yuv420p10le") if self._deep else ("libx264", "yuv420p")
        if self.facts is not None:
            r.others = (*r.others, *light_not_carried(self.facts, "proxy", self._deep))

    def _options(self, width: int, height: int) -> dict[str, str]:
        o = self.output
        shared = {
            "crf": str(o.proxy_crf),
            "preset": o.proxy_speed,
            "g": str(o.proxy_gop),
            "flags": "+bitexact+frame_duration",
        }
        if not self._deep:
            return {**shared, "profile": "high"}
        # One frame at a time over a pool of stated size: the bytes are the same on every machine (a test).
        params = [f"keyint={o.proxy_gop}", "frame-threads=1", f"pools={o.proxy_threads}", "info=0",
                  "log-level=none", *x265_light(self.facts)]  # fmt: skip
        return {**shared, "profile": "main10", "x265-params": ":".join(params)}

    def _muxer_options(self) -> dict[str, str]:
        ticks = self._written_time_base().denominator
        # Where a track begins is kept in ticks of the movie's clock, by default 1 ms: too coarse for the sound.
        movie = lcm(ticks, *(self.audio.rates if self.audio is not None else ()))
        if movie > _MOVIE_TICKS:
            movie = max(_MOVIE_TICKS // ticks, 1) * ticks
        return {"fflags": "+bitexact", "movflags": "+faststart", "video_track_timescale": str(ticks),
                "movie_timescale": str(movie)}  # fmt: skip

    def _threads(self) -> int:
        return self.output.proxy_threads

    def _written_time_base(self) -> Fraction:
        # MP4 keeps whole ticks of 1/n s with n below 2^31; finer clocks (WebM's 1 ns) go to 1/90000 s.
        n = self.time_base.denominator
        return Fraction(1, n) if n < 1 << 24 else Fraction(1, 90000)

    def _tag(self, context: Any) -> None:
        super()._tag(context)
        context.color_range, context.colorspace = 1, 9 if self._wide_gamut() else 1
        if self._deep:
            context.codec_tag = "hvc1"  # the tag by which players of Apple know HEVC

    def _wide_gamut(self) -> bool:
        return self.facts is not None and self.facts.colour_primaries == "bt2020"

    def _recorded(self) -> dict[str, Any]:
        return {**super()._recorded(), "matrix": "bt2020nc" if self._wide_gamut() else "bt709",
                "range": "limited"}  # fmt: skip

    def _picture(self, pixels: Pixels) -> Any:
        from av import VideoFrame
        from av.video.reformatter import ColorRange, Colorspace, Interpolation

        right, below = self.report.padded
        shown: Any = pixels
        if shown.shape[2] == 1:
            shown = np.repeat(shown, 3, axis=2)
        if right or below:
            shown = np.pad(shown, ((0, below), (0, right), (0, 0)), mode="edge")
        if self._deep:
            matrix = "bt2020nc" if self._wide_gamut() else "bt709"
            return VideoFrame.from_ndarray(ten_bit_420(shown, matrix), format="yuv420p10le")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24")
        exact = Interpolation.ACCURATE_RND | Interpolation.BITEXACT
        flags = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | exact
        space = 9 if self._wide_gamut() else Colorspace.ITU709
        return frame.reformat(
            format="yuv420p", src_colorspace=space, dst_colorspace=space, threads=1,
            interpolation=int(flags), src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.MPEG,
        )  # fmt: skip


def make_proxy(
    master: Path,
    out: Path,
    pts: Sequence[int],
    *,
    base: Fraction,
    output: Output,
    facts: StreamFacts | None,
    audio_from: Path | None,
    expected: Sequence[str],
    progress: Callable[[int, int], None] | None = None,
) -> WriteReport:
    """Encode the frames of `master` to `out`, at the times `pts` (ticks of `base`), with `audio_from`'s sound.

    `expected` holds `frame_sha256` of each frame as it was handed to the master; `progress(done, total)` is
    called after each frame. What was written is read again, packet by packet and not decoded (`read_back`).

    Raises:
        IntegrityError: a frame of the master is not what was written, stands at another time, or their number
            differs; or the finished file does not hold as many.
    """
    total = len(expected)
    stamps = _Stamps(master.name, base)
    with AudioCopy(audio_from, "mp4") as audio:
        writer = ProxyWriter(out, base, output, facts, audio=audio, digest=False)
        with writer:
            done = 0
            for frame, digest in _ahead(_hashed(master)):
                if done == total:
                    raise IntegrityError(
                        "media.master_frames", file=master.name, found=done + 1, expected=total
                    )
                if digest != expected[done] or frame.corrupt:
                    raise IntegrityError("media.master_frame", file=master.name, index=done, found=digest,
                                         expected=expected[done])  # fmt: skip
                stamps.check(frame.pts, pts[done], done)
                writer.add_pixels(frame.pixels, pts[done], duration=duration_of(done, pts, base, facts))
                done += 1
                if progress is not None:
                    progress(done, total)
            if done != total:
                raise IntegrityError("media.master_frames", file=master.name, found=done, expected=total)
    report: WriteReport = writer.report
    report.read_back = packet_times(out, report.written_time_base)
    if len(report.read_back) != total:
        raise IntegrityError("media.proxy_frames", file=out.name, found=len(report.read_back), expected=total)
    return report


def packet_times(path: Path, base: Fraction) -> array[int]:
    """When each picture of the file is shown, ticks of `base`, in order of time; one that has no time is left out."""
    with path.open("rb") as file, open_container(file) as container:
        stream = container.streams.video[0]
        ticks = Fraction(stream.time_base or base) / base
        shown = (p.pts for p in container.demux(stream) if p.size and not p.is_discard)
        return array("q", sorted(round(pts * ticks) for pts in shown if pts is not None))


class _Stamps:
    """Whether the master's stamps, read back, are the source's but for one shift for all."""

    def __init__(self, name: str, base: Fraction) -> None:
        self._name = name
        self._base = base
        self._shift: Fraction | None = None
        self._latest: int | None = None

    def check(self, found: int, pts: int, index: int) -> None:
        """`found` ticks of the master's clock for the source's tick `pts`."""
        late = self._latest is not None and pts < self._latest
        self._latest = pts if self._latest is None or not late else self._latest
        if late:  # the source goes back in time, which the container cannot say; the deviations do
            return
        stands = found * CLOCK
        if self._shift is None:
            exact = stands - pts * self._base
            self._shift = round(exact / CLOCK) * CLOCK
        if abs(stands - self._shift - pts * self._base) > CLOCK:
            raise IntegrityError("media.master_time", file=self._name, index=index, found=str(found),
                                 expected=str(round((pts * self._base + self._shift) / CLOCK)))  # fmt: skip


def _hashed(master: Path) -> Iterator[tuple[Frame, str]]:
    with read_clip(master) as frames:
        for frame in frames:
            yield frame, frame_sha256(frame.pixels)


def _ahead(items: Iterator[tuple[Frame, str]]) -> Iterator[tuple[Frame, str]]:
    """The same items, made in a thread of their own while the consumer works."""
    made: Queue[Any] = Queue(_AHEAD)
    left = Event()

    def fill() -> None:
        last: Any = None
        try:
            for item in items:
                made.put(item)
                if left.is_set():
                    break
        except BaseException as problem:  # noqa: BLE001  (it is raised again by the consumer)
            last = problem
        finally:
            items.close()  # type: ignore[attr-defined]
            made.put(last)

    worker = Thread(target=fill, name="proxy-decode", daemon=True)
    worker.start()
    try:
        while isinstance(item := made.get(), tuple):
            yield item
        if item is not None:
            raise item
    finally:
        left.set()
        while worker.is_alive():
            if not made.empty():
                made.get()
            worker.join(0.01)
