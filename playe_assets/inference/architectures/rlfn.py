"""RLFN, the residual local feature network that won NTIRE 2022's runtime track, written from the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from playe_assets.inference.architectures.contract import Architecture, Checkpoint, load_strictly, not_of

SLOPE = 0.05
"""Of every leaky ReLU (section 3.1)."""


class SpatialAttention(nn.Module):  # type: ignore[misc]
    """Enhanced spatial attention: a mask from a strongly pooled view of the features (section 3.1, figure 2c)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1)
        self.conv_f = nn.Conv2d(inner, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=2)
        self.conv3 = nn.Conv2d(inner, inner, 3, padding=1)
        self.conv4 = nn.Conv2d(inner, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        first = self.conv1(features)
        pooled = functional.max_pool2d(self.conv2(first), kernel_size=7, stride=3)
        wide = functional.interpolate(
            self.conv3(pooled), size=features.shape[2:], mode="bilinear", align_corners=False
        )
        return features * torch.sigmoid(self.conv4(wide + self.conv_f(first)))


class LocalFeatureBlock(nn.Module):  # type: ignore[misc]
    """Three convolutions with a skip, a 1x1 convolution, spatial attention."""

    def __init__(self, channels: int, middle: int, inner: int) -> None:
        super().__init__()
        self.c1_r = nn.Conv2d(channels, middle, 3, padding=1)
        self.c2_r = nn.Conv2d(middle, middle, 3, padding=1)
        self.c3_r = nn.Conv2d(middle, channels, 3, padding=1)
        self.c5 = nn.Conv2d(channels, channels, 1)
        self.esa = SpatialAttention(channels, inner)

    def forward(self, features: Tensor) -> Tensor:
        found = features
        for convolution in (self.c1_r, self.c2_r, self.c3_r):
            found = functional.leaky_relu(convolution(found), SLOPE)
        attended: Tensor = self.esa(self.c5(found + features))
        return attended


class RlfnNet(nn.Module):  # type: ignore[misc]
    """Four blocks between a head and a pixel shuffle; samples 0..255, the smallest side is 15 px."""

    def __init__(self, colours: int, channels: int, middle: int, inner: int, scale: int) -> None:
        super().__init__()
        self.fea_conv = nn.Conv2d(colours, channels, 3, padding=1)
        self.B1 = LocalFeatureBlock(channels, middle, inner)
        self.B2 = LocalFeatureBlock(channels, middle, inner)
        self.B3 = LocalFeatureBlock(channels, middle, inner)
        self.B4 = LocalFeatureBlock(channels, middle, inner)
        self.LR_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(channels, colours * scale * scale, 3, padding=1), nn.PixelShuffle(scale)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        head = self.fea_conv(pixels)
        body = self.B4(self.B3(self.B2(self.B1(head))))
        enlarged: Tensor = self.upsampler(self.LR_conv(body) + head)
        return enlarged


class Rlfn(Architecture):
    """The layout of NTIRE 2022 efficient super-resolution, team 04."""

    reference = (
        "Kong et al., Residual Local Feature Network, CVPRW 2022, arXiv 2205.07514; module written here"
    )

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        state, card = checkpoint.state, checkpoint.card
        try:
            channels, colours = state["fea_conv.weight"].shape[:2]
            middle, inner = len(state["B1.c1_r.bias"]), len(state["B1.esa.conv1.bias"])
        except KeyError as error:
            raise not_of(card, f"there is no tensor {error}") from error
        return load_strictly(RlfnNet(colours, channels, middle, inner, card.scale), state, card)
