"""BRISQUE: how distorted a picture looks, judged by the statistics of its luminance; needs no reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import NO_MODELS, Column, Metric, Model, ModelUse, Pair, Pixels
from playe_assets.core.errors import GovernanceError
from playe_assets.metrics.nss import Floats, Sums, fitted, normalised, sums

_SVM, _RANGE = "brisque_live", "brisque_live_range"
_FEATURES = 36
_STRIP_ROWS = 512
"""Rows whose products with a neighbour are held at once."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))


@dataclass(frozen=True)
class BrisqueParams:
    """None: everything was fixed when the regression was trained."""


class Brisque(Metric):
    """0 (as undistorted photographs) to 100, lower is better. Each picture is measured at its own size.

    It shows and does not judge: it was trained on five kinds of distortion of the LIVE data base, and says little
    of text, drawings and night scenes. Null where a picture has no texture at all, and below 8 px.
    """

    name = "brisque"
    version = "1"
    reference = (
        "A. Mittal, A. K. Moorthy, A. C. Bovik: No-Reference Image Quality Assessment, IEEE TIP 21 (2012)"
    )
    columns = (
        Column("brisque_before", "1", 0.0, 100.0, "lower"),
        Column("brisque_after", "1", 0.0, 100.0, "lower"),
    )
    Params: ClassVar[type] = BrisqueParams

    def __init__(self, params: Any, models: Mapping[str, Model] = NO_MODELS) -> None:
        super().__init__(params, models)
        self._regression = _regression(models[_SVM])
        self._low, self._high = _ranges(models[_RANGE])

    @classmethod
    def needs(cls, params: Any) -> tuple[ModelUse, ...]:
        """The regression and the ranges of its features, both trained on the LIVE data base."""
        return (ModelUse(_SVM), ModelUse(_RANGE))

    def measure(self, pair: Pair) -> dict[str, float | None]:
        """Both pictures by themselves."""
        return {"brisque_before": self._of(pair.exhibit), "brisque_after": self._of(pair.derivative)}

    def _of(self, pixels: Pixels) -> float | None:
        if min(pixels.shape[:2]) < 8:
            return None
        found = features(pixels)
        if not np.isfinite(found).all():
            return None
        scaled = 2 * (found - self._low) / (self._high - self._low) - 1
        return float(min(100.0, max(0.0, self._regression.predicted(scaled))))


@dataclass(frozen=True)
class Regression:
    """A support vector regression with a radial kernel."""

    vectors: Floats
    """(vectors, features)"""
    weights: Floats
    gamma: float
    rho: float

    def predicted(self, scaled: Floats) -> float:
        """Of features scaled to -1..1."""
        distances = ((self.vectors - scaled) ** 2).sum(axis=1)
        return float(self.weights @ np.exp(-self.gamma * distances) - self.rho)


def features(pixels: Pixels) -> Floats:
    """(36,): 18 at full and 18 at half size, of luma 0..1 with a constant of 1/255."""
    import cv2

    plane = _luma(pixels)
    found = []
    for scale in (1, 2):
        if scale == 2:
            size = (plane.shape[1] // 2, plane.shape[0] // 2)
            plane = cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC)
        found += _of_scale(normalised(plane, 1 / 255, flat_is_zero=True))
    return np.array(found, np.float64)


def _of_scale(samples: Floats) -> list[float]:
    plain = fitted(sums(samples[np.newaxis]))
    found = [plain.shape, (plain.left**2 + plain.right**2) / 2]
    for down, across in _SHIFTS:
        fit = fitted(_product(samples, down, across))
        mean = (fit.right - fit.left) * fit.mean_per_scale * fit.bridge
        found += [fit.shape, mean, fit.left**2, fit.right**2]
    return [float(value[0]) for value in found]


def _product(samples: Floats, down: int, across: int) -> Sums:
    """Of every sample with its neighbour `down` rows and `across` columns on; those without one count as zero."""
    height, width = samples.shape
    total: Sums | None = None
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(height, top + _STRIP_ROWS)
        product = np.zeros((1, bottom - top, width), samples.dtype)
        first, last = max(top, -down), min(bottom, height - down)
        if last > first:
            near = samples[first:last, : width - across]
            product[0, first - top : last - top, : width - across] = (
                near * samples[first + down : last + down, across:]
            )
        part = sums(product)
        total = part if total is None else total + part
    if total is None:
        raise ValueError("a picture without rows")
    return total


def _luma(pixels: Pixels) -> Floats:
    """BT.601 luma in whole 8-bit units, as the regression was trained on it, then float32 0..1."""
    import cv2

    grey = pixels[:, :, 0]
    if pixels.shape[2] == 3:
        grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    plane = grey.astype(np.float32)
    if pixels.dtype != np.uint8:
        plane = np.rint(plane / np.float32(257))
    return plane * np.float32(1 / 255)


def _regression(model: Any) -> Regression:
    import cv2

    storage = _opened(model, _SVM)  # kept: its nodes point into it
    node = storage.getNode("opencv_ml_svm")
    if node.empty():
        raise _unusable(_SVM, "it has no opencv_ml_svm.")
    try:
        svm = cv2.ml.SVM.create()
        svm.read(node)
        rho, weights, order = svm.getDecisionFunction(0)
        vectors = svm.getSupportVectors().astype(np.float64)
        found = Regression(vectors[order.ravel()], weights.ravel().astype(np.float64), svm.getGamma(), rho)
    except (cv2.error, SystemError, ValueError, IndexError, AttributeError) as error:
        raise _unusable(_SVM, str(error)) from error
    radial = svm.getKernelType() == cv2.ml.SVM_RBF and svm.getType() == cv2.ml.SVM_EPS_SVR
    if not radial or found.vectors.shape != (len(found.weights), _FEATURES):
        raise _unusable(_SVM, f"it is no radial regression of {_FEATURES} features.")
    return found


def _ranges(model: Any) -> tuple[Floats, Floats]:
    storage = _opened(model, _RANGE)
    node = storage.getNode("range")
    found = None if node.empty() else node.mat()
    if found is None or found.shape != (2, _FEATURES) or not (found[0] < found[1]).all():
        raise _unusable(_RANGE, f"it holds no two rows of {_FEATURES} bounds.")
    return found[0].astype(np.float64), found[1].astype(np.float64)


def _opened(model: Any, card: str) -> Any:
    """The card's bytes as an OpenCV file in memory."""
    import cv2

    try:
        return cv2.FileStorage(model.data.decode("ascii"), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
    except (cv2.error, UnicodeDecodeError, SystemError) as error:
        raise _unusable(card, str(error)) from error


def _unusable(card: str, problem: str) -> GovernanceError:
    return GovernanceError("metrics.data", name=card, metric="BRISQUE", problem=problem.strip()[:160])
