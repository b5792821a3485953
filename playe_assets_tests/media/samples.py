"""Small pictures and clips, rendered here; each function says how."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from playe_assets.core.presets import Output
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.proxy import ProxyWriter

OUTPUT = Output(png_compression=3, ffv1_slices=4, proxy_crf=18, proxy_speed="ultrafast", proxy_gop=10,
                proxy_threads=1)  # fmt: skip
VFR = (0, 512, 1024, 3000, 3001, 9000)
BASE = Fraction(1, 15360)


def noise(height: int = 48, width: int = 64, channels: int = 3, deep: bool = False, seed: int = 0):
    """Uniform noise, so that no code can hide a wrong sample behind a neighbour."""
    top, kind = (65536, np.uint16) if deep else (256, np.uint8)
    return np.random.default_rng(seed).integers(0, top, (height, width, channels)).astype(kind)


def ramp(height: int = 48, width: int = 64, shift: int = 0):
    """A smooth picture with a bright square, which lossy coders keep close."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 3 + shift, y * 4, np.full_like(x, 90)], axis=-1).clip(0, 255)
    picture[8:20, 8 + shift : 20 + shift] = 230
    return picture.astype(np.uint8)


def write_mp4(path: Path, pts=VFR, height: int = 48, width: int = 64) -> Path:
    """H.264 in MP4, index first, with the given time stamps in 1/15360 s."""
    with ProxyWriter(path, BASE, OUTPUT) as writer:
        for number, time in enumerate(pts):
            writer.add_pixels(ramp(height, width, number), time)
    return path


def write_mkv(path: Path, pts=VFR) -> Path:
    """FFV1 in Matroska."""
    with ClipWriter(path, BASE, OUTPUT) as writer:
        for number, time in enumerate(pts):
            writer.add_pixels(ramp(shift=number), time)
    return path


def write_tail_index_mp4(path: Path, rotation: tuple[float, bool, bool] | None = None, frames: int = 20):
    """MPEG-4 part 2 in MP4 with the index last, as cameras do; `rotation` is degrees, hflip, vflip."""
    import av

    with av.open(str(path), "w", format="mp4") as target:
        stream = target.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1], vflip=rotation[2])
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(ramp(shift=number), format="rgb24")
            frame.pts = number
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def write_m4a(path: Path) -> Path:
    """A second of silence as AAC in MP4."""
    import av

    with av.open(str(path), "w", format="mp4") as target:
        stream = target.add_stream("aac", rate=44100, layout="mono")
        for start in range(0, 44100, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path
