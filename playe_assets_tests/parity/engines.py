"""Weights of the laboratory's test data as loaded models of our own engines, one for each runtime."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from playe_assets.examination.settings import PROJECT_ROOT
from playe_assets.inference.cards import model_cards
from playe_assets.inference.contract import Network, Target
from playe_assets.inference.export import build
from playe_assets.inference.loaded import LoadedModel
from playe_assets.inference.runtimes import RUNTIMES
from playe_assets.inference.torchvision_shim import allow_torchvision

GENERAL = "realesr_general_x4v3"
ANIME = "realesr_animevideov3"
FILES = {
    # The official file is not at hand: these are the weights of its ncnn form, which are rounded to fp16.
    GENERAL: "weights/derived/realesr-general-x4v3.from-ncnn-fp16.pth",
    ANIME: "weights/derived/realesr-animevideov3.plain.pth",
    "rlfn_x4": "weights/ntire2022_esr/model_zoo/team04_rlfn.pth",
    "dncnn_25": "weights/dncnn/model_zoo/dncnn_25.pth",
    "yunet_2023mar": "weights/yunet/onnx/yunet_s_640_640.onnx",
}
ENGINES = tuple(RUNTIMES.names())
NEEDS = {"torch": "torch", "onnxruntime": "onnxruntime", "openvino": "openvino"}


def spandrel():
    """The spandrel package; skips where it is not installed. torchvision is made importable first."""
    for library in ("torch", "torchvision", "spandrel"):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    allow_torchvision()
    return importlib.import_module("spandrel")


@functools.cache
def card(name: str, path: Path):
    """The registry's card, with the digest of the file at hand."""
    data = path.read_bytes()
    known = model_cards(PROJECT_ROOT / "models-data" / "registry.yaml")[name]
    return replace(known, file=path.name, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def network(name: str, shared: Path, folder: Path, runtime: str, file: str | None = None) -> Network:
    """As `build` leaves it for the runtime; `folder` keeps exported graphs."""
    path = shared / (file or FILES[name])
    found = Network(card(name, path), path.read_bytes(), cache=folder)
    if not RUNTIMES.get(runtime).needs_onnx:
        return found
    for library in ("torch", "onnx"):
        if found.card.format != "onnx" and importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed, and the graph must be exported first")
    return build(found, folder)


def loaded(name: str, shared: Path, folder: Path, runtime: str, file: str | None = None) -> LoadedModel:
    """A model that runs on `runtime` on the processor; skips where that is not installed.

    Without the colour correction of its card: what others published is the network as it is.
    """
    if importlib.util.find_spec(NEEDS[runtime]) is None:
        pytest.skip(f"{runtime} is not installed")
    return LoadedModel(network(name, shared, folder, runtime, file), Target(runtime=runtime), low_pass_px=0)
