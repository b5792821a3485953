"""The enhance stage of a case of photographs beside the bare model on the same tiles, and what a second case loads.

What is decoded, hashed, encoded and recorded around the network should hide behind it. Bare model: the same
session, given the same arrays (float32), one after the other, half of them before each stage and half after.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.contender import write_weights
from benchmarks.inference import GENERAL, shared_data
from benchmarks.measure import Bench, Figure, Options, bench, here, scenes

PHOTOS, FEW = 60, 12
WIDTH, HEIGHT = 320, 180
CARD = "bench_general"
PRESET = "bench_learned"
AT_MOST, LOAD_AT_MOST_MS = 1.05, 50.0
_RECIPE = f"""
schema: playe-preset/1
name: {PRESET}
version: "1"
title: {{en: Benchmark, ru: Benchmark}}
description: {{en: One learned step, ru: One learned step}}
max_ai_class: generative
photo:
  - use: orient
  - use: super_resolution
    with: {{model: {CARD}, scale: 4, denoise: 1.0, apply_below_px: 100000000, self_ensemble: "off",
           ensemble_below_px: 0, smooth_radius: 0, smooth_flow_px: 480, smooth_agreement: 6.0}}
clip: [{{use: orient}}]
detectors: {{photo: [], clip: []}}
compare: {{every_s: 1.0, metrics: []}}
output: {{png_compression: 3, ffv1_slices: 4, proxy_crf: 18, proxy_speed: veryfast, proxy_gop: 50, proxy_threads: 2}}
gates: []
"""


@dataclasses.dataclass
class _Spent:
    """Seconds of fetching models, and how often, during one stage."""

    seconds: float = 0.0
    calls: int = 0


def run(options: Options) -> list[Figure]:
    """A case of 12 photographs a round, of 60 with `--long`; each round is a case of its own in one process."""
    count = PHOTOS if options.long else FEW
    ratios: list[float] = []
    around: list[float] = []
    loads: list[float] = []
    sessions: list[float] = []
    busy: list[float] = []
    with bench() as place, here(place):
        settings = _laboratory(place)
        pictures = scenes(WIDTH, HEIGHT, count)
        with _recipe():
            for number in range(1 + max(1, options.repeats)):
                stage = _stage(settings, f"BENCH-{number}")
                manifests = _taken(stage, _case(place.root / "inbox" / stage.case_id, pictures))
                opened, spent = _opened(), _Spent()
                halves = [_bare(settings, pictures[::2])]
                with _timed(spent):
                    seconds, worked = _enhanced(stage, manifests, count)
                halves.append(_bare(settings, pictures[1::2]))
                bare, bare_worked = (sum(values) for values in zip(*halves, strict=True))
                if number:  # the first case loads the model and warms everything
                    ratios.append(seconds / bare)
                    busy.append(worked / bare_worked)
                    around.append((seconds - bare) / count * 1000)
                    loads.append(spent.seconds / spent.calls * 1000)
                    sessions.append((_opened() - opened) * 1000)
    label = f"{count} photographs {WIDTH}x{HEIGHT} x4"
    return [
        Figure(f"{label}: stage / bare model", ratios, "x", at_most=AT_MOST, note=settings.runtime),
        Figure(f"{label}: the same by processor time", busy, "x", note="other work sways it less"),
        Figure(f"{label}: stage - bare model", around, "ms a photograph"),
        Figure("second case: sessions opened", sessions, "ms", at_most=LOAD_AT_MOST_MS, note="sessions.stats()"),
        Figure("second case: fetching the model for one photograph", loads, "ms", at_most=LOAD_AT_MOST_MS,
               note="weights read and hashed, graph found, session taken"),
    ]  # fmt: skip


def _laboratory(place: Bench) -> Any:
    """A data root whose one model is installed, certified and approved."""
    import yaml

    from playe_assets.core.contracts import ModelUse
    from playe_assets.examination.governance import approve
    from playe_assets.examination.models_engine import certified
    from playe_assets.examination.settings import load_settings
    from playe_assets.inference.cards import SCHEMA, model_cards
    from playe_assets.inference.weights import import_weights

    root = place.root / "data"
    root.mkdir()
    settings = load_settings({"data_root": root})
    path, _ = write_weights(GENERAL, place.root, shared_data())
    known = dataclasses.asdict(model_cards(settings.registry)[GENERAL])
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in known.items()}
    plain["hyper"] = {k: v for k, v in plain["hyper"].items() if k != "blend_with"}
    data = path.read_bytes()
    plain |= {"name": CARD, "file": path.name, "bytes": len(data), "sha256_status": "computed",
              "ai_class": str(known["ai_class"]), "sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
    settings.own_cards.write_text(yaml.safe_dump({"schema": SCHEMA, "models": [plain]}), encoding="utf-8")
    import_weights(path, model_cards(settings.registry, settings.own_cards), settings.weights, "cards.yaml")
    certified(ModelUse(CARD), settings)
    approve(CARD, settings, _stage(settings, None).recorder, why="benchmark")
    return settings


def _stage(settings: Any, case_id: str | None) -> Any:
    from playe_assets.custody.log import CustodyLog
    from playe_assets.custody.record import Operator, Recorder
    from playe_assets.examination.cases import CaseFolder
    from playe_assets.examination.stage import Stage

    recorder = Recorder(
        CustodyLog(settings.log_path), request_id="bench", case_id=case_id,
        operator=Operator("bench", "operator", "os-user"), audit=settings.audit,
    )  # fmt: skip
    return Stage(settings, CaseFolder(settings, case_id or "NONE"), recorder)


def _case(folder: Path, pictures: list[Any]) -> Path:
    from PIL import Image

    folder.mkdir(parents=True)
    listed = []
    for number, pixels in enumerate(pictures):
        path = folder / f"{number:03d}.jpg"
        Image.fromarray(pixels).save(path, "JPEG", quality=95)
        listed.append(f"  - {{name: {path.name}, size: {path.stat().st_size}}}")
    text = "\n".join([f"case: {folder.name}", "exhibits:", *listed])
    (folder / "case.yaml").write_text(text + "\n", encoding="utf-8")
    return folder


def _taken(stage: Any, folder: Path) -> tuple[str, str]:
    from playe_assets.examination.detect import detect
    from playe_assets.examination.ingest import ingest

    ingested = ingest(stage, folder, PRESET, in_place=True)
    return ingested.sha256, detect(stage, ingested.sha256).sha256


def _enhanced(stage: Any, manifests: tuple[str, str], count: int) -> tuple[float, float]:
    """Wall and processor seconds of the stage."""
    from playe_assets.examination.enhance import enhance

    began, worked = time.perf_counter(), time.process_time()
    done = enhance(stage, *manifests)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    failed = [e.failure for e in done.manifest.entries if e.failure]
    if failed or len(done.manifest.derivatives) != count:
        raise RuntimeError(f"{len(failed)} of {count} photographs were not enhanced: {failed[:1]}")
    return seconds, worked


def _bare(settings: Any, pictures: list[Any]) -> tuple[float, float]:
    """Wall and processor seconds of the session on each picture as one tile."""
    import numpy as np

    from playe_assets.core.contracts import ModelUse
    from playe_assets.examination.models_engine import built
    from playe_assets.inference.sessions import session

    arrays = [
        np.ascontiguousarray(p.transpose(2, 0, 1)[None], np.float32) / np.float32(255) for p in pictures
    ]
    engine = session(built(ModelUse(CARD), settings), settings.target, tuple(arrays[0].shape))
    began, worked = time.perf_counter(), time.process_time()
    for array in arrays:
        engine.run([array])
    return time.perf_counter() - began, time.process_time() - worked


def _opened() -> float:
    from playe_assets.inference.sessions import stats

    return float(stats()["load_seconds"])


@contextmanager
def _timed(spent: _Spent) -> Iterator[None]:
    """Time of every fetch of models by the stage's plan."""
    from playe_assets.examination import plan

    fetch = plan.load

    def load(*given: Any) -> Any:
        began = time.perf_counter()
        found = fetch(*given)
        if found:
            spent.seconds += time.perf_counter() - began
            spent.calls += 1
        return found

    plan.load = load
    try:
        yield
    finally:
        plan.load = fetch


@contextmanager
def _recipe() -> Iterator[None]:
    """The benchmark's preset is there beside the project's own."""
    from playe_assets.core.presets import load_preset, parse_preset
    from playe_assets.examination import plan

    def found(name: str) -> Any:
        return parse_preset(_RECIPE.encode(), "enhance_stage.py") if name == PRESET else load_preset(name)

    plan.load_preset = found
    try:
        yield
    finally:
        plan.load_preset = load_preset
