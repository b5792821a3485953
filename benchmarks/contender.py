"""One contender of `benchmarks.inference` in a process of its own: it loads once, then times a picture a line.

Apart from each other, so that one library's threads, allocator and patches do not slow or speed another's.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.measure import scenes

SEED = 3
SOURCES = {"realesr_general_x4v3": "realesr-general-x4v3", "realesrgan_x4plus": "RealESRGAN_x4plus"}
"""Card to the model's name upstream."""
_CHAIN = 9 * (3 * 64 + 32 * 64 * 64 + 64 * 48)
_DENSE = 9 * (64 * 32 + 96 * 32 + 128 * 32 + 160 * 32 + 192 * 64)
_AFTER = 9 * (4 * 64 * 64 + 16 * (2 * 64 * 64 + 64 * 3))
FLOP_PER_PX = {
    "realesr_general_x4v3": 2 * _CHAIN,
    "realesrgan_x4plus": 2 * (9 * (3 * 64 + 64 * 64) + 69 * _DENSE + _AFTER),
}
"""Multiplications and additions of all convolutions for one px of the input, counted from their shapes."""

Job = Callable[[Any], Any]


def main() -> None:
    """`python -m benchmarks.contender KIND CARD WEIGHTS`: lines {"width", "height", "save"} in, answers out."""
    kind, card, weights = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the contenders print progress; only answers belong on the pipe
    family, _, detail = kind.partition("-")
    prepare = KINDS[family](card, Path(weights), detail)
    answers.write(json.dumps({"ready": kind}) + "\n")
    for line in sys.stdin:
        asked = json.loads(line)
        picture = scenes(asked["width"], asked["height"], 1)[0]
        job = prepare(picture)
        began, worked = time.perf_counter(), time.process_time()
        result = job(picture)
        seconds = result if family == "matmul" else time.perf_counter() - began
        worked = time.process_time() - worked
        if asked.get("save"):
            import numpy as np

            np.save(asked["save"], result)
        answers.write(json.dumps({"seconds": seconds, "processor": worked}) + "\n")


def write_weights(card: str, folder: Path, data: Path | None) -> tuple[Path, str]:
    """A weight file of `card`'s layout, and whether its weights are `real` or `random` (seeded)."""
    path = folder / f"{card}.pth"
    real = data / "weights" / "derived" / f"{SOURCES[card]}.from-ncnn-fp16.pth" if data else None
    if real is not None and real.is_file():
        path.write_bytes(real.read_bytes())
        return path, "real"
    import torch

    torch.save({"params": random_state(card)}, path)
    return path, "random"


def random_state(card: str) -> dict[str, Any]:
    """Seeded weights in the layout of the official files; small enough that nothing overflows in fp16."""
    import torch

    torch.manual_seed(SEED)
    state: dict[str, Any] = {}

    def convolution(name: str, taken: int, given: int, gain: float) -> None:
        state[f"{name}.weight"] = torch.randn(given, taken, 3, 3) * gain * (2.0 / (9 * taken)) ** 0.5
        state[f"{name}.bias"] = torch.zeros(given)

    if card == "realesr_general_x4v3":
        for k in range(34):
            convolution(f"body.{2 * k}", 64 if k else 3, 64 if k < 33 else 48, 1.0 if k < 33 else 0.1)
            if k < 33:
                state[f"body.{2 * k + 1}.weight"] = torch.full((64,), 0.25)
        return state
    convolution("conv_first", 3, 64, 1.0)
    for block in range(23):
        for dense in (1, 2, 3):
            for k in range(1, 6):
                name = f"body.{block}.rdb{dense}.conv{k}"
                convolution(name, 64 + 32 * (k - 1), 32 if k < 5 else 64, 0.3)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        convolution(name, 64, 64, 1.0)
    convolution("conv_last", 64, 3, 0.1)
    return state


def architecture(card: str) -> Any:
    """The network as the `realesrgan` and `basicsr` packages write it."""
    upstream()
    if card == "realesr_general_x4v3":
        from realesrgan.archs.srvgg_arch import SRVGGNetCompact

        return SRVGGNetCompact(
            num_in_ch=3, num_out_ch=3, num_feat=64, num_conv=32, upscale=4, act_type="prelu"
        )
    from basicsr.archs.rrdbnet_arch import RRDBNet

    return RRDBNet(num_in_ch=3, num_out_ch=3, num_feat=64, num_block=23, num_grow_ch=32, scale=4)


