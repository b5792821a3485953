"""Which crops of a track take part in a fusion, how each lies to the reference, and where it may contribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts_tracks import Crop
from playe_assets.fusers.explained import Tolerance, explained, left_over_px, noise_of, slope
from playe_assets.fusers.placing import Grid, places_of
from playe_assets.fusers.registering import Registered, inner, luma, refined, register, register_again

if TYPE_CHECKING:
    from playe_assets.fusers.track_fusion import TrackFusionParams

Plane = npt.NDArray[np.float32]
_MAD = 1.4826
STILL = Registered(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), 1.0)
"""The reference to itself."""


@dataclass(frozen=True)
class Working:
    """The reference crop as the parts use it."""

    crop: Crop
    values: Plane
    """(h, w, c), 8-bit units."""
    grey: Plane
    box: tuple[int, int, int, int]
    slopes: Plane

    @staticmethod
    def of(crop: Crop) -> Working:
        """Prepared once."""
        grey = luma(crop.pixels)
        return Working(crop, values_of(crop.pixels), grey, inner(crop), slope(grey))


@dataclass(frozen=True)
class Candidate:
    """A crop that was registered."""

    crop: Crop
    values: Plane
    grey: Plane
    fit: Registered
    sigma: float = 0.0
    """Noise of one sample, 8-bit units, from the residual against the reference."""
    correlation: float = 1.0
    """How much wider patch means of the residual spread than they would if its noise were white."""
    rms: float = 0.0
    """Of the residual in the box where it is explained."""
    left_over_px: float = 0.0
    trust: npt.NDArray[np.bool_] = None  # type: ignore[assignment]
    """(h, w) of the reference crop."""

    def variance(self, sigma: float) -> float:
        """Of one sample; never less than the track's, because a coder's copies of a frame look free of noise."""
        return max(self.sigma, sigma) ** 2


def values_of(pixels: npt.NDArray[Any]) -> Plane:
    """float32 in 8-bit units."""
    unit = 1.0 if pixels.dtype == np.uint8 else 1.0 / 257.0
    return np.asarray(np.multiply(pixels, np.float32(unit), dtype=np.float32))


def chosen(
    crops: Sequence[Crop], p: TrackFusionParams, refused: Counter[str]
) -> tuple[Crop, list[Crop]] | None:
    """The reference (best quality, the earliest of equals) and the others in order of frames; None without any."""
    fit = []
    for crop in crops:
        if crop.corrupt:
            refused["corrupt"] += 1
        elif min(crop.width, crop.height) < p.min_side_px:
            refused["size"] += 1
        else:
            fit.append(crop)
    ranked = sorted(fit, key=lambda c: (-c.quality, c.frame))
    refused["quality"] += len(ranked[p.most_crops :])
    if not refused["quality"]:
        del refused["quality"]
    ranked = ranked[: p.most_crops]
    if not ranked:
        return None
    reference, kept, before = ranked[0], [], None
    for crop in sorted(ranked, key=lambda c: c.frame):
        same = before is not None and before.pixels.shape == crop.pixels.shape
        if same and before is not None and np.array_equal(before.pixels, crop.pixels):
            refused["repeated"] += 1  # a coder's or recorder's copy is no second look
            continue
        before = crop
        kept.append(crop)
    # Where the reference repeats an earlier crop, the earlier one stands for it.
    kept_reference = next((c for c in kept if c is reference), None) or _copy_of(reference, kept)
    return kept_reference, [c for c in kept if c is not kept_reference]


def _copy_of(reference: Crop, kept: Sequence[Crop]) -> Crop:
    return next(c for c in kept if np.array_equal(c.pixels, reference.pixels))


def registered(
    work: Working, others: Sequence[Crop], p: TrackFusionParams, refused: Counter[str]
) -> list[Candidate]:
    """The crops that fit, in order of frames, each with where it may contribute."""
    found = []
    for crop in others:
        start = (crop.x - work.crop.x, crop.y - work.crop.y)
        zoom = float(np.sqrt(crop.width * crop.height / (work.crop.width * work.crop.height)))
        grey = luma(crop.pixels)
        fit = register(work.grey, work.box, grey, start, zoom, p.motion, p.iterations)
        found.append((Candidate(crop, values_of(crop.pixels), grey, fit), start) if fit else None)
    good = _fitting(work, found, p, refused)
    good = [_judged(work, c, None, 0.0, p) for c in good]
    good = _explained(good, work, p, refused)
    for _ in range(p.rounds):
        if not good:
            return []
        fused, error = _together(work, good, p)
        grey = luma_of(fused)
        anchor = register_again(STILL, grey, work.box, work.grey, p.motion, p.iterations)
        again = [(c, register_again(c.fit, grey, work.box, c.grey, p.motion, p.iterations)) for c in good]
        if anchor is not None:
            good = [replace(c, fit=fit.after(anchor)) if fit is not None else c for c, fit in again]
        good = [_judged(work, c, fused, error, p) for c in good]
    if p.flow_max_px > 0.0 and good:
        fused, error = _together(work, good, p)
        good = [_flowing(work, c, fused, error, p) for c in good]
    return _explained(good, work, p, refused)


def _fitting(
    work: Working, found: Sequence[Any], p: TrackFusionParams, refused: Counter[str]
) -> list[Candidate]:
    good = []
    left, top, right, bottom = work.box
    middle = np.array([(left + right - 1) / 2, (top + bottom - 1) / 2, 1.0])
    for item in found:
        if item is None or item[0].fit.likeness < p.min_likeness:
            refused["registration"] += 1
            continue
        candidate, start = item
        matrix = candidate.fit.matrix
        moved = matrix @ middle - middle[:2] - np.array(start)
        stretch = np.linalg.svd(matrix[:, :2], compute_uv=False)
        if float(np.hypot(*moved)) > p.max_shift_px:
            refused["registration"] += 1
        elif stretch.max() > p.max_zoom or stretch.min() < 1.0 / p.max_zoom:
            refused["zoom"] += 1
        else:
            good.append(candidate)
    return good


def _explained(
    candidates: Sequence[Candidate], work: Working, p: TrackFusionParams, refused: Counter[str]
) -> list[Candidate]:
    left, top, right, bottom = work.box
    good = [c for c in candidates if c.trust[top:bottom, left:right].mean() >= p.min_agreement]
    if len(good) < len(candidates):
        refused["residual"] += len(candidates) - len(good)
    return good


def _together(work: Working, candidates: Sequence[Candidate], p: TrackFusionParams) -> tuple[Plane, float]:
    """What reference and crops say at the reference's own px: (h, w, c), and its standard error (median)."""
    high, wide, channels = work.values.shape
    x, y = places_of(high, wide, 1)
    grid = Grid.empty(high, wide, channels)
    sigma = float(np.clip(np.median([c.sigma for c in candidates]), p.sigma_min, p.sigma_max))
    grid.add(work.values, x, y, np.ones((high, wide), np.float32), sigma**2, p.kernel_px)
    for c in candidates:
        grid.add(c.values, *c.fit.places(x, y), c.trust.astype(np.float32), c.variance(sigma), p.kernel_px)
    return grid.mean(), float(np.median(grid.standard_error()))


