"""Each clip step of forensic_safe in ms a frame, beside the bare OpenCV calls that it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.measure import Figure, Options, scenes

_SIZES = (("320x180", 320, 180, 40), ("1080p", 1920, 1080, 8))


def run(options: Options) -> list[Figure]:
    """Every step works on what the one before it made; the bare calls see the same frames."""
    from playe_assets.core.contracts import Frame
    from playe_assets.core.presets import load_preset
    from playe_assets.core.values import MediaKind, StreamFacts
    from playe_assets.examination.plan import check

    planned = check(load_preset("forensic_safe")).steps[MediaKind.CLIP]
    found = []
    for label, width, height, count in _SIZES:
        facts = StreamFacts("bench", "bench", "rgb24", 8, width, height, frame_count=count)
        frames = [Frame(i, i, p) for i, p in enumerate(scenes(width, height, count))]
        for step in planned:
            ours: list[float] = []
            bare: list[float] = []
            made = frames
            for _ in range(2 if label == "1080p" else options.repeats):
                began = time.perf_counter()
                made = list(step.cls(step.params, facts).stream(iter(frames)))
                ours.append((time.perf_counter() - began) * 1000 / count)
                call = BARE.get(step.cls.name)
                if call is not None:
                    began = time.perf_counter()
                    for frame in frames:
                        call(frame.pixels, step.params)
                    bare.append((time.perf_counter() - began) * 1000 / count)
            note = f"bare OpenCV {sorted(bare)[len(bare) // 2]:.1f} ms" if bare else "no OpenCV call in it"
            found.append(Figure(f"{label}: {step.cls.name}", ours, "ms a frame", note=note))
            frames = made
    return found


def _nlm(pixels: Any, params: Any) -> None:
    import cv2

    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    y, chroma = luma[:, :, 0].copy(), luma[:, :, 1:].copy()
    cv2.fastNlMeansDenoising(y, [params.h_luma], None, params.template_px, params.search_px, cv2.NORM_L2)
    cv2.fastNlMeansDenoising(
        chroma, [params.h_chroma], None, params.template_px, params.search_px, cv2.NORM_L2
    )
    cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)


def _fusion(pixels: Any, params: Any) -> None:
    """One phase correlation; for each neighbour a shift, the test of the residual, an accumulation; the mean.

    The test is as `enhancers/agreement.py` describes it, in the fewest calls; the noise is taken as known.
    """
    import cv2
    import numpy as np

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    scale = min(1.0, params.register_max_side_px / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.phaseCorrelate(small, small)
    total, box, limit = pixels.astype(np.float32), (params.patch_px, params.patch_px), (9.0, 9.0, 9.0)
    under = (-9.0, -9.0, -9.0)
    for _ in range(2 * params.radius):
        moved = cv2.warpAffine(
            pixels, np.array([[1, 0, 0.4], [0, 1, 0.3]]), (pixels.shape[1], pixels.shape[0])
        )
        difference = cv2.subtract(pixels, moved, dtype=cv2.CV_16S)
        mask = cv2.inRange(difference, under, limit)
        mask &= cv2.inRange(cv2.boxFilter(difference, cv2.CV_32F, box), under, limit)
        square = cv2.transform(cv2.sqrBoxFilter(difference, cv2.CV_32F, box), np.full((1, 3), 0.1))
        mask &= cv2.inRange(square, 0.0, 9.0)
        cv2.accumulate(moved, total, mask)
    cv2.divide(total, cv2.merge([mask, mask, mask]), dtype=cv2.CV_8U)


def _lanczos(pixels: Any, params: Any) -> None:
    import cv2

    if pixels.shape[0] * pixels.shape[1] > params.apply_below_px:
        return
    cv2.resize(pixels, None, fx=params.scale, fy=params.scale, interpolation=cv2.INTER_LANCZOS4)


def _contrast(pixels: Any, params: Any) -> None:
    import cv2

    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    clahe = cv2.createCLAHE(params.clip_limit, (params.tiles, params.tiles))
    before = luma[:, :, 0].copy()
    luma[:, :, 0] = cv2.addWeighted(clahe.apply(before), params.blend, before, 1 - params.blend, 0)
    cv2.cvtColor(luma, cv2.COLOR_YCrCb2RGB)


BARE: dict[str, Callable[[Any, Any], None] | None] = {
    "fusion": _fusion,
    "nlm": _nlm,
    "lanczos": _lanczos,
    "local_contrast": _contrast,
}
