"""YOLOv8-face decoded here against ultralytics' own suppression, on random weights of its layout."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from playe_assets.inference.faces.found import Limits
from playe_assets.inference.faces.yolo_face import decoded
from playe_assets_tests.stand_ins import cards

if any(importlib.util.find_spec(name) is None for name in ("torch", "ultralytics")):
    pytest.skip("extra yolo is not installed", allow_module_level=True)


def random_weights():
    """The state dict of a YOLOv8n pose network of one class and five points, scores spread over the cells."""
    import torch
    from ultralytics.nn.tasks import PoseModel

    torch.manual_seed(0)
    model = PoseModel("yolov8n-pose.yaml", nc=1, data_kpt_shape=(5, 3), verbose=False).eval()
    for part in model.modules():  # untrained statistics would make every cell's score one half
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_var.uniform_(0.5, 1.5)
            part.running_mean.normal_(0.0, 0.1)
    for branch in model.model[-1].cv3:
        torch.nn.init.normal_(branch[-1].weight, 0.0, 0.5)
        torch.nn.init.zeros_(branch[-1].bias)
    return model.state_dict()


def test_boxes_scores_and_points_are_those_of_ultralytics():
    import torch

    from playe_assets.inference.ultralytics_fence import detection_model, load

    load()
    from ultralytics.utils.nms import non_max_suppression

    network = detection_model(random_weights(), cards()["yolov8n_face"])
    with torch.inference_mode():
        answer = network(torch.rand(1, 3, 320, 320, generator=torch.Generator().manual_seed(1)))
    output = answer[0] if isinstance(answer, (tuple, list)) else answer
    assert output.shape == (1, 20, 2100)
    least = float(output[0, 4].quantile(0.98)) + 1e-6  # ultralytics leaves out a score that equals the bound
    (theirs,) = non_max_suppression(output.clone(), conf_thres=least, iou_thres=0.7, nc=1, max_det=300)
    wanted = theirs.numpy()
    found = decoded(output.numpy(), (0, 0), (1.0, 1.0), Limits(least, 0.7, 30000))
    assert len(found) == len(wanted) > 3
    for face, row in zip(found, wanted, strict=True):
        box = (face.x, face.y, face.x + face.width, face.y + face.height, face.score)
        assert np.allclose(box, row[:5], atol=1e-3)
        assert np.allclose(face.landmarks, row[6:].reshape(5, 3)[:, :2], atol=1e-3)
