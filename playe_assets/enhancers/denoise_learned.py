"""Learned denoising that takes no more away than the noise which was estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from playe_assets.core.contracts import Pixels
from playe_assets.core.params import bounds, card, one_of
from playe_assets.core.tracks import Shot
from playe_assets.enhancers.learned import Learned, LearnedParams
from playe_assets.enhancers.luma import contiguous, planes, plus, unit, with_delta
from playe_assets.enhancers.noise_level import noise_sigma
from playe_assets.media.evidence import Plane, disagreement

SHARE_PX = 17
"""Side of the window in which the change is held to the noise: 5 and 9 px lose 0.6 and 0.2 dB at the network's
own sigma, the whole picture loses 2.5 dB at sigma 5 (measured on Set12)."""


@dataclass(frozen=True)
class DenoiseLearnedParams(LearnedParams):
    """Sigmas are standard deviations in 8-bit units, for either bit depth."""

    model: str = card("denoising")
    planes: str = one_of("luma", "ycc", "rgb")
    """What the network is given: the luma alone, luma and both colour differences one by one (grey networks),
    or the picture (colour networks)."""
    sigma: float = bounds(0.0, 100.0, "8-bit units")
    """Noise that the network is told, for one that must be told (drunet_color); 0 for all others."""
    strength: float = bounds(0.0, 1.0, "share")
    """Share of what the network would take away."""
    remove: str = one_of("noise", "all")
    """`noise`: the network's change is scaled down where, within 17 x 17 px, it is stronger than the noise that
    was estimated, so that a network trained for stronger noise does not take texture with it; `all`: whatever
    the network takes for noise."""
    apply_from_sigma: float = bounds(0.0, 100.0, "8-bit units")
    apply_to_sigma: float = bounds(0.0, 100.0, "8-bit units")
    """Pictures whose luma noise is estimated outside of these are left as they are; of a clip the source's noise in
    the shot decides, whatever steps before this one took of it."""
    apply_below_px: int = bounds(1, 1_000_000_000, "px")
    """Pictures of more pixels are left as they are: the time grows with their pixels."""


class DenoiseLearned(Learned):
    """The network's change, held to the noise; the noise is estimated by `noise_level.noise_sigma`.

    With `remove: noise`, DnCNN-25 gains over its plain use 5.4 dB at sigma 5, 2.1 at 10, 0.8 at 15 and loses
    0.04 at 25 (five pictures of Set12, grey), and beats non-local means at all of them. Disagreement is what
    differs from the evidence beyond the noise that was found in it.
    """

    name = "denoise_learned"
    version = "2"
    smooths_results = True
    summaries: ClassVar[Mapping[str, str]] = {
        **Learned.summaries,
        "noise_sigma_mean": "mean",
        "share_removed": "mean",
    }
    reference = (
        "K. Zhang et al.: Beyond a Gaussian Denoiser (DnCNN), TIP 26 (2017); the limit is the least-squares factor "
        "of N. Wiener's filter, locally as in J. S. Lee: Digital Image Enhancement, TPAMI 2 (1980)"
    )
    Params: ClassVar[type] = DenoiseLearnedParams

    _sigma = 0.0

    @classmethod
    def variant(cls, params: Any) -> Mapping[str, float]:
        """The noise that the network is told, where one is stated."""
        return {"sigma": params.sigma} if params.sigma else {}

    def applies(self, pixels: Pixels, shot: Shot | None) -> bool:
        """Where the estimated sigma of luma lies within the two limits, and the picture is not too large."""
        if pixels.shape[0] * pixels.shape[1] > self.params.apply_below_px:
            return False
        self._sigma = noise_sigma(planes(pixels)[:, :, :1])
        self.note(noise_sigma_mean=self._sigma)
        decides = self._sigma if shot is None else shot.noise_sigma
        return bool(self.params.apply_from_sigma <= decides <= self.params.apply_to_sigma)

    def made(self, pixels: Pixels) -> Pixels:
        """`pixels` without what was taken for noise, same shape and dtype."""
        if self.params.planes == "rgb" or pixels.shape[2] == 1:
            return plus(pixels, self._taken(pixels))
        before = planes(pixels)
        count = 1 if self.params.planes == "luma" else 3
        taken = [self._taken(contiguous(before[:, :, i : i + 1])) for i in range(count)]
        return with_delta(pixels, taken[0][:, :, 0] if count == 1 else np.concatenate(taken, axis=2))

    def disagreement(self, pixels: Pixels, result: Pixels) -> Plane:
        """Beyond the noise that was found in luma."""
        return disagreement(pixels, result, self._sigma)

    def _taken(self, before: Pixels) -> Plane:
        """The change that is made, (h, w, c) float32 in the samples' own units."""
        import cv2

        change: Plane = cv2.subtract(self.model.picture(before), before, dtype=cv2.CV_32F)
        change = change.reshape(before.shape)
        share: Any = np.float32(self.params.strength)
        if self.params.remove == "noise":
            share = share * _share_of_noise(change, before)
        self.note(share_removed=float(np.mean(share, dtype=np.float64)))
        change *= share
        return change


def _share_of_noise(change: Plane, before: Pixels) -> Plane:
    """(h, w, 1) 0..1: the noise's share of the mean square of `change`, locally.

    Where the network takes noise and texture, which are independent of each other, the least-squares factor
    on its change is sigma^2 / mean(change^2).
    """
    import cv2

    sigma = float(np.mean([noise_sigma(contiguous(before[:, :, i : i + 1])) for i in range(before.shape[2])]))
    energy = np.square(change).mean(axis=2)
    around = cv2.blur(energy, (SHARE_PX, SHARE_PX), borderType=cv2.BORDER_REFLECT)
    limit = np.float32((sigma * unit(before)) ** 2)
    found: Plane = np.minimum(limit / np.maximum(around, np.float32(1e-6)), 1.0)[:, :, np.newaxis]
    return found
