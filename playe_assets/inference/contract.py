"""The contract of the runtimes: a `Runtime` opens a `Network` on a `Target` and gives a `Session`. One file each.

Arrays are float32, NCHW, C-contiguous. Nothing here falls back: what was asked for and is not there raises
`MissingResourceError` with what to install or set. Importing a runtime's module imports no engine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from playe_assets.inference.cards import ModelCard

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Tensor: TypeAlias = npt.NDArray[np.float32]
else:
    Tensor: TypeAlias = Any

PRECISIONS = ("fp32", "fp16", "bf16")


@dataclass(frozen=True)
class Target:
    """Where and how networks run; part of the record and of the certificate."""

    runtime: str = "openvino"
    """A name of `RUNTIMES`: `onnxruntime`, `openvino`, `torch`."""
    device: str = "cpu"
    """`cpu`, `cuda:0` ..."""
    provider: str = "cpu"
    """ONNX Runtime's execution provider: `cpu`, `cuda`, `tensorrt`; the other runtimes repeat the device's kind."""
    precision: str = "fp32"
    threads: int = 0
    """Threads inside one run on the CPU; 0 takes what the process may use."""

    def __str__(self) -> str:
        return f"{self.runtime}/{self.provider}/{self.device}/{self.precision}"


@dataclass(frozen=True)
class RuntimeFacts:
    """What really ran: the `runtime` field of a record. `providers` are those that the session reports."""

    name: str
    version: str
    provider: str
    providers: tuple[str, ...]
    device: str
    """Marketing name of the processor or GPU."""
    driver: str | None
    cuda: str | None
    threads: int | None
    precision: str
    deterministic: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    """Every option that was given to the engine."""

    @property
    def plain(self) -> dict[str, Any]:
        """JSON types, as records carry it."""
        return {**asdict(self), "providers": list(self.providers), "options": dict(self.options)}

    @property
    def place(self) -> dict[str, Any]:
        """What a certificate is bound to: everything but threads."""
        return {k: v for k, v in self.plain.items() if k != "threads"}


@dataclass(frozen=True)
class Network:
    """One network to open: its card, the very bytes that were hashed, and what `build` made of them."""

    card: ModelCard
    weights: bytes
    """The weight file; its sha256 is the card's."""
    variant: Mapping[str, Any] = field(default_factory=dict)
    """What changes the network beside its weights, such as `{"denoise": 0.5}` for the -wdn blend or
    `{"w": 0.7}` for CodeFormer; part of the build's key."""
    onnx: bytes | None = None
    """The exported (or native) graph; null where only torch can run it."""
    others: Mapping[str, bytes] = field(default_factory=dict)
    """Weight files of further cards that the variant needs (the -wdn file), by card name."""
    cache: Path | None = None
    """Folder for what an engine compiles (TensorRT plans, timing caches, OpenVINO blobs)."""


class Session(ABC):
    """A loaded network; may be called from several threads."""

    facts: RuntimeFacts
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @abstractmethod
    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """The outputs for `inputs`, in the graph's order.

        Raises:
            OutOfMemoryError: the device has too little memory; a smaller tile may fit.
        """

    def held(self) -> AbstractContextManager[Any]:
        """Stays open while the block runs: a cache closes no network between two tiles of one picture."""
        return nullcontext()

    def close(self) -> None:  # noqa: B027  (nothing to give back on most engines)
        """Give the device's memory back; the session is not used afterwards."""


class Runtime(ABC):
    """Opens networks. Constructed once per process and target."""

    name: ClassVar[str]
    needs_onnx: ClassVar[bool] = True
    """Whether it runs the exported graph; else it builds the network from the weights (torch)."""
    reference: ClassVar[str]

    def __init__(self, target: Target) -> None:
        self.target = target

    @abstractmethod
    def check(self) -> None:
        """Raise `MissingResourceError` where the library, device or provider that was asked for is absent."""

    def by_shape(self) -> bool:
        """Whether a session is made for one shape; else one session takes every shape."""
        return True

    @abstractmethod
    def open(self, network: Network, shape: tuple[int, int, int, int] | None) -> Session:
        """A session for inputs of `shape` (N, C, H, W); null leaves it to the graph."""
