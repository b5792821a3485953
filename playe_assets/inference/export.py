"""torch to ONNX, once: an exported graph is kept under a name made of everything that could change it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import os
import tempfile
import threading
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playe_assets.core.canonical import canonical_json
from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets.inference.architectures import fixed_side_of
from playe_assets.inference.architectures.contract import Architecture
from playe_assets.inference.contract import Network
from playe_assets.inference.networks import architecture_of, require_torch, torch_module
from playe_assets.inference.windowed import samples_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import nn

EXPORTER = 1
"""Raised whenever this module would write a different graph for the same network."""
SIDE = 64
"""Height and width, in px before rounding up, of the picture that a dynamic graph is traced and compared with."""
TOLERANCE = 1e-3
"""Largest difference to torch, as a share of torch's largest output, that a fresh graph may show. It catches a
graph that is wrong; whether one is exact enough is the certificate's business."""
_exporting = threading.Lock()
"""torch's exporter keeps state of its own."""


def build(network: Network, folder: Path, opset: int = 18, side: int | None = None) -> Network:
    """`network` with its `onnx` filled: float32, any batch, any height and width where the architecture allows.

    A card whose file is ONNX already passes through the loading door as it is. Networks with masks or embeddings
    made for one size get `side` x `side` px (default: the architecture's own, else the card's tile).

    Args:
        network: what to export; its variant is fixed into the graph.
        folder: where exported graphs are kept; written whole or not at all.
        opset: of the ONNX standard.
        side: height and width of the graph in px, for architectures of a fixed size only.

    Raises:
        MissingResourceError: the graph is not kept yet, and torch or onnx is not installed.
        GovernanceError: the weights are refused, the graph does not check, or it differs from torch.
        CommandError: the variant is not one that the architecture knows.
    """
    if network.card.format == "onnx":
        return dataclasses.replace(network, onnx=_native(network))
    fixed = fixed_side_of(network.card)
    if fixed is not None:
        fixed = side or fixed or network.card.tiling.tile or None
        if fixed is None:
            raise GovernanceError(
                "runtime.no_side", name=network.card.name, architecture=network.card.architecture
            )
    with _exporting:
        kept = _kept(network, folder, opset, fixed)
        if kept is None:
            kept = _export(network, folder, opset, fixed)
    return dataclasses.replace(network, onnx=kept)


def subject(network: Network, opset: int, side: int | None) -> str:
    """Digest of what is exported: weights, variant, the card's facts, opset and shape."""
    card = network.card
    told = {
        "weights": hashlib.sha256(network.weights).hexdigest(),
        "others": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(network.others.items())},
        "variant": {key: float(value) for key, value in sorted(network.variant.items())},
        "card": [card.architecture, card.scale, card.tiling.local_statistics, dict(card.hyper)],
        "opset": opset,
        "shape": "any" if side is None else side,
        "precision": "fp32",
        "exporter": EXPORTER,
    }
    return hashlib.sha256(canonical_json(told)).hexdigest()


@functools.cache
def _libraries() -> str:
    """The versions that write graphs; `absent` where torch is not installed, as on machines that only run them."""
    found = []
    for package in ("torch", "onnx"):
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} absent")
    return ", ".join(found)


def _kept(network: Network, folder: Path, opset: int, side: int | None) -> bytes | None:
    """The graph of an earlier export by the same libraries, or, without torch here, by any; its digest holds."""
    stem = f"{network.card.name}-{subject(network, opset, side)[:20]}"
    libraries = _libraries()
    for note in sorted(folder.glob(f"{stem}-*.json"), reverse=True):
        told = json.loads(note.read_text(encoding="utf-8"))
        if told["libraries"] != libraries and "absent" not in libraries:
            continue
        try:
            data = note.with_suffix(".onnx").read_bytes()
        except FileNotFoundError:
            continue
        if hashlib.sha256(data).hexdigest() == told["sha256"]:
            return data
    return None


def _export(network: Network, folder: Path, opset: int, side: int | None) -> bytes:
    require_torch()
    try:
        import onnx
    except ImportError as error:
        raise MissingResourceError("runtime.onnx_absent", problem=str(error)) from error

    module = torch_module(network)
    given = _sample(network, side)
    try:
        data = _traced(module, given, architecture_of(network.card), opset, side)
    except (RuntimeError, TypeError, KeyError, NotImplementedError) as error:
        raise GovernanceError("runtime.not_exportable", name=network.card.name,
                              problem=str(error).split("[", 1)[0].splitlines()[0][:200]) from error  # fmt: skip
    try:
        onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise GovernanceError(
            "runtime.graph_invalid", name=network.card.name, problem=str(error)[:300]
        ) from error
    difference = _difference(module, data, given)
    if not difference <= TOLERANCE:
        raise GovernanceError("runtime.graph_differs", name=network.card.name, difference=f"{difference:.2g}",
                              allowed=f"{TOLERANCE:g}")  # fmt: skip
    libraries = _libraries()
    stem = f"{network.card.name}-{subject(network, opset, side)[:20]}"
    path = folder / f"{stem}-{hashlib.sha256(libraries.encode()).hexdigest()[:8]}"
    note = {"model": network.card.name, "libraries": libraries, "opset": opset, "side": side, "difference": difference,
            "variant": dict(network.variant), "sha256": hashlib.sha256(data).hexdigest()}  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    _write(path.with_suffix(".onnx"), data)
    _write(path.with_suffix(".json"), json.dumps(note, indent=1, sort_keys=True).encode())
    return data


