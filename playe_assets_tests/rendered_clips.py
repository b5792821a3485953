"""Clips with known truth: a sign, a plate or a face that shakes by parts of a px over a textured background.

Everything is drawn at `FINE` px per px of the clip by seeded formulas, DejaVu Sans (from matplotlib) and, for the
face, scikit-image's `astronaut` (NASA, public domain; it is in the wheel). Optics: a Gaussian; sensor: the
mean over one px; then noise, 8 bits, and H.264 by PyAV. Truth is the scene before optics, as means over px.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FINE = 8
"""Fine px per px of the clip along a side; pictures of truth exist at the scales that divide it."""
RATES: dict[str, int | None] = {"lossless": None, "600k": 600, "300k": 300, "150k": 150}
"""H.264 at these kbit/s (25 frames a second, 144x96); None: x264 without loss, in RGB."""
OPTICS_SIGMA_PX = 0.5
"""Of the optics, px of the clip. With the sensor's px (a box of standard deviation 0.289) 0.58 px in all."""
TEXTS = {"sign": ("ZUTRITT NUR", "FÜR BEFUGTE", "RAUM 4-178"), "plate": ("KX 73 BMV",)}
_WIDTH, _HEIGHT = 144, 96


@dataclass(frozen=True)
class Scene:
    """What is drawn; the same values give the same frames."""

    subject: str
    """`sign`, `plate` or `face`."""
    frames: int = 40
    seed: int = 1
    noise_sigma: float = 6.0
    """8-bit units."""
    shake_px: float = 1.5
    """Half the range of the subject's shake; its drift over the clip is as long again."""
    turn_degrees: float = 0.0
    """How far the subject has turned by the last frame."""
    crossing: tuple[int, int] = (0, 0)
    """First frame, and one past the last, in which a bar passes over the subject."""
    text: tuple[str, ...] = ()
    """Other lines than `TEXTS`."""


