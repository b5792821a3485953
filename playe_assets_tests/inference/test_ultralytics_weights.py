"""Whole-model files give their tensors; nothing that they name is imported, made or called."""

from __future__ import annotations

import importlib.util
import io
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from playe_assets.core.errors import GovernanceError
from playe_assets_tests.inference.yolo_sample import card

if importlib.util.find_spec("torch") is None:
    pytest.skip("torch is not installed (extra models)", allow_module_level=True)

SENTINEL = "gadget-ran"


def state(data):
    from playe_assets.inference.door import state_dict

    return state_dict(data, card())


def archive(raw):
    """A torch zip whose pickle is `raw`, protocol 2 as torch writes it."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as packed:
        packed.writestr("archive/data.pkl", raw)
        packed.writestr("archive/version", "3\n")
        packed.writestr("archive/byteorder", "little")
    return written.getvalue()


def call(module, name, *args):
    """Pickle of a table whose `model` is `module.name(*args)`."""
    body = b"".join(b"X" + len(a.encode()).to_bytes(4, "little") + a.encode() for a in args)
    called = f"c{module}\n{name}\n".encode() + b"(" + body + b"tR"
    return b"\x80\x02}(X\x05\x00\x00\x00model" + called + b"u."


@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="extra yolo is not installed")
def test_the_tensors_are_those_of_the_models_own_state_dict_and_single_precision():
    import torch

    from playe_assets.inference import ultralytics_fence
    from playe_assets_tests.inference.yolo_sample import saved

    ultralytics_fence.load()
    from ultralytics.nn.tasks import DetectionModel, PoseModel

    for kind, name in ((DetectionModel, "yolov8n.yaml"), (PoseModel, "yolov8n-pose.yaml")):
        model = kind(name, verbose=False)
        expected = model.half().float().state_dict()
        found = state(saved(model))
        assert list(found) == list(expected)
        assert all(torch.equal(found[key], expected[key]) for key in expected)
        with torch.no_grad():
            built = ultralytics_fence.detection_model(found, card())
            square = torch.rand(1, 3, 64, 96)
            assert torch.equal(built(square), model.eval()(square)[0])


@pytest.mark.skipif(importlib.util.find_spec("ultralytics") is None, reason="extra yolo is not installed")
def test_reading_needs_no_ultralytics(tmp_path):
    from playe_assets_tests.inference.yolo_sample import checkpoint

    path = tmp_path / "yolov8n.pt"
    path.write_bytes(checkpoint())
    code = (
        "import sys; sys.modules['ultralytics'] = None\n"
        "from pathlib import Path\n"
        "from playe_assets.inference.ultralytics_weights import state_dict\n"
        "from playe_assets_tests.inference.yolo_sample import card\n"
        f"print(len(state_dict(Path({str(path)!r}).read_bytes(), card())))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 355


GADGETS = {
    "os.system": call("os", "system", f"touch {SENTINEL}"),
    "posix.system": call("posix", "system", f"touch {SENTINEL}"),
    "eval": call("builtins", "eval", f"open('{SENTINEL}', 'w')"),
    "exec of Python 2's name": call("__builtin__", "exec", f"open('{SENTINEL}', 'w')"),
    "subprocess": call("subprocess", "getoutput", f"touch {SENTINEL}"),
    "a path that writes": call("pathlib", "Path.write_text", SENTINEL, "x"),
    "torch.load": call("torch", "load", SENTINEL),
    "torch.hub": call("torch.hub", "load", "x", "y"),
    "a function of torch.nn": call("torch.nn.modules.module", "register_module_forward_hook", SENTINEL),
    "a function of ultralytics": call("ultralytics.utils.checks", "check_requirements", SENTINEL),
    "a download of ultralytics": call("ultralytics.utils.downloads", "safe_download", "http://localhost:9/x"),
    "runpy": call("runpy", "run_path", SENTINEL),
    "numpy's runstring": call("numpy.testing._private.utils", "runstring", f"open('{SENTINEL}', 'w')"),
    "importlib": call("importlib", "import_module", "antigravity"),
    "a dotted way out of an allowed class": call(
        "ultralytics.nn.tasks.torch.os", "system", f"touch {SENTINEL}"
    ),
}


@pytest.mark.parametrize("name", GADGETS)
def test_planted_calls_are_refused_by_name_and_never_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GovernanceError, match="Nothing of it was run"):
        state(archive(GADGETS[name]))
    assert list(tmp_path.iterdir()) == []


INERT = {
    "getattr reaches no attribute": call("builtins", "getattr", "os", "system"),
    "a class of ultralytics that acts when made": call("ultralytics.engine.model", "Model", SENTINEL + ".pt"),
    "torch's module with arguments": call("torch.nn.modules.linear", "Linear", "1", "2"),
}


@pytest.mark.parametrize("name", INERT)
def test_allowed_names_are_stand_ins_that_do_nothing(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GovernanceError, match="holds no model"):
        state(archive(INERT[name]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"no checkpoint", pickle.dumps({"model": 1}), archive(b"\x80\x02]."), archive(b""), archive(b"\x80\x02}.")],
    ids=["empty", "text", "bare pickle", "a list", "no pickle", "an empty table"],
)  # fmt: skip
def test_what_is_no_model_is_refused_with_the_files_name(data):
    with pytest.raises(GovernanceError, match=r"yolov8n\.pt"):
        state(data)


def test_no_name_of_a_stand_in_stays_allowed_afterwards():
    import torch

    before = torch.serialization.get_safe_globals()
    with pytest.raises(GovernanceError):
        state(archive(INERT["torch's module with arguments"]))
    assert torch.serialization.get_safe_globals() == before
    assert Path(SENTINEL).exists() is False
