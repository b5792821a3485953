"""A YOLOv8n with seeded random weights as ultralytics would save it: real weights are not at hand (AGPL, no network).

Random weights alone score every place alike. Here the batch normalisations are set by one picture and the heads
are spread, so that classes, scores and boxes vary from place to place, and suppression has work to do.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import importlib.util
import io
from pathlib import Path

import numpy as np
from PIL import Image

from playe_assets.inference.cards import ModelCard, model_cards

REGISTRY = Path(__file__).resolve().parents[2] / "models-data" / "registry.yaml"


def card(name: str = "yolov8n") -> ModelCard:
    return dataclasses.replace(model_cards(REGISTRY)[name], sha256=None)


@functools.cache
def checkpoint() -> bytes:
    """The bytes of a `.pt`, half precision, model object and training leftovers as in the official files."""
    import torch

    from playe_assets.inference import ultralytics_fence

    ultralytics_fence.load()
    from ultralytics.nn.tasks import DetectionModel

    state = torch.random.get_rng_state()
    torch.manual_seed(7)
    model = DetectionModel("yolov8n.yaml", verbose=False)
    head = model.model[-1]
    for boxes, classes in zip(head.cv2, head.cv3, strict=True):
        boxes[-1].weight.data.normal_(0, 0.4)
        classes[-1].weight.data.normal_(0, 0.25)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    seen = torch.from_numpy(_photograph())
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
        model.train()(seen)
        for norm in norms:
            norm.momentum = 0.03
        logits = model.eval()(seen)[1]["scores"][0]
        # Every class at the same few scores over the picture: a handful of places above 0.25 for each.
        mean, spread = logits.mean(1), logits.std(1)
        for classes in head.cv3:
            classes[-1].weight.data *= (1.4 / spread)[:, None, None, None]
            classes[-1].bias.data = (classes[-1].bias.data - mean) * 1.4 / spread - 6.0
    torch.random.set_rng_state(state)
    return saved(model)


def saved(model) -> bytes:
    import torch

    written = io.BytesIO()
    torch.save(
        {"epoch": -1, "best_fitness": np.float64(0.5), "model": copy.deepcopy(model).half(), "ema": None,
         "updates": None, "optimizer": None, "train_args": {"imgsz": 640}, "date": "2026-11-22"},
        written,
    )  # fmt: skip
    return written.getvalue()


def _photograph():
    """scikit-image's astronaut, (1, 3, 512, 512), 0..1."""
    folder = Path(importlib.util.find_spec("skimage").origin).parent / "data"
    pixels = np.asarray(Image.open(folder / "astronaut.png"), np.float32) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis])