@dataclass(frozen=True)
class Rendered:
    """A scene's frames without coding, and what is true of them."""

    scene: Scene
    pixels: npt.NDArray[np.uint8]
    """(n, h, w, 3)"""
    offsets: npt.NDArray[np.float64]
    """(n, 2): x and y of the subject's centre, px of the clip (the first px's centre is 0)."""
    boxes: tuple[tuple[float, float, float, float], ...]
    """x, y, width and height of the subject in each frame, upright, px."""
    _fine: Any = field(repr=False, default=None)

    def truth(self, frame: int, scale: int) -> npt.NDArray[np.uint8]:
        """Frame `frame` as a camera without blur and noise would see it: (h * scale, w * scale, 3)."""
        return _means(self._fine(frame), FINE // scale).round().clip(0, 255).astype(np.uint8)

    def crossed(self, frame: int) -> npt.NDArray[np.bool_]:
        """(h, w): where the bar stands in this frame."""
        return _bar(self.scene, frame, self.offsets[frame])[1]


def render(scene: Scene) -> Rendered:
    """Draw every frame of `scene`."""
    import cv2

    rng = np.random.default_rng(scene.seed)
    subject = _subject(scene)
    background = _background(rng)
    offsets = _path(scene, rng)
    turns = np.radians(np.linspace(0.0, scene.turn_degrees, scene.frames))

    def fine(frame: int) -> npt.NDArray[np.float32]:
        return _composed(scene, subject, background, offsets[frame], float(turns[frame]), frame)

    frames = []
    for i in range(scene.frames):
        blurred = cv2.GaussianBlur(fine(i), (0, 0), OPTICS_SIGMA_PX * FINE)
        seen = _means(blurred, FINE)
        noisy = seen + rng.normal(0.0, scene.noise_sigma, seen.shape)
        frames.append(noisy.round().clip(0, 255).astype(np.uint8))
    high, wide = subject.shape[0] / FINE, subject.shape[1] / FINE
    boxes = []
    for (x, y), turn in zip(offsets, turns, strict=True):
        w = wide * abs(math.cos(turn)) + high * abs(math.sin(turn))
        h = high * abs(math.cos(turn)) + wide * abs(math.sin(turn))
        boxes.append((float(x + 0.5 - w / 2), float(y + 0.5 - h / 2), float(w), float(h)))
    return Rendered(scene, np.stack(frames), offsets, tuple(boxes), fine)


def write_clip(path: Path, pixels: npt.NDArray[np.uint8], kbit: int | None, rate: int = 25) -> Path:
    """`pixels` as H.264 in MP4, `kbit` a second, or without loss where it is None; one thread, the same bytes."""
    import av

    with av.open(str(path), "w", format="mp4") as target:
        options = {"preset": "medium", "threads": "1"}
        if kbit is None:
            stream: Any = target.add_stream("libx264rgb", rate=rate, options={**options, "qp": "0"})
            stream.pix_fmt = "rgb24"
        else:
            stream = target.add_stream("libx264", rate=rate, options=options)
            stream.pix_fmt, stream.bit_rate = "yuv420p", kbit * 1000
            stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1  # BT.709, limited
        stream.height, stream.width = pixels.shape[1:3]
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(pixels):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            if kbit is not None:
                frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
                frame.colorspace = 1
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def _path(scene: Scene, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A slow drift plus a random shake, both in parts of a px."""
    steps = np.linspace(-0.5, 0.5, scene.frames)[:, None] * scene.shake_px * np.array([2.0, 1.0])
    shake = rng.uniform(-scene.shake_px, scene.shake_px, (scene.frames, 2))
    return np.array([_WIDTH / 2 - 0.5, _HEIGHT / 2 - 0.5]) + steps + shake


def _subject(scene: Scene) -> npt.NDArray[np.float32]:
    if scene.subject == "face":
        return _face()
    lines = scene.text or TEXTS[scene.subject]
    return _sign(lines) if scene.subject == "sign" else _plate(lines[0])


@functools.lru_cache(maxsize=1)
def _face() -> npt.NDArray[np.float32]:
    import cv2
    from skimage import data  # part of scikit-image's wheel: no download

    face = data.astronaut()[16:208, 128:320].astype(np.float32)
    return np.asarray(cv2.resize(face, (48 * FINE, 48 * FINE), interpolation=cv2.INTER_CUBIC)).clip(0, 255)


def _sign(lines: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """Dark letters of 4.4 px (capitals) on a light sign with a frame."""
    return _board(lines, (72, 7 + 9 * len(lines)), 6.0, (235, 228, 205), (30, 45, 80))


def _plate(line: str) -> npt.NDArray[np.float32]:
    """Black letters of 4.7 px (capitals) on a white plate with a frame."""
    return _board((line,), (48, 13), 6.4, (240, 240, 238), (20, 20, 22))


def _board(
    lines: tuple[str, ...], size: tuple[int, int], em_px: float, paper: tuple[int, ...], ink: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    from PIL import Image, ImageDraw, ImageFont

    wide, high = size[0] * FINE, size[1] * FINE
    picture = Image.new("RGB", (wide, high), paper)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((FINE, FINE, wide - FINE - 1, high - FINE - 1), outline=ink, width=FINE)
    path = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    font = ImageFont.truetype(str(path), round(em_px * FINE))
    for number, line in enumerate(lines):
        draw.text((wide / 2, high * (number + 0.5) / len(lines)), line, fill=ink, font=font, anchor="mm")
    return np.asarray(picture, dtype=np.float32)


def _background(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Noise in three octaves of 2, 5 and 12 px, in two tints."""
    import cv2

    shape = (_HEIGHT, _WIDTH)
    total = np.zeros(shape, np.float32)
    for sigma in (1.0, 2.5, 6.0):
        plane = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigma)
        total += plane / plane.std()
    grey = 105.0 + 18.0 * total
    tinted = np.stack([grey * 1.05, grey, grey * 0.9], axis=2)
    fine = cv2.resize(tinted, (_WIDTH * FINE, _HEIGHT * FINE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, np.float32).clip(0, 255)


def _composed(
    scene: Scene, subject: npt.NDArray[np.float32], background: npt.NDArray[np.float32],
    centre: npt.NDArray[np.float64], turn: float, frame: int,
) -> npt.NDArray[np.float32]:  # fmt: skip
    import cv2

    high, wide = subject.shape[:2]
    cos, sin = math.cos(turn), math.sin(turn)
    goal = (centre + 0.5) * FINE - 0.5
    middle = np.array([(wide - 1) / 2, (high - 1) / 2])
    matrix = np.array([[cos, -sin], [sin, cos]])
    warp = np.hstack([matrix, (goal - matrix @ middle)[:, None]])
    size = (_WIDTH * FINE, _HEIGHT * FINE)
    drawn = cv2.warpAffine(subject, warp, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(np.ones((high, wide), np.float32), warp, size, flags=cv2.INTER_LINEAR)[:, :, None]
    found = background * (1 - cover) + drawn * cover
    bar, _ = _bar(scene, frame, centre)
    return np.where(bar[:, :, None], np.float32([[[120, 30, 25]]]), found).astype(np.float32)


def _bar(
    scene: Scene, frame: int, centre: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """A dark red bar of 9 px that crosses from left to right: fine mask, and px that it touches."""
    first, last = scene.crossing
    fine = np.zeros((_HEIGHT * FINE, _WIDTH * FINE), bool)
    if first <= frame < last:
        share = (frame - first + 0.5) / (last - first)
        x = centre[0] + (share - 0.5) * 60.0
        left, right = (round((x + d) * FINE) for d in (-4.5, 4.5))
        top, below = (round((centre[1] + d) * FINE) for d in (-30.0, 30.0))
        fine[top:below, left:right] = True
    coarse = fine.reshape(_HEIGHT, FINE, _WIDTH, FINE).any(axis=(1, 3))
    return fine, coarse


def _means(picture: npt.NDArray[np.float32], by: int) -> npt.NDArray[np.float32]:
    """Means over squares of `by` px."""
    if by == 1:
        return picture
    high, wide, channels = picture.shape
    cells = picture.reshape(high // by, by, wide // by, by, channels)
    return np.asarray(cells.mean(axis=(1, 3)), np.float32)
