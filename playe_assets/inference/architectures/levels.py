"""Networks that are told how bad the picture is: DRUNet its noise, FBCNN its JPEG quality. No level is assumed."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from playe_assets.inference.architectures.contract import Architecture, Checkpoint, Knob
from playe_assets.inference.architectures.spandrel_ import spandrel_module


class WithNoiseMap(nn.Module):  # type: ignore[misc]
    """Appends a constant channel, the standard deviation of the noise as a share of full scale."""

    def __init__(self, network: nn.Module, level: float) -> None:
        super().__init__()
        self.network = network
        self.level = level

    def forward(self, pixels: Tensor) -> Tensor:
        noise = torch.full_like(pixels[:, :1], self.level)
        denoised: Tensor = self.network(torch.cat((pixels, noise), 1))
        return denoised


class DRUNet(Architecture):
    """Denoiser with a noise-level map; spandrel's own call assumes 15/255 behind the caller's back."""

    reference = "Zhang et al., DPIR, IEEE TPAMI 2021, arXiv 2008.13751; module of spandrel (MIT)"
    knobs: ClassVar = {"sigma": Knob(0.0, 255.0, True, "standard deviation of the noise, in steps of 8 bits")}

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        network = spandrel_module("DRUNet", checkpoint.state, checkpoint.card)
        return WithNoiseMap(network, float(checkpoint.variant["sigma"]) / 255.0).eval()


class WithQuality(nn.Module):  # type: ignore[misc]
    """Tells FBCNN a quality factor, or lets it estimate one; gives the picture and the estimate, 0..100, (n, 1)."""

    def __init__(self, network: nn.Module, quality: float) -> None:
        super().__init__()
        self.network = network
        self.quality = quality

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        if self.quality == 0:
            restored, loss = self.network(pixels)
        else:
            told = torch.full_like(pixels[:, :1, 0, :1].flatten(1), 1.0 - self.quality / 100.0)
            restored, loss = self.network(pixels, told)
        return restored, 100.0 * (1.0 - loss)


class FBCNN(Architecture):
    """Flexible blind JPEG artefact removal."""

    reference = "Jiang et al., FBCNN, ICCV 2021, arXiv 2109.14573; module of spandrel (MIT)"
    knobs: ClassVar = {
        "quality": Knob(0.0, 100.0, True, "the JPEG quality factor; 0: the network's own estimate")
    }

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        network = spandrel_module("FBCNN", checkpoint.state, checkpoint.card)
        return WithQuality(network, float(checkpoint.variant["quality"])).eval()

    def output_names(self) -> tuple[str, ...]:
        return ("output", "quality")
