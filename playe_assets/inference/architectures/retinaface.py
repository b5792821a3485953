"""RetinaFace with MobileNet 0.25 or ResNet-50, written from the paper in the layout of the public weight files.

Input: BGR, 0..255 minus (104, 117, 123). Output: for each of two anchors at every place of three levels (strides
8, 16, 32) the box's offsets (n, k, 4), the probabilities of background and face (n, k, 2), and the offsets of five
points (n, k, 10). The detectors decode them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from playe_assets.inference.architectures.contract import Architecture, Checkpoint, load_strictly, not_of

ANCHORS = 2
"""At every place of every level."""
NARROW = 64
"""Up to this many channels the slope of the leaky ReLUs is `SLOPE`, above it nothing leaks (as trained)."""
SLOPE = 0.1


def convolution(
    given: int, made: int, side: int = 3, stride: int = 1, slope: float | None = 0.0
) -> nn.Sequential:
    """Convolution and batch normalisation, then a leaky ReLU unless `slope` is null."""
    parts = [nn.Conv2d(given, made, side, stride, side // 2, bias=False), nn.BatchNorm2d(made)]
    return nn.Sequential(*parts, *([] if slope is None else [nn.LeakyReLU(slope)]))


def separable(given: int, made: int, stride: int) -> nn.Sequential:
    """MobileNet's depthwise and pointwise pair."""
    return nn.Sequential(
        nn.Conv2d(given, given, 3, stride, 1, groups=given, bias=False),
        nn.BatchNorm2d(given),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(given, made, 1, bias=False),
        nn.BatchNorm2d(made),
        nn.LeakyReLU(SLOPE),
    )


