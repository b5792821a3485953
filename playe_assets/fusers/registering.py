"""Where the reference's px lie in another crop of the same thing: phase correlation, ECC, then DIS flow.

Sources: C. D. Kuglin, D. C. Hines (1975), phase correlation; G. D. Evangelidis, E. Z. Psarakis, IEEE TPAMI
30(10), 2008, ECC; T. Kroeger et al., ECCV 2016, DIS flow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from playe_assets.core.contracts_tracks import Crop

Plane = npt.NDArray[np.float32]
_SMALLEST_CORRELATED_PX = 16
_ECC_SETTLED = 1e-6
_ECC_COARSE, _ECC_FINE = 5, 3
"""Sides in px of the smoothing that OpenCV's ECC puts before its gradients, first round and second."""
_SMALLEST_FLOW_PX = 16
_SMALLEST_BOX_PX = 4
_OTHER_ZOOM = 0.02
_NOT_SEEN = -1e6
_WHOLE_RANGE = 255.0


@dataclass(frozen=True)
class Registered:
    """The reference's px (x, y) lie at `matrix @ (x, y, 1)` in the other crop, plus `flow` where there is one."""

    matrix: npt.NDArray[np.float64]
    """(2, 3)"""
    likeness: float
    """ECC's correlation coefficient over the thing's box, -1..1."""
    flow: Plane | None = None
    """(h, w, 2) of the reference crop, px."""
    steady: Plane | None = None
    """(h, w) 0 or 1: forward and backward flow agree."""

    def after(self, anchor: Registered) -> Registered:
        """This fit against a fused picture, as a fit against the reference, which lies at `anchor` in the same
        fused picture: what biases both is gone."""
        whole = np.vstack([self.matrix, [0.0, 0.0, 1.0]])
        back = np.linalg.inv(np.vstack([anchor.matrix, [0.0, 0.0, 1.0]]))
        return Registered((whole @ back)[:2], self.likeness)

    def places(self, x: Plane, y: Plane, scale: int = 1) -> tuple[Plane, Plane]:
        """Where reference places (x, y), px, lie in the other crop; `scale` is that of a grid of the whole crop."""
        import cv2

        m = self.matrix.astype(np.float32)
        px, py = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
        if self.flow is not None:
            size = (self.flow.shape[1] * scale, self.flow.shape[0] * scale)
            field = self.flow if scale == 1 else cv2.resize(self.flow, size, interpolation=cv2.INTER_LINEAR)
            px, py = px + field[:, :, 0], py + field[:, :, 1]
        return px, py


def luma(pixels: npt.NDArray[Any]) -> Plane:
    """(h, w) float32 in 8-bit units."""
    import cv2

    unit = 1.0 if pixels.dtype == np.uint8 else 1.0 / 257.0
    values = np.multiply(pixels, np.float32(unit), dtype=np.float32)  # before, so that 8 bits do not round it
    grey = values[:, :, 0] if values.shape[2] == 1 else cv2.cvtColor(values, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(grey, dtype=np.float32)


def inner(crop: Crop) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the whole px of the box, within the crop: what is behind the thing moves
    otherwise."""
    high, wide = crop.pixels.shape[:2]
    left, top = max(0, math.ceil(crop.x)), max(0, math.ceil(crop.y))
    return left, top, min(wide, math.floor(crop.x + crop.width)), min(high, math.floor(crop.y + crop.height))


def register(
    reference: Plane, box: tuple[int, int, int, int], other: Plane, start: tuple[float, float],
    zoom: float, motion: str, iterations: int,
) -> Registered | None:  # fmt: skip
    """Register the thing in `box` of `reference` in `other`; None where ECC finds no fit.

    `start` is the shift (x, y) by the two boxes, `zoom` the ratio of their sizes (used for `affine` only).
    Only the box is looked at: what is around the thing may move otherwise.
    """
    left, top, right, bottom = box
    template = np.ascontiguousarray(reference[top:bottom, left:right])
    if not _has_detail(template):
        return None
    x, y = left + start[0], top + start[1]
    starts = [_shift(x, y), *_peaks(template, other, x, y)]
    if motion == "affine" and abs(zoom - 1.0) > _OTHER_ZOOM:
        cx, cy = (right - left - 1) / 2, (bottom - top - 1) / 2
        starts.append(np.array([[zoom, 0, x + cx * (1 - zoom)], [0, zoom, y + cy * (1 - zoom)]], np.float32))
    ranked = sorted(starts, key=lambda m: -_likeness(template, other, m))  # stable: ties keep the order
    for first in ranked[:2]:
        plain = abs(first[0, 0] - 1.0) < 1e-6
        rounds = [("translation", _ECC_COARSE)] if plain else []
        found = _ecc(template, other, first, [*rounds, (motion, _ECC_FINE)], iterations)
        if found is not None:
            return _whole(found, left, top)
    return None


def register_again(
    registered: Registered, reference: Plane, box: tuple[int, int, int, int], other: Plane,
    motion: str, iterations: int,
) -> Registered | None:  # fmt: skip
    """As `register`, from a fit that is nearly right, against a reference with less noise."""
    left, top, right, bottom = box
    template = np.ascontiguousarray(reference[top:bottom, left:right])
    if not _has_detail(template):
        return None
    matrix = registered.matrix.copy()
    matrix[:, 2] += matrix[:, :2] @ np.array([left, top], np.float64)
    found = _ecc(template, other, matrix.astype(np.float32), [(motion, _ECC_FINE)], iterations)
    return None if found is None else _whole(found, left, top)


def _has_detail(template: Plane) -> bool:
    return min(template.shape) >= _SMALLEST_BOX_PX and float(template.std()) > 0.0


def _whole(found: tuple[Plane, float], left: int, top: int) -> Registered:
    """From the template's coordinates to the whole reference crop's."""
    matrix = found[0].astype(np.float64)
    matrix[:, 2] -= matrix[:, :2] @ np.array([left, top], np.float64)
    return Registered(matrix, found[1])


def _shift(x: float, y: float) -> Plane:
    return np.array([[1, 0, x], [0, 1, y]], np.float32)


def _peaks(template: Plane, other: Plane, x: float, y: float) -> list[Plane]:
    """The phase correlation's peak near (x, y), and the best place of the template in the whole crop."""
    import cv2

    high, wide = template.shape
    found = []
    if other.shape[0] >= high and other.shape[1] >= wide:
        left = min(max(0, round(x)), other.shape[1] - wide)
        top = min(max(0, round(y)), other.shape[0] - high)
        if min(high, wide) >= _SMALLEST_CORRELATED_PX:
            window = cv2.createHanningWindow((wide, high), cv2.CV_32F)
            # Copies: OpenCV multiplies the window into its arguments.
            there = other[top : top + high, left : left + wide].copy()
            (dx, dy), _ = cv2.phaseCorrelate(template.copy(), there, window)
            if math.isfinite(dx) and math.isfinite(dy):
                found.append(_shift(left + dx, top + dy))
        likeness = cv2.matchTemplate(other, template, cv2.TM_CCOEFF_NORMED)
        best = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
        found.append(_shift(float(best[1]), float(best[0])))
    return found


def _read(other: Plane, matrix: npt.NDArray[Any], size: tuple[int, int]) -> Plane:
    """`other` read at the matrix's places, `_NOT_SEEN` where it was not seen; size is (wide, high)."""
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(other, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT,
                                     borderValue=_NOT_SEEN), np.float32)  # fmt: skip


