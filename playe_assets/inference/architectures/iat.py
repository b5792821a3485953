"""IAT, the illumination adaptive transformer for dark or overexposed pictures, written from the paper.

A local branch gives a factor and an offset for every sample; a global one, which sees the whole picture, gives a
colour matrix and a gamma. Samples are 0..1; the layout is that of the official `best_Epoch_*.pth` files.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from playe_assets.inference.architectures.contract import Architecture, Checkpoint, load_strictly, not_of

HEADS = 4
"""Of the attention in the global branch; the weights' shapes do not tell it."""
DARKEST = 1e-8
"""What the gamma is applied to is at least this, so that its derivative exists (as trained)."""


class ChannelNorm(nn.Module):  # type: ignore[misc]
    """A learned mixing of the channels, then a factor and an offset for each: it looks at one pixel alone."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, channels))
        self.color = nn.Parameter(torch.eye(channels))

    def forward(self, features: Tensor) -> Tensor:
        mixed = functional.conv2d(features, self.color[:, :, None, None])
        return mixed * self.alpha.view(1, -1, 1, 1) + self.beta.view(1, -1, 1, 1)


class PixelwiseMlp(nn.Module):  # type: ignore[misc]
    """Two 1x1 convolutions."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.fc2(functional.gelu(self.fc1(features)))
        return found


class LocalBlock(nn.Module):  # type: ignore[misc]
    """Position by a depthwise convolution, a 5x5 depthwise convolution in place of attention, an MLP."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gamma_1 = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.gamma_2 = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.pos_embed = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.conv2 = nn.Conv2d(channels, channels, 1)
        self.attn = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm2 = ChannelNorm(channels)
        self.mlp = PixelwiseMlp(channels, hidden)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.pos_embed(features)
        features = features + self.gamma_1 * self.conv2(self.attn(self.conv1(self.norm1(features))))
        grown: Tensor = features + self.gamma_2 * self.mlp(self.norm2(features))
        return grown


class LocalBranch(nn.Module):  # type: ignore[misc]
    """Factor and offset of every sample."""

    def __init__(self, colours: int, channels: int, hidden: int, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(colours, channels, 3, padding=1)
        self.mul_blocks = nn.Sequential(*(LocalBlock(channels, hidden) for _ in range(depth)))
        self.add_blocks = nn.Sequential(*(LocalBlock(channels, hidden) for _ in range(depth)))
        self.mul_end = nn.Sequential(nn.Conv2d(channels, colours, 3, padding=1), nn.ReLU())
        self.add_end = nn.Sequential(nn.Conv2d(channels, colours, 3, padding=1), nn.Tanh())

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        head = functional.leaky_relu(self.conv1(pixels), 0.2)
        return self.mul_end(self.mul_blocks(head) + head), self.add_end(self.add_blocks(head) + head)


class QueryAttention(nn.Module):  # type: ignore[misc]
    """Ten learned queries look at the whole picture: one for the gamma, nine for the colour matrix."""

    def __init__(self, queries: int, channels: int) -> None:
        super().__init__()
        self.q = nn.Parameter(torch.ones(1, queries, channels))
        self.k = nn.Linear(channels, channels, bias=False)
        self.v = nn.Linear(channels, channels, bias=False)
        self.proj = nn.Linear(channels, channels)

    def forward(self, places: Tensor) -> Tensor:
        def by_head(tokens: Tensor) -> Tensor:
            return tokens.unflatten(-1, (HEADS, -1)).transpose(1, 2)

        keys, values = by_head(self.k(places)), by_head(self.v(places))
        queries = by_head(self.q)
        likeness = torch.matmul(queries, keys.transpose(-2, -1)) * queries.shape[-1] ** -0.5
        gathered = torch.matmul(likeness.softmax(-1), values).transpose(1, 2).flatten(2)
        found: Tensor = self.proj(gathered)
        return found


class TokenMlp(nn.Module):  # type: ignore[misc]
    """Two linear layers."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return found


class QueryBlock(nn.Module):  # type: ignore[misc]
    """From features of the whole picture to one token for each query."""

    def __init__(self, queries: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.pos_embed = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.attn = QueryAttention(queries, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = TokenMlp(channels, hidden)

    def forward(self, features: Tensor) -> Tensor:
        places = (features + self.pos_embed(features)).flatten(2).transpose(1, 2)
        tokens = self.attn(self.norm1(places))
        grown: Tensor = tokens + self.mlp(self.norm2(tokens))
        return grown


class Embedding(nn.Module):  # type: ignore[misc]
    """Two strided convolutions: a quarter of the size."""

    def __init__(self, colours: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.proj = nn.Sequential(
            nn.Conv2d(colours, half, 3, stride=2, padding=1),
            nn.BatchNorm2d(half),
            nn.GELU(),
            nn.Conv2d(half, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        features: Tensor = self.proj(pixels)
        return features


class GlobalBranch(nn.Module):  # type: ignore[misc]
    """Gamma (n, 1, 1, 1) and colour matrix (n, 3, 3) of the picture."""

    def __init__(self, colours: int, queries: int, channels: int, hidden: int) -> None:
        super().__init__()
        self.gamma_base = nn.Parameter(torch.ones(1))
        self.color_base = nn.Parameter(torch.eye(colours))
        self.conv_large = Embedding(colours, channels)
        self.generator = QueryBlock(queries, channels, hidden)
        self.gamma_linear = nn.Linear(channels, 1)
        self.color_linear = nn.Linear(channels, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.generator(self.conv_large(pixels))
        gamma = self.gamma_linear(tokens[:, :1]) + self.gamma_base
        side = self.color_base.shape[0]
        colour = self.color_linear(tokens[:, 1:]).reshape(-1, side, side) + self.color_base
        return gamma.unsqueeze(-1), colour


class IatNet(nn.Module):  # type: ignore[misc]
    """(n, 3, h, w) to the same shape, 0..1."""

    def __init__(self, local_net: LocalBranch, global_net: GlobalBranch) -> None:
        super().__init__()
        self.local_net = local_net
        self.global_net = global_net

    def forward(self, pixels: Tensor) -> Tensor:
        factor, offset = self.local_net(pixels)
        gamma, colour = self.global_net(pixels)
        lit = pixels * factor + offset
        toned = torch.matmul(colour, lit.flatten(2)).reshape(lit.shape)
        return toned.clamp(DARKEST, 1.0) ** gamma


class Iat(Architecture):
    """The enhancement networks of the official repository, local blocks all convolutional."""

    reference = "Cui et al., You Only Need 90K Parameters, BMVC 2022, arXiv 2205.14871; module written here"

    def build(self, checkpoint: Checkpoint) -> nn.Module:
        self.check(checkpoint)
        state, card = checkpoint.state, checkpoint.card
        try:
            channels, colours = state["local_net.conv1.weight"].shape[:2]
            hidden = len(state["local_net.mul_blocks.0.mlp.fc1.bias"])
            _, queries, wide = state["global_net.generator.attn.q"].shape
            wide_hidden = len(state["global_net.generator.mlp.fc1.bias"])
        except KeyError as error:
            raise not_of(card, f"there is no tensor {error}") from error
        depth = len({name.split(".")[2] for name in state if name.startswith("local_net.mul_blocks.")})
        network = IatNet(
            LocalBranch(colours, channels, hidden, depth), GlobalBranch(colours, queries, wide, wide_hidden)
        )
        return load_strictly(network, state, card)
