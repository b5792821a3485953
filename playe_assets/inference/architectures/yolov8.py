"""YOLOv8 out of the package ultralytics, behind its fence: needed to build the graph, not to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playe_assets.inference.architectures.contract import Architecture, Checkpoint
from playe_assets.inference.ultralytics_fence import detection_model

if TYPE_CHECKING:
    from torch import nn


class YoloV8(Architecture):
    """Detection: (n, 3, h, w) in steps of 32 px to (n, 4 + classes, anchors)."""

    reference = "Jocher et al., Ultralytics YOLOv8, 2023; module of ultralytics (AGPL-3.0)"

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        return detection_model(checkpoint.state, checkpoint.card)
