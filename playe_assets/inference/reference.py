"""What an engine is held against: fp32 torch on the CPU, or, where a card's file is a graph, that graph as written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from playe_assets.inference.contract import Network, Tensor

Reference: TypeAlias = Callable[[Tensor], list[Tensor]]


def reference_of(network: Network) -> tuple[Reference, dict[str, str]]:
    """A function from input to outputs, and its `name`, `version` and `note` for the certificate.

    Raises:
        MissingResourceError: torch is not installed.
    """
    if network.card.format == "onnx":
        return _plain_onnxruntime(network)
    from playe_assets.inference.networks import torch_module

    module = torch_module(network)  # says so where torch is not installed
    import torch

    def run(given: Tensor) -> list[Tensor]:
        with torch.inference_mode():
            found = module(torch.from_numpy(given))
        return [t.numpy() for t in (found if isinstance(found, (tuple, list)) else (found,))]

    return run, {"name": "torch", "version": str(torch.__version__), "note": "fp32, CPU"}


def _plain_onnxruntime(network: Network) -> tuple[Reference, dict[str, str]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # errors
    graph = network.onnx or network.weights
    engine = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    entry = engine.get_inputs()[0].name

    def run(given: Tensor) -> list[Tensor]:
        return list(engine.run(None, {entry: given}))

    note = "fp32, CPU, graph optimisation off; the card's file is a graph, there is no torch module"
    return run, {"name": "onnxruntime", "version": str(onnxruntime.__version__), "note": note}


def versions() -> dict[str, str]:
    """Versions of the libraries that take part, of those that are installed."""
    from importlib import metadata

    found = {}
    for name in ("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "openvino", "spandrel", "torch"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
