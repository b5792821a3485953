"""The stand-in for torchvision's compiled operators, in processes of its own: an import cannot be undone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from playe_assets.inference.torchvision_shim import nms

torch = pytest.importorskip("torch")
if importlib.util.find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)


def in_a_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_torchvision_imports_and_its_nms_runs_after_the_call() -> None:
    told = in_a_process(
        "from playe_assets.inference.torchvision_shim import allow_torchvision\n"
        "allow_torchvision(); allow_torchvision()\n"
        "import torch, torchvision\n"
        "boxes = torch.tensor([[0., 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])\n"
        "print(torchvision.ops.nms(boxes, torch.tensor([.5, .9, .1]), .5).tolist())"
    )
    assert told == "[1, 2]"


def test_nothing_is_defined_where_the_compiled_operators_load() -> None:
    """A library that defines the operator stands for the compiled one."""
    told = in_a_process(
        "import torch\n"
        "import playe_assets.inference.torchvision_shim as shim\n"
        "def load(path):\n"
        "    load.library = torch.library.Library('torchvision', 'DEF')\n"
        "    load.library.define('nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')\n"
        "torch.ops.load_library = load\n"
        "print(shim.allow_torchvision(), shim._kept)"
    )
    assert told == "False []"


def suppressed(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """Greedy suppression in plain numpy, one pair at a time."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        for better in kept:
            low = np.maximum(boxes[index, :2], boxes[better, :2])
            high = np.minimum(boxes[index, 2:], boxes[better, 2:])
            shared = np.prod(np.maximum(high - low, 0))
            areas = np.prod(boxes[[index, better], 2:] - boxes[[index, better], :2], axis=1).sum()
            if shared / (areas - shared) > limit:
                break
        else:
            kept.append(int(index))
    return kept


@pytest.mark.parametrize("limit", [0.1, 0.45, 0.7])
def test_nms_keeps_what_plain_suppression_keeps(limit: float) -> None:
    generator = np.random.default_rng(5)
    corner = generator.uniform(0, 60, (150, 2))
    boxes = np.concatenate([corner, corner + generator.uniform(5, 40, (150, 2))], 1).astype(np.float32)
    scores = generator.random(150).astype(np.float32).round(2)  # some are equal
    found = nms(torch.from_numpy(boxes), torch.from_numpy(scores), limit)
    assert found.tolist() == suppressed(boxes, scores, limit)


def test_nms_of_no_boxes_is_empty() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
