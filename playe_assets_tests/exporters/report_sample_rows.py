"""The synthetic case's metrics table and log lines."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from playe_assets.core.presets import load_preset
from playe_assets.core.tracks import Event, FusedTrack, Shot, Track
from playe_assets.core.values import (
    AiClass,
    Derivative,
    Detection,
    Enhanced,
    Exhibit,
    ExhibitDetections,
    FrameDetections,
    MediaKind,
    Reason,
    Step,
    Verdict,
)
from playe_assets.exporters.report_video import ClipParts, LedgerSummary


def sha(word: str) -> str:
    """A digest that stands for some bytes."""
    return hashlib.sha256(word.encode()).hexdigest()


COLUMNS = tuple(
    {"name": name, "unit": unit, "low": None, "high": None, "better": better, "reference": "test"}
    for name, unit, better in (
        ("psnr_exhibit", "dB", "none"),
        ("ssim_exhibit", "", "none"),
        ("psnr_gain_reference", "dB", "higher"),
        ("sharpness_ratio", "", "none"),
        ("noise_before", "8-bit units", "none"),
        ("noise_after", "8-bit units", "lower"),
        ("blockiness_before", "", "none"),
        ("blockiness_after", "", "lower"),
        ("consistency_psnr", "dB", "higher"),
        ("consistency_mean_abs", "8-bit units", "lower"),
        ("consistency_max_abs", "8-bit units", "lower"),
        ("warped_error_ratio", "1", "lower"),
        ("luma_flicker_ratio", "1", "lower"),
        ("luma_flicker_worst", "8-bit units", "lower"),
    )
)


def measured(
    derivatives: list[Derivative], withhold: str | None
) -> tuple[tuple[dict[str, object], ...], list[Verdict]]:
    """The metrics table's rows, and the verdicts on them."""
    rows, verdicts = [], []
    for i, d in enumerate(d for d in derivatives if d.kind in ("photo", "master")):
        bad = d.exhibit == withhold
        value = 18.25 if bad else 30.0 + (i * 37 % 11) / 2
        rows.append(
            {
                "exhibit": d.exhibit,
                "derivative": d.number,
                "frames_compared": 60,
                "psnr_exhibit": 31.5,
                "ssim_exhibit": 0.9123,
                "psnr_gain_reference": None,
                "sharpness_ratio": 1.3,
                "noise_before": 6.1,
                "noise_after": 2.2,
                "blockiness_before": 1.1,
                "blockiness_after": 1.02,
                "consistency_psnr": value,
                "consistency_mean_abs": 2.5,
                "consistency_max_abs": 44.0,
                "warped_error_ratio": 0.62 if d.kind == "master" else None,
                "luma_flicker_ratio": 0.91 if d.kind == "master" else None,
                "luma_flicker_worst": 2.1 if d.kind == "master" else None,
            }
        )
        verdicts.append(
            Verdict(
                "metrics_in_bounds",
                "quality",
                not bad,
                d.exhibit,
                d.number,
                "consistency_psnr",
                str(value),
                ">= 24",
            )
        )
    return tuple(rows), verdicts


def log_lines(entries: tuple[Enhanced, ...]) -> tuple[dict[str, object], ...]:
    """A start and an end line for each step of each exhibit."""
    lines: list[dict[str, object]] = []
    operator = {"id": "ivanova", "role": "operator", "auth": "case-file"}
    for e in entries:
        for event, step in (
            ("custody.acquire", "acquire"),
            *(("processing.step", f"{s.number} {s.use}") for s in e.steps),
        ):
            for status in ("started", "ok"):
                seq = 4000 + len(lines)
                lines.append(
                    {
                        "seq": seq,
                        "event": event,
                        "op_id": f"{e.exhibit}-{step}",
                        "exhibit": e.exhibit,
                        "step": step,
                        "status": status,
                        "t_start_utc": "2026-01-05T09:01:02.345678Z",
                        "t_end_utc": "2026-01-05T09:01:03.345678Z" if status == "ok" else None,
                        "duration_ms": 1000.5 if status == "ok" else None,
                        "operator": operator,
                        "activity": {
                            "asset_key": "enhanced_frames",
                            "run_id": "r-1",
                            "code_version": "0.1.0+abc",
                        },
                        "input_sha256": [sha(e.exhibit)],
                        "output_sha256": [sha(step)] if status == "ok" else [],
                        "runtime": {"name": "opencv", "version": "4.14", "device": "Example CPU"},
                    }
                )
    return tuple(lines)


