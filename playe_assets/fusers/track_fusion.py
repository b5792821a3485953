"""One picture of a thing from many crops: registered, fused where noise explains the residual, deconvolved.

The reference is the best crop, and its px always count. Another crop counts at a place only where it differs
from the reference, and from what the others agree on, by noise alone: what moves is never averaged away.
Source: S. C. Park, M. K. Park, M. G. Kang, IEEE Signal Processing Magazine 20(3), 2003; the parts name theirs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from playe_assets.core.contracts_tracks import Crop, Fused, Fuser
from playe_assets.core.params import bounds, one_number_of, one_of
from playe_assets.fusers.crops import Candidate, Working, chosen, registered
from playe_assets.fusers.deconvolution import Sharpened, by_noise, limited, richardson_lucy, wiener
from playe_assets.fusers.explained import Tolerance, explained
from playe_assets.fusers.placing import Grid, places_of

if TYPE_CHECKING:
    from playe_assets.core.contracts import Pixels

Plane = npt.NDArray[np.float32]
_FIELD = 3.3
"""From a standard error after the kernel to the noise-to-signal ratio before it, for pictures whose spectrum
falls with the square of the frequency: 4 pi 0.5 / 1.85 (see docs/track-fusion.md)."""


@dataclass(frozen=True)
class TrackFusionParams:
    """Every number that changes a picture."""

    scale: int = one_number_of(2, 3, 4)
    """Output px per px of the crop along a side."""
    most_crops: int = bounds(2, 400, "crops, the best by quality")
    min_frames: int = bounds(2, 100, "crops that must contribute, else there is no picture")
    min_side_px: int = bounds(4, 200, "px of the thing's shorter side")
    motion: str = one_of("translation", "euclidean", "affine")
    iterations: int = bounds(5, 500, "of ECC")
    rounds: int = bounds(
        0, 4, "registrations against the fused picture after the first against the reference"
    )
    min_likeness: float = bounds(0.0, 1.0, "ECC's correlation coefficient")
    max_shift_px: float = bounds(0.5, 200.0, "px beyond the shift of the boxes")
    max_zoom: float = bounds(1.0, 3.0, "ratio of sizes, either way")
    flow_max_px: float = bounds(0.0, 10.0, "px; 0 leaves the local flow out")
    flow_smooth_px: float = bounds(0.5, 20.0, "px, standard deviation")
    flow_agree_px: float = bounds(0.05, 5.0, "px between forward and backward flow")
    flow_gain: float = bounds(0.1, 1.0, "ratio of residual powers that the flow must reach to be used")
    sigma_min: float = bounds(0.1, 20.0, "8-bit units")
    sigma_max: float = bounds(0.5, 60.0, "8-bit units")
    edge_px: float = bounds(0.0, 1.0, "px of misfit that is tolerated at edges")
    pixel_sigmas: float = bounds(1.0, 10.0, "standard deviations")
    patch_px: int = bounds(3, 15, "px", odd=True)
    patch_ratio: float = bounds(1.0, 10.0, "mean square over the variance")
    mean_sigmas: float = bounds(1.0, 10.0, "standard deviations of a patch's mean")
    min_agreement: float = bounds(0.0, 1.0, "share of the thing's px that must be explained")
    dense_samples: float = bounds(2.0, 100.0, "independent samples at a place that fill the finer grid")
    lean_px: float = bounds(0.02, 1.0, "px by which the samples around a place may lie to one side of it")
    kernel_px: float = bounds(0.15, 1.0, "px of the crop, standard deviation of the placing kernel")
    psf_sigma_px: float = bounds(0.0, 4.0, "px of the crop: optics, sensor and coder as one Gaussian")
    deconvolution: str = one_of("wiener", "richardson_lucy")
    noise_to_signal: float = bounds(1e-5, 10.0, "least ratio for Wiener; what is measured may raise it")
    most_noise_to_signal: float = bounds(
        1e-4, 10.0, "highest ratio: above about 0.2 the filter blurs instead"
    )
    most_rounds: int = bounds(0, 200, "of Richardson-Lucy, which stops earlier at the noise")
    limit_px: int = bounds(1, 10, "px of the crop around a place whose range limits ringing")
    overshoot: float = bounds(0.0, 2.0, "of that range, beyond it")
    uncertainty_gain: float = bounds(1.0, 64.0, "grey levels of the map a grey level of standard error")
    crop_margin: float = bounds(0.0, 2.0, "of the thing's longer side, around it")
    most_megapixels: float = bounds(0.1, 400.0, "million px of all crops of a track together")
    follow_frames: int = bounds(0, 2000, "frames to each side of a marked one")
    follow_search: float = bounds(
        0.1, 5.0, "of the region's longer side, how far it may move between two looks"
    )
    follow_reach: float = bounds(0.1, 20.0, "of its longer side, how far back from the mark it is followed")
    follow_min_likeness: float = bounds(0.1, 1.0, "to the marked region, ECC's correlation coefficient")
    follow_gap: int = bounds(0, 200, "frames in a row in which it may be hidden")


class TrackFusion(Fuser):
    """Registration, robust fusion by normalised convolution, deconvolution with a stated Gaussian PSF."""

    name: ClassVar[str] = "track_fusion"
    version: ClassVar[str] = "1"
    reference: ClassVar[str] = (
        "Park, Park, Kang 2003 (super-resolution); Evangelidis, Psarakis 2008 (ECC); Knutsson, Westin 1993 "
        "(normalised convolution); Wiener 1949; Richardson 1972, Lucy 1974"
    )
    Params: ClassVar[type] = TrackFusionParams

    params: TrackFusionParams

    def fuse(self, crops: Sequence[Crop]) -> Fused | None:
        """See `Fuser.fuse`. Reasons in `refused`: `corrupt`, `size`, `quality` (beyond `most_crops`),
        `repeated` (the same px as an earlier crop), `registration`, `zoom`, `residual`."""
        refused: Counter[str] = Counter()
        made = self._fused(crops, refused)
        self.refused = dict(sorted(refused.items()))
        return replace(made, refused=self.refused) if made is not None else None

    def _fused(self, crops: Sequence[Crop], refused: Counter[str]) -> Fused | None:
        p = self.params
        picked = chosen(crops, p, refused)
        if picked is None:
            return None
        reference, others = picked
        work = Working.of(reference)
        fits = registered(work, others, p, refused)
        if len(fits) + 1 < p.min_frames:
            return None
        sigma = float(np.clip(np.median([f.sigma for f in fits]), p.sigma_min, p.sigma_max))
        grid, coarse, kept, trusts = self._gathered(work, fits, sigma)
        # A crop whose noise spreads over neighbours says less than its variance: see `correlation`.
        correlation = max(1.0, float(np.median([f.correlation for f in fits])))
        mean = self._filled(coarse, grid)
        picture, amplification, made, ratio = self._sharpened(work, mean, grid.noise_error() * correlation)
        picture = limited(picture, mean, p.limit_px * p.scale, p.overshoot)
        error = grid.standard_error() * amplification * np.float32(correlation)
        uncertainty = error * np.float32(p.uncertainty_gain)
        used = sorted(
            [reference.frame, *(f.crop.frame for f, t in zip(fits, trusts, strict=True) if t.any())]
        )
        if len(used) < p.min_frames:
            return None
        box = work.box
        inside = (slice(box[1] * p.scale, box[3] * p.scale), slice(box[0] * p.scale, box[2] * p.scale))
        return Fused(
            pixels=_as(picture, reference.pixels.dtype),
            uncertainty=uncertainty.round().clip(0, 255).astype(np.uint8)[:, :, None],
            contributors=np.minimum(grid.frames, 255).astype(np.uint8)[:, :, None],
            single=_enlarged(reference.pixels, p.scale),
            reference_frame=reference.frame,
            frames=tuple(used),
            refused={},
            measured={
                "frames_used": float(len(used)),
                "contributors_mean": float(grid.frames[inside].mean()),
                "registration_residual_px": float(np.median([f.left_over_px for f in fits])),
                "residual_rms": float(np.median([f.rms for f in fits])),
                "noise_sigma": sigma,
                "noise_correlation": correlation,
                "likeness": float(np.median([f.fit.likeness for f in fits])),
                "flow_share": float(np.mean([f.fit.flow is not None for f in fits])),
                "kept_own_share": float(kept),
                "psf_sigma_px": p.psf_sigma_px,
                "noise_to_signal": ratio,
                "deconvolution_rounds": float(made.rounds),
                "noise_amplification": made.amplification,
                "standard_error": float(np.median(error[inside])),
            },
        )

    def _gathered(
        self, work: Working, fits: Sequence[Candidate], sigma: float
    ) -> tuple[Grid, Plane, float, list[npt.NDArray[np.bool_]]]:
        """The finer grid, the crops together at their own scale, the share of the box that kept its own px, and
        where each crop counted.

        First every crop at the crops' own scale; where what they say together differs from the reference by
        more than its noise, the reference stays alone, however faint the difference was in each crop.
        """
        p = self.params
        high, wide, _ = work.values.shape
        trusts = [f.trust for f in fits]
        x, y = places_of(high, wide, 1)
        alone, both = Grid.empty(*work.values.shape), Grid.empty(*work.values.shape)
        ones = np.ones((high, wide), np.float32)
        alone.add(work.values, x, y, ones, sigma**2, p.kernel_px)
        both.add(work.values, x, y, ones, sigma**2, p.kernel_px)
        for f in fits:
            both.add(
                f.values, *f.fit.places(x, y), f.trust.astype(np.float32), f.variance(sigma), p.kernel_px
            )
        variance = float(np.median(alone.standard_error() ** 2 + both.standard_error() ** 2))
        seen = np.ones((high, wide), bool)
        same = explained(alone.mean() - both.mean(), seen, max(variance, 1e-6), work.slopes, tolerance(p))
        left, top, right, bottom = work.box
        kept = 1.0 - float(same[top:bottom, left:right].mean())
        trusts = [t & same for t in trusts]
        coarse = np.where(same[:, :, None], both.mean(), work.values)
        grid = Grid.empty(high * p.scale, wide * p.scale, work.values.shape[2])
        x, y = places_of(high, wide, p.scale)
        grid.add(work.values, x, y, np.ones(x.shape, np.float32), sigma**2, p.kernel_px)
        for f, trust in zip(fits, trusts, strict=True):
            fine = np.repeat(np.repeat(trust, p.scale, axis=0), p.scale, axis=1)
            weight = fine * np.float32(sigma**2 / f.variance(sigma))
            grid.add(f.values, *f.fit.places(x, y, p.scale), weight, f.variance(sigma), p.kernel_px)
        return grid, coarse, kept, trusts

    def _filled(self, coarse: Plane, grid: Grid) -> Plane:
        """The grid's mean; where too few samples met to fill it, `coarse` enlarged by Lanczos comes in: what the
        crops say together at the reference's own px, which is the reference alone where no other contributes.

        Without this the px would show as blocks where nothing else may contribute, or nothing shook.
        """
        import cv2

        p = self.params
        share = grid.filled(p.dense_samples, p.lean_px)
        share = np.minimum(share, cv2.GaussianBlur(share, (0, 0), 0.5 * p.scale))[:, :, None]
        size = (grid.weight.shape[1], grid.weight.shape[0])
        large = cv2.resize(coarse, size, interpolation=cv2.INTER_LANCZOS4)
        # The deconvolution undoes the placing kernel everywhere, so what was not placed gets its blur here.
        large = cv2.GaussianBlur(large, (0, 0), p.kernel_px * p.scale, borderType=cv2.BORDER_REFLECT)
        mean = grid.mean()
        found: Plane = share * mean + (1.0 - share) * large.reshape(mean.shape)
        return found

    def _sharpened(self, work: Working, mean: Plane, noise: Plane) -> tuple[Plane, Plane, Sharpened, float]:
        """Picture, amplification of the noise at each place, and the filter and its ratio where most crops are."""
        p = self.params
        psf, kernel = p.psf_sigma_px * p.scale, p.kernel_px * p.scale
        left, top, right, bottom = (v * p.scale for v in work.box)
        typical = float(np.median(noise[top:bottom, left:right]))
        signal = max(1.0, float(mean[top:bottom, left:right].mean(axis=2).std()))

        def ratio(level: float) -> float:
            return min(max(p.noise_to_signal, _FIELD * (level / signal) ** 2), p.most_noise_to_signal)

        def make(level: float) -> Sharpened:
            if p.deconvolution == "richardson_lucy":
                return richardson_lucy(mean, psf, kernel, p.most_rounds, level)
            return wiener(mean, psf, kernel, ratio(level))

        picture, amplification, made = by_noise(make, noise, typical)
        return picture, amplification, made, ratio(typical)


def tolerance(p: TrackFusionParams) -> Tolerance:
    """The test's part of the parameters."""
    return Tolerance(p.edge_px, p.pixel_sigmas, p.patch_px, p.patch_ratio, p.mean_sigmas)


def _as(picture: Plane, dtype: npt.DTypeLike) -> Pixels:
    """From 8-bit units to the samples' own type."""
    unit = 1.0 if np.dtype(dtype) == np.uint8 else 257.0
    found: Pixels = (picture * np.float32(unit)).round().clip(0, np.iinfo(dtype).max).astype(dtype)
    return found


def _enlarged(pixels: Pixels, scale: int) -> Pixels:
    import cv2

    size = (pixels.shape[1] * scale, pixels.shape[0] * scale)
    made: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LANCZOS4)
    return made.reshape(size[1], size[0], pixels.shape[2])
