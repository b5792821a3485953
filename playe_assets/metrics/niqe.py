"""NIQE: how far the statistics of a picture are from those of undistorted photographs; needs no reference."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Column, Metric, Model, ModelUse, Pair, Pixels
from playe_assets.core.errors import GovernanceError
from playe_assets.core.params import one_number_of
from playe_assets.metrics.nss import Floats, fitted, normalised, sums
from playe_assets.metrics.scale import eight_bit

_CARD = "niqe"
_FEATURES = 36
_MARGIN_PX = 16
"""Rows around a strip of blocks: more than both filters and the halving reach (3 + 2 * 3 + 4 px), and even."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_BT601 = np.array([65.481, 128.553, 24.966], np.float32) / np.float32(255)
_HALVING = np.array([-3, -9, 29, 111, 111, 29, -9, -3], np.float64) / 256
"""Keys' cubic (a = -1/2) stretched to twice its width, at 0.5, 1.5 ... px: MATLAB's imresize by one half."""


@dataclass(frozen=True)
class NiqeParams:
    """The size that the parameters of undistorted photographs were measured with."""

    block_px: int = one_number_of(96)


class Niqe(Metric):
    """Lower is more natural: about 2 to 5 for good photographs. Each picture is measured at its own size.

    It shows and does not judge: sharpened noise can have a better value than a true picture, and enlarging alone
    changes it. Null below two whole blocks (192 x 96 px), and where fewer than two blocks have any texture.
    """

    name = "niqe"
    version = "1"
    reference = (
        "A. Mittal, R. Soundararajan, A. C. Bovik: Making a Completely Blind Image Quality Analyzer, 2013"
    )
    columns = (
        Column("niqe_before", "1", 0.0, None, "lower"),
        Column("niqe_after", "1", 0.0, None, "lower"),
    )
    Params: ClassVar[type] = NiqeParams

    def __init__(self, params: Any, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, models)
        self._mean, self._covariance = _parameters(models[_CARD])

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """Mean and covariance of undistorted photographs."""
        return (ModelUse(_CARD),)

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """Both pictures by themselves."""
        return {"niqe_before": self._of(pair.exhibit), "niqe_after": self._of(pair.derivative)}

    def _of(self, pixels: Pixels) -> float | None:
        found = list(_features(pixels, self.params.block_px))
        if not found:
            return None
        features = np.concatenate(found)
        whole = features[~np.isnan(features).any(axis=1)]
        if len(whole) < 2:
            return None
        # The mean over all values that exist, the covariance over whole rows, as in the authors' code.
        away = self._mean - np.nanmean(features, axis=0)
        inverse = np.linalg.pinv((self._covariance + np.cov(whole, rowvar=False)) / 2)
        return float(np.sqrt(max(0.0, float(away @ inverse @ away))))


def _features(pixels: Pixels, block: int) -> Iterator[Floats]:
    """(blocks, 36) for each row of blocks: 18 features at full and 18 at half size."""
    rows, columns = pixels.shape[0] // block, pixels.shape[1] // block
    if rows * columns < 2:
        return
    height, width = rows * block, columns * block
    for row in range(rows):
        top = max(0, row * block - _MARGIN_PX)
        bottom = min(height, (row + 1) * block + _MARGIN_PX)
        strip = _luma(pixels[top:bottom, :width])
        start = row * block - top
        full = _blocks(normalised(strip, 1.0)[start : start + block], block)
        small = normalised(_halved(strip), 1.0)[start // 2 : (start + block) // 2]
        yield np.concatenate([_of_blocks(full), _of_blocks(_blocks(small, block // 2))], axis=1)


def _luma(pixels: Pixels) -> Floats:
    """BT.601 luma in its studio range, whole numbers; a grey picture as it is."""
    samples = eight_bit(pixels)
    plane = samples[:, :, 0] if samples.shape[2] == 1 else samples @ _BT601 + np.float32(16)
    return np.rint(plane).astype(np.float64)


def _halved(plane: Floats) -> Floats:
    import cv2

    found: Floats = cv2.sepFilter2D(
        plane, cv2.CV_64F, _HALVING, _HALVING, anchor=(3, 3), borderType=cv2.BORDER_REFLECT
    )
    return found[::2, ::2]


def _blocks(strip: Floats, side: int) -> Floats:
    """(blocks, side, side) of a strip one block high."""
    return strip.reshape(side, -1, side).transpose(1, 0, 2)


def _of_blocks(blocks: Floats) -> Floats:
    """(blocks, 18): shape and scale of the samples, then of the products with each of four neighbours."""
    plain = fitted(sums(blocks))
    found = [plain.shape, (plain.left + plain.right) / 2 * plain.bridge]
    for shift in _SHIFTS:
        # Round the block's edge to its other side, as the authors' circshift does.
        fit = fitted(sums(blocks * np.roll(blocks, shift, axis=(1, 2))))
        left, right = fit.left * fit.bridge, fit.right * fit.bridge
        found += [fit.shape, (right - left) * fit.mean_per_scale, left, right]
    return np.stack(found, axis=1)


def _parameters(model: Any) -> tuple[Floats, Floats]:
    """Mean (36,) and covariance (36, 36) from the bytes of the card."""
    try:
        with np.load(io.BytesIO(model.data), allow_pickle=False) as table:
            mean = np.asarray(table["mu_pris_param"], np.float64).reshape(_FEATURES)
            covariance = np.asarray(table["cov_pris_param"], np.float64).reshape(_FEATURES, _FEATURES)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise GovernanceError(
            "metrics.data", name=_CARD, metric="NIQE", problem=f"{str(error)[:160]}."
        ) from error
    return mean, covariance