def luma_of(values: Plane) -> Plane:
    """(h, w) of float samples (h, w, c)."""
    if values.shape[2] == 1:
        return np.ascontiguousarray(values[:, :, 0])
    return np.asarray(values @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def read_at(values: Plane, x: Plane, y: Plane) -> tuple[Plane, npt.NDArray[np.bool_]]:
    """`values` at the places (Lanczos), and where these lie inside."""
    import cv2

    high, wide, channels = values.shape
    made = cv2.remap(values, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    seen = (x >= 0) & (x <= wide - 1) & (y >= 0) & (y <= high - 1)
    return np.asarray(made, np.float32).reshape(*x.shape, channels), seen


def _judged(
    work: Working, c: Candidate, fused: Plane | None, error: float, p: TrackFusionParams
) -> Candidate:
    """`c` with its noise and its trust: explained by the reference and, where there is one, by the fused picture."""
    import cv2

    high, wide, _ = work.values.shape
    x, y = places_of(high, wide, 1)
    there, seen = read_at(c.values, *c.fit.places(x, y))
    residual = there - work.values
    left, top, right, bottom = work.box
    within = np.zeros((high, wide), bool)
    within[top:bottom, left:right] = True
    sigma = float(np.clip(noise_of(residual, seen & within, work.slopes), p.sigma_min, p.sigma_max))
    limits = Tolerance(p.edge_px, p.pixel_sigmas, p.patch_px, p.patch_ratio, p.mean_sigmas)
    trust = explained(residual, seen, 2.0 * sigma**2, work.slopes, limits)
    nearer = residual
    if fused is not None:
        nearer = there - fused
        trust &= explained(nearer, seen, sigma**2 + error**2, work.slopes, limits)
    if c.fit.steady is not None:
        trust &= c.fit.steady > 0.5
    counted = trust & within
    grey = luma_of(nearer)
    means = cv2.blur(grey, (p.patch_px, p.patch_px))[counted]
    one = _MAD * float(np.median(np.abs(grey[counted]))) if counted.any() else 0.0
    spread = _MAD * float(np.median(np.abs(means))) * p.patch_px if counted.any() else 0.0
    return replace(
        c,
        sigma=sigma,
        correlation=spread / one if one > 0 else 1.0,
        rms=float(np.sqrt(np.mean(residual[counted] ** 2))) if counted.any() else 0.0,
        left_over_px=left_over_px(grey, luma_of(fused) if fused is not None else work.grey, counted),
        trust=trust,
    )


def _flowing(work: Working, c: Candidate, fused: Plane, error: float, p: TrackFusionParams) -> Candidate:
    """`c` with local flow where that explains it clearly better, else with its matrix alone."""
    grey = luma_of(fused)
    fit = refined(c.fit, grey, c.grey, p.flow_smooth_px, p.flow_max_px, p.flow_agree_px)
    if fit.flow is None:
        return _judged(work, c, fused, error, p)
    high, wide = grey.shape
    left, top, right, bottom = work.box
    x, y = places_of(high, wide, 1)

    def power(tried: Registered) -> float:
        there, seen = read_at(c.values, *tried.places(x, y))
        square = ((there - fused) ** 2).mean(axis=2)[top:bottom, left:right]
        return float(np.median(square[seen[top:bottom, left:right]])) if seen.any() else float("inf")

    better = power(fit) <= p.flow_gain * power(c.fit)
    return _judged(work, replace(c, fit=fit) if better else c, fused, error, p)
