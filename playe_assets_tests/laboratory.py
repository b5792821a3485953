"""A laboratory of its own for a test: data root, Dagster home and small evidence made by formula."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from playe_assets.core.contracts import Frame
from playe_assets.core.presets import Output
from playe_assets.custody.log import CustodyLog
from playe_assets.custody.record import Operator, Recorder
from playe_assets.examination.cases import CaseFolder
from playe_assets.examination.settings import Settings, load_settings
from playe_assets.examination.stage import Stage
from playe_assets_tests.plugins import scene

OUTPUT = Output(
    png_compression=3, ffv1_slices=4, proxy_crf=20, proxy_speed="veryfast", proxy_gop=25, proxy_threads=1
)
VARIABLES = tuple(
    f"PLAYE_{name}"
    for name in ("INBOX", "AUDIT", "LANGUAGE", "THREADS", "INLINE_PREVIEWS", "QUIET_S", "SETTLE_S",
                 "RUNTIME", "DEVICE", "PROVIDER", "PRECISION")
)  # fmt: skip


@dataclass(frozen=True)
class TestLaboratory:
    """A data root and a Dagster home below `root`; the environment points at them while it is in use."""

    __test__ = False
    root: Path

    @property
    def home(self) -> Path:
        """The Dagster home."""
        return self.root / "home"

    @property
    def settings(self) -> Settings:
        """The settings in force, whatever the environment says by now."""
        return load_settings({"data_root": self.root / "data"})

    def case(self, case_id: str) -> CaseFolder:
        """The case as it lies on the disk."""
        return CaseFolder(self.settings, case_id)

    def stage(self, case_id: str, **settings: Any) -> Stage:
        """A stage outside Dagster."""
        found = load_settings({"data_root": self.root / "data", **settings})
        recorder = Recorder(
            CustodyLog(found.log_path), request_id="test", case_id=case_id,
            operator=Operator("tester", "operator", "os-user"), audit=found.audit,
        )  # fmt: skip
        return Stage(found, CaseFolder(found, case_id), recorder)

    def log(self, case_id: str | None = None) -> list[dict[str, Any]]:
        """The custody log's entries, of one case or all."""
        entries = [e for _, e, _ in CustodyLog(self.settings.log_path).read() if e is not None]
        return [e for e in entries if case_id is None or e.get("case_id") == case_id]

    def reports(self, case_id: str) -> list[dict[str, Any]]:
        """The issued reports, oldest first."""
        paths = sorted((self.settings.cases / case_id / "reports").glob("*-R*/report.json"))
        return [json.loads(p.read_bytes()) for p in paths]

    def notices(self, case_id: str) -> list[dict[str, Any]]:
        """The notices of withheld reports, oldest first."""
        paths = sorted((self.settings.cases / case_id / "reports").glob("*-N*/notice.json"))
        return [json.loads(p.read_bytes()) for p in paths]


