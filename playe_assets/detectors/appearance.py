"""What a finding looks like, as one vector: colours of its upper and lower half and its coarse outlines.

It tells clothes and paint apart, not persons: it is no biometric feature and says nothing of identity. After
N. Dalal, B. Triggs, CVPR 2005 (orientations) and D. Comaniciu et al., CVPR 2000 (square roots of histograms).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts import Pixels
from playe_assets.core.values import Detection
from playe_assets.detectors.crop import crop

Floats = npt.NDArray[np.float32]

SIDE = 48
"""The crop is brought to this square, px: neither its size nor its aspect counts."""
HUES = 12
LUMAS = 6
ORIENTATIONS = 8
ROWS, COLUMNS = 3, 2
"""Cells of the outlines."""
COLOUR_SHARE = 0.65
"""Share of the colours in the similarity of two vectors; outlines have the rest."""
METHOD = {"appearance_side_px": SIDE, "appearance_hues": HUES, "appearance_lumas": LUMAS,
          "appearance_orientations": ORIENTATIONS, "appearance_cells": ROWS * COLUMNS,
          "appearance_colour_share": COLOUR_SHARE}  # fmt: skip
"""For the record."""
LENGTH = 2 * (HUES + LUMAS) + ROWS * COLUMNS * ORIENTATIONS


def appearance(pixels: Pixels, found: Detection) -> Floats:
    """(84,) float32 of Euclidean length 1; the dot product of two is their similarity, 0..1.

    Histograms take each px into two neighbouring bins, so that small changes of light and place change them
    little; px near the box's corners, mostly background, count less. Of a grey picture only luma counts.
    """
    import cv2

    part = cv2.resize(crop(pixels, found), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    rgb = np.repeat(part[:, :, np.newaxis], 3, axis=2) if part.ndim == 2 else part
    colours = np.sqrt(_colours(rgb.astype(np.float32), _weight()))
    outlines = np.sqrt(
        _outlines(cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (5, 5), 1.0), _weight())
    )
    vector = np.concatenate(
        [_unit(colours) * np.sqrt(COLOUR_SHARE), _unit(outlines) * np.sqrt(1 - COLOUR_SHARE)]
    )
    found_: Floats = _unit(vector).astype(np.float32)
    return found_


@cache
def _weight() -> Floats:
    """(SIDE, SIDE) 1 in the middle, 0 at the ellipse through the corners' midst: what fills a box fills its middle."""
    along = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE * 2 - 1
    far = along[np.newaxis] ** 2 + along[:, np.newaxis] ** 2
    return np.maximum(0.0, 1 - far / 1.5).astype(np.float32)


def _colours(rgb: Floats, weight: Floats) -> Floats:
    """Hue weighted by saturation, and luma by what is left, of the upper and the lower half."""
    top, low = rgb.max(axis=2), rgb.min(axis=2)
    spread = top - low
    saturation = spread / np.maximum(top, 32.0)  # dark px have no reliable hue
    r, g, b = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    safe = np.maximum(spread, 1e-6)
    hue = np.where(top == r, (g - b) / safe % 6, np.where(top == g, (b - r) / safe + 2, (r - g) / safe + 4))
    luma = 0.299 * r + 0.587 * g + 0.114 * b
    found = []
    for half in (slice(0, SIDE // 2), slice(SIDE // 2, SIDE)):
        share = saturation[half] * weight[half]
        found.append(_histogram(hue[half] / 6 * HUES, share, HUES, around=True))
        found.append(_histogram(luma[half] / 255 * (LUMAS - 1), weight[half] - share, LUMAS, around=False))
    return np.concatenate(found)


def _outlines(luma: npt.NDArray[np.uint8], weight: Floats) -> Floats:
    """Orientations of the gradients in each cell, weighted by their strength."""
    grey = luma.astype(np.float32)
    gx, gy = np.zeros_like(grey), np.zeros_like(grey)
    gx[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    gy[1:-1] = grey[2:] - grey[:-2]
    strength = np.sqrt(gx * gx + gy * gy) * weight
    angle = (np.arctan2(gy, gx) % np.pi / np.pi * ORIENTATIONS).astype(np.float32)
    high, wide = SIDE // ROWS, SIDE // COLUMNS
    return np.concatenate([
        _histogram(angle[y : y + high, x : x + wide], strength[y : y + high, x : x + wide], ORIENTATIONS, around=True)
        for y in range(0, SIDE, high)
        for x in range(0, SIDE, wide)
    ])  # fmt: skip


def _histogram(values: Floats, weights: Floats, bins: int, *, around: bool) -> Floats:
    """Sums of weights, each px shared between the two nearest bins; `around`: the last bin meets the first."""
    low = np.floor(values)
    share = (values - low).ravel()
    first = low.astype(np.intp).ravel()
    second = first + 1
    first, second = (first % bins, second % bins) if around else (first, np.minimum(second, bins - 1))
    mass = weights.ravel()
    found = np.bincount(first, mass * (1 - share), bins) + np.bincount(second, mass * share, bins)
    sums: Floats = np.maximum(found, 0.0).astype(np.float32)
    return sums


def _unit(vector: Floats) -> Floats:
    length = float(np.sqrt((vector.astype(np.float64) ** 2).sum()))
    scaled: Floats = np.divide(vector, np.float32(length or 1.0))
    return scaled
