"""Random-weight checkpoints in the layouts of the official files, small where the layout allows.

`made(name)` gives the card, the file's bytes, the variant, and the source class's own module with the same
weights. The sources are spandrel's (or facexlib's) classes, constructed with their sizes written out, so that what
PLAYE reads off the tensors' shapes is put to the test.
"""

from __future__ import annotations

import functools
import importlib
import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playe_assets.core.values import AiClass
from playe_assets.inference.cards import InputFacts, ModelCard, TilingFacts
from playe_assets.inference.contract import Network
from playe_assets.inference.torchvision_shim import allow_torchvision


@dataclass(frozen=True)
class Made:
    """One random checkpoint."""

    card: ModelCard
    data: bytes
    """The `.pth` file."""
    source: Any
    """The source class's module with the same weights, in evaluation mode; null where only PLAYE has the class."""
    side: int
    """Height and width, px, of an input that is quick and valid."""
    variant: Mapping[str, float] = field(default_factory=dict)
    call: Callable[[Any, Any], Any] = lambda module, given: module(given)
    """How the source is called to give what PLAYE's module gives."""

    @property
    def network(self) -> Network:
        """What is exported and opened."""
        return Network(self.card, self.data, self.variant)


def card_of(architecture: str, **changed: Any) -> ModelCard:
    """A card that says as little as can be; `range`, `order`, `multiple_of`, `tile` and `local` go to its facts."""
    facts = InputFacts(
        changed.pop("range", "0..1"), changed.pop("order", "rgb"), changed.pop("multiple_of", 1)
    )
    tiling = TilingFacts(
        changed.pop("tiling", "halo"), changed.pop("tile", 64), 8, changed.pop("local_statistics", False)
    )
    plain: dict[str, Any] = {
        "name": f"random_{architecture.lower()}", "title": architecture, "task": "test", "architecture": architecture,
        "version": "random", "file": f"{architecture}.pth", "format": "pth", "url": "", "bytes": None,
        "sha256": None, "sha256_status": "unknown", "licence": "none", "commercial_use": "yes",
        "ai_class": AiClass.FIDELITY, "scale": 1, "reference": "random weights", "input": facts, "tiling": tiling,
    }  # fmt: skip
    return ModelCard(**{**plain, **changed})


def saved(state: Mapping[str, Any], key: str | None = "params") -> bytes:
    """A `.pth` file of `state`, under `key` as training programs put it."""
    import torch

    written = io.BytesIO()
    torch.save({key: dict(state)} if key else dict(state), written)
    return written.getvalue()


def randomised(module: Any, scale: float = 0.1) -> Any:
    """`module` with every parameter and statistic drawn anew, none left at a start value that hides a mistake."""
    import torch

    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point() or "index" in name or "mask" in name:
                continue
            drawn = torch.randn(tensor.shape, generator=generator) * scale
            if name.endswith("running_var"):
                drawn = drawn.abs() + 0.5
            if name.endswith(("norm1.weight", "norm2.weight", "norm.weight")):
                drawn = drawn + 1.0
            if tensor.ndim > 1 and tensor[0].numel() > 1:
                drawn = drawn / (
                    scale * tensor[0].numel() ** 0.5
                )  # keeps features of one size through the depth
            tensor.copy_(drawn)
    return module.eval()


def spandrel_class(path: str, name: str, package: str = "spandrel") -> Any:
    """A source class of spandrel, by the module under `architectures`."""
    allow_torchvision()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.script, at its import
        return getattr(importlib.import_module(f"{package}.architectures.{path}"), name)


def _rrdbnet() -> Made:
    source = spandrel_class("ESRGAN", "ESRGAN")(num_filters=8, num_blocks=2, scale=4, plus=False)
    return _made("RRDBNet", source, 24, scale=4)


def _rrdbnet_x2() -> Made:
    source = spandrel_class("ESRGAN", "ESRGAN")(
        in_nc=12, num_filters=8, num_blocks=1, scale=4, shuffle_factor=2
    )
    return _made("RRDBNet", source, 24, scale=2, name="random_rrdbnet_x2", multiple_of=2)