def detected(e: Exhibit) -> ExhibitDetections:
    clip = e.media is MediaKind.CLIP
    box = Detection("face", 10, 10, 40, 40, 5.1)
    frames = tuple(
        FrameDetections("haar_face", f, f * 512, (box,) * (1 + f % 3))
        for f in (range(100, 400, 12) if clip else [0])
    )
    if not clip:
        return ExhibitDetections(e.number, e.sha256, 1920, 1080, 1, frames, (), METHODS)
    plates = tuple(
        FrameDetections("fastestdet", f, f * 512, (Detection("car", 300, 200, 90, 60, 0.8),))
        for f in range(300, 700, 25)
    )
    quality = {"size": 40.0, "sharpness": 0.61, "pose": 0.9, "overall": 0.72}
    tracks = (
        Track(1, "haar_face", "face", 100, 388, tuple((f.frame, 0) for f in frames), 220, (220, 232, 160),
              {k: tuple(v + n / 1000 for n in range(len(frames))) for k, v in quality.items()}),
        Track(2, "fastestdet", "car", 300, 675, tuple((f.frame, 0) for f in plates), 450, (450,),
              {"size": (73.5,) * len(plates), "overall": (0.5,) * len(plates)}, 1),
    )  # fmt: skip
    events = (
        Event("appear", 1, "face", 100, 100 * 512, 12 * 512),
        Event("appear", 2, "car", 300, 300 * 512, 25 * 512),
        Event("leave", 1, "face", 388, 388 * 512, 12 * 512),
        Event("leave", 2, "car", 675, 675 * 512, 25 * 512),
    )
    return ExhibitDetections(
        e.number, e.sha256, 1920, 1080, 60, (*frames, *plates), tracks, METHODS,
        (Shot(0, 0, 409, 96.5, 2.25), Shot(1, 410, 747, 120.0, 3.0)), events, sha("survey"),
    )  # fmt: skip


METHODS = ({"name": "haar_face", "version": "1", "params": {"cascade": "frontal", "scale_factor": 1.1}},)


def clip_parts() -> ClipParts:
    """What the store would say of the sample's clip over time."""
    rng = np.random.default_rng(3)
    frames = range(12, 748, 12)
    points = []
    for n in frames:
        before, luma = 3.0 + rng.normal(0, 0.2), 0.5 + abs(rng.normal(0, 0.1))
        jump = 2.2 if n == 600 else 0.0
        points.append((n * 512, before, 0.6 * before + 0.3 * jump, luma, 0.8 * luma + jump))
    named = (0, 100, 160, 196, 220, 232, 244, 300, 388, 409, 410, 450, 675, 747)
    behind = tuple((n * 512, float(min(5, 1 + abs(n % 410) // 2))) for n in range(0, 748, 4))
    ledger = LedgerSummary(sha("ledger"), 748, {"kept": 8, "fused": 740}, 1, True, behind)
    return ClipParts(ledger, tuple((n, n * 512) for n in named), sha("series"), 63, tuple(points))


_FUSED = FusedTrack(
    1, "face", "", "", "track_fusion", "1", {"psf_sigma_px": 0.7, "scale": 2}, 220, tuple(range(196, 245, 4)),
    {"residual": 3, "registration": 1},
    {"frames_used": 13.0, "registration_residual_px": 0.11, "residual_rms": 2.9, "noise_sigma": 2.25,
     "psf_sigma_px": 0.7},
)  # fmt: skip


_MEASURED = {"fusion": {"shift_mean_px": 0.8123, "contributors_mean": 3.91, "noise_sigma_mean": 2.25}}


def enhanced_by(e: Exhibit, derivatives: list[Derivative]) -> Enhanced:
    clip = e.media is MediaKind.CLIP
    assert e.facts is not None and e.media is not None
    steps = tuple(
        Step(n, use.name, "1.0", use.given, AiClass.NONE, "A. Author 1999", _MEASURED.get(use.name, {}), {})
        for n, use in enumerate(load_preset("forensic_safe").steps[e.media], 1)
    )
    mine = []
    kinds = ("master", "proxy", "contributors", "ledger", "track_fusion", "track_uncertainty")
    for kind in kinds if clip else ("photo",):
        number = f"D{len(derivatives) + 1:03d}"
        source = next(
            (d.sha256 for d in derivatives if d.exhibit == e.number and d.kind == "master"), e.sha256
        )
        derivatives.append(
            Derivative(
                number,
                e.number,
                kind,
                sha(f"{e.number} {kind}"),
                98_765_432,
                "video/x-matroska" if clip else "image/png",
                (source if kind == "proxy" else e.sha256,),
                AiClass.NONE,
                sha(f"pixels {number}"),
                e.facts.width * 2,
                e.facts.height * 2,
                748 if clip else None,
                ".mkv" if clip else ".png",
                {"name": "ffv1", "level": 3} if clip else None,
            )
        )
        mine.append(number)
    frames = e.facts.frame_count
    return Enhanced(
        e.number,
        steps,
        tuple(mine),
        frames,
        frames - 2 if clip else 1,
        1 if clip else 0,
        frames - 2 if clip else 1,
        deviations=(Reason("test.audio", {"streams": 1}),) if clip else (),
        segments=6 if clip else 0,
        fused=(dataclasses.replace(_FUSED, derivative=mine[4], uncertainty=mine[5]),) if clip else (),
    )
