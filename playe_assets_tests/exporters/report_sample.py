"""A complete, synthetic case for the report's tests: rendered pictures, manifests that cite one another."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from playe_assets.core.canonical import digest
from playe_assets.core.presets import FOLDER, load_preset
from playe_assets.core.values import (
    AiClass,
    Derivative,
    Detection,
    DetectionEntry,
    DetectionManifest,
    Enhanced,
    EnhancedManifest,
    Exhibit,
    ExhibitDetections,
    ExhibitStatus,
    FrameDetections,
    IngestManifest,
    MediaKind,
    MetricsManifest,
    PresetRef,
    Reason,
    Refusal,
    Role,
    Step,
    StreamFacts,
    Track,
    Verdict,
)
from playe_assets.custody.record import Operator
from playe_assets.exporters.pictures import make_pictures, picture_of
from playe_assets.exporters.report_parts import CaseFacts, Laboratory, LogHead, NoticeParts, ReportParts

NAMES = ("IMG_0412.jpg", "камера 3/двор <b>&.mp4", "evil\\xff\\x0a.mp4")


def sha(word: str) -> str:
    """A digest that stands for some bytes."""
    return hashlib.sha256(word.encode()).hexdigest()


def rendered(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    """A shaded scene with a disc and stripes, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    scene = np.stack([60 + x % 40 * 3, 90 + y, 150 - x // 2 + y % 17], axis=2).astype(np.float64)
    scene[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (210, 180, 60)
    return np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)


def pictures(exhibit: str, seed: int, clip: bool) -> dict[str, bytes]:
    """What the report's picture stage would make of one exhibit."""
    original = rendered(seed)
    larger = np.repeat(np.repeat(rendered(seed + 1000), 2, axis=0), 2, axis=1)
    counts = (1 + np.add.outer(np.arange(180), np.arange(240)) // 90).astype(np.uint8) if clip else None
    return make_pictures(original, larger, counts)


def sample_parts(
    language: str = "en",
    count: int = 3,
    *,
    withhold: str | None = "E002",
    names: tuple[str, ...] = NAMES,
    audit_mode: str = "full",
) -> tuple[ReportParts, dict[str, bytes]]:
    """`count` examined exhibits (every second a clip), one quarantined file, one refused link."""
    preset_text = (FOLDER / "forensic_safe.yaml").read_text(encoding="utf-8")
    preset = PresetRef("forensic_safe", "1.0", hashlib.sha256(preset_text.encode()).hexdigest())
    examination = sha("examination")
    exhibits = [_exhibit(i, names[(i - 1) % len(names)]) for i in range(1, count + 1)]
    exhibits.append(_quarantined(count + 1))
    ingest = IngestManifest(
        "CASE-7",
        examination,
        preset,
        tuple(exhibits),
        (Refusal("6c696e6b", "link", 1, Reason("test.link", {"target": "outside"})),),
        (sha("delivery 1"),),
        {"code_version": "0.1.0+abc", "weights": {}},
    )
    found = {e.number: _detections(e) for e in exhibits[:count]}
    detection = DetectionManifest(
        "CASE-7",
        examination,
        digest(ingest),
        tuple(
            DetectionEntry(
                n, digest(f), {"face": sum(len(x.found) for x in f.frames)}, len(f.tracks), f.frames_seen
            )
            for n, f in found.items()
        ),
    )
    derivatives: list[Derivative] = []
    entries = tuple(_enhanced(e, derivatives) for e in exhibits[:count])
    enhanced = EnhancedManifest(
        "CASE-7", examination, digest(ingest), digest(detection), entries, tuple(derivatives)
    )
    rows, verdicts = _measured(derivatives, withhold)
    metrics = MetricsManifest(
        "CASE-7", examination, digest(enhanced), sha("table"), _COLUMNS, rows, tuple(verdicts)
    )
    integrity = tuple(
        Verdict(
            "exhibits_intact",
            "integrity",
            True,
            e.number,
            None,
            "sha256 equal on re-read",
            e.sha256,
            e.sha256,
        )
        for e in exhibits
    )
    data: dict[str, bytes] = {}
    shown = []
    for i, e in enumerate(exhibits[:count]):
        for png in pictures(e.number, i, e.media is MediaKind.CLIP).values():
            entry = picture_of(e.number, png, 12 if e.media is MediaKind.CLIP else None)
            data[entry.sha256] = png
            shown.append(entry)
    parts = ReportParts(
        laboratory=Laboratory("Test Laboratory", "1 Example Street, Exampletown", None, "A. Person, head"),
        case=CaseFacts(
            "CASE-7",
            "Yard camera & <photo>",
            "District office",
            "Make the vehicle in the yard easier to see.",
            Operator("ivanova", "operator", "case-file"),
            language,
        ),  # fmt: skip
        preset_text=preset_text,
        received_utc="2026-01-05T08:00:00Z",
        performed_utc="2026-01-05T09:10:11.123456Z",
        issued_utc="2026-01-05T09:12:00Z",
        ingest=ingest,
        detection=detection,
        detections=found,
        enhanced=enhanced,
        metrics=metrics,
        verdicts=integrity,
        reread={e.number: e.sha256 for e in exhibits},
        log=_log(entries),
        log_head=LogHead(4711, sha("last line")),
        environment={
            "packages": {"numpy": "2.4.6", "opencv-python-headless": "4.14.0.94"},
            "runtime": {"name": "opencv", "version": "4.14.0.94"},
            "device": {"cpu": "Example CPU", "threads": 2},
        },
        audit_mode=audit_mode,
        pictures=tuple(shown),
    )
    return parts, data


def sample_notice(language: str = "en", failures: int = 1) -> NoticeParts:
    """A notice about `failures` working copies that changed."""
    parts, _ = sample_parts(language, 1)
    bad = tuple(
        Verdict(
            "exhibits_intact",
            "integrity",
            False,
            f"E{i:03d}",
            None,
            "sha256 equal on re-read",
            sha("x"),
            sha("y"),
        )
        for i in range(1, failures + 1)
    )
    return NoticeParts(
        parts.laboratory, parts.case, sha("examination"), "2026-01-05T09:12:00Z", bad, parts.log_head
    )


def with_exhibits(parts: ReportParts, *changed: Exhibit) -> ReportParts:
    """`parts` with exhibits replaced by number, and every manifest downstream citing the new digests."""
    by = {e.number: e for e in changed}
    ingest = dataclasses.replace(
        parts.ingest, exhibits=tuple(by.get(e.number, e) for e in parts.ingest.exhibits)
    )
    detection = dataclasses.replace(parts.detection, ingest=digest(ingest))
    enhanced = dataclasses.replace(parts.enhanced, ingest=digest(ingest), detections=digest(detection))
    metrics = dataclasses.replace(parts.metrics, enhanced=digest(enhanced))
    return dataclasses.replace(parts, ingest=ingest, detection=detection, enhanced=enhanced, metrics=metrics)


def write_pdf(folder: Path, name: str, data: bytes) -> Path:
    """The bytes as a file, for programs that want one."""
    path = folder / name
    path.write_bytes(data)
    return path


def _exhibit(i: int, name: str) -> Exhibit:
    clip = i % 2 == 0
    facts = StreamFacts(
        container="mov,mp4,m4a,3gp,3g2,mj2" if clip else "JPEG",
        codec="h264" if clip else "JPEG",
        pixel_format="yuv420p" if clip else "RGB",
        bit_depth=8,
        width=1920 if clip else 4032,
        height=1080 if clip else 3024,
        orientation=1 if clip else 6,
        colour_range="tv" if clip else None,
        colour_matrix="bt709" if clip else None,
        frame_count=750 if clip else 1,
        timing="variable" if clip else None,
        time_base="1/12800" if clip else None,
        start_pts=0 if clip else None,
        duration_ticks=384000 if clip else None,
        average_rate="25/1" if clip else None,
        exif=None
        if clip
        else {"Make": "Canon", "Model": "EOS <i>R5</i>", "DateTimeOriginal": "2025:12:30 21:14:55"},
        decoder="PyAV 18.1.0 (libavcodec 62.28.102)" if clip else "Pillow 13.0.0",
    )
    return Exhibit(
        f"E{i:03d}", name.encode().hex(), name, sha(f"exhibit {i}"), 4_812_345 + i, 1, Role.EXHIBIT,
        ExhibitStatus.PARTIAL if i == 3 else ExhibitStatus.ACCEPTED,
        MediaKind.CLIP if clip else MediaKind.PHOTO, facts,
        missing=(Reason("test.rows", {"rows": 12}),) if i == 3 else (),
        ledger_sha256=sha("ledger") if clip else None,
    )  # fmt: skip


def _quarantined(i: int) -> Exhibit:
    return Exhibit(
        f"E{i:03d}", "626f6d62", "bomb.png", sha("bomb"), 900, 1, Role.EXHIBIT, ExhibitStatus.QUARANTINED,
        reason=Reason("test.bomb", {"pixels": 900_000_000}),
    )  # fmt: skip


def _detections(e: Exhibit) -> ExhibitDetections:
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
        e.number, e.sha256, 1920, 1080, 60 if clip else 1, frames, tracks,
        ({"name": "haar_face", "version": "1", "params": {"cascade": "frontal", "scale_factor": 1.1}},),
    )  # fmt: skip


_MEASURED = {"fusion": {"shift_mean_px": 0.8123, "contributors_mean": 3.91, "noise_sigma_mean": 2.25}}


def _enhanced(e: Exhibit, derivatives: list[Derivative]) -> Enhanced:
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
                number, e.number, kind, sha(f"{e.number} {kind}"), 98_765_432, "video/x-matroska" if clip else "image/png",
                (source if kind == "proxy" else e.sha256,), AiClass.NONE, sha(f"pixels {number}"),
                e.facts.width * 2, e.facts.height * 2, 748 if clip else None, ".mkv" if clip else ".png",
                {"name": "ffv1", "level": 3} if clip else None,
            )
        )  # fmt: skip
        mine.append(number)
    frames = e.facts.frame_count
    return Enhanced(
        e.number, steps, tuple(mine), frames, frames - 2 if clip else 1, 1 if clip else 0, frames - 2 if clip else 1,
        deviations=(Reason("test.audio", {"streams": 1}),) if clip else (),
    )  # fmt: skip