def _srvgg() -> Made:
    source = spandrel_class("Compact", "Compact")(num_feat=8, num_conv=3, upscale=4)
    return _made("SRVGGNetCompact", source, 20, scale=4)


def _swinir() -> Made:
    source = spandrel_class("SwinIR", "SwinIR")(
        upscale=4, img_size=16, window_size=8, depths=[2, 2], embed_dim=12, num_heads=[2, 2], mlp_ratio=2.0,
        upsampler="nearest+conv", resi_connection="1conv",
    )  # fmt: skip
    return _made("SwinIR", source, 32, scale=4, tile=32, multiple_of=8, tiling="overlap")


def _nafnet() -> Made:
    source = spandrel_class("NAFNet", "NAFNet")(
        img_channel=3, width=8, enc_blk_nums=[1, 1], middle_blk_num=1, dec_blk_nums=[1, 1]
    )
    return _made("NAFNet", source, 32, multiple_of=4)


def _nafnet_local() -> Made:
    """With the local-statistics correction; at `side` its windows hold the whole picture, as the source's do."""
    plain = _nafnet()
    card = card_of("NAFNet", name="random_nafnet_local", multiple_of=4, local_statistics=True)
    return Made(card, plain.data, plain.source, plain.side)


def _restormer() -> Made:
    source = spandrel_class("Restormer", "Restormer", "spandrel_extra_arches")(
        dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 1, 2, 2], ffn_expansion_factor=2.66
    )
    return _made("Restormer", source, 32, multiple_of=8, tiling="overlap")


def _scunet() -> Made:
    source = spandrel_class("SCUNet", "SCUNet")(config=[2] * 7, dim=64)
    return _made("SCUNet", source, 64, multiple_of=64, tile=64, tiling="overlap")


def _dncnn() -> Made:
    source = spandrel_class("DnCNN", "DnCNN")(in_nc=1, out_nc=1, nc=8, nb=17, act_mode="R")
    return _made("DnCNN", source, 24, order="grey")


def _drunet() -> Made:
    import torch

    source = spandrel_class("DRUNet", "DRUNet")(in_nc=4, out_nc=3, nc=[8, 8, 16, 16], nb=4)

    def call(module: Any, given: Any) -> Any:
        return module(torch.cat((given, torch.full_like(given[:, :1], 25.0 / 255.0)), 1))

    return _made("DRUNet", source, 24, multiple_of=8, variant={"sigma": 25.0}, call=call)


def _fbcnn() -> Made:
    source = spandrel_class("FBCNN", "FBCNN")(nc=[8, 8, 16, 512], nb=2)

    def call(module: Any, given: Any) -> Any:
        restored, loss = module(given)
        return restored, 100.0 * (1.0 - loss)

    return _made("FBCNN", source, 16, multiple_of=8, variant={"quality": 0}, call=call)


def _gfpgan() -> Made:
    source = spandrel_class("GFPGAN", "GFPGAN")(
        out_size=512, input_is_latent=True, different_w=True, sft_half=True
    )

    def call(module: Any, given: Any) -> Any:
        return module(given, randomize_noise=False)[0]

    return _made("GFPGANv1Clean", source, 512, range="-1..1", tiling="none", tile=0, call=call)


def _codeformer() -> Made:
    source = spandrel_class("CodeFormer", "CodeFormer", "spandrel_extra_arches")(
        dim_embd=64, n_layers=1, codebook_size=32
    )

    def call(module: Any, given: Any) -> Any:
        return module(given, weight=0.7)[0]

    return _made(
        "CodeFormer", source, 512, range="-1..1", tiling="none", tile=0, variant={"w": 0.7}, call=call
    )


