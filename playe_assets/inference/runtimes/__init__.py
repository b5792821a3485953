"""The runtimes: one file each, one line here. Importing this loads none of them."""

from __future__ import annotations

from playe_assets.core.registry import Registry
from playe_assets.inference.contract import Runtime

# The reference first, then what cases run on.
RUNTIMES: Registry[Runtime] = Registry(
    "runtime",
    {
        "torch": "playe_assets.inference.runtimes.torch_:TorchRuntime",
        "onnxruntime": "playe_assets.inference.runtimes.onnxruntime_:OnnxRuntime",
        "openvino": "playe_assets.inference.runtimes.openvino_:OpenVino",
    },
)
