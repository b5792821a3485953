"""The synthetic case's metrics table and log lines."""

from __future__ import annotations

import hashlib

from playe_assets.core.presets import load_preset
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
    Track,
    Verdict,
)


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
    tracks = (
        (Track(1, "haar_face", "face", 100, 388, tuple((f.frame, 0) for f in frames), 220),) if clip else ()
    )
    return ExhibitDetections(
        e.number,
        e.sha256,
        1920,
        1080,
        60 if clip else 1,
        frames,
        tracks,
        ({"name": "haar_face", "version": "1", "params": {"cascade": "frontal", "scale_factor": 1.1}},),
    )


_MEASURED = {"fusion": {"shift_mean_px": 0.8123, "contributors_mean": 3.91, "noise_sigma_mean": 2.25}}


def enhanced_by(e: Exhibit, derivatives: list[Derivative]) -> Enhanced:
    clip = e.media is MediaKind.CLIP
    assert e.facts is not None and e.media is not None
    steps = tuple(
        Step(n, use.name, "1.0", use.given, AiClass.NONE, "A. Author 1999", _MEASURED.get(use.name, {}), {})
        for n, use in enumerate(load_preset("forensic_safe").steps[e.media], 1)
    )
    mine = []
    for kind in ("master", "proxy", "contributors") if clip else ("photo",):
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
    )
