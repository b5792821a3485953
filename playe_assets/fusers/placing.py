"""Samples of many crops on one finer grid, each at its own sub-pixel place: normalised convolution.

Source: H. Knutsson, C.-F. Westin, CVPR 1993; for super-resolution T. Q. Pham et al., EURASIP JASP 2006. The
kernel is a Gaussian of `kernel_px`, whose blur the deconvolution counts with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
_LEAST_WEIGHT = 1e-9


@dataclass
class Grid:
    """What was gathered on the finer grid; a place's value is `total / weight`."""

    total: Plane
    """(H, W, c)"""
    weight: Plane
    """(H, W)"""
    noise: Plane
    """(H, W): sum of squared weights times the samples' variances."""
    squares: Plane
    """(H, W): sum of squared weights."""
    scatter: Plane
    """(H, W): sum of weighted squares of samples, mean over the channels."""
    lean: Plane
    """(H, W, 2): sum of weighted offsets of the places from the samples, px of the crop."""
    frames: npt.NDArray[np.uint16]
    """(H, W): crops that contributed."""

    @staticmethod
    def empty(high: int, wide: int, channels: int) -> Grid:
        """Nothing gathered yet."""
        plane = np.zeros((high, wide), np.float32)
        return Grid(np.zeros((high, wide, channels), np.float32), plane, plane.copy(), plane.copy(),
                    plane.copy(), np.zeros((high, wide, 2), np.float32), np.zeros((high, wide), np.uint16))  # fmt: skip

    def mean(self) -> Plane:
        """(H, W, c); 0 where no sample came."""
        return np.asarray(self.total / np.maximum(self.weight, _LEAST_WEIGHT)[:, :, None], np.float32)

    def filled(self, dense_samples: float, lean_px: float) -> Plane:
        """(H, W) 0..1: how far independent samples on all sides fill the grid at a place.

        In a scene without shake all samples lie to one side of a place, however many frames there are: their
        mean is right for their own place only.
        """
        weight = np.maximum(self.weight, _LEAST_WEIGHT)
        met = self.weight * weight / np.maximum(self.squares, 1e-12)
        share = np.clip((met - 1.0) / (dense_samples - 1.0), 0.0, 1.0)
        aside = np.square(self.lean / weight[:, :, None]).sum(axis=2)
        return np.asarray(share * np.exp(-0.5 * aside / lean_px**2), np.float32)

    def noise_error(self) -> Plane:
        """(H, W): standard error of the mean by the crops' noise alone."""
        return np.asarray(np.sqrt(self.noise) / np.maximum(self.weight, _LEAST_WEIGHT), np.float32)

    def standard_error(self) -> Plane:
        """(H, W) of the mean, before deconvolution: by the crops' noise or by the samples' own scatter,
        whichever is larger (scatter holds misregistration and aliasing too)."""
        weight = np.maximum(self.weight, _LEAST_WEIGHT)
        squared_mean: Plane = np.square(self.mean()).mean(axis=2, dtype=np.float32)
        spread = np.maximum(self.scatter / weight - squared_mean, 0.0) * self.squares
        return np.asarray(np.sqrt(np.maximum(self.noise, spread)) / weight, np.float32)

    def add(self, values: Plane, x: Plane, y: Plane, trust: Plane, variance: float, kernel_px: float) -> None:
        """Add a crop's samples `values` (h, w, c), read at the places (x, y) of the grid's points in that crop.

        `trust` (H, W) weighs the crop at each point; 0 leaves it out. The nine samples around a place count,
        each by its own distance: no sample's value is changed.
        """
        high, wide, _ = values.shape
        near_x, near_y = np.rint(x).astype(np.int32), np.rint(y).astype(np.int32)
        met = np.zeros(x.shape, bool)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                column, row = near_x + dx, near_y + dy
                inside = (column >= 0) & (column < wide) & (row >= 0) & (row < high)
                distance = (x - column) ** 2 + (y - row) ** 2
                weight = np.exp(distance * np.float32(-0.5 / kernel_px**2)) * trust * inside
                sample = values[row.clip(0, high - 1), column.clip(0, wide - 1)]
                weighed = weight[:, :, None] * sample
                self.total += weighed
                self.scatter += (weighed * sample).mean(axis=2)
                self.weight += weight
                self.lean[:, :, 0] += weight * (x - column)
                self.lean[:, :, 1] += weight * (y - row)
                self.squares += weight * weight
                self.noise += weight * weight * np.float32(variance)
                met |= weight > 0
        self.frames += met


def places_of(high: int, wide: int, scale: int) -> tuple[Plane, Plane]:
    """Centres of the finer grid's points in px of the crop (h, w): x and y, each (h * scale, w * scale)."""
    x = (np.arange(wide * scale, dtype=np.float32) + 0.5) / scale - 0.5
    y = (np.arange(high * scale, dtype=np.float32) + 0.5) / scale - 0.5
    grid = np.meshgrid(x, y)
    return np.asarray(grid[0], np.float32), np.asarray(grid[1], np.float32)
