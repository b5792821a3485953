"""ONNX Runtime: the default of case runs on the CPU; CUDA and TensorRT where they are asked for and there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets.inference.contract import Network, Runtime, RuntimeFacts, Session, Target, Tensor
from playe_assets.inference.runtimes import hardware
from playe_assets.inference.runtimes.memory import memory_watched

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
PRECISIONS = {"cpu": ("fp32",), "cuda": ("fp32", "fp16"), "tensorrt": ("fp32", "fp16", "bf16")}
TRT_WORKSPACE_BYTES = 4 << 30
"""Scratch memory that TensorRT may try while it builds a plan."""
_preload = threading.Lock()


class OnnxSession(Session):
    """One `InferenceSession`; ONNX Runtime itself allows concurrent runs."""

    def __init__(self, engine: Any, name: str, target: Target, facts: RuntimeFacts) -> None:
        self._engine, self._name, self._target = engine, name, target
        self.facts = facts
        self.inputs = tuple(node.name for node in engine.get_inputs())
        self.outputs = tuple(node.name for node in engine.get_outputs())

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        with memory_watched(self._name, self._target, [array.shape for array in inputs]):
            given = dict(zip(self.inputs, inputs, strict=True))
            found: list[Tensor] = self._engine.run(None, given)
        return found

    def close(self) -> None:
        self._engine = None


class OnnxRuntime(Runtime):
    """Graphs through ONNX Runtime. The provider that was asked for is compared with what the session reports."""

    name = "onnxruntime"
    reference = "ONNX Runtime, https://onnxruntime.ai/docs/execution-providers/"

    def check(self) -> None:
        target = self.target
        hardware.check_target(target, tuple(PROVIDERS), PRECISIONS.get(target.provider, ()))
        engine = _library()
        available = engine.get_available_providers()
        if PROVIDERS[target.provider] not in available:
            raise MissingResourceError("runtime.provider_absent", provider=PROVIDERS[target.provider],
                                       target=str(target), version=engine.__version__,
                                       available=", ".join(available))  # fmt: skip
        if target.provider != "cpu":
            hardware.require_gpu(target)

    def by_shape(self) -> bool:
        return self.target.provider == "tensorrt"

    def open(self, network: Network, shape: tuple[int, int, int, int] | None) -> Session:
        self.check()
        if network.onnx is None:
            raise GovernanceError("runtime.not_built", name=network.card.name, target=str(self.target))
        engine = _library()
        threads = hardware.threads_for(self.target)
        options = engine.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; what matters is checked below
        asked = [(PROVIDERS[self.target.provider], self._provider_options(network, shape))]
        if self.target.provider == "tensorrt":
            asked.append((PROVIDERS["cuda"], {"device_id": hardware.gpu_index(self.target)}))
        if self.target.provider != "cpu":
            _load_cuda_libraries(engine)
        data = _half(network.onnx) if self._converts else network.onnx
        with memory_watched(network.card.name, self.target, [shape] if shape else []):
            session = engine.InferenceSession(data, options, providers=asked)
        self._same_providers(session, network)
        return OnnxSession(session, network.card.name, self.target, self._facts(engine, session, threads))

    @property
    def _converts(self) -> bool:
        """TensorRT lowers the precision by itself; the CUDA provider runs the graph's own types."""
        return self.target.provider == "cuda" and self.target.precision == "fp16"

    def _provider_options(
        self, network: Network, shape: tuple[int, int, int, int] | None
    ) -> dict[str, str | int]:
        target = self.target
        if target.provider == "cpu":
            return {}
        device = hardware.gpu_index(target)
        if target.provider == "cuda":
            # TF32 rounds fp32 products to 10 bits of mantissa: then it would not be fp32.
            return {"device_id": device, "use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC",
                    "do_copy_in_default_stream": 1}  # fmt: skip
        options: dict[str, str | int] = {
            "device_id": device,
            "trt_fp16_enable": int(target.precision == "fp16"),
            "trt_bf16_enable": int(target.precision == "bf16"),
            "trt_max_workspace_size": TRT_WORKSPACE_BYTES,
        }
        if network.cache is not None:
            options |= _trt_caches(network.cache)
        if shape is not None:
            profile = f"{_first_input(network.onnx or b'')}:{'x'.join(str(side) for side in shape)}"
            options |= {f"trt_profile_{which}_shapes": profile for which in ("min", "opt", "max")}
        return options

    def _same_providers(self, session: Any, network: Network) -> None:
        """ONNX Runtime falls back to the CPU with a log line alone; here that is an error."""
        wanted, real = PROVIDERS[self.target.provider], session.get_providers()
        if not real or real[0] != wanted:
            raise MissingResourceError("runtime.provider_fell_back", name=network.card.name, provider=wanted,
                                       target=str(self.target), real=", ".join(real))  # fmt: skip

    def _facts(self, engine: Any, session: Any, threads: int) -> RuntimeFacts:
        target, on_cpu = self.target, self.target.provider == "cpu"
        gpu = None if on_cpu else hardware.require_gpu(target)
        given = session.get_provider_options().get(PROVIDERS[target.provider], {})
        return RuntimeFacts(
            name=self.name,
            version=str(engine.__version__),
            provider=target.provider,
            providers=tuple(session.get_providers()),
            device=hardware.processor() if gpu is None else gpu.name,
            driver=None if gpu is None else gpu.driver,
            cuda=None if on_cpu else str(getattr(engine, "cuda_version", "") or "") or None,
            threads=threads if on_cpu else None,
            precision=target.precision,
            deterministic=target.provider != "tensorrt",  # its plan is chosen by timing
            options={"graph_optimization": "all", "execution": "sequential", **given},
        )


def _library() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingResourceError("runtime.onnxruntime_absent", problem=str(error)) from error
    return onnxruntime


def _load_cuda_libraries(engine: Any) -> None:
    """Load CUDA and cuDNN from the nvidia-* wheels, which the dynamic linker does not find by itself."""
    with _preload:
        if hasattr(engine, "preload_dlls"):
            engine.preload_dlls()


def _trt_caches(cache: Path) -> dict[str, str | int]:
    """Plans take minutes to build; TensorRT binds each to its version and the device by itself."""
    folder = cache / "tensorrt"
    folder.mkdir(parents=True, exist_ok=True)
    return {"trt_engine_cache_enable": 1, "trt_engine_cache_path": str(folder),
            "trt_timing_cache_enable": 1, "trt_timing_cache_path": str(folder)}  # fmt: skip


def _first_input(data: bytes) -> str:
    import onnx

    graph = onnx.load_from_string(data).graph
    held = {tensor.name for tensor in graph.initializer}
    return str(next(node.name for node in graph.input if node.name not in held))


def _half(data: bytes) -> bytes:
    """The graph in fp16, its inputs and outputs still float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converted = convert_float_to_float16(onnx.load_from_string(data), keep_io_types=True)
    serialized: bytes = converted.SerializeToString()
    return serialized