def upstream() -> None:
    """Make `import realesrgan` possible: basicsr 1.4.2 asks for a module that torchvision 0.17 took away."""
    from playe_assets.inference.torchvision_shim import allow_torchvision

    allow_torchvision()
    name = "torchvision.transforms.functional_tensor"
    if name not in sys.modules:
        from torchvision.transforms import functional

        found = types.ModuleType(name)
        found.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
        sys.modules[name] = found


def loaded_network(card: str, weights: Path, runtime: str) -> Any:
    """The registry's card with the digest of these weights, exported where the runtime needs the graph."""
    from playe_assets.examination.settings import Settings
    from playe_assets.inference.cards import model_cards
    from playe_assets.inference.contract import Network
    from playe_assets.inference.runtimes import RUNTIMES

    data = weights.read_bytes()
    known = model_cards(Settings().registry)[card]
    own = replace(known, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    network = Network(own, data)
    if not RUNTIMES.get(runtime).needs_onnx:
        return network
    return importlib.import_module("playe_assets.inference.export").build(network, weights.parent / "engines")


def _realesrganer(card: str, weights: Path, detail: str) -> Callable[[Any], Job]:
    """`untiled`, `tiled` (tile 128, pad 10: what the wider public runs when memory is short)."""
    module = architecture(card)
    from realesrgan import RealESRGANer

    tile = {"untiled": 0, "tiled": 128}[detail]
    upsampler = RealESRGANer(
        scale=4, model_path=str(weights), model=module, tile=tile, tile_pad=10, pre_pad=0, half=False
    )

    def job(picture: Any) -> Any:
        return upsampler.enhance(picture[:, :, ::-1], outscale=4)[0][:, :, ::-1]  # it takes and gives BGR

    return lambda _: job


def _eager(card: str, weights: Path, detail: str) -> Callable[[Any], Job]:
    """The bare module in torch as it is written: float32 in, float32 out."""
    import torch

    module = architecture(card)
    module.load_state_dict(torch.load(weights, weights_only=True)["params"])
    module.eval()

    def prepare(picture: Any) -> Job:
        values = torch.from_numpy(_nchw(picture))

        def job(_: Any) -> Any:
            with torch.inference_mode():
                return module(values).numpy()

        return job

    return prepare


def _ours(card: str, weights: Path, detail: str) -> Callable[[Any], Job]:
    """A `LoadedModel` on the runtime `detail`: uint8 in, uint8 out, tiled as its card says.

    Without the card's colour correction, so that all contenders make the same picture; `corrected` has it.
    """
    return _whole(card, weights, detail, 0)


def _corrected(card: str, weights: Path, detail: str) -> Callable[[Any], Job]:
    """As cases run it, with the colour correction of the card."""
    return _whole(card, weights, detail, None)


def _whole(card: str, weights: Path, detail: str, low_pass_px: int | None) -> Callable[[Any], Job]:
    from playe_assets.inference.contract import Target
    from playe_assets.inference.loaded import LoadedModel

    model = LoadedModel(
        loaded_network(card, weights, detail), Target(runtime=detail), low_pass_px=low_pass_px
    )
    return lambda _: model.picture


def _bare(card: str, weights: Path, detail: str) -> Callable[[Any], Job]:
    """The session of runtime `detail` on the whole picture: float32 in, float32 out."""
    from playe_assets.inference.contract import Target
    from playe_assets.inference.sessions import session

    network = loaded_network(card, weights, detail)

    def prepare(picture: Any) -> Job:
        values = _nchw(picture)
        found = session(network, Target(runtime=detail), tuple(values.shape))
        return lambda _: found.run([values])[0]

    return prepare


def _matmul(card: str, weights: Path, detail: str) -> Callable[[Any], Job]:
    """The best of five products of two 2048 x 2048 float32 matrices, in torch: 17.2 GFLOP each."""
    import torch

    one, other = torch.rand(2048, 2048), torch.rand(2048, 2048)

    def job(_: Any) -> Any:
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            torch.mm(one, other)
            best = min(best, time.perf_counter() - began)
        return best

    return lambda _: job


def _nchw(picture: Any) -> Any:
    import numpy as np

    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255.0)


KINDS: dict[str, Callable[[str, Path, str], Callable[[Any], Job]]] = {
    "realesrganer": _realesrganer, "eager": _eager, "ours": _ours, "corrected": _corrected,
    "bare": _bare, "matmul": _matmul,
}  # fmt: skip

if __name__ == "__main__":
    main()
