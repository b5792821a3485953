"""The runtimes agree with torch, say truly what ran, and refuse what is not there."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playe_assets.core.errors import CommandError, GovernanceError, MissingResourceError, OutOfMemoryError
from playe_assets.inference import export
from playe_assets.inference.contract import Network, Target
from playe_assets.inference.runtimes import RUNTIMES, hardware
from playe_assets.inference.runtimes.memory import memory_watched
from playe_assets_tests.inference.checkpoints import made

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")

AGREEMENT = 1e-5
"""Largest difference to torch as a share of its largest output; seen: 4e-6 at most."""
ENGINES = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("graphs")
    return lambda name: export.build(made(name).network, folder)


def picture(name: str, count: int = 1, height: int = 0, width: int = 0) -> Any:
    sample = made(name)
    full = {"0..1": 1, "0..255": 255}[sample.card.input.range]
    shape = (count, 3, height or sample.side, width or sample.side)
    return np.random.default_rng(2).random(shape, np.float32) * np.float32(full)


def opened(network: Network, runtime: str, shape: Any = None, **target: Any) -> Any:
    return RUNTIMES.get(runtime)(Target(runtime=runtime, threads=1, **target)).open(network, shape)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["srvgg", "nafnet", "rlfn", "swinir"])
def test_an_engine_agrees_with_torch(built: Any, name: str, engine: str) -> None:
    network, given = built(name), picture(name)
    [expected] = opened(network, "torch").run([given])
    for shape in (None, given.shape):
        session = opened(network, engine, shape)
        [found] = session.run([given])
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= AGREEMENT * np.abs(expected).max()
        assert np.array_equal(found, session.run([given])[0]), "two runs must not differ"
        session.close()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["srvgg", "nafnet"])
def test_a_graph_without_fixed_size_takes_any_batch_height_and_width(
    built: Any, name: str, engine: str
) -> None:
    network, given = built(name), picture(name, 2, 40, 28)
    [expected] = opened(network, "torch").run([given])
    [found] = opened(network, engine).run([given])
    assert np.abs(found - expected).max() <= AGREEMENT * np.abs(expected).max()


@pytest.mark.parametrize("engine", ENGINES)
def test_local_means_are_exported_with_the_picture_s_size_left_free(built: Any, engine: str) -> None:
    network, given = built("nafnet_local"), picture("nafnet_local", 1, 16, 480)
    given[..., 200:] *= np.float32(0.2)
    [expected] = opened(network, "torch").run([given])
    [plain] = opened(built("nafnet"), "torch").run([given])
    [found] = opened(network, engine).run([given])
    assert np.abs(found - expected).max() <= AGREEMENT * np.abs(expected).max()
    assert np.abs(plain - expected).max() > 100 * AGREEMENT


@pytest.mark.parametrize("runtime", [*ENGINES, "torch"])
def test_a_session_may_be_called_from_several_threads(built: Any, runtime: str) -> None:
    session = opened(built("srvgg"), runtime)
    inputs = [picture("srvgg", 1, 16 + 4 * i, 24) for i in range(6)]
    alone = [session.run([given])[0] for given in inputs]
    together: list[Any] = [None] * len(inputs)

    def run(index: int) -> None:
        together[index] = session.run([inputs[index]])[0]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("runtime", [*ENGINES, "torch"])
def test_the_facts_name_what_really_runs(built: Any, runtime: str) -> None:
    facts = opened(built("srvgg"), runtime).facts
    assert (facts.name, facts.precision, facts.threads) == (runtime, "fp32", 1)
    assert facts.device == hardware.processor()
    assert facts.driver is None
    assert facts.plain["version"]
    assert facts.providers == {
        "onnxruntime": ("CPUExecutionProvider",), "openvino": ("CPU",), "torch": ("cpu",)
    }[runtime]  # fmt: skip


def test_openvino_is_told_to_compute_in_float32(built: Any) -> None:
    assert opened(built("srvgg"), "openvino").facts.options["INFERENCE_PRECISION_HINT"] == "f32"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there_raises_and_does_not_fall_back(provider: str) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    runtime = RUNTIMES.get("onnxruntime")(Target(device="cuda:0", provider=provider))
    with pytest.raises(MissingResourceError, match=r"playe\[gpu\]"):
        runtime.check()


def test_a_session_that_fell_back_to_the_cpu_is_refused(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime as it behaves where the provider is built in and its libraries are absent."""
    import onnxruntime

    runtime = RUNTIMES.get("onnxruntime")(Target(device="cuda:0", provider="cuda"))
    monkeypatch.setattr(runtime, "check", lambda: None)
    monkeypatch.setattr(
        "playe_assets.inference.runtimes.onnxruntime_._load_cuda_libraries", lambda engine: None
    )
    real = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda data, options, providers: real(data, options, providers=["CPUExecutionProvider"]),
    )
    with pytest.raises(MissingResourceError, match="CUDAExecutionProvider was asked for"):
        runtime.open(built("srvgg"), None)


