"""Track fusion on rendered clips with known truth: dB, SSIM and Tesseract's errors, against the best single frame.

`single` is the best of all frames by PSNR against its own truth, enlarged by Lanczos: nobody could choose better.
`one` is the reference frame alone with the same deconvolution: what of the gain is not owed to the other frames.
The reference is chosen blindly, by the quality that tracks are ranked by. Luma (Rec. 601), inside the thing.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import OUT, Figure, Options
from playe_assets.core.contracts_tracks import Crop, Fused
from playe_assets.core.values import Detection
from playe_assets.detectors.quality import quality
from playe_assets.fusers.deconvolution import wiener
from playe_assets.fusers.registering import luma
from playe_assets.media.clip import read_clip
from playe_assets_tests.fusers.parameters import crops, fuser, inside, psnr, truth
from playe_assets_tests.rendered_clips import RATES, TEXTS, Rendered, Scene, render, write_clip

SCENES = {
    "sign": Scene("sign"),
    "plate": Scene("plate", seed=2),
    "face": Scene("face", seed=3),
    "turning sign": Scene("sign", seed=4, turn_degrees=4.0),
    "crossed sign": Scene("sign", seed=5, crossing=(16, 24)),
}
ASKED_DB = 3.0
SCALE = 2
_LARGER = 3
"""Both pictures are enlarged by this for Tesseract, which wants capitals of 30 px and more."""


@dataclasses.dataclass(frozen=True)
class _Row:
    clip: str
    rate: str
    single: float
    one: float
    fused: float
    ssim_single: float
    ssim_fused: float
    cer_single: float | None
    cer_least: float | None
    cer_fused: float | None
    used: int
    error_px: float

    def words(self) -> str:
        def cer(value: float | None) -> str:
            return "-" if value is None else f"{100 * value:.0f}"

        return (f"| {self.clip} | {self.rate} | {self.single:.2f} | {self.one:.2f} | {self.fused:.2f} | "
                f"**{self.fused - self.single:+.2f}** | {self.ssim_single:.3f} | {self.ssim_fused:.3f} | "
                f"{cer(self.cer_single)} | {cer(self.cer_least)} | {cer(self.cer_fused)} | {self.used} | "
                f"{self.error_px:.2f} |")  # fmt: skip


HEAD = (
    "| clip | rate | single dB | one dB | fused dB | gain | SSIM single | SSIM fused | CER single % | "
    "CER best of five % | CER fused % | frames | residual px |\n" + "|---" * 13 + "|"
)


def run(options: Options) -> list[Figure]:
    """Gains as figures; the table and the pictures go to `benchmarks/out`."""
    reader = shutil.which("tesseract")
    if reader is None:
        print(
            "track_fusion: no tesseract here, so no character errors (Debian: apt-get install tesseract-ocr)"
        )
    OUT.mkdir(parents=True, exist_ok=True)
    rows, figures, seconds = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, scene in SCENES.items():
            made = render(scene)
            true = [truth(made, n, SCALE) for n in range(scene.frames)]
            for rate, kbit in RATES.items():
                path = write_clip(Path(folder) / "clip.mp4", made.pixels, kbit)
                frames = [f.pixels.copy() for f in read_clip(path)]
                row, took = _row(name, rate, made, frames, true, reader)
                rows.append(row)
                seconds.append(took)
                figures.append(
                    Figure(f"{name}, {rate}: gain", [row.fused - row.single], "dB", at_least=ASKED_DB,
                           note=f"{row.single:.2f} to {row.fused:.2f}; one frame deconvolved {row.one:.2f}")
                )  # fmt: skip
    table = "\n".join([HEAD, *(r.words() for r in rows)])
    (OUT / "track_fusion.md").write_text(table + "\n", encoding="utf-8")
    print(table)
    figures.append(Figure("time a fused picture of 40 crops", seconds, "s"))
    return figures


def _row(
    name: str, rate: str, made: Rendered, frames: list[Any], true: list[Any], reader: str | None
) -> tuple[_Row, float]:  # fmt: skip
    given = _ranked(crops(made, frames, 0))
    began = time.monotonic()
    fused = fuser(scale=SCALE).fuse(given)
    took = time.monotonic() - began
    if fused is None:
        raise RuntimeError(f"{name} at {rate}: nothing was fused")
    best, singles = 0, []
    for number, crop in enumerate(given):
        place = inside(crop, SCALE)
        singles.append(psnr(_large(crop, SCALE)[place], true[number][place]))
    best = int(np.argmax(singles))
    ref = fused.reference_frame
    place, best_place = inside(given[ref], SCALE), inside(given[best], SCALE)
    alone = _alone(given[ref], fused)
    _picture(name, rate, fused, true[ref])
    text = "\n".join(TEXTS[made.scene.subject]) if made.scene.subject in TEXTS else None
    least = sorted(given, key=lambda c: -c.quality)[:5]
    errors: list[float | None] = [None, None, None]
    if reader is not None and text is not None and made.scene.crossing == (0, 0):
        errors = [
            _errors(reader, _large(given[best], SCALE)[best_place], text),
            min(_errors(reader, _large(c, SCALE)[inside(c, SCALE)], text) for c in least),
            _errors(reader, fused.pixels[place], text),
        ]
    row = _Row(
        name, rate, singles[best], psnr(alone[place], true[ref][place]), psnr(fused.pixels[place], true[ref][place]),
        _ssim(_large(given[best], SCALE)[best_place], true[best][best_place]),
        _ssim(fused.pixels[place], true[ref][place]), *errors, len(fused.frames),
        fused.measured["registration_residual_px"],
    )  # fmt: skip
    return row, took


def _ranked(given: list[Crop]) -> list[Crop]:
    return [
        dataclasses.replace(
            c, quality=quality(c.pixels, Detection("sign", c.x, c.y, c.width, c.height, 1.0))["overall"]
        )
        for c in given
    ]


def _large(crop: Crop, scale: int) -> Any:
    import cv2

    high, wide = crop.pixels.shape[:2]
    return cv2.resize(crop.pixels, (wide * scale, high * scale), interpolation=cv2.INTER_LANCZOS4)


def _alone(crop: Crop, fused: Fused) -> Any:
    """The reference alone with the same filter, at the noise-to-signal ratio that suits one frame best of four."""
    large = _large(crop, SCALE).astype(np.float32)
    psf = fused.measured["psf_sigma_px"] * SCALE
    ratio = max(0.02, fused.measured["noise_to_signal"])
    return wiener(large, psf, 0.0, ratio).picture.round().clip(0, 255).astype(np.uint8)


def _ssim(one: Any, other: Any) -> float:
    from skimage.metrics import structural_similarity

    return float(structural_similarity(luma(one), luma(other), data_range=255.0, win_size=7))


def _errors(reader: str, pixels: Any, text: str) -> float:
    """Character error rate of Tesseract: edits over the text's length, blanks aside."""
    import cv2

    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        high, wide = pixels.shape[:2]
        large = cv2.resize(pixels, (wide * _LARGER, high * _LARGER), interpolation=cv2.INTER_CUBIC)
        rim = 3 * SCALE * _LARGER  # the frame of the sign is no letter
        large = large[rim:-rim, rim:-rim]
        large = cv2.copyMakeBorder(large, 30, 30, 30, 30, cv2.BORDER_REPLICATE)
        cv2.imwrite(file.name, cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
        mode = "6" if "\n" in text else "7"
        done = subprocess.run([reader, file.name, "-", "--psm", mode, "-l", "eng"], capture_output=True,
                              check=True, text=True, env={"OMP_THREAD_LIMIT": "1"})  # fmt: skip
    plain = "".join(text.split()).replace("Ü", "U")  # the English model knows no umlaut
    return edits("".join(done.stdout.split()).replace("Ü", "U"), plain) / len(plain)


def edits(one: str, other: str) -> int:
    """Levenshtein's distance."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def _picture(name: str, rate: str, fused: Fused, true: Any) -> None:
    """Single frame, fused picture and truth side by side."""
    import cv2

    row = np.hstack([fused.single, fused.pixels, true])
    large = cv2.resize(row, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    path = OUT / f"track_fusion_{name.replace(' ', '_')}_{rate}.png"
    cv2.imwrite(str(path), cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
