"""The one door through which weights come in: safetensors, ONNX, or `.pth` through `torch.load(weights_only=True)`.

`data` is what `weights.read_weights` hashed, so the bytes that are hashed are the bytes that are loaded. Anything
else is refused, and a file that asks to run something is refused before torch sees it.
"""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets.inference import onnx_scan, pickle_scan, ultralytics_weights
from playe_assets.inference.cards import ModelCard

if TYPE_CHECKING:
    import torch

_WRAPPINGS = ("params_ema", "params", "state_dict")
"""Keys under which training programs put the state dict; the averaged weights come first."""
_SAVED_WHOLE = "YOLOv8"
"""Architectures whose files hold the model object: read with an inert stand-in for every class that they name."""
_STANDARD = frozenset({"", "ai.onnx"})
"""The operators of the ONNX standard; any other domain needs a library of its maker."""
_SHOWN = 5


def state_dict(data: bytes, card: ModelCard) -> dict[str, torch.Tensor]:
    """Names to tensors on the CPU, as the file holds them; wrappings and the `module.` of parallel training taken off.

    Cards of format `data` whose file is a checkpoint (`.pth`, `.pt`) come through here as well.

    Raises:
        GovernanceError: the file is of another kind, asks to run something, is damaged, or holds no state dict.
        MissingResourceError: torch or safetensors is not installed.
    """
    kind = card.format
    if kind == "data" and card.file.endswith((".pth", ".pt")):
        kind = "pth"
    if kind not in ("pth", "safetensors"):
        raise GovernanceError("models.not_a_checkpoint", name=card.name, file=card.file, format=card.format)
    return _unwrapped(_pth(data, card) if kind == "pth" else _safetensors(data, card), card)


def onnx_bytes(data: bytes, card: ModelCard) -> bytes:
    """`data` itself, once it is known to be a graph of standard operators that holds all of its weights.

    Where the `onnx` package is installed, its checker must accept the graph too.

    Raises:
        GovernanceError: it is no such graph.
    """
    if card.format != "onnx":
        raise GovernanceError("models.not_onnx", name=card.name, file=card.file, format=card.format)
    try:
        found = onnx_scan.scan(data)
    except ValueError as problem:
        raise _broken(card, problem) from problem
    if found.external:
        raise GovernanceError("models.external_data", name=card.name, file=card.file,
                              tensors=", ".join(found.external[:_SHOWN]))  # fmt: skip
    foreign = sorted(found.domains - _STANDARD)
    if foreign:
        raise GovernanceError("models.foreign_operators", name=card.name, file=card.file,
                              domains=", ".join(foreign[:_SHOWN]))  # fmt: skip
    _onnx_checked(data, card)
    return data


def _onnx_checked(data: bytes, card: ModelCard) -> None:
    try:
        from onnx import checker
    except ImportError:
        return  # the scan above has looked at what may reach outside; the engine checks the rest
    try:
        checker.check_model(data)
    except (checker.ValidationError, ValueError, RuntimeError) as problem:
        raise _broken(card, problem) from problem


def _pth(data: bytes, card: ModelCard) -> Any:
    _refuse_other_kinds(data, card)
    if card.architecture.startswith(_SAVED_WHOLE):
        return ultralytics_weights.state_dict(data, card)
    try:
        asked = pickle_scan.refused(data)
    except pickle_scan.ForeignError as problem:
        raise _broken(card, problem) from problem
    if asked:
        raise GovernanceError("models.unsafe_pickle", name=card.name, file=card.file,
                              asked=", ".join(asked[:_SHOWN]))  # fmt: skip
    try:
        import torch
    except ImportError as problem:
        raise MissingResourceError("models.library_absent", library="torch", name=card.name) from problem
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as problem:
        raise GovernanceError("models.unsafe_pickle", name=card.name, file=card.file,
                              asked=_first_line(problem)) from problem  # fmt: skip
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, EOFError, OSError, AssertionError,
            ArithmeticError, MemoryError) as problem:  # fmt: skip
        raise _broken(card, problem) from problem


def _refuse_other_kinds(data: bytes, card: ModelCard) -> None:
    """TorchScript carries code and tar is read by torch's oldest loader: both are told by what they are."""
    facts = {"name": card.name, "file": card.file}
    if data.startswith(b"PK\x03\x04"):
        if b"/constants.pkl" in data or b"/code/__torch__" in data:
            raise GovernanceError("models.torchscript", **facts)
        return
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            members = archive.next() is not None
    except (tarfile.TarError, EOFError, ValueError):
        return
    if members:
        raise GovernanceError("models.old_tar", **facts)


def _safetensors(data: bytes, card: ModelCard) -> Any:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError as problem:
        raise MissingResourceError(
            "models.library_absent", library="safetensors", name=card.name
        ) from problem
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as problem:
        raise _broken(card, problem) from problem


def _unwrapped(loaded: Any, card: ModelCard) -> dict[str, torch.Tensor]:
    import torch

    for key in _WRAPPINGS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
            break
    if not isinstance(loaded, Mapping) or not loaded:
        raise GovernanceError("models.no_state_dict", name=card.name, file=card.file,
                              found=type(loaded).__name__)  # fmt: skip
    state: dict[str, torch.Tensor] = {}
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise GovernanceError("models.no_state_dict", name=card.name, file=card.file,
                                  found=f"{key!r}: {type(value).__name__}"[:200])  # fmt: skip
        state[key.removeprefix("module.")] = value.detach()
    return state


def _broken(card: ModelCard, problem: Exception) -> GovernanceError:
    return GovernanceError("models.broken_file", name=card.name, file=card.file, problem=_first_line(problem))


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return lines[0][:300]
