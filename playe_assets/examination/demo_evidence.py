"""The demo's evidence: photographs that scikit-image installs, and a clip rendered from one with known truth.

Every fault is put in on purpose and seeded, so that the same libraries write the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Frame
from playe_assets.core.errors import MissingResourceError
from playe_assets.core.presets import Output
from playe_assets.media.clip_write import ClipWriter
from playe_assets.media.png import write_png
from playe_assets.media.proxy import ProxyWriter

Picture = npt.NDArray[np.uint8]
FRAMES = 64
TIME_BASE = Fraction(1, 25)
PTS_STEP = 2
"""12.5 frames a second."""
TRUTH_SIZE = (640, 360)
EXHIBIT_SIZE = (320, 180)
CLIP = "clip_camera_2.mp4"
TRUTH = "reference/clip_camera_2_truth.mkv"
CASE_ID = "DEMO-0001"
_SEED = 20260101
_NOISE_SIGMA = 7.0
_CLIP_OUTPUT = Output(
    png_compression=6, ffv1_slices=4, proxy_crf=20, proxy_speed="medium", proxy_gop=25, proxy_threads=1
)


def write_demo(folder: Path) -> None:
    """Write the evidence folder: three photographs, a clip, the clip's truth and `case.yaml` last.

    Raises:
        MissingResourceError: scikit-image is not installed with its pictures.
    """
    (folder / "reference").mkdir(parents=True, exist_ok=True)
    _rotated_and_noisy(folder / "astronaut_rotated.jpg")
    _compressed(folder / "chelsea_compressed.jpg")
    _dark_sixteen_bit(folder / "cameraman_dark_16bit.png")
    _clips(folder / CLIP, folder / TRUTH)
    names = ("astronaut_rotated.jpg", "cameraman_dark_16bit.png", "chelsea_compressed.jpg", CLIP, TRUTH)
    listed = "".join(f"  - {{name: {n}, size: {(folder / n).stat().st_size}}}\n" for n in names)
    (folder / "case.yaml").write_text(
        f"case: {CASE_ID}\n"
        "title: Demonstration on rendered evidence\n"
        "operator: Demo Operator\n"
        "customer: PLAYE demonstration\n"
        "preset: forensic_safe\n"
        "language: en\n"
        f"references:\n  {CLIP}: {TRUTH}\n"
        f"exhibits:\n{listed}",
        encoding="utf-8",
    )


def camera_path() -> npt.NDArray[np.float64]:
    """Where the clip's camera points, (FRAMES, 2) as x, y in px of the truth, whole sixteenths of a px.

    A slow sway and a hand's tremor: up to about 2 px from frame to frame, 1 px in the exhibit.
    """
    rng = np.random.default_rng(_SEED)
    time = np.arange(FRAMES)[:, np.newaxis]
    sway = 4.0 * np.sin(2.0 * np.pi * time / np.array([[41.0, 29.0]]))
    tremor = rng.normal(0.0, 0.7, (FRAMES, 2))
    path: npt.NDArray[np.float64] = np.round(16.0 * np.clip(sway + tremor, -7.0, 7.0)) / 16.0
    return path


def object_place(index: int) -> tuple[int, int] | None:
    """Top left px of the coin in the scene (not in the frame) at frame `index`; None when it is outside."""
    return (-40 + 14 * (index - 12), 262) if 12 <= index < 62 else None


def true_frames() -> Iterator[Picture]:
    """The clip's truth, (360, 640, 3): what a camera without noise and of twice the resolution would see."""
    import cv2

    width, height = TRUTH_SIZE
    margin = 16
    whole = _picture("astronaut.png")
    scaled = cv2.resize(
        whole[:307, :], (width + 2 * margin, height + 2 * margin + 11), interpolation=cv2.INTER_CUBIC
    )
    coin = cv2.resize(_picture("coins.png")[16:72, 300:356], (40, 40), interpolation=cv2.INTER_AREA)
    coin = np.repeat(coin[:, :, np.newaxis], 3, axis=2) if coin.ndim == 2 else coin
    disc = cv2.circle(np.zeros((40, 40, 1), np.uint8), (20, 20), 18, 255, -1) > 0
    for index, (x, y) in enumerate(camera_path()):
        scene = scaled.copy()
        place = object_place(index)
        if place is not None:
            _paste(scene, coin, disc, *place)
        # Sixteenths are whole in OpenCV's table of 32 sub-pixel places, so the path is what was rendered.
        moved = np.array([[1.0, 0.0, -(margin + x)], [0.0, 1.0, -(margin + y)]])
        yield cv2.warpAffine(scene, moved, TRUTH_SIZE, flags=cv2.INTER_CUBIC)


def _paste(scene: Picture, thing: Picture, mask: npt.NDArray[np.bool_], left: int, top: int) -> None:
    from_x, to_x = max(0, -left), min(thing.shape[1], scene.shape[1] - left)
    if to_x <= from_x:
        return
    target = scene[top : top + thing.shape[0], left + from_x : left + to_x]
    np.copyto(target, thing[:, from_x:to_x], where=mask[:, from_x:to_x])


def _clips(exhibit: Path, truth: Path) -> None:
    import cv2

    rng = np.random.default_rng(_SEED + 1)
    with (
        ClipWriter(truth, TIME_BASE, _CLIP_OUTPUT) as master,
        ProxyWriter(exhibit, TIME_BASE, _CLIP_OUTPUT) as camera,
    ):
        for index, frame in enumerate(true_frames()):
            master.add(Frame(index, index * PTS_STEP, frame))
            small = cv2.resize(frame, EXHIBIT_SIZE, interpolation=cv2.INTER_AREA)
            camera.add(Frame(index, index * PTS_STEP, _noisy(small, _NOISE_SIGMA, rng)))


def _rotated_and_noisy(path: Path) -> None:
    from PIL import Image

    upright = _noisy(_picture("astronaut.png"), 9.0, np.random.default_rng(_SEED + 2))
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: the stored picture must be turned clockwise
    exif[0x010F], exif[0x0110] = "PLAYE", "Demo camera 1"
    exif[0x0132] = "2026:01:01 12:00:00"
    stored = np.ascontiguousarray(np.rot90(upright, 1))
    Image.fromarray(stored).save(path, "JPEG", quality=90, subsampling=2, exif=exif)


def _compressed(path: Path) -> None:
    from PIL import Image

    Image.fromarray(_picture("chelsea.png")).save(path, "JPEG", quality=35, subsampling=2)


def _dark_sixteen_bit(path: Path) -> None:
    """A fifth of the light, and sensor noise that 8 bits could not hold."""
    rng = np.random.default_rng(_SEED + 3)
    grey = _picture("camera.png").reshape(512, 512, 1).astype(np.float64) * 257.0 * 0.2
    noisy = grey + rng.normal(0.0, 2.0 * 257.0, grey.shape)
    write_png(path, np.clip(np.rint(noisy), 0, 65535).astype(np.uint16), None, None, {}, 6)


def _noisy(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    return np.clip(np.rint(picture + rng.normal(0.0, sigma, picture.shape)), 0, 255).astype(np.uint8)


def _picture(name: str) -> Picture:
    from PIL import Image

    spec = find_spec("skimage")
    path = Path(spec.origin).parent / "data" / name if spec and spec.origin else Path(name)
    if not path.is_file():
        raise MissingResourceError("demo.picture", name=name)
    with Image.open(path, formats=("PNG",)) as opened:
        found: Any = np.asarray(opened)
    return np.ascontiguousarray(found[:, :, :3] if found.ndim == 3 else found)
