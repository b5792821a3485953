"""Face restorers: aligned 512 px faces, samples -1..1 in and out. Generative priors, all of them."""

from __future__ import annotations

from torch import Tensor, nn

from playe_assets.inference.architectures.contract import Architecture, Checkpoint
from playe_assets.inference.architectures.spandrel_ import spandrel_module

FACE_SIDE = 512


class Gfpgan(nn.Module):  # type: ignore[misc]
    """GFPGAN's clean network with the noise that its file holds: drawn anew, it makes two runs differ."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        restored: Tensor = self.network(faces, return_rgb=False, randomize_noise=False)[0]
        return restored


class GFPGANv1Clean(Architecture):
    """GFPGAN 1.3 and 1.4."""

    reference = "Wang et al., GFPGAN, CVPR 2021, arXiv 2101.04061; module of spandrel (Apache-2.0, with parts under further terms)"  # noqa: E501
    fixed_side = FACE_SIDE
    one_at_a_time = True  # its kernels are made of the batch itself

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        return Gfpgan(spandrel_module("GFPGAN", checkpoint.state, checkpoint.card)).eval()


class FirstOf(nn.Module):  # type: ignore[misc]
    """The picture of a network that also gives what only its training needs."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, faces: Tensor) -> Tensor:
        restored: Tensor = self.network(faces)[0]
        return restored


class RestoreFormer(Architecture):
    """Attention to a dictionary of high-quality face parts."""

    reference = "Wang et al., RestoreFormer, CVPR 2022, arXiv 2201.06374; module of spandrel (Apache-2.0)"
    fixed_side = FACE_SIDE

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        return FirstOf(spandrel_module("RestoreFormer", checkpoint.state, checkpoint.card)).eval()
