"""`python -m benchmarks.portfolio`: every model of the registry, really loaded, run, exported, certified and timed.

A card whose official file is at hand (installed, or in the laboratory's test data) is tried with it: `real`.
Otherwise a checkpoint of random weights in the file's layout, small where the layout allows, shows that the code
reads it: `random`. `absent`: neither; nothing is claimed. `near`: the official weights, but not the official file.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import OUT, ROOT

FACE = (180, 320)
NEAR = {
    "realesr_general_x4v3": "weights/derived/realesr-general-x4v3.from-ncnn-fp16.pth",
    "realesr_animevideov3": "weights/derived/realesr-animevideov3.plain.pth",
}
"""Official weights in another container, the first rounded to fp16 on the way."""
RANDOM = {
    "RRDBNet": "rrdbnet", "SRVGGNetCompact": "srvgg", "SwinIR": "swinir", "GFPGANv1Clean": "gfpgan",
    "CodeFormer": "codeformer", "RestoreFormer": "restoreformer", "NAFNet": "nafnet", "Restormer": "restormer",
    "SCUNet": "scunet", "FBCNN": "fbcnn", "DRUNet": "drunet", "DnCNN": "dncnn", "RLFN": "rlfn", "IAT": "iat",
}  # fmt: skip
VARIANTS: dict[str, dict[str, float]] = {
    "codeformer": {"w": 0.7}, "fbcnn_color": {"quality": 0}, "drunet_color": {"sigma": 25.0}
}  # fmt: skip


@dataclass
class Row:
    """One model's line; a cell is `yes`, `no: why`, a figure, or `-` where it does not apply."""

    model: str
    task: str
    ai_class: str
    licence: str
    weights: str
    loads: str = "-"
    runs: str = "-"
    exported: str = "-"
    certified: dict[str, str] = field(default_factory=dict)
    ms: dict[str, float | None] = field(default_factory=dict)
    size: str = ""


