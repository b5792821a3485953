"""What the tests of steps over time share: cuts, summaries of per-frame numbers, and the window-pure check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from playe_assets.core.contracts import Enhancer, Frame
from playe_assets.core.tracks import Shot


def with_cut(frames: Sequence[Frame], cut: int | None) -> list[Frame]:
    """`frames` in two shots, the second from frame `cut`; without shots where it is None."""
    if cut is None:
        return list(frames)
    shots = (Shot(0, 0, cut - 1), Shot(1, cut, len(frames) - 1))
    return [dataclasses.replace(f, shot=shots[f.index >= cut]) for f in frames]


def summary(cls: type[Enhancer], frames: Sequence[Frame]) -> dict[str, float]:
    """One value a name over the frames that have it, as `summaries` says."""
    how = {"mean": np.mean, "max": np.max, "sum": np.sum}
    found = {}
    for name, over in cls.summaries.items():
        values = [f.numbers[name] for f in frames if name in f.numbers]
        if values:
            found[name] = float(how[over](values))
    return found


def assert_same(one: Frame, other: Frame) -> None:
    """Every bit of two frames, of what stands beside them and of their numbers."""
    assert one.index == other.index and one.pts == other.pts and one.kind == other.kind
    assert one.fused_from == other.fused_from and one.shot == other.shot
    assert np.array_equal(one.pixels, other.pixels), one.index
    assert one.side.keys() == other.side.keys()
    for name in one.side:
        assert np.array_equal(one.side[name], other.side[name]), (one.index, name)
    assert dict(one.numbers) == dict(other.numbers), one.index


def assert_window_pure(make: Callable[[], Enhancer], source: Sequence[Frame], reach: int) -> None:
    """At every border: a pass over a part with `reach` frames more on each side gives the whole pass's bits."""
    whole = list(make().stream(iter(source)))
    assert [f.index for f in whole] == [f.index for f in source]
    for border in range(1, len(source)):
        # The segment before the border and the one after it, each of three frames.
        for first, last in ((max(0, border - 3), border), (border, min(len(source), border + 3))):
            start, stop = max(0, first - reach), min(len(source), last + reach)
            for made in make().stream(iter(source[start:stop])):
                if first <= made.index < last:
                    assert_same(made, whole[made.index])


def texture(height: int, width: int, seed: int, channels: int = 3) -> np.ndarray:
    """Details of several sizes, float, 40..215, (h, w, channels)."""
    import cv2

    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, channels))
    for sigma in (1.2, 3.0, 8.0):
        layer = cv2.GaussianBlur(rng.normal(0, 1, (height, width, channels)), (0, 0), sigma)
        total += sigma * layer.reshape(total.shape)
    return 40.0 + 175.0 * (total - total.min()) / (total.max() - total.min())


_THINGS = (  # size, first place and velocity, as shares of the picture and px a frame
    (0.4, 0.30, 0.1, 0.2, 2.3, 0.4),
    (0.35, 0.35, 0.6, 0.5, -3.1, -0.7),
    (0.3, 0.20, 0.4, 0.1, 0.6, 3.2),
)


def moving_things(height: int, width: int, count: int, pan: tuple[float, float] = (0.0, 0.0)) -> list:
    """Clean frames (float) in which three textured things move by themselves before a textured ground."""
    import cv2

    ground = texture(height + 80, width + 80, 1)
    things = [texture(int(height * t[0]), int(width * t[1]), 5 + i) for i, t in enumerate(_THINGS)]
    found = []
    for i in range(count):
        matrix = np.array([[1.0, 0.0, -40 - pan[0] * i], [0.0, 1.0, -40 - pan[1] * i]])
        frame = cv2.warpAffine(ground, matrix, (width, height), flags=cv2.INTER_CUBIC)
        for thing, (_, _, x, y, dx, dy) in zip(things, _THINGS, strict=True):
            place = np.array([[1.0, 0.0, width * x + dx * i], [0.0, 1.0, height * y + dy * i]])
            cover = cv2.warpAffine(np.ones(thing.shape[:2]), place, (width, height))[:, :, np.newaxis]
            shown = cv2.warpAffine(thing, place, (width, height), flags=cv2.INTER_CUBIC)
            frame = frame * (1 - cover) + cover * shown
        found.append(frame)
    return found


def noisy(cleans: Sequence, sigma: float, seed: int = 11, dtype=np.uint8) -> list[Frame]:
    """`cleans` (float, 8-bit units) with white noise, as frames of `dtype`."""
    rng = np.random.default_rng(seed)
    unit = 1 if dtype is np.uint8 else 257
    found = []
    for i, clean in enumerate(cleans):
        picture = np.clip(np.rint((clean + rng.normal(0, sigma, clean.shape)) * unit), 0, 255 * unit)
        found.append(Frame(i, 40 * i, picture.astype(dtype)))
    return found


def psnr(pixels, clean, margin: int = 8) -> float:
    """dB over 255, without `margin` px at the rim; `clean` in 8-bit units."""
    unit = 1 if pixels.dtype == np.uint8 else 257
    inner = np.s_[margin:-margin, margin:-margin]
    return float(10 * np.log10(255**2 / np.mean((pixels[inner] / unit - clean[inner]) ** 2)))
