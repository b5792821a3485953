"""Undoing a stated Gaussian blur: Wiener's filter, or Richardson-Lucy stopped at the noise.

Sources: N. Wiener (1949); W. H. Richardson, JOSA 62 (1972) 55; L. B. Lucy, Astron. J. 79 (1974) 745. Spectra of
pictures fall with the square of the frequency (D. J. Field, JOSA A 4, 1987), which Wiener's ratio follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.float32]
_RIM_SIGMAS = 6.0
"""Width of the mirrored rim, in standard deviations of the blur: nothing wraps around."""
_TOP = 255.0
_MOST_LEVELS = 6
_NOISE_SMOOTH_PX = 2.0


@dataclass(frozen=True)
class Sharpened:
    """The picture, and by how much the noise of an independent sample grew."""

    picture: Plane
    """(h, w, c)"""
    amplification: float
    """Standard error after / before."""
    rounds: int
    """Of Richardson-Lucy; 0 for Wiener."""


def wiener(picture: Plane, sigma: float, kernel: float, noise_to_signal: float) -> Sharpened:
    """`picture` (h, w, c) without a Gaussian blur of `sigma` px and without our own placing kernel of `kernel` px.

    `noise_to_signal` is the ratio of the power spectra, before the kernel, at the frequency of one wave in 2 pi
    px; it grows with the square of the frequency. The kernel smoothed signal and noise alike, so it is divided out.
    """
    rim = max(4, math.ceil(_RIM_SIGMAS * math.hypot(sigma, kernel)))
    wide = np.pad(picture, ((rim, rim), (rim, rim), (0, 0)), mode="symmetric")
    w2 = _frequency_squared(wide.shape[0], wide.shape[1])
    blur = np.exp(-0.5 * sigma**2 * w2)
    gain = blur / (blur**2 + noise_to_signal * w2) / np.exp(-0.5 * kernel**2 * w2)
    spectrum = np.fft.rfft2(wide.astype(np.float64), axes=(0, 1))
    made = np.fft.irfft2(spectrum * gain[:, :, None], s=wide.shape[:2], axes=(0, 1))
    high, across = picture.shape[:2]
    cut = made[rim : rim + high, rim : rim + across].astype(np.float32)
    return Sharpened(cut, _amplification(gain, kernel, w2, wide.shape[1]), 0)


def richardson_lucy(picture: Plane, sigma: float, kernel: float, most: int, error: float) -> Sharpened:
    """As `wiener`; stops after `most` rounds or when the blurred estimate is within `error` (rms) of `picture`."""
    rim = max(4, math.ceil(_RIM_SIGMAS * math.hypot(sigma, kernel)))
    wide = np.pad(picture, ((rim, rim), (rim, rim), (0, 0)), mode="symmetric").astype(np.float64)
    w2 = _frequency_squared(wide.shape[0], wide.shape[1])
    blur = np.exp(-0.5 * (sigma**2 + kernel**2) * w2)[:, :, None]

    def blurred(plane: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        made = np.fft.irfft2(np.fft.rfft2(plane, axes=(0, 1)) * blur, s=wide.shape[:2], axes=(0, 1))
        return np.asarray(made, np.float64)

    seen = np.clip(wide, 0.5, None)
    guess, rounds = seen.copy(), 0
    for rounds in range(1, most + 1):
        again = np.maximum(blurred(guess), 0.25)
        if float(np.sqrt(np.mean((again - seen) ** 2))) <= error:
            rounds -= 1
            break
        guess = guess * blurred(seen / again)
    # Linearised about a constant: each round multiplies what is left over by (1 - blur^2).
    b2 = blur[:, :, 0] ** 2
    gain = (
        1.0 + (1.0 - (1.0 - b2) ** rounds) * (1.0 / np.maximum(blur[:, :, 0], 1e-12) - 1.0)
        if rounds
        else b2 * 0 + 1
    )
    high, across = picture.shape[:2]
    cut = guess[rim : rim + high, rim : rim + across].astype(np.float32)
    return Sharpened(cut, _amplification(gain, kernel, w2, wide.shape[1]), rounds)


def by_noise(
    make: Callable[[float], Sharpened], noise: Plane, typical: float
) -> tuple[Plane, Plane, Sharpened]:
    """Picture, map of amplification (h, w), and the result at the `typical` noise.

    `make` sharpens for one noise level. A place where few samples met is noisier than the rest and must be
    sharpened less: levels a factor 2 apart are made, and each place lies between the two next to its own noise.
    """
    import cv2

    first = make(typical)
    smooth = cv2.GaussianBlur(noise, (0, 0), _NOISE_SMOOTH_PX)
    level = np.log2(np.maximum(np.maximum(noise, smooth), 1e-6) / max(typical, 1e-6)).clip(0.0, None)
    most = min(_MOST_LEVELS, math.ceil(float(level.max()) - 1e-3))
    made = [first, *(make(typical * 2.0**k) for k in range(1, most + 1))]
    picture = np.zeros_like(first.picture)
    amplification = np.zeros(noise.shape, np.float32)
    for k, one in enumerate(made):
        share = np.clip(1.0 - np.abs(np.minimum(level, most) - k), 0.0, 1.0).astype(np.float32)
        picture += share[:, :, None] * one.picture
        amplification += share * np.float32(one.amplification)
    return picture, amplification, first


def limited(picture: Plane, before: Plane, radius: int, overshoot: float) -> Plane:
    """`picture` within the range of `before` around each place, plus `overshoot` of that range to each side."""
    import cv2

    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    low = cv2.erode(before, kernel).reshape(before.shape)
    high = cv2.dilate(before, kernel).reshape(before.shape)
    room = (high - low) * np.float32(overshoot)
    return np.clip(picture, np.maximum(low - room, 0.0), np.minimum(high + room, _TOP)).astype(np.float32)


def _frequency_squared(high: int, wide: int) -> npt.NDArray[np.float64]:
    y = 2 * np.pi * np.fft.fftfreq(high)[:, None]
    x = 2 * np.pi * np.fft.rfftfreq(wide)[None, :]
    found: npt.NDArray[np.float64] = x**2 + y**2
    return found


def _amplification(
    gain: npt.NDArray[np.float64], smooth: float, w2: npt.NDArray[np.float64], wide: int
) -> float:
    """Ratio of the noise's standard deviations after and before, for noise that was smoothed by `smooth` px."""
    power = np.exp(-(smooth**2) * w2)
    twice = np.full(w2.shape[1], 2.0)  # of a real picture half the spectrum is stored
    twice[0] = 1.0
    if wide % 2 == 0:
        twice[-1] = 1.0
    return float(np.sqrt((power * gain**2 * twice).sum() / (power * twice).sum()))
