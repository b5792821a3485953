"""FastDVDnet, denoising of one frame from five without motion estimation, written from the paper.

Two stages of one block each: the first block denoises the middle of each of three overlapping triples, the second
the middle of the three results. Both are told the noise by a map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from playe_assets.inference.architectures.contract import Architecture, Checkpoint, load_strictly, not_of

FRAMES, TRIPLE, COLOURS = 5, 3, 3


def convolved(given: int, found: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """3 x 3 convolution without bias, batch normalisation, ReLU (section 3.1)."""
    return [
        nn.Conv2d(given, found, 3, stride=stride, padding=1, groups=groups, bias=False),
        nn.BatchNorm2d(found),
        nn.ReLU(),
    ]


class Chain(nn.Module):  # type: ignore[misc]
    """Layers one after the other; the files name them `convblock`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.convblock = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.convblock(features)
        return found


def twice(given: int, found: int) -> Chain:
    """Two convolutions."""
    return Chain(*convolved(given, found), *convolved(found, found))


def down(given: int, found: int) -> Chain:
    """To half the size by a strided convolution, then two more."""
    return Chain(*convolved(given, found, stride=2), twice(found, found))


def up(given: int, found: int) -> Chain:
    """Two convolutions, then to twice the size by a pixel shuffle."""
    return Chain(
        twice(given, given), nn.Conv2d(given, found * 4, 3, padding=1, bias=False), nn.PixelShuffle(2)
    )


class DenoisingBlock(nn.Module):  # type: ignore[misc]
    """A U-Net over three frames, each with the noise map, that gives the middle frame less its noise (figure 2)."""

    def __init__(self, per_frame: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        first, second, third = widths
        self.inc = Chain(
            *convolved(TRIPLE * (COLOURS + 1), TRIPLE * per_frame, groups=TRIPLE),
            *convolved(TRIPLE * per_frame, first),
        )
        self.downc0 = down(first, second)
        self.downc1 = down(second, third)
        self.upc2 = up(third, second)
        self.upc1 = up(second, first)
        self.outc = Chain(*convolved(first, first), nn.Conv2d(first, COLOURS, 3, padding=1, bias=False))

    def forward(self, before: Tensor, middle: Tensor, after: Tensor, noise: Tensor) -> Tensor:
        full = self.inc(torch.cat((before, noise, middle, noise, after, noise), 1))
        half = self.downc0(full)
        wide = self.upc2(self.downc1(half))
        taken: Tensor = self.outc(full + self.upc1(half + wide))
        return middle - taken


class FastDvdNet(nn.Module):  # type: ignore[misc]
    """(n, 16, h, w): five RGB frames in order of time, 0..1, then the noise's standard deviation over full scale;
    gives the middle frame (n, 3, h, w). Height and width are multiples of 4."""

    def __init__(self, per_frame: int, widths: tuple[int, int, int]) -> None:
        super().__init__()
        self.temp1 = DenoisingBlock(per_frame, widths)
        self.temp2 = DenoisingBlock(per_frame, widths)

    def forward(self, window: Tensor) -> Tensor:
        noise = window[:, FRAMES * COLOURS :]
        frames = [window[:, COLOURS * k : COLOURS * (k + 1)] for k in range(FRAMES)]
        middles = [self.temp1(*frames[k : k + TRIPLE], noise) for k in range(FRAMES - TRIPLE + 1)]
        denoised: Tensor = self.temp2(*middles, noise)
        return denoised


class FastDVDnet(Architecture):
    """The published layout; its sizes are read off the tensors."""

    reference = "Tassano et al., FastDVDnet, CVPR 2020, arXiv 1907.01361; module written here"

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        state, card = checkpoint.state, checkpoint.card
        try:
            per_frame = state["temp1.inc.convblock.0.weight"].shape[0] // TRIPLE
            named = ("temp1.inc.convblock.3", "temp1.downc0.convblock.0", "temp1.downc1.convblock.0")
            first, second, third = (int(state[f"{name}.weight"].shape[0]) for name in named)
        except KeyError as error:
            raise not_of(card, f"there is no tensor {error}") from error
        return load_strictly(FastDvdNet(per_frame, (first, second, third)), state, card)