def test_torch_without_cuda_says_so() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(MissingResourceError, match="sees 0 CUDA devices"):
        RUNTIMES.get("torch")(Target("torch", "cuda:0", "cuda")).check()


def test_a_target_that_contradicts_itself_is_refused() -> None:
    for target in (
        Target(device="cuda:0", provider="cpu"),
        Target(device="cpu", provider="cuda"),
        Target(provider="directml"),
        Target("onnxruntime", precision="bf16"),
        Target("openvino", precision="int8"),
        Target("torch", "gpu", "cuda"),
    ):
        with pytest.raises(CommandError):
            RUNTIMES.get(target.runtime)(target).check()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_that_is_not_built_names_the_command(engine: str) -> None:
    with pytest.raises(GovernanceError, match="playe models build random_srvggnetcompact"):
        opened(dataclasses.replace(made("srvgg").network, onnx=None), engine)


@pytest.mark.parametrize(
    "words",
    ["CUDA out of memory. Tried to allocate", "DefaultCPUAllocator: can't allocate memory", "std::bad_alloc",
     "Failed to allocate memory for requested buffer"],
)  # fmt: skip
def test_a_lack_of_memory_is_recognised(words: str) -> None:
    with (
        pytest.raises(OutOfMemoryError, match="1x3x9x9"),
        memory_watched("m", Target(), [(1, 3, 9, 9)]),
    ):
        raise RuntimeError(words)


def test_another_error_of_an_engine_stays_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="shape mismatch"), memory_watched("m", Target(), []):
        raise RuntimeError("shape mismatch")


def test_importing_the_runtimes_imports_no_engine() -> None:
    import subprocess
    import sys

    names = ", ".join(f"playe_assets.inference.runtimes.{n}" for n in ("torch_", "onnxruntime_", "openvino_"))
    code = f"import {names}, sys; print([m for m in ('torch', 'onnxruntime', 'openvino', 'onnx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_exported_graph_is_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = made("srvgg").network
    first = export.build(network, tmp_path)
    monkeypatch.setattr(export, "_export", lambda *args: pytest.fail("exported twice"))
    assert export.build(network, tmp_path).onnx == first.onnx
    monkeypatch.setattr(export, "_libraries", lambda: "torch absent, onnx absent")
    assert export.build(network, tmp_path).onnx == first.onnx, "without torch a graph made elsewhere serves"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".onnx"]


def test_a_kept_graph_that_was_changed_is_made_again(tmp_path: Path) -> None:
    network = made("srvgg").network
    first = export.build(network, tmp_path)
    [path] = tmp_path.glob("*.onnx")
    path.write_bytes(b"changed")
    assert export.build(network, tmp_path).onnx == first.onnx


def test_what_changes_the_network_changes_the_name_of_its_graph() -> None:
    network = made("drunet").network
    names = {export.subject(network, opset, side) for opset in (17, 18) for side in (None, 64)}
    names.add(export.subject(dataclasses.replace(network, variant={"sigma": 26.0}), 18, None))
    names.add(export.subject(dataclasses.replace(network, weights=b"other"), 18, None))
    assert len(names) == 6
