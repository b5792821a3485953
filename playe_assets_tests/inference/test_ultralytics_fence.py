"""Behind the fence ultralytics opens no connection, starts no program and leaves the process as it was."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from playe_assets.core.errors import GovernanceError, MissingResourceError
from playe_assets_tests.inference.yolo_sample import card

if any(importlib.util.find_spec(name) is None for name in ("torch", "ultralytics")):
    pytest.skip("extra yolo is not installed", allow_module_level=True)

WATCHED = """
import json, os, socket, sys

reached = []

def watch(event, args):
    # AF_UNIX is family 1: no network.
    if event in ("socket.connect", "socket.sendto", "socket.bind") and getattr(args[0], "family", 2) == 1:
        return
    if event in ("socket.connect", "socket.sendto", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
                 "socket.gethostbyaddr", "urllib.Request", "subprocess.Popen", "os.system", "os.posix_spawn"):
        reached.append([event, repr(args)[:200]])
        raise OSError(f"the fence leaks: {event}")

sys.addaudithook(watch)

def never(*args, **kwargs):
    reached.append(["python", repr(args)[:200]])
    raise OSError("the fence leaks")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = never

import cv2, numpy as np, torch

torch.set_num_threads(2)
cv2.setNumThreads(2)
before = {"environment": dict(os.environ), "folder": os.getcwd(), "torch": torch.get_num_threads(),
          "cv2": cv2.getNumThreads(), "printing": str(np.get_printoptions()), "save": torch.save is torch.save,
          "grad": torch.is_grad_enabled(), "files": sorted(os.listdir(os.environ["HOME"]))}
from PIL import Image
save, opened = torch.save, Image.open
from playe_assets_tests.inference.yolo_sample import card, checkpoint
from playe_assets.inference.ultralytics_fence import Predictor, load
from playe_assets.inference.ultralytics_weights import state_dict

predictor = Predictor(state_dict(checkpoint(), card()), card(), side=320, least=0.2, iou=0.7, most=50,
                      classes=tuple(range(80)))
picture = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
boxes = [len(predictor.boxes(picture)) for _ in range(2)]
after = {"environment": dict(os.environ), "folder": os.getcwd(), "torch": torch.get_num_threads(),
         "cv2": cv2.getNumThreads(), "printing": str(np.get_printoptions()),
         "save": torch.save is save and Image.open is opened, "grad": torch.is_grad_enabled(),
         "files": sorted(os.listdir(os.environ["HOME"]))}
import ultralytics
from ultralytics.utils import AUTOINSTALL, ONLINE, SETTINGS
from ultralytics.utils.events import events

print(json.dumps({"reached": reached, "boxes": boxes, "changed": [k for k in before if before[k] != after[k]],
                  "on": [k for k, v in SETTINGS.items() if v is True], "online": ONLINE, "installs": AUTOINSTALL,
                  "events": events.enabled, "settings": str(SETTINGS.file), "once": load() is ultralytics}))
"""


def in_a_process(code, tmp_path, **environment):
    import os

    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    given = {
        k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "OMP_", "PYTEST_", "ULTRALYTICS_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**given, "HOME": str(home), "XDG_CONFIG_HOME": str(home), **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_importing_building_and_predicting_reach_no_network_and_change_nothing_of_the_process(tmp_path):
    said = json.loads(in_a_process(WATCHED, tmp_path).splitlines()[-1])
    assert said["reached"] == []
    assert said["boxes"][0] == said["boxes"][1]
    assert said["changed"] == []
    assert said["on"] == [] and not (said["online"] or said["installs"] or said["events"])
    assert str(tmp_path) not in said["settings"] and "playe-yolo-settings-" in said["settings"]
    assert said["once"]


def test_without_the_fence_the_package_does_reach_out(tmp_path):
    # What the fence is for: should this ever fail, the package has changed its ways and the fence may go.
    code = WATCHED.split("from playe_assets_tests")[0] + (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from playe_assets.inference.torchvision_shim import allow_torchvision; allow_torchvision()\n"
        "import ultralytics\n"
        "print(json.dumps([[kind for kind, _ in reached], cv2.getNumThreads(), os.environ.get('OMP_NUM_THREADS')]))"
    )
    reached, cv_threads, omp = json.loads(in_a_process(code, tmp_path).splitlines()[-1])
    assert reached and omp == "1" and cv_threads != 2


def test_a_package_that_came_in_past_the_fence_is_refused(tmp_path):
    code = (
        "import sys, types; sys.modules['ultralytics'] = types.ModuleType('ultralytics')\n"
        "from playe_assets.inference import ultralytics_fence\n"
        "from playe_assets.core.errors import MissingResourceError\n"
        "try: ultralytics_fence.load()\n"
        "except MissingResourceError as error: print(error.code)\n"
    )
    assert in_a_process(code, tmp_path).strip() == "objects.imported_before"


def test_where_the_extra_is_absent_it_is_named(tmp_path):
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'ultralytics': raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from playe_assets.inference import ultralytics_fence\n"
        "from playe_assets.core.errors import MissingResourceError\n"
        "try: ultralytics_fence.load()\n"
        "except MissingResourceError as error: print(error)\n"
    )
    said = in_a_process(code, tmp_path)
    assert "playe[yolo]" in said and "AGPL-3.0" in said and "No module named 'ultralytics'" in said


def test_tensors_of_another_network_are_refused_with_what_is_missing():
    import torch

    from playe_assets.inference.ultralytics_fence import detection_model

    with pytest.raises(GovernanceError, match=r"model\.22\.cv3\.0\.2\.weight"):
        detection_model({"conv.weight": torch.zeros(1)}, card())
    odd = {"model.22.cv3.0.2.weight": (80, 80, 1, 1), "model.0.conv.weight": (17, 3, 3, 3),
           "model.9.cv2.conv.weight": (256, 512, 1, 1)}  # fmt: skip
    with pytest.raises(GovernanceError, match="17 and 256 channels"):
        detection_model({name: torch.zeros(shape) for name, shape in odd.items()}, card())


def test_importing_the_fence_loads_neither_torch_nor_ultralytics(tmp_path):
    code = (
        "import sys, playe_assets.inference.ultralytics_fence, playe_assets.detectors.yolo_ultralytics\n"
        "print([m for m in ('torch', 'ultralytics', 'cv2') if m in sys.modules])"
    )
    assert in_a_process(code, tmp_path).strip() == "[]"
    assert issubclass(MissingResourceError, Exception)
