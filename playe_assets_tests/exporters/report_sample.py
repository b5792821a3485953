"""A complete, synthetic case for the report's tests: rendered pictures, manifests that cite one another."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from playe_assets.core.canonical import digest
from playe_assets.core.presets import FOLDER
from playe_assets.core.values import (
    Derivative,
    DetectionEntry,
    DetectionManifest,
    EnhancedManifest,
    Exhibit,
    ExhibitStatus,
    IngestManifest,
    MediaKind,
    MetricsManifest,
    PresetRef,
    Reason,
    Refusal,
    Role,
    StreamFacts,
    Verdict,
)
from playe_assets.custody.record import Operator
from playe_assets.exporters.pictures import make_pictures, picture_of, track_picture
from playe_assets.exporters.report_parts import CaseFacts, Laboratory, LogHead, NoticeParts, ReportParts
from playe_assets_tests.exporters.report_sample_rows import (
    COLUMNS,
    clip_parts,
    detected,
    enhanced_by,
    log_lines,
    measured,
    sha,
)

SIZE = (90, 120)
"""Height and width of a rendered exhibit, px."""
NAMES = ("IMG_0412.jpg", "камера 3/двор <b>&.mp4", "evil\\xff\\x0a.mp4")


def rendered(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    """A shaded scene with a disc and stripes, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    scene = np.stack([60 + x % 40 * 3, 90 + y, 150 - x // 2 + y % 17], axis=2).astype(np.float64)
    scene[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (210, 180, 60)
    return np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)


def pictures(exhibit: str, seed: int, clip: bool) -> dict[str, bytes]:
    """What the report's picture stage would make of one exhibit."""
    original = rendered(seed, *SIZE)
    larger = np.repeat(np.repeat(rendered(seed + 1000, *SIZE), 2, axis=0), 2, axis=1)
    slope = np.add.outer(np.arange(2 * SIZE[0]), np.arange(2 * SIZE[1])) // 90
    return make_pictures(original, larger, (1 + slope).astype(np.uint8) if clip else None)


def track_pictures() -> list[tuple[str, bytes, int, int]]:
    """Role, PNG, frame and track of what is shown of the sample clip's tracks."""
    found = []
    for n, frame in enumerate((220, 232, 160), 1):
        found.append((f"best_{n}", track_picture(rendered(70 + n, 48, 40), f"best_{n}"), frame, 1))
    found.append(("best_1", track_picture(rendered(80, 40, 60), "best_1"), 450, 2))
    clean = rendered(90, 96, 80).astype(np.float64)
    coarse = np.clip(clean + np.random.default_rng(4).normal(0, 14, clean.shape), 0, 255).astype(np.uint8)
    unsure = np.add.outer(np.arange(96), np.arange(80)).astype(np.uint8)[:, :, None]
    found.append(("single", track_picture(coarse, "single"), 220, 1))
    found.append(("fused", track_picture(clean.astype(np.uint8), "fused"), 220, 1))
    scale = {"gain": 16.0, "unit_max": float(unsure.max()) / 16}
    found.append(("uncertainty", track_picture(unsure, "uncertainty", scale), 220, 1))
    return found


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
    found = {e.number: detected(e) for e in exhibits[:count]}
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
    entries = tuple(enhanced_by(e, derivatives) for e in exhibits[:count])
    enhanced = EnhancedManifest(
        "CASE-7", examination, digest(ingest), digest(detection), entries, tuple(derivatives)
    )
    rows, verdicts = measured(derivatives, withhold)
    metrics = MetricsManifest(
        "CASE-7", examination, digest(enhanced), sha("table"), COLUMNS, rows, tuple(verdicts)
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
        for role, png, frame, track in track_pictures() if e.media is MediaKind.CLIP else ():
            entry = picture_of(e.number, png, frame, track)
            assert entry.role == role
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
        ),
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
        log=log_lines(entries),
        log_head=LogHead(4711, sha("last line")),
        environment={
            "packages": {"numpy": "2.4.6", "opencv-python-headless": "4.14.0.94"},
            "runtime": {"name": "opencv", "version": "4.14.0.94"},
            "device": {"cpu": "Example CPU", "threads": 2},
        },
        audit_mode=audit_mode,
        pictures=tuple(shown),
        clips={e.number: clip_parts() for e in exhibits[:count] if e.media is MediaKind.CLIP},
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
        f"E{i:03d}",
        name.encode().hex(),
        name,
        sha(f"exhibit {i}"),
        4_812_345 + i,
        1,
        Role.EXHIBIT,
        ExhibitStatus.PARTIAL if i == 3 else ExhibitStatus.ACCEPTED,
        MediaKind.CLIP if clip else MediaKind.PHOTO,
        facts,
        missing=(Reason("test.rows", {"rows": 12}),) if i == 3 else (),
        ledger_sha256=sha("ledger") if clip else None,
    )


def _quarantined(i: int) -> Exhibit:
    return Exhibit(
        f"E{i:03d}",
        "626f6d62",
        "bomb.png",
        sha("bomb"),
        900,
        1,
        Role.EXHIBIT,
        ExhibitStatus.QUARANTINED,
        reason=Reason("test.bomb", {"pixels": 900_000_000}),
    )
