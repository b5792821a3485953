"""Whole-model pickles of ultralytics as plain tensors: no class of the file is ever imported, made or called.

An ultralytics `.pt` is a pickle of the model object, which `torch.load(weights_only=True)` refuses. Here the same
restricted loader reads it with an inert stand-in in the place of every class of torch and ultralytics that it
names; the tensors are then collected from the stand-ins' own tables. A name outside those packages is refused.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import GovernanceError
from playe_assets.inference.cards import ModelCard

if TYPE_CHECKING:
    from torch import Tensor

_INERT = re.compile(
    r"(ultralytics|torch\.nn\.modules)(\.\w+)*\.[A-Z]\w*"  # classes of modules, losses, settings
    r"|pathlib(\._local)?\.(Posix|Windows|Pure\w*)?Path"  # where its maker kept files
    r"|numpy(\._?core)?(\.multiarray)?\.(scalar|dtype)"  # training results
    r"|builtins\.getattr|__builtin__\.getattr"  # pose models keep `Detect.forward` so
    r"|_codecs\.encode|datetime\.\w+"
)
"""Names that become a stand-in. Whatever they are called with, a stand-in only keeps it or throws it away."""
_DEEPEST = 64
_loading = threading.Lock()
"""torch's table of allowed names is the process's. What another thread could make meanwhile is a stand-in too."""


class _StandIn:
    """In the place of any class or function; keeps the state of a module and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def state_dict(data: bytes, card: ModelCard) -> dict[str, Tensor]:
    """The tensors of the model in an ultralytics `.pt`, float32, under the names that its `state_dict()` gives.

    A file that holds a plain state dict is read as such. The averaged model (`ema`) is taken where there is one,
    as ultralytics does.

    Raises:
        GovernanceError: the file names anything else than modules of torch and ultralytics, or is no such model.
    """
    import torch

    loaded = _read(data, card)
    if not isinstance(loaded, dict):
        raise _refused(card, "it holds no table at the top.")
    model = loaded.get("ema") or loaded.get("model") or loaded
    found = dict(_tensors(model, "", card)) if isinstance(model, _StandIn) else model
    if not isinstance(found, dict) or not found:
        raise _refused(card, "it holds no model.")
    for name, tensor in found.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise _refused(card, f"{str(name)[:80]!r} is no tensor.")
    return {name: t.detach().float() if t.is_floating_point() else t.detach() for name, t in found.items()}


def _read(data: bytes, card: ModelCard) -> Any:
    import torch

    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(data))
    except Exception as error:
        raise _refused(card, f"{type(error).__name__}: {str(error)[:160]}.") from error
    for name in names:
        if not _INERT.fullmatch(name):
            raise _refused(card, f"it names {name[:120]}, which no model needs.")
    # One class a name: the loader tells classes apart by identity.
    inert = [(type("StandIn", (_StandIn,), {}), name) for name in names]
    with _loading, torch.serialization.safe_globals(inert):
        try:
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except Exception as error:
            raise _refused(card, f"{type(error).__name__}: {str(error).splitlines()[0][:160]}.") from error


def _tensors(module: _StandIn, prefix: str, card: ModelCard) -> Iterator[tuple[str, Any]]:
    """What `nn.Module.state_dict` would give: parameters, then kept buffers, then children, in their order."""
    if prefix.count(".") > _DEEPEST:
        raise _refused(card, "its modules are nested without end.")
    state = module.state
    passing = state.get("_non_persistent_buffers_set") or ()
    for table in ("_parameters", "_buffers"):
        for name, tensor in _items(state, table, card):
            if tensor is not None and name not in passing:
                yield f"{prefix}{name}", tensor
    for name, child in _items(state, "_modules", card):
        if isinstance(child, _StandIn):
            yield from _tensors(child, f"{prefix}{name}.", card)


def _items(state: Mapping[str, Any], table: str, card: ModelCard) -> list[tuple[str, Any]]:
    found = state.get(table) or {}
    if not isinstance(found, dict):
        raise _refused(card, f"its {table} are no table.")
    return list(found.items())


def _refused(card: ModelCard, problem: str) -> GovernanceError:
    return GovernanceError("objects.weights", name=card.name, file=card.file, problem=problem)