class MobileNet(nn.Module):  # type: ignore[misc]
    """MobileNet v1 at a quarter of its width; `width` is 8 there."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.widths = (8 * width, 16 * width, 32 * width)
        plans = {
            "stage1": [(1, 2, 1), (2, 4, 2), (4, 4, 1), (4, 8, 2), (8, 8, 1)],
            "stage2": [(8, 16, 2), *[(16, 16, 1)] * 5],
            "stage3": [(16, 32, 2), (32, 32, 1)],
        }
        for name, plan in plans.items():
            blocks = [separable(given * width, made * width, stride) for given, made, stride in plan]
            first = [convolution(3, width, stride=2, slope=SLOPE)] if name == "stage1" else []
            self.add_module(name, nn.Sequential(*first, *blocks))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        first = self.stage1(pixels)
        second = self.stage2(first)
        return [first, second, self.stage3(second)]


class Bottleneck(nn.Module):  # type: ignore[misc]
    """ResNet's block of three convolutions; the stride is in the 3x3 one."""

    def __init__(self, given: int, width: int, stride: int) -> None:
        super().__init__()
        made = 4 * width
        self.conv1 = nn.Conv2d(given, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, made, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(made)
        self.downsample = None if (given, stride) == (made, 1) else convolution(given, made, 1, stride, None)

    def forward(self, features: Tensor) -> Tensor:
        beside = features if self.downsample is None else self.downsample(features)
        found = functional.relu(self.bn1(self.conv1(features)))
        found = functional.relu(self.bn2(self.conv2(found)))
        return functional.relu(self.bn3(self.conv3(found)) + beside)


class ResNet(nn.Module):  # type: ignore[misc]
    """ResNet without its classifier; `depths` are (3, 4, 6, 3) for ResNet-50, `width` is 64."""

    def __init__(self, width: int, depths: tuple[int, ...]) -> None:
        super().__init__()
        self.widths = (8 * width, 16 * width, 32 * width)
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        given = width
        for level, depth in enumerate(depths):
            blocks = []
            for index in range(depth):
                blocks.append(Bottleneck(given, width << level, 2 if level and index == 0 else 1))
                given = 4 * width << level
            self.add_module(f"layer{level + 1}", nn.Sequential(*blocks))

    def forward(self, pixels: Tensor) -> list[Tensor]:
        head = functional.max_pool2d(functional.relu(self.bn1(self.conv1(pixels))), 3, 2, 1)
        first = self.layer2(self.layer1(head))
        second = self.layer3(first)
        return [first, second, self.layer4(second)]


class Pyramid(nn.Module):  # type: ignore[misc]
    """Each level brought to one width, the coarser one added to the finer (feature pyramid network)."""

    def __init__(self, widths: tuple[int, ...], made: int) -> None:
        super().__init__()
        slope = SLOPE if made <= NARROW else 0.0
        self.output1, self.output2, self.output3 = (convolution(w, made, 1, slope=slope) for w in widths)
        self.merge1 = convolution(made, made, slope=slope)
        self.merge2 = convolution(made, made, slope=slope)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        fine, middle, coarse = self.output1(levels[0]), self.output2(levels[1]), self.output3(levels[2])
        middle = self.merge2(middle + functional.interpolate(coarse, size=middle.shape[2:], mode="nearest"))
        fine = self.merge1(fine + functional.interpolate(middle, size=fine.shape[2:], mode="nearest"))
        return [fine, middle, coarse]


class Context(nn.Module):  # type: ignore[misc]
    """Views of 3x3, 5x5 and 7x7 made of 3x3 convolutions, side by side (SSH)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        slope = SLOPE if width <= NARROW else 0.0
        quarter = width // 4
        self.conv3X3 = convolution(width, width // 2, slope=None)
        self.conv5X5_1 = convolution(width, quarter, slope=slope)
        self.conv5X5_2 = convolution(quarter, quarter, slope=None)
        self.conv7X7_2 = convolution(quarter, quarter, slope=slope)
        self.conv7x7_3 = convolution(quarter, quarter, slope=None)

    def forward(self, features: Tensor) -> Tensor:
        wider = self.conv5X5_1(features)
        widest = self.conv7x7_3(self.conv7X7_2(wider))
        return functional.relu(torch.cat((self.conv3X3(features), self.conv5X5_2(wider), widest), 1))


class Head(nn.Module):  # type: ignore[misc]
    """(n, c, h, w) to (n, h * w * anchors, values)."""

    def __init__(self, width: int, values: int) -> None:
        super().__init__()
        self.values = values
        self.conv1x1 = nn.Conv2d(width, ANCHORS * values, 1)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.conv1x1(features).permute(0, 2, 3, 1).flatten(1)
        return found.unflatten(1, (-1, self.values))


class RetinaFaceNet(nn.Module):  # type: ignore[misc]
    """(n, 3, h, w) to boxes, probabilities and points, undecoded."""

    def __init__(self, body: MobileNet | ResNet, made: int) -> None:
        super().__init__()
        self.body = body
        self.fpn = Pyramid(body.widths, made)
        self.ssh1, self.ssh2, self.ssh3 = Context(made), Context(made), Context(made)
        self.ClassHead = nn.ModuleList(Head(made, 2) for _ in range(3))
        self.BboxHead = nn.ModuleList(Head(made, 4) for _ in range(3))
        self.LandmarkHead = nn.ModuleList(Head(made, 10) for _ in range(3))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine, middle, coarse = self.fpn(self.body(pixels))
        levels = [self.ssh1(fine), self.ssh2(middle), self.ssh3(coarse)]

        def gathered(heads: nn.ModuleList) -> Tensor:
            return torch.cat([head(level) for head, level in zip(heads, levels, strict=True)], 1)

        boxes, scores, points = map(gathered, (self.BboxHead, self.ClassHead, self.LandmarkHead))
        return boxes, scores.softmax(-1), points


class RetinaFace(Architecture):
    """Which body it is shows in the names of the tensors."""

    reference = "Deng et al., RetinaFace, CVPR 2020, arXiv 1905.00641; module written here"

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        state, card = checkpoint.state, checkpoint.card
        body: MobileNet | ResNet
        if "body.conv1.weight" in state:
            depths = tuple(
                len({name.split(".")[2] for name in state if name.startswith(f"body.layer{level}.")})
                for level in range(1, 5)
            )
            body = ResNet(len(state["body.conv1.weight"]), depths)
        elif "body.stage1.0.0.weight" in state:
            body = MobileNet(len(state["body.stage1.0.0.weight"]))
        else:
            raise not_of(card, "there is neither a MobileNet nor a ResNet body in it")
        if "fpn.output1.0.weight" not in state:
            raise not_of(card, "there is no feature pyramid in it")
        network = RetinaFaceNet(body, len(state["fpn.output1.0.weight"]))
        if "slope" in card.hyper:  # weights of other trainings; the tensors do not show it
            for part in network.modules():
                if isinstance(part, nn.LeakyReLU):
                    part.negative_slope = float(card.hyper["slope"])
        return load_strictly(network, state, card)

    def output_names(self) -> tuple[str, ...]:
        return ("boxes", "scores", "points")