_COLUMNS = tuple(
    {"name": name, "unit": unit, "low": None, "high": None, "better": better, "reference": "test"}
    for name, unit, better in (
        ("psnr_exhibit", "dB", "none"), ("ssim_exhibit", "", "none"), ("psnr_gain_reference", "dB", "higher"),
        ("sharpness_ratio", "", "none"), ("noise_before", "8-bit units", "none"), ("noise_after", "8-bit units", "lower"),
        ("blockiness_before", "", "none"), ("blockiness_after", "", "lower"),
        ("consistency_psnr", "dB", "higher"), ("consistency_mean_abs", "8-bit units", "lower"),
        ("consistency_max_abs", "8-bit units", "lower"),
    )
)  # fmt: skip


def _measured(
    derivatives: list[Derivative], withhold: str | None
) -> tuple[tuple[dict[str, object], ...], list[Verdict]]:
    rows, verdicts = [], []
    for i, d in enumerate(d for d in derivatives if d.kind in ("photo", "master")):
        bad = d.exhibit == withhold
        value = 18.25 if bad else 30.0 + (i * 37 % 11) / 2
        rows.append(
            {
                "exhibit": d.exhibit, "derivative": d.number, "psnr_exhibit": 31.5, "ssim_exhibit": 0.9123,
                "psnr_gain_reference": None, "sharpness_ratio": 1.3, "noise_before": 6.1, "noise_after": 2.2,
                "blockiness_before": 1.1, "blockiness_after": 1.02, "consistency_psnr": value,
                "consistency_mean_abs": 2.5, "consistency_max_abs": 44.0,
            }
        )  # fmt: skip
        verdicts.append(
            Verdict(
                "quality", "quality", not bad, d.exhibit, d.number, "consistency_psnr", str(value), ">= 24"
            )
        )
    return tuple(rows), verdicts


def _log(entries: tuple[Enhanced, ...]) -> tuple[dict[str, object], ...]:
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
                        "seq": seq, "event": event, "op_id": f"{e.exhibit}-{step}", "exhibit": e.exhibit, "step": step,
                        "status": status, "t_start_utc": "2026-01-05T09:01:02.345678Z",
                        "t_end_utc": "2026-01-05T09:01:03.345678Z" if status == "ok" else None,
                        "duration_ms": 1000.5 if status == "ok" else None, "operator": operator,
                        "activity": {"asset_key": "enhanced_frames", "run_id": "r-1", "code_version": "0.1.0+abc"},
                        "input_sha256": [sha(e.exhibit)], "output_sha256": [sha(step)] if status == "ok" else [],
                        "runtime": {"name": "opencv", "version": "4.14", "device": "Example CPU"},
                    }
                )  # fmt: skip
    return tuple(lines)
