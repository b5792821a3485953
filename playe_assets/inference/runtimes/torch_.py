"""torch: where networks come from, the fp32 reference of every certificate, and the fast way on CUDA."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import MissingResourceError
from playe_assets.inference.contract import Network, Runtime, RuntimeFacts, Session, Target, Tensor
from playe_assets.inference.networks import require_torch, torch_module
from playe_assets.inference.runtimes import hardware
from playe_assets.inference.runtimes.memory import memory_watched

if TYPE_CHECKING:
    from torch import nn

WARM_UPS = 3
"""Runs before a CUDA graph is captured: cuDNN and cuBLAS choose and allocate in the first ones."""


class TorchSession(Session):
    """A module on its device, in channels-last memory; on CUDA with a fixed shape its runs are one CUDA graph."""

    def __init__(self, module: nn.Module, name: str, target: Target, threads: int) -> None:
        import torch

        self._torch, self._name, self._target = torch, name, target
        self._dtype = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[target.precision]
        self._device = torch.device(target.device)
        self._module: Any = module.to(self._device, self._dtype).to(memory_format=torch.channels_last)
        self._threads = threads
        self._graph: Any = None
        self._lock = threading.Lock()
        self.inputs = ("input",)
        self.outputs: tuple[str, ...] = ()

    def capture(self, shape: tuple[int, int, int, int]) -> str:
        """Capture one run of `shape` as a CUDA graph; says `captured` or why it could not be."""
        torch = self._torch
        with torch.inference_mode(), torch.cuda.device(self._device):
            given = torch.zeros(shape, device=self._device, dtype=self._dtype)
            given = given.contiguous(memory_format=torch.channels_last)
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                for _ in range(WARM_UPS):
                    self._module(given)
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph):
                    found = self._module(given)
            except torch.cuda.OutOfMemoryError:
                raise
            except RuntimeError as error:
                torch.cuda.synchronize()
                return f"not capturable: {str(error).splitlines()[0][:120]}"
        self._graph = (graph, tuple(shape), given, _listed(found))
        return "captured"

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        with memory_watched(self._name, self._target, [array.shape for array in inputs]):
            (array,) = inputs
            return self._on_cpu(array) if self._device.type == "cpu" else self._on_cuda(array)

    def _on_cpu(self, array: Tensor) -> list[Tensor]:
        torch = self._torch
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # a setting of the whole process
        with torch.inference_mode():
            given = torch.from_numpy(array).to(self._dtype).contiguous(memory_format=torch.channels_last)
            return [tensor.float().contiguous().numpy() for tensor in _listed(self._module(given))]

    def _on_cuda(self, array: Tensor) -> list[Tensor]:
        torch = self._torch
        with torch.inference_mode(), torch.cuda.device(self._device):
            source = torch.from_numpy(array)
            if self._graph is not None and self._graph[1] == tuple(array.shape):
                graph, _, given, found = self._graph
                with self._lock:  # the graph's input and output are one piece of memory
                    given.copy_(source)
                    graph.replay()
                    return [tensor.float().contiguous().cpu().numpy() for tensor in found]
            given = source.to(self._device, self._dtype).contiguous(memory_format=torch.channels_last)
            return [tensor.float().contiguous().cpu().numpy() for tensor in _listed(self._module(given))]

    def close(self) -> None:
        self._module = None
        self._graph = None
        if self._device.type == "cuda":
            self._torch.cuda.empty_cache()


class TorchRuntime(Runtime):
    """Networks through torch itself."""

    name = "torch"
    needs_onnx = False
    reference = "PyTorch, https://pytorch.org/docs/stable/notes/randomness.html (determinism)"

    def check(self) -> None:
        target = self.target
        hardware.check_target(target, ("cpu", "cuda"), ("fp32", "fp16", "bf16"))
        require_torch()
        import torch

        if target.provider == "cuda" and hardware.gpu_index(target) >= torch.cuda.device_count():
            raise MissingResourceError("runtime.torch_no_cuda", device=target.device, target=str(target),
                                       version=torch.__version__, count=torch.cuda.device_count())  # fmt: skip

    def by_shape(self) -> bool:
        return self.target.provider != "cpu"

    def open(self, network: Network, shape: tuple[int, int, int, int] | None) -> Session:
        self.check()
        import torch

        options: dict[str, Any] = {"memory_format": "channels_last"}
        if self.target.provider == "cuda":
            # Settings of the whole process: the same kernels in every run, and fp32 that is fp32.
            torch.backends.cudnn.benchmark = False
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
            options |= {"cudnn_benchmark": False, "cudnn_deterministic": True, "allow_tf32": False}
        threads = hardware.threads_for(self.target)
        with memory_watched(network.card.name, self.target, [shape] if shape else []):
            session = TorchSession(torch_module(network), network.card.name, self.target, threads)
            if self.target.provider == "cuda":
                options["cuda_graph"] = "no fixed shape" if shape is None else session.capture(shape)
        session.facts = self._facts(torch, threads, options)
        session.outputs = _output_names(network)
        return session

    def _facts(self, torch: Any, threads: int, options: dict[str, Any]) -> RuntimeFacts:
        target, on_cpu = self.target, self.target.provider == "cpu"
        there = () if on_cpu else hardware.gpus()
        index = 0 if on_cpu else hardware.gpu_index(target)
        return RuntimeFacts(
            name=self.name,
            version=str(torch.__version__),
            provider=target.provider,
            providers=(target.provider,),
            device=hardware.processor() if on_cpu else torch.cuda.get_device_name(index),
            driver=there[index].driver if index < len(there) else None,
            cuda=None if on_cpu else str(torch.version.cuda),
            threads=threads if on_cpu else None,
            precision=target.precision,
            deterministic=True,
            options=options,
        )


def _output_names(network: Network) -> tuple[str, ...]:
    from playe_assets.inference.networks import architecture_of

    return architecture_of(network.card).output_names()


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (tuple, list)) else [found]
