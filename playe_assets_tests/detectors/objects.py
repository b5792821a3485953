"""What the tests of the object detectors share: thresholds for every scene, and a model run by ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

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


def person_score(found):
    """Scores of the people among `found`."""
    return np.array([item.score for item in found if item.label == "person"])