def main() -> None:
    """Try every card and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.portfolio", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="MODEL", help="cards; default: all")
    parser.add_argument("--runtimes", default="onnxruntime,openvino", help="engines to certify and time")
    given = parser.parse_args()
    from rich.console import Console
    from rich.progress import track

    from playe_assets.inference.cards import model_cards

    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    cards = model_cards(ROOT / "models-data" / "registry.yaml")
    chosen = [cards[n] for n in given.names] or list(cards.values())
    runtimes = [name for name in given.runtimes.split(",") if name]
    held = at_hand()
    rows = []
    with tempfile.TemporaryDirectory(prefix="playe-portfolio-") as folder:
        for card in track(chosen, "models", console=Console(stderr=True)):
            rows.append(tried(card, held, runtimes, Path(folder)))
    show(rows, runtimes)
    OUT.mkdir(parents=True, exist_ok=True)
    text = json.dumps([dataclasses.asdict(r) for r in rows], indent=2)
    (OUT / "portfolio.json").write_text(text + "\n", encoding="utf-8")


def at_hand() -> dict[str, Path]:
    """Weight files by sha256: the laboratory's own, then the test data's."""
    from playe_assets.examination.settings import load_settings

    data = Path(os.environ.get("PLAYE_TEST_DATA", ROOT.parent / "shared" / "data"))
    found: dict[str, Path] = {}
    for folder in (load_settings().weights, data / "weights", data / "metrics"):
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < 1 << 30):
            found.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    return found


def tried(card: Any, held: Mapping[str, Path], runtimes: list[str], folder: Path) -> Row:
    """One card, as far as it goes; what fails is said in its cell."""
    row = Row(card.name, card.task, card.ai_class.value, card.licence, "absent")
    network = _network(card, held, row)
    if network is None or card.format == "data":
        return row
    from playe_assets.inference.certificate import certify
    from playe_assets.inference.contract import Target
    from playe_assets.inference.export import build

    _, row.loads = _attempt(lambda: _loaded(network))
    built, row.exported = _attempt(lambda: build(network, folder))
    if built is None:
        return row
    for runtime in runtimes:
        target = Target(runtime)
        made, said = _attempt(lambda target=target: certify(built, target, folder))
        if made is not None:
            said = f"{'yes' if made.passed else 'NO'} {made.max_difference:.1e}"
        row.certified[runtime] = said
        _, ran = _attempt(lambda target=target, runtime=runtime: _timed(row, runtime, built, target))
        row.runs = ran if row.runs in ("-", "yes") else row.runs
    return row


def _network(card: Any, held: Mapping[str, Path], row: Row) -> Any:
    from playe_assets.inference.contract import Network

    variant = VARIANTS.get(card.name, {})
    path = held.get(card.sha256 or "")
    if path is not None:
        row.weights, row.loads = "real", "yes" if card.format == "data" else "-"
        return Network(card, path.read_bytes(), variant)
    near = Path(os.environ.get("PLAYE_TEST_DATA", ROOT.parent / "shared" / "data")) / NEAR.get(card.name, "-")
    if near.is_file():
        row.weights = "near"
        data = near.read_bytes()
        return Network(dataclasses.replace(card, sha256=hashlib.sha256(data).hexdigest()), data, variant)
    made = _random(card)
    if made is not None:
        row.weights = "random"
        # The card's facts with the small layout's own tiling: the file's layout is what is tried.
        return dataclasses.replace(made, variant=variant or made.variant)
    return None


def _random(card: Any) -> Any:
    from playe_assets.inference.contract import Network
    from playe_assets_tests.inference import checkpoints

    word = card.architecture.split()[0].split("-")[0]
    if word == "RetinaFace":
        key = "retinaface_mobilenet" if "025" in card.name else "retinaface_resnet"
        return checkpoints.made(key).network
    if card.name == "yolov8n":
        from playe_assets_tests.inference import yolo_sample

        data = yolo_sample.checkpoint()
        return Network(dataclasses.replace(card, sha256=hashlib.sha256(data).hexdigest()), data)
    if word not in RANDOM:
        return None
    network = checkpoints.made(RANDOM[word]).network
    facts: dict[str, Any] = {"hyper": card.hyper} if "size" in card.hyper else {}
    if word in ("SwinIR", "SCUNet"):  # made for one size, which must hold a border and more
        facts["tiling"] = dataclasses.replace(network.card.tiling, tile=256, border=64)
    return dataclasses.replace(network, card=dataclasses.replace(network.card, **facts))


def _loaded(network: Any) -> Any:
    if network.card.format == "onnx":
        from playe_assets.inference.door import onnx_bytes

        return onnx_bytes(network.weights, network.card)
    from playe_assets.inference.networks import torch_module

    return torch_module(network)


def _timed(row: Row, runtime: str, network: Any, target: Any) -> bool:
    """The median of three pictures of 320x180 (or the one size that the network takes), array to array."""
    import numpy as np

    from playe_assets.inference.certificate import golden_size
    from playe_assets.inference.loaded import LoadedModel

    card = network.card
    model = LoadedModel(network, target)
    generator = np.random.default_rng(3)
    if card.tiling.mode == "none":
        height, width = golden_size(network, target)
        samples = 1 if card.input.order == "grey" else 3
        tensor = generator.random((1, samples, height, width), np.float32)
        work: Callable[[], Any] = lambda: model.batch(tensor)  # noqa: E731
    else:
        height, width = FACE
        picture = generator.integers(0, 256, (height, width, 3), np.uint8)
        work = lambda: model.picture(picture)  # noqa: E731
    work()
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    row.ms[runtime] = round(statistics.median(seconds) * 1000, 1)
    row.size = f"{width}x{height}"
    return True


def _attempt(work: Callable[[], Any]) -> tuple[Any, str]:
    """What `work` gave and `yes`, or nothing and why not: the table goes on whatever a model does."""
    try:
        return work(), "yes"
    except Exception as problem:  # noqa: BLE001
        return None, f"no: {type(problem).__name__}: {str(problem)[:60]}"


def show(rows: list[Row], runtimes: list[str]) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    title = f"portfolio: certified = largest difference to fp32 torch on 0..1; ms on {os.cpu_count()} cores"
    table = Table(
        "model", "class", "licence", "weights", "loads", "exported", "runs", title=title, title_justify="left"
    )
    table.columns[0].no_wrap = True
    for runtime in runtimes:
        table.add_column(f"certified\n{runtime}")
        table.add_column("ms", justify="right")
    table.add_column("at")
    for r in rows:
        cells = [r.model, r.ai_class, r.licence[:20], r.weights, r.loads, r.exported, r.runs]
        for runtime in runtimes:
            ms = r.ms.get(runtime)
            cells += [r.certified.get(runtime, "-"), "-" if ms is None else f"{ms:.0f}"]
        table.add_row(*cells, r.size)
    console = Console()
    (console if console.is_terminal else Console(width=170)).print(table)


if __name__ == "__main__":
    main()