def _likeness(template: Plane, other: Plane, matrix: Plane) -> float:
    size = (template.shape[1], template.shape[0])
    there = _read(other, matrix, size)
    seen = there > -1.0
    if seen.mean() < 0.5:
        return -1.0
    a, b = template[seen] - template[seen].mean(), there[seen] - there[seen].mean()
    energy = float(a @ a) * float(b @ b)
    return float(a @ b) / math.sqrt(energy) if energy > 0 else -1.0


def _ecc(
    template: Plane, other: Plane, start: Plane, rounds: list[tuple[str, int]], iterations: int
) -> tuple[Plane, float] | None:
    import cv2

    kinds = {"translation": cv2.MOTION_TRANSLATION, "euclidean": cv2.MOTION_EUCLIDEAN,
             "affine": cv2.MOTION_AFFINE}  # fmt: skip
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, iterations, _ECC_SETTLED)
    matrix, likeness = start.copy(), -1.0
    everywhere = np.full(other.shape, 255, np.uint8)
    for kind, smooth in rounds:
        try:
            likeness, found = cv2.findTransformECC(
                template, other, matrix.copy(), kinds[kind], criteria, everywhere, smooth
            )
        except cv2.error:  # it says so where it does not converge
            return None
        matrix = np.asarray(found, np.float32)
    if not np.isfinite(matrix).all() or not math.isfinite(likeness):
        return None
    return matrix, float(likeness)


def refined(
    registered: Registered, reference: Plane, other: Plane, smooth_px: float, most_px: float, agree_px: float
) -> Registered:
    """`registered` with local flow, where that explains `other` clearly better than the matrix alone does."""
    import cv2

    high, wide = reference.shape
    if min(high, wide) < _SMALLEST_FLOW_PX:
        return registered
    size = (wide, high)
    there = _read(other, registered.matrix.astype(np.float32), size)
    seen = there > -1.0
    there = np.where(seen, there, reference)
    a, b = (np.clip(p, 0, _WHOLE_RANGE).round().astype(np.uint8) for p in (reference, there))
    forward = _flow(a, b)
    backward = _flow(b, a)
    x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(high, dtype=np.float32))
    back = cv2.remap(backward, x + forward[:, :, 0], y + forward[:, :, 1], cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    steady = (np.hypot(*np.moveaxis(forward + back, 2, 0)) <= agree_px) & seen
    weight = cv2.GaussianBlur(steady.astype(np.float32), (0, 0), smooth_px)[:, :, None]
    field = cv2.GaussianBlur(forward * steady[:, :, None].astype(np.float32), (0, 0), smooth_px)
    field = np.clip(field / np.maximum(weight, 1e-3), -most_px, most_px).astype(np.float32)
    linear = registered.matrix[:, :2].astype(np.float32)
    field = field @ linear.T  # from the reference's px to the crop's
    return Registered(
        registered.matrix, registered.likeness, np.ascontiguousarray(field), steady.astype(np.float32)
    )


def _flow(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Plane:
    import cv2

    made = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    made.setFinestScale(0)
    return np.asarray(made.calc(one, other, None), np.float32)
