"""What the tests of the object detectors share: thresholds for every scene, and a model run by ONNX Runtime."""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from playe_assets.core.values import AiClass
from playe_assets.detectors.scenes import SCENES
from playe_assets.inference.objects.names import GROUPS


def scenes(scene="indoor", least=0.5, **changed):
    """Every number of every scene, `least` where `changed` says nothing else."""
    rows = {f"{row}_{group}": least for row in SCENES for group in GROUPS}
    return {"scene": scene, **rows, **changed}


@dataclass
class OnnxModel:
    """A `Model` of one graph, as far as detectors use it."""

    graph: bytes | Path
    name: str = "test"
    data: bytes = b""
    ai_class: AiClass = AiClass.NONE
    scale: int = 1

    def __post_init__(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        source = str(self.graph) if isinstance(self.graph, Path) else self.graph
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])

    def batch(self, *inputs):
        names = [item.name for item in self._session.get_inputs()]
        return self._session.run(None, dict(zip(names, inputs, strict=True)))


@functools.cache
def random_yolo():
    """YOLOv8n of random weights: its graph for `batch`, its file for ultralytics. Skips without the extras."""
    for package in ("torch", "onnx", "ultralytics"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed (extras models and yolo)")
    from playe_assets.inference.contract import Network
    from playe_assets.inference.export import build
    from playe_assets_tests.inference.yolo_sample import card, checkpoint

    with tempfile.TemporaryDirectory() as folder:
        network = build(Network(card(), checkpoint()), Path(folder))
    model = OnnxModel(network.onnx)
    model.network = network
    return model