@contextmanager
def opened(root: Path) -> Iterator[TestLaboratory]:
    """A laboratory below `root`, the environment pointing at it until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        laboratory = TestLaboratory(root)
        patch.setenv("PLAYE_DATA_ROOT", str(root / "data"))
        patch.setenv("DAGSTER_HOME", str(laboratory.home))
        laboratory.home.mkdir(parents=True, exist_ok=True)
        yield laboratory


def grant(settings: Settings, preset: str, shared_data: Path) -> list[str]:
    """Import, build, certify and approve every model of `preset` from the small real weights; their names."""
    from playe_assets.core.presets import load_preset
    from playe_assets.examination.governance import approve
    from playe_assets.examination.models_engine import certified
    from playe_assets.examination.plan import check, needed
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.weights import import_weights

    cards = model_cards(settings.registry)
    files = {sha256_of(p): p for p in (shared_data / "weights").rglob("*.*") if p.suffix in (".pth", ".onnx")}
    recorder = Recorder(
        CustodyLog(settings.log_path), request_id="grant", case_id=None,
        operator=Operator("administrator", "administrator", "os-user"), audit=settings.audit,
    )  # fmt: skip
    uses = needed(check(load_preset(preset), settings))
    for use in uses:
        card = cards[use.name]
        import_weights(files[str(card.sha256)], cards, settings.weights, settings.registry.name)
        if card.format != "data":
            assert certified(use, settings).passed
        approve(use.name, settings, recorder, variant=use.variant,
                accept_licence=card.licence if card.restricted else None)  # fmt: skip
    return [use.name for use in uses]


def sha256_of(path: Path) -> str:
    """sha256 of a small file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def examine(
    instance: dg.DagsterInstance,
    case_id: str,
    folder: Path | None,
    *,
    select: list[str] | None = None,
    tags: Mapping[str, str] | None = None,
    **laboratory: Any,
) -> dg.ExecuteInProcessResult:
    """Materialize the case's assets (all, or those named) in this process, with the real definitions."""
    from playe_assets.defs.case_assets import CASE_ASSETS
    from playe_assets.defs.resources import Laboratory

    given = {"playe/delivery": str(folder), "playe/in_place": "true"} if folder else {}
    instance.add_dynamic_partitions("cases", [case_id])
    return dg.materialize(
        CASE_ASSETS,
        instance=instance,
        partition_key=case_id,
        selection=select,
        resources={"laboratory": Laboratory(**laboratory)},
        tags={**given, **(tags or {})},
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Step to what it failed with, in words."""
    found = {}
    for event in result.all_events:
        if event.is_step_up_for_retry:
            found[f"{event.step_key} (retried)"] = str(event.step_retry_data.error)
        if event.is_step_failure:
            data = event.step_failure_data
            said = data.user_failure_data.description if data.user_failure_data else None
            found[str(event.step_key)] = str(said or (data.error.message if data.error else event.message))
    return found


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    """The assets that the run made, in order."""
    return [
        str(e.asset_key.to_user_string()) for e in result.get_asset_materialization_events() if e.asset_key
    ]


def write_photo(path: Path, seed: int = 1, orientation: int | None = None) -> Path:
    """A JPEG of 96x64 px."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
        exif[0x010F] = "MakerOfSecrets"
    Image.fromarray(scene(64, 96, seed=seed)).save(path, "JPEG", quality=92, exif=exif)
    return path


def write_clip(path: Path, frames: int = 8) -> Path:
    """An H.264 clip of 96x64 px that drifts a px a frame, with uneven time stamps."""
    from playe_assets.media.proxy import ProxyWriter

    path.parent.mkdir(parents=True, exist_ok=True)
    wide = scene(64, 96 + frames, seed=5)
    with ProxyWriter(path, Fraction(1, 25), OUTPUT) as out:
        for index in range(frames):
            pts = 2 * index + (index % 3 == 2)
            noise = np.random.default_rng(index).normal(0, 3, (64, 96, 3))
            picture = np.clip(np.rint(wide[:, index : index + 96] + noise), 0, 255).astype(np.uint8)
            out.add(Frame(index, pts, picture))
    return path


def write_case(folder: Path, case_id: str, photos: int = 1, **keys: str) -> Path:
    """A drop folder with `case.yaml` (which lists its files with sizes) and photographs."""
    names = [write_photo(folder / f"secret_name_{n}.jpg", seed=n).name for n in range(1, photos + 1)]
    lines = [f"case: {case_id}", *(f"{k}: {v}" for k, v in keys.items()), "exhibits:"]
    lines += [f"  - {{name: {n}, size: {(folder / n).stat().st_size}}}" for n in names]
    (folder / "case.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def write_mixed_case(folder: Path, case_id: str) -> Path:
    """A turned photograph, a clip, the same photograph again, and a file that nothing reads."""
    first = write_photo(folder / "a_secret_turned.jpg", seed=3, orientation=6)
    write_clip(folder / "b_secret_clip.mp4")
    (folder / "c_secret_again.jpg").write_bytes(first.read_bytes())
    (folder / "d_secret_text.jpg").write_bytes(b"this is no picture at all\n" * 20)
    (folder / "case.yaml").write_text(
        f"case: {case_id}\ntitle: Mixed evidence\noperator: Mixed Operator\ncustomer: Court\n",
        encoding="utf-8",
    )
    return folder