def _sample(network: Network, side: int | None) -> npt.NDArray[np.float32]:
    """Noise in the card's range, (1, C, H, W); a dynamic graph gets unequal sides, so that a mix-up shows."""
    import numpy as np

    facts = network.card.input
    multiple = facts.multiple_of
    height = side or -(-SIDE // multiple) * multiple
    width = side or height + multiple * 2
    noise = np.random.default_rng(0).random((1, samples_of(network.card), height, width), np.float32)
    low, high = {"0..1": (0, 1), "0..255": (0, 255), "-1..1": (-1, 1)}[facts.range]
    return (noise * (high - low) + low).astype(np.float32)


def _traced(
    module: nn.Module,
    given: npt.NDArray[np.float32],
    architecture: Architecture,
    opset: int,
    side: int | None,
) -> bytes:
    import torch

    picture = torch.from_numpy(given)
    names = architecture.output_names()
    with torch.no_grad():
        outputs = _listed(module(picture))
    axes = {"input": _moving("", 4, side, architecture.one_at_a_time)}
    axes |= {
        name: _moving(name, tensor.ndim, side, architecture.one_at_a_time)
        for name, tensor in zip(names, outputs, strict=True)
    }
    written = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter by tracing is deprecated, and warns at every Python number taken from a shape. The newer
        # one needs onnxscript; the comparison with torch below judges what this one wrote.
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()):  # a failing export prints its whole graph
            torch.onnx.export(module, (picture,), written, dynamo=False, opset_version=opset,
                              input_names=["input"], output_names=list(names), dynamic_axes=axes)  # fmt: skip
    return written.getvalue()


def _moving(name: str, rank: int, side: int | None, one_at_a_time: bool) -> dict[int, str]:
    """The axes of an array that are left free: the batch, and the sides of a picture or the rows of a table."""
    free = {} if one_at_a_time else {0: "n"}
    if side is None and rank == 4:
        free |= {2: f"{name}_h".strip("_"), 3: f"{name}_w".strip("_")}
    elif side is None and rank == 3:
        free |= {1: f"{name}_count"}
    return free


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (tuple, list)) else [found]


def _difference(module: nn.Module, data: bytes, given: npt.NDArray[np.float32]) -> float:
    """Largest difference between the graph in an engine and torch, as a share of torch's largest output."""
    import numpy as np
    import torch

    with torch.no_grad():
        expected = [tensor.numpy() for tensor in _listed(module(torch.from_numpy(given)))]
    worst = 0.0
    for ours, theirs in zip(_by_an_engine(data, given), expected, strict=True):
        if ours.shape != theirs.shape or not np.isfinite(ours).all():
            return float("inf")
        worst = max(worst, float(np.abs(ours - theirs).max()) / max(float(np.abs(theirs).max()), 1e-6))
    return worst


def _by_an_engine(data: bytes, given: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        return list(ReferenceEvaluator(data).run(None, {"input": given}))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"input": given}))


def _native(network: Network) -> bytes:
    """The card's own graph, checked by the door; its height and width set free where the card says `any_size`.

    Without that word its sizes stay as its maker wrote them: a graph that reshapes to constants may run at another
    size and be wrong, so somebody must have tried it.
    """
    from playe_assets.inference.door import onnx_bytes

    data = onnx_bytes(network.weights, network.card)
    return freed(data) if network.card.hyper.get("any_size") else data


def freed(data: bytes) -> bytes:
    """`data` with height and width of every picture input, and what follows from them, left open.

    Raises:
        MissingResourceError: onnx is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingResourceError("runtime.onnx_absent", problem=str(error)) from error
    model = onnx.load_from_string(data)
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        sizes = value.type.tensor_type.shape.dim
        if value.name not in weights and len(sizes) == 4:
            sizes[2].dim_param, sizes[3].dim_param = "height", "width"
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    found: bytes = model.SerializeToString(deterministic=True)
    return found


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: another process may be reading or writing the same file."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as held:
        held.write(data)
        held.flush()
        os.fsync(held.fileno())
    Path(held.name).replace(path)
