"""A network for tests without the loading machinery: ONNX bytes run by onnxruntime on one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playe_assets.core.values import AiClass


class OnnxModel:
    """What plug-ins read of a `Model`: its `batch`. Height and width of the graph's inputs are made free."""

    scale = 1

    def __init__(self, graph: bytes, name: str, ai_class: AiClass = AiClass.NONE) -> None:
        import onnx
        import onnxruntime

        model = onnx.load_from_string(graph)
        weights = {i.name for i in model.graph.initializer}
        for value in model.graph.input:
            if value.name not in weights and len(value.type.tensor_type.shape.dim) == 4 and name not in FIXED:
                for axis, word in ((2, "height"), (3, "width")):
                    value.type.tensor_type.shape.dim[axis].dim_param = word
        for value in model.graph.output:
            value.type.tensor_type.ClearField("shape")
        del model.graph.value_info[:]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3  # old files list their weights among the inputs, which it warns of
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = [i.name for i in self._session.get_inputs()]
        self.name = name
        self.ai_class = ai_class

    def batch(self, *inputs: Any) -> list[Any]:
        """The graph's outputs in its order."""
        return self._session.run(None, dict(zip(self._inputs, inputs, strict=True)))

    def measured(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Only that this is a stand-in."""
        return {"model": {"name": self.name, "stand_in": True}}


FIXED = ("ultraface_rfb320", "fastestdet")
"""Graphs with a prior for every cell of one size, or made for one size."""

_FILES = {
    "yunet_2023mar": "weights/yunet/onnx/yunet_s_640_640.onnx",
    "fastestdet": "weights/fastestdet/example/onnx-runtime/FastestDet.onnx",
    "ultraface_rfb320": "weights/ultraface/models/onnx/version-RFB-320.onnx",
}
_RETINAFACE = "weights/retinaface/weights/mobilenet0.25_Final.pth"


def real_model(card: str, data: Path) -> Any:
    """The network behind `card` from the laboratory's test data; skips the test where it is not there.

    YOLOv8-face has no weights there: its stand-in finds nothing.
    """
    if card == "yolov8n_face":
        return NothingFound()
    path = data / (_RETINAFACE if card.startswith("retinaface") else _FILES[card])
    if not path.is_file():
        pytest.skip(f"{card} needs weights: set PLAYE_TEST_DATA to the laboratory's test data")
    if path.suffix == ".pth":
        return TorchModel(path.read_bytes(), card)
    return OnnxModel(path.read_bytes(), card)


class NothingFound:
    """In place of a YOLOv8-face graph: no candidate is above zero."""

    name = "yolov8n_face"

    def batch(self, *inputs: Any) -> list[Any]:
        """One output of the export's layout."""
        return [np.zeros((1, 20, 84), np.float32)]


class TorchModel:
    """A card's network in torch, from a state dict in the laboratory's test data."""

    def __init__(self, weights: bytes, card: str) -> None:
        from playe_assets.inference.cards import model_cards
        from playe_assets.inference.contract import Network
        from playe_assets.inference.networks import torch_module

        registry = Path(__file__).resolve().parents[1] / "models-data" / "registry.yaml"
        known = model_cards(registry)[card]
        self._module = torch_module(Network(known, weights))
        self.name = card

    def batch(self, *inputs: Any) -> list[Any]:
        """The module's outputs."""
        import torch

        with torch.inference_mode():
            given = self._module(*(torch.from_numpy(i) for i in inputs))
        return [o.numpy() for o in (given if isinstance(given, tuple) else (given,))]
