"""OpenVINO on the CPU: the fastest fp32 there for convolutional networks; compiled for one shape where given."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets.inference.contract import Network, Runtime, RuntimeFacts, Session, Target, Tensor
from playe_assets.inference.runtimes import hardware
from playe_assets.inference.runtimes.memory import memory_watched

HINTS = {"fp32": "f32", "fp16": "f16", "bf16": "bf16"}
"""Always given: OpenVINO's own default on processors with bf16 units is bf16."""


class OpenVinoSession(Session):
    """A compiled model with a pool of infer requests, one for each run at a time; a request is not thread-safe."""

    def __init__(self, compiled: Any, name: str, target: Target, facts: RuntimeFacts) -> None:
        self._compiled, self._name, self._target = compiled, name, target
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        self.facts = facts
        self.inputs = tuple(port.get_any_name() for port in compiled.inputs)
        self.outputs = tuple(port.get_any_name() for port in compiled.outputs)

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        with memory_watched(self._name, self._target, [array.shape for array in inputs]):
            with self._lock:
                request = self._idle.pop() if self._idle else None
            if request is None:
                request = self._compiled.create_infer_request()
            request.infer(list(inputs), share_inputs=True)
            # Copied: the request's own memory is written again by its next run.
            found: list[Tensor] = [request.get_output_tensor(i).data.copy() for i in range(len(self.outputs))]
        with self._lock:
            self._idle.append(request)
        return found

    def close(self) -> None:
        with self._lock:
            self._idle.clear()
        self._compiled = None


class OpenVino(Runtime):
    """Graphs through OpenVINO's CPU plug-in."""

    name = "openvino"
    reference = "OpenVINO, https://docs.openvino.ai/ (CPU device, precision hint)"

    def check(self) -> None:
        hardware.check_target(self.target, ("cpu",), tuple(HINTS))
        if "CPU" not in _library().Core().available_devices:
            raise MissingResourceError("runtime.openvino_no_cpu", target=str(self.target))

    def open(self, network: Network, shape: tuple[int, int, int, int] | None) -> Session:
        self.check()
        if network.onnx is None:
            raise GovernanceError("runtime.not_built", name=network.card.name, target=str(self.target))
        library = _library()
        threads = hardware.threads_for(self.target)
        core = library.Core()
        with memory_watched(network.card.name, self.target, [shape] if shape else []):
            model = core.read_model(network.onnx)
            if shape is not None:
                model.reshape(list(shape))
            compiled = core.compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": HINTS[self.target.precision],
                    "INFERENCE_NUM_THREADS": threads,
                    "NUM_STREAMS": 1,
                    "PERFORMANCE_HINT": "LATENCY",
                },
            )
        return OpenVinoSession(
            compiled, network.card.name, self.target, self._facts(library, compiled, threads)
        )

    def _facts(self, library: Any, compiled: Any, threads: int) -> RuntimeFacts:
        keys = ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "NUM_STREAMS", "EXECUTION_DEVICES")
        told = {key: _word(compiled.get_property(key)) for key in keys}
        real = told["INFERENCE_PRECISION_HINT"]
        wanted = HINTS[self.target.precision]
        if wanted != real:
            raise MissingResourceError(
                "runtime.openvino_precision", target=str(self.target), wanted=wanted, real=real
            )
        return RuntimeFacts(
            name=self.name,
            version=str(library.get_version()),
            provider="cpu",
            providers=tuple(str(device) for device in compiled.get_property("EXECUTION_DEVICES")),
            device=hardware.processor(),
            driver=None,
            cuda=None,
            threads=threads,
            precision=self.target.precision,
            deterministic=True,
            options={key: value for key, value in told.items() if key != "INFERENCE_NUM_THREADS"},
        )


def _word(value: Any) -> str:
    named = getattr(value, "get_type_name", None)
    return str(named()) if named is not None else str(value)


def _library() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise MissingResourceError("runtime.openvino_absent", problem=str(error)) from error
    return openvino