def _restoreformer() -> Made:
    source = spandrel_class("RestoreFormer", "RestoreFormer")(
        n_embed=64, embed_dim=64, ch=32, ch_mult=(1, 1, 1, 1, 1, 2), num_res_blocks=1, z_channels=64
    )
    return _made(
        "RestoreFormer", source, 512, range="-1..1", tiling="none", tile=0, call=lambda m, x: m(x)[0]
    )


def _retinaface_mobilenet() -> Made:
    return _retinaface("mobile0.25", "random_retinaface_mobilenet025")


def _retinaface_resnet() -> Made:
    return _retinaface("resnet50", "random_retinaface_resnet50")


def _retinaface(network: str, name: str) -> Made:
    import torch

    allow_torchvision()
    source = importlib.import_module("facexlib.detection.retinaface").RetinaFace(
        network_name=network, half=False
    )

    def call(module: Any, given: Any) -> Any:
        levels = list(module.body(given).values())
        levels = module.fpn(dict(enumerate(levels)))
        levels = [module.ssh1(levels[0]), module.ssh2(levels[1]), module.ssh3(levels[2])]
        heads = (module.BboxHead, module.ClassHead, module.LandmarkHead)
        boxes, scores, points = (
            torch.cat([head(level) for head, level in zip(hs, levels, strict=True)], 1) for hs in heads
        )
        return boxes, scores.softmax(-1), points

    return _made(
        "RetinaFace", source, 96, name=name, range="0..255", order="bgr", tiling="none", tile=0, call=call
    )


def _rlfn() -> Made:
    from playe_assets.inference.architectures.rlfn import RlfnNet

    made = _made("RLFN", RlfnNet(3, 8, 10, 4, 4), 32, range="0..255", scale=4)
    return Made(made.card, made.data, None, made.side)


def _iat() -> Made:
    from playe_assets.inference.architectures import iat

    module = iat.IatNet(iat.LocalBranch(3, 8, 16, 2), iat.GlobalBranch(3, 10, 16, 32))
    made = _made("IAT", module, 32)
    return Made(made.card, made.data, None, made.side)


def _fastdvdnet() -> Made:
    from playe_assets.inference.architectures.fastdvdnet import FastDvdNet

    made = _made("FastDVDnet", FastDvdNet(5, (4, 8, 16)), 32, multiple_of=4,
                 hyper={"frames": 5, "noise_map": True})  # fmt: skip
    return Made(made.card, made.data, None, made.side)


def _made(
    architecture: str,
    source: Any,
    side: int,
    variant: Mapping[str, float] | None = None,
    call: Callable[[Any, Any], Any] | None = None,
    **facts: Any,
) -> Made:
    source = randomised(source).requires_grad_(False)
    data = saved(source.state_dict())
    card = card_of(architecture, **facts)
    return Made(card, data, source, side, variant or {}, call or (lambda module, given: module(given)))


MAKERS: dict[str, Callable[[], Made]] = {
    "rrdbnet": _rrdbnet,
    "rrdbnet_x2": _rrdbnet_x2,
    "srvgg": _srvgg,
    "swinir": _swinir,
    "nafnet": _nafnet,
    "nafnet_local": _nafnet_local,
    "restormer": _restormer,
    "scunet": _scunet,
    "dncnn": _dncnn,
    "drunet": _drunet,
    "fbcnn": _fbcnn,
    "gfpgan": _gfpgan,
    "codeformer": _codeformer,
    "restoreformer": _restoreformer,
    "retinaface_mobilenet": _retinaface_mobilenet,
    "retinaface_resnet": _retinaface_resnet,
    "rlfn": _rlfn,
    "iat": _iat,
    "fastdvdnet": _fastdvdnet,
}
"""Every architecture of the portfolio; `gfpgan` (350 MB) and `codeformer` are as large as the official files."""
LARGE = frozenset({"gfpgan", "codeformer", "restoreformer"})
"""Whose tests are slow."""


@functools.lru_cache(maxsize=4)
def made(name: str) -> Made:
    """The random checkpoint `name` of `MAKERS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the sources' own: torch.meshgrid, `pretrained`
        return MAKERS[name]()
