"""The golden tiles: small pictures made by formula, on which an engine is held against the reference.

They stand for what evidence holds: a photograph, small text, a face, flat fields, noise, saturated colours. No
file is read, so that a certificate can be made anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from playe_assets.core.contracts import Pixels

    Plane: TypeAlias = npt.NDArray[np.float64]

VERSION = 1
"""Raised whenever a tile would look different: older certificates are then no longer valid."""
SEEDS = (20, 21, 22, 23)
"""Of the photo (texture and sensor noise), the text's digits and its noise, and the tile of noise."""
FLAT = {"black": 0, "white": 255, "grey": 128}
_DIGITS = (31599, 11415, 29671, 29647, 23497, 31183, 31215, 29257, 31727, 31695)
"""The digits as 3 x 5 px, 15 bits each, row by row from the most significant."""


def golden_tiles(height: int, width: int) -> dict[str, Pixels]:
    """The tiles by name, (height, width, 3) uint8, the same on every call; at least 16 x 16 px."""
    made: dict[str, Callable[[int, int], Plane]] = {
        "photo": _photo,
        "text": _text,
        "face": _face,
        "noise": _noise,
        "colour": _colour,
    }
    tiles: dict[str, Pixels] = {
        name: np.rint(np.clip(make(height, width), 0, 1) * 255).astype(np.uint8)
        for name, make in made.items()
    }
    flat: dict[str, Pixels] = {
        name: np.full((height, width, 3), level, np.uint8) for name, level in FLAT.items()
    }
    return tiles | flat


def _grid(height: int, width: int) -> tuple[Plane, Plane]:
    """Rows and columns, each from -1 to 1."""
    y, x = np.mgrid[0:height, 0:width]
    return 2 * y / (height - 1) - 1, 2 * x / (width - 1) - 1


def _photo(height: int, width: int) -> Plane:
    """Smooth shading, texture that falls off with frequency, hard edges, a little sensor noise."""
    rng = np.random.default_rng(SEEDS[0])
    y, x = _grid(height, width)
    base = np.stack([0.55 - 0.25 * y, 0.5 - 0.1 * y + 0.1 * x, 0.45 + 0.2 * y], axis=2)
    for cells, share in ((4, 0.2), (9, 0.12), (19, 0.07), (41, 0.05)):
        base += share * (_smooth(rng.random((cells, cells, 3)), height, width) - 0.5)
    base[(np.abs(x + 0.3) < 0.2) & (y > -0.2)] *= 0.35
    base[(x - 0.4) ** 2 + (y + 0.3) ** 2 < 0.09] = (0.95, 0.9, 0.7)
    base[np.abs(y - 0.5 * x - 0.55) < 0.03] = (0.1, 0.12, 0.1)
    picture: Plane = base + rng.normal(0, 0.012, base.shape)
    return picture


def _smooth(cells: Plane, height: int, width: int) -> Plane:
    """`cells` (n, n, 3) enlarged by linear interpolation."""
    places = np.arange(cells.shape[0])
    rows = _weights(np.linspace(0, places[-1], height), places)
    columns = _weights(np.linspace(0, places[-1], width), places)
    enlarged: Plane = np.einsum("xb,ybc->yxc", columns, np.einsum("ya,abc->ybc", rows, cells))
    return enlarged


def _weights(at: Plane, places: npt.NDArray[np.int_]) -> Plane:
    shares: Plane = np.clip(1 - np.abs(at[:, None] - places[None, :]), 0, 1)
    return shares


def _text(height: int, width: int) -> Plane:
    """Digits of 1, 2 and 3 px a stroke: dark on light above, light on dark below."""
    page = np.full((height, width), 0.92)
    ink = _ink()
    y = 2
    for size in (1, 2, 3, 2, 1, 3):
        if y + 5 * size > height:
            break
        for x in range(2, width - 3 * size, 4 * size):
            glyph = np.kron(next(ink), np.ones((size, size)))
            page[y : y + 5 * size, x : x + 3 * size] -= 0.85 * glyph
        y += 7 * size
    page[height * 2 // 3 :] = 1 - page[height * 2 // 3 :]
    return np.repeat(page[:, :, None], 3, axis=2)


def _ink() -> Iterator[Plane]:
    rng = np.random.default_rng(SEEDS[1])
    while True:
        bits = _DIGITS[int(rng.integers(10))]
        yield np.array([bits >> k & 1 for k in range(14, -1, -1)], float).reshape(5, 3)


def _face(height: int, width: int) -> Plane:
    """A drawn face: an oval with shading, brows, eyes, nose and mouth before a plain wall."""
    y, x = _grid(height, width)
    picture = np.empty((height, width, 3))
    picture[:] = (0.62, 0.66, 0.7)
    picture[x**2 / 0.42 + (y + 0.05) ** 2 / 0.72 < 1] = (0.16, 0.11, 0.08)
    skin = x**2 / 0.34 + (y - 0.05) ** 2 / 0.58 < 1
    light = (0.85 - 0.18 * x - 0.1 * y)[:, :, None] * np.array((0.98, 0.78, 0.66))
    picture[skin] = light[skin]
    for side in (-0.24, 0.24):
        picture[(x - side) ** 2 / 0.016 + (y + 0.12) ** 2 / 0.0045 < 1] = (0.95, 0.95, 0.93)
        picture[(x - side) ** 2 + (y + 0.12) ** 2 < 0.0035] = (0.15, 0.2, 0.25)
        picture[(np.abs(x - side) < 0.15) & (np.abs(y + 0.27) < 0.025)] = (0.2, 0.14, 0.1)
    picture[(np.abs(x - 0.02) < 0.035) & (np.abs(y - 0.08) < 0.12)] *= 0.85
    picture[x**2 / 0.05 + (y - 0.38) ** 2 / 0.004 < 1] = (0.68, 0.28, 0.27)
    return picture + np.random.default_rng(SEEDS[2]).normal(0, 0.008, picture.shape)


def _noise(height: int, width: int) -> Plane:
    """Every sample independent and uniform: the hardest input for a reduced precision."""
    return np.random.default_rng(SEEDS[3]).random((height, width, 3))


def _colour(height: int, width: int) -> Plane:
    """Fully saturated bars above, all hues at full saturation below."""
    y, x = _grid(height, width)
    bars = np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)], float)
    picture = bars[np.clip(((x + 1) * 3).astype(int), 0, 5)]
    hue = (x + 1) * 3
    wheel = np.stack([np.clip(np.abs((hue + k) % 6 - 3) - 1, 0, 1) for k in (0, 4, 2)], axis=2)
    picture[y > 0] = wheel[y > 0]
    return np.asarray(picture, float)
